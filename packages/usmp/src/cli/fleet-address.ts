/**
 * Who the devices of a fleet are, and where they connect from.
 *
 * @module
 */

import { createServer, isIPv4 } from 'node:net';

/** Ids of a fleet hold the seed in two bytes and the device in three. */
export const MAX_SEED = 0xffff;

/** More than the file descriptors of a process commonly allow. */
export const MAX_DEVICES = 100_000;

/** Last bytes of addresses: 1 to 250, none that could be taken for a network or a broadcast. */
const PER_NETWORK = 250;

/** `02:SS:SS:NN:NN:NN`: locally administered (IEEE 802), the same in every run. */
export function fleetDeviceId(seed: number, index: number): Uint8Array {
  return Uint8Array.of(0x02, seed >> 8, seed, index >> 16, index >> 8, index);
}

/** The address of a device in 127.0.0.0/8, from 127.1.0.1 on: the programs of the machine itself use 127.0.0.1. */
export function loopbackAddress(index: number): string {
  const network = Math.floor(index / PER_NETWORK);
  return `127.${1 + (network >> 8)}.${network & 0xff}.${1 + (index % PER_NETWORK)}`;
}

/**
 * Whether each device can have an address of its own: the server is on the IPv4 loopback interface, all of whose
 * addresses belong to this machine on Linux and Windows, but not on macOS.
 */
export async function hasOwnAddresses(url: string): Promise<boolean> {
  const host = URL.canParse(url) ? new URL(url).hostname : '';
  if (host !== 'localhost' && !(isIPv4(host) && host.startsWith('127.'))) return false;
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host: loopbackAddress(0), port: 0 }, () => probe.close(() => resolve(true)));
  });
}
