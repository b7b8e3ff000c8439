/** The fleet of a farm, for the pictures of the README: devices that talk, and an hour of what they have said before. */

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Page } from 'playwright-core';
import { USMPClient } from 'usmp';
import { History } from '#dist/messages/history.js';
import { Devices } from '#dist/registry/devices.js';
import { KeyVault } from '#dist/registry/key-vault.js';
import { MasterKey } from '#dist/registry/master-key.js';
import { CommitQueue } from '#dist/storage/commit-queue.js';
import { Storage } from '#dist/storage/storage.js';
import type { GatewayProcess, Scope } from '../operation/gateway-process.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The device whose page is shown. */
export const SHOWN = 'greenhouse-north';
export const REFUSED = 'barn-light-3';
export const DISABLED = 'hive-2';
const OFFLINE = ['cold-store-2', 'soil-05', 'tank-2', 'valve-4'];

/** Names, how many there are of each, tags. */
const KINDS: readonly (readonly [name: string, many: number, tags: readonly string[]])[] = [
  ['barn-climate', 0, ['barn', 'climate']],
  ['barn-light', 4, ['barn', 'light']],
  ['cold-store', 3, ['climate']],
  ['gate', 2, ['yard']],
  ['greenhouse-east', 0, ['greenhouse', 'climate']],
  ['greenhouse-north', 0, ['greenhouse', 'climate']],
  ['greenhouse-west', 0, ['greenhouse', 'climate']],
  ['hive', 3, ['orchard']],
  ['pump', 4, ['irrigation']],
  ['silo', 2, ['yard', 'level']],
  ['soil', 9, ['field', 'soil']],
  ['tank', 3, ['irrigation', 'level']],
  ['valve', 5, ['irrigation']],
  ['weather', 0, ['field', 'climate']],
];

export interface FarmDevice {
  readonly id: string;
  readonly name: string;
  readonly key: string;
}

/** Writes devices and messages into a data folder on which no gateway runs. */
export function seedFarm(folder: string, now: number): readonly FarmDevice[] {
  const storage = Storage.open(folder);
  const added = now - 41 * DAY;
  const devices = new Devices(storage, new KeyVault(MasterKey.load(storage, {})), () => added);
  const farm = KINDS.flatMap(([kind, many, tags]) => namesOf(kind, many).map((name) => ({ name, tags }))).map(
    ({ name, tags }, i) => {
      const id = `02:5a:11:00:00:${(0x20 + i).toString(16)}`;
      const note = name === SHOWN ? 'Sensor on the third table, fan on relay 2.' : '';
      const { key } = devices.add({ id, name, tags, note });
      const at = now - (OFFLINE.includes(name) ? (i + 1) * 13 * MINUTE : 2 * MINUTE);
      devices.connected(id, { at, address: `127.0.20.${i + 1}:40${100 + i}`, transport: 'tcp' });
      const counters = {
        messagesIn: 9_120 + i * 37,
        messagesOut: 310 + i,
        bytesIn: 612_000,
        bytesOut: 9_100,
      };
      devices.addCounters(id, counters, at);
      return { id, name, key };
    },
  );
  writeHistory(storage, farm.find(({ name }) => name === SHOWN)!.id, now);
  storage.close();
  return farm;
}

function namesOf(kind: string, many: number): readonly string[] {
  if (many === 0) return [kind];
  const digits = many > 5 ? 2 : 1;
  return Array.from({ length: many }, (_, i) => `${kind}-${String(i + 1).padStart(digits, '0')}`);
}

/** Of the last hour: measured values, and now and then a command with its answer. */
function writeHistory(storage: Storage, deviceId: string, now: number): void {
  const queue = new CommitQueue(storage, { storageFailed() {}, storageRecovered() {} });
  const history = new History(storage);
  const write = (direction: 'in' | 'out', at: number, text: string) =>
    history.insertIn({
      ...{ id: queue.nextId(), deviceId, direction, at, payload: Buffer.from(text), format: 'text' },
      ...{ state: direction === 'in' ? 'received' : 'confirmed', redeliver: false, sessionId: undefined },
      ...(direction === 'in'
        ? { sentAt: undefined, doneAt: undefined, expiresAt: undefined }
        : { sentAt: at + 1, doneAt: at + 31, expiresAt: at + 7 * DAY }),
    });
  storage.transaction(() => {
    for (let i = 0; i < 110; i++) {
      const at = now - HOUR + i * 32_000;
      write('in', at, valuesOf(i));
      if (i % 23 !== 20) continue;
      write('out', at + 4_000, `fan ${i % 2 === 0 ? 'on' : 'off'}`);
      write('in', at + 4_300, 'ok');
    }
  });
  queue.close();
}

