/** Where the transports of the library are tried out. */

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Link, registerTransport } from '#dist/index.js';
import { memory } from '#dist/transports/memory.js';
import type { Scope } from '../server/live.js';
import { type Cable, PortBench } from '../support/ports.js';
import { StreamRelay } from '../support/stream-relay.js';
import { UdpProxy } from '../support/udp-proxy.js';
import { CutLink, wrappedTransport } from '../support/wrapped-transport.js';
import type { CuttableLine, Profile, TransportBed } from './bed.js';

const { url: module } = import.meta;

/** Whatever goes over TCP. */
function overTcp(scheme: string, profile: Profile = {}): TransportBed {
  return {
    scheme,
    module,
    place: () => `${scheme}://127.0.0.1:0`,
    nowhere: async () => `${scheme}://127.0.0.1:${await freePort()}`,
    async line(scope, url) {
      const [place, target] = [0, Number(new URL(url).port)].map((port) => ({ host: '127.0.0.1', port }));
      const relay = await StreamRelay.open(scope, place!, target!);
      return { url: `${scheme}://127.0.0.1:${relay.port}`, cutAfter: (bytes) => relay.cutAfter(bytes) };
    },
    profile,
  };
}

const udp: TransportBed = {
  scheme: 'udp',
  module,
  place: () => 'udp://127.0.0.1:0',
  nowhere: async () => `udp://127.0.0.1:${await freePort()}`,
  line: cuttableDatagrams,
  profile: { silentCuts: true, silentRefusals: true, volume: 500_000 },
};

const unix: TransportBed = {
  scheme: 'unix',
  module,
  place: async (scope) => `unix:${await freePath(scope)}`,
  nowhere: async (scope) => `unix:${await freePath(scope)}`,
  async line(scope, url) {
    const path = await freePath(scope);
    const relay = await StreamRelay.open(scope, { path }, { path: new URL(url).pathname });
    return { url: `unix:${path}`, cutAfter: (bytes) => relay.cutAfter(bytes) };
  },
};

/** The cables of pseudo-terminals, by the URLs of both ends. */
const cables = new Map<string, Cable>();

const serial: TransportBed = {
  scheme: 'serial',
  module,
  needs: 'socat',
  async place(scope) {
    const cable = await (await PortBench.make(scope)).cable();
    for (const { url } of [cable.server, cable.device]) cables.set(url, cable);
    return cable.server.url;
  },
  meet: (_scope, url) => cables.get(url)!.device.url,
  nowhere: async (scope) => `serial:${(await PortBench.make(scope)).folder}/nothing`,
  async line(_scope, url) {
    const cable = cables.get(url)!;
    return { url: cable.device.url, cutAfter: (bytes) => unplugAfter(cable, bytes) };
  },
  // What a pseudo-terminal holds is 4 KiB, each of which takes a few turns of three processes.
  profile: { single: true, silentRefusals: true, volume: 300_000, sessions: 60 },
};

let names = 0;

const inMemory: TransportBed = {
  scheme: 'memory',
  module,
  place: () => `memory:bed-${++names}`,
  nowhere: () => `memory:bed-${++names}`,
  line: cuttableMemory,
};

/** By scheme. */
export const beds = {
  tcp: overTcp('tcp'),
  udp,
  ws: overTcp('ws'),
  serial,
  'serial+tcp': overTcp('serial+tcp', { silentRefusals: true }),
  unix,
  memory: inMemory,
};

/** A port of this machine that was free just now, and that nobody is given until the others have had their turn. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A path for a socket, short enough for one. */
async function freePath(scope: Scope): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'usmp-'));
  scope.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'bed.sock');
}

/** Pulls both ends out when this many bytes more have gone to the server. */
function unplugAfter(cable: Cable, bytes: number): void {
  let left = bytes;
  cable.up = (sent) => {
    const passed = sent.subarray(0, left);
    left -= passed.length;
    if (passed.length < sent.length) for (const port of [cable.server, cable.device]) void port.unplug();
    return passed;
  };
}

async function cuttableDatagrams(scope: Scope, url: string): Promise<CuttableLine> {
  let bytesLeft = Number.POSITIVE_INFINITY;
  const proxy = await UdpProxy.open({
    server: url,
    seed: 0,
    decide: ({ direction, datagram }) => {
      if (direction === 'to-server') bytesLeft -= datagram.length;
      return bytesLeft < 0 ? 'drop' : 'pass';
    },
  });
  scope.after(() => proxy.close());
  return {
    url: proxy.url,
    cutAfter: (bytes) => {
      bytesLeft = bytes;
    },
  };
}

/** The client's end is what can be cut; its URLs have a scheme of their own. */
async function cuttableMemory(scope: Scope, url: string): Promise<CuttableLine> {
  const scheme = `cut-${++names}`;
  let line: CutLink | undefined;
  const client = (link: Link) => {
    line = new CutLink(link);
    return line;
  };
  scope.after(registerTransport(scheme, wrappedTransport(scheme, memory, { client })));
  return { url: url.replace('memory', scheme), cutAfter: (bytes) => line!.cutAfter(bytes) };
}