/** As a sensor in a greenhouse has them, which warms up and is aired. */
export function valuesOf(i: number): string {
  const temperature = (22.4 + 1.8 * Math.sin(i / 9) + 0.2 * Math.sin(i * 2.7)).toFixed(1);
  const humidity = Math.round(61 - 6 * Math.sin(i / 9));
  return `{"temperature":${temperature},"humidity":${humidity}}`;
}

/** Devices that are online, each over a line that takes some milliseconds. */
export async function connectFarm(
  t: Scope,
  gateway: GatewayProcess,
  farm: readonly FarmDevice[],
): Promise<ReadonlyMap<string, USMPClient>> {
  const clients = new Map<string, USMPClient>();
  const online = farm.filter(({ name }) => ![...OFFLINE, REFUSED, DISABLED].includes(name));
  // One after the other, so that round trips have no crowd in them.
  for (const [i, { id, name, key }] of online.entries()) {
    const url = await slowLine(t, gateway.url('tcp'), 6 + ((i * 7) % 19), `127.0.20.${i + 1}`);
    const client = new USMPClient({ url, psk: key, deviceId: id });
    t.after(() => client.disconnect());
    await client.connect();
    await gateway.expect(200, 'POST', `/api/v1/sessions/${id}/ping`);
    clients.set(name, client);
  }
  return clients;
}

/** @param latency of one way. Milliseconds */
async function slowLine(t: Scope, target: string, latency: number, from: string): Promise<string> {
  const { port } = new URL(target);
  const sockets = new Set<Socket>();
  const relay = createServer((here) => {
    const there = connect({ port: Number(port), host: '127.0.0.1', localAddress: from });
    for (const [socket, other] of [
      [here, there],
      [there, here],
    ] as const) {
      sockets.add(socket.setNoDelay());
      socket.on('data', (data) => setTimeout(() => other.write(data), latency));
      socket.on('error', () => {});
      socket.on('close', () => other.destroy());
    }
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    relay.close();
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  return `tcp://127.0.0.1:${(relay.address() as AddressInfo).port}`;
}

/** The gateway and its sessions have been there for seconds: the page is told that it was hours. */
export async function tellOfHoursBefore(page: Page): Promise<void> {
  await page.route(/\/api\/v1\/stats/, async (route) => {
    const response = await route.fetch();
    const stats = await response.json();
    if (!route.request().url().includes('after='))
      stats.samples = [...samplesBefore(stats.at), ...stats.samples];
    await route.fulfill({ response, json: stats });
  });
  await page.route(/\/api\/v1\/devices(?:\/[^/]*)?(?:\?|$)/, async (route) => {
    if (route.request().method() !== 'GET') return route.fallback();
    const response = await route.fetch();
    const answer = await response.json();
    for (const { id, session } of answer.devices ?? [answer]) if (session !== null) lengthen(id, session);
    await route.fulfill({ response, json: answer });
  });
}

function lengthen(id: string, session: { since: string; messagesIn: number; bytesIn: number }): void {
  const minutes = 150 + ((Number.parseInt(id.slice(-2), 16) * 211) % 2_100);
  session.since = new Date(Date.parse(session.since) - minutes * MINUTE).toISOString();
  session.messagesIn += Math.round(minutes * 1.9);
  session.bytesIn += Math.round(minutes * 1.9) * 34;
}

function samplesBefore(at: string) {
  return Array.from({ length: 360 }, (_, i) => {
    const noise = Math.sin(i * 1.7) + Math.sin(i * 0.61) + Math.sin(i * 5.3);
    return {
      at: new Date(Date.parse(at) - HOUR + i * 10_000).toISOString(),
      online: i > 140 && i < 163 ? 31 : i > 250 ? 34 : 35,
      messagesIn: Math.round(62 + 8 * Math.sin(i / 40) + 5 * noise),
      messagesOut: Math.round(14 + 2.5 * noise),
      roundTrip: 31 + 2.2 * noise + (i > 136 && i < 170 ? 9 : 0),
      refused: i === 96 || i === 305 || (i > 141 && i < 145) ? 1 : 0,
    };
  });
}
