/** Strangers in numbers, against a server in a process of its own. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { USMPServerOptions, USMPSession } from '#dist/index.js';
import { PSK, WRONG_PSK } from '../server/live.js';
import { FLOODED, PARKED, type ServerProcess, startServerProcess, type Weight } from '../server/process.js';
import {
  BYE,
  DATA,
  frame,
  HELLO_RETRY,
  PING,
  RawGreeting,
  RawSocket,
  randomDeviceId,
} from '../support/raw-datagrams.js';
import { assertAlive, assertServes, connect } from './honest-clients.js';
import { LISTEN, openSocket } from './udp-bed.js';

/** More of them would show a leak of fewer bytes each. */
const LONG = Boolean(process.env.USMP_LONG);
const [VISITS, WRONG_KEYS, SESSIONS] = LONG ? [16_000, 700, 600] : [4_000, 300, 200];

const MiB = 2 ** 20;

test('HELLOs without end from one address get 256 cookies and then 128 a second, and others are served', async (t) => {
  const server = await startUDPProcess(t);
  const bystander = await connect(t, server);
  const flood = await Promise.all(
    Array.from({ length: 4 }, () => openSocket(t, server, { localAddress: '127.0.0.9' })),
  );
  const clock = await openSocket(t, server);
  const started = performance.now();
  let answers = 0;
  for (let i = 0; i < 60; i++) {
    for (const socket of flood) socket.send(...Array.from({ length: 10 }, hello));
    // What the server has answered here it answered after those.
    await clock.answersTo();
    for (const socket of flood) answers += socket.drain().filter(isRetry).length;
    if (i % 20 === 0) await assertServes(server);
  }
  const seconds = (performance.now() - started) / 1_000;
  const most = 256 + 128 * seconds;
  assert.ok(answers >= 256, `${answers} cookies`);
  assert.ok(answers <= most + 1, `${answers} cookies in ${seconds} s`);
  await assertUntouched(bystander);
  await assertServes(server);
});

test(`HELLOs from ${2_000 + VISITS} sources leave nothing behind, and others are served meanwhile`, async (t) => {
  const server = await startUDPProcess(t);
  const bystander = await connect(t, server);
  await visit(server, 2_000, (i) => `127.1.${i >> 8}.${i & 0xff}`);
  const before = await server.weigh();
  await visit(server, VISITS, (i) => `127.2.${i >> 8}.${i & 0xff}`);
  await assertServes(server);
  await assertUntouched(bystander);
  const { stats, rss, held } = await server.weigh();
  assert.equal(stats.halfOpen, 0);
  assert.ok(held - before.held < MiB, `${(held - before.held) / MiB} MiB more are held`);
  assert.ok(rss - before.rss < 60 * MiB, `${(rss - before.rss) / MiB} MiB more`);
});

test('1,400 handshakes from 700 addresses that stop at CHALLENGE keep nobody out and touch no session', async (t) => {
  const server = await startUDPProcess(t);
  const bystander = await connect(t, server);
  const before = await server.weigh();
  const open = async (i: number) => {
    const localAddress = `127.3.${(i % 700) >> 8}.${(i % 700) & 0xff}`;
    const socket = await openSocket(t, server, { localAddress });
    await socket.challenge(new RawGreeting({ psk: PSK }));
  };
  await inBatches(1_400, 50, open);
  await assertServes(server);
  await assertUntouched(bystander);
  const { stats, rss } = await server.weigh();
  assert.ok(stats.halfOpen <= 1_024, `${stats.halfOpen} half-open`);
  assert.ok((stats.refused.busy ?? 0) >= 1_400 - 1_024, `${stats.refused.busy} turned away`);
  assert.ok(rss - before.rss < 60 * MiB, `${(rss - before.rss) / MiB} MiB more`);
});

test('garbage without end costs no memory and keeps nobody out', async (t) => {
  const server = await startUDPProcess(t);
  const bystander = await connect(t, server);
  const socket = await openSocket(t, server, { localAddress: '127.0.0.9' });
  await pourGarbage(socket, 2_000);
  const before = await server.weigh();
  await pourGarbage(socket, 10_000);
  await assertServes(server);
  await assertUntouched(bystander);
  const after = await server.weigh();
  assert.ok(after.held - before.held < 4 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
});

test('wrong keys without end cost no memory and keep nobody out', async (t) => {
  const server = await startUDPProcess(t);
  const fail = async (i: number) => {
    const socket = await RawSocket.open({ port: server.port, localAddress: `127.4.${i >> 8}.${i & 0xff}` });
    const attempt = new RawGreeting({ psk: WRONG_PSK });
    socket.send(attempt.helloAck(await socket.challenge(attempt)));
    await socket.answersTo();
    socket.close();
  };
  await inBatches(300, 20, fail);
  const before = await server.weigh();
  await inBatches(WRONG_KEYS, 20, fail);
  await assertServes(server);
  const after = await server.weigh();
  assert.equal(after.stats.refused['wrong-key'], 300 + WRONG_KEYS);
  assert.equal(after.stats.halfOpen, 0);
  assert.ok(after.held - before.held < 4 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
});

test(`${200 + SESSIONS} sessions that come and go, with and without BYE, leave nothing behind`, async (t) => {
  const server = await startUDPProcess(t, { idleTimeout: 1_000 });
  const visit = async (i: number) => {
    const socket = await RawSocket.open({ port: server.port, localAddress: `127.5.${i >> 8}.${i & 0xff}` });
    // Some of them come back under the id of one before.
    const deviceId = i % 3 === 0 ? '02:00:00:00:00:07' : randomDeviceId();
    const session = await socket.handshake({ psk: PSK, deviceId });
    if (i % 2 === 0) {
      const bye = session.seal(BYE);
      socket.send(bye);
      await session.acknowledged(bye);
    }
    socket.close();
  };
  const empty = async () => settled(server, ({ stats }) => stats.sessions === 0);
  // One after the other: who is replaced before its handshake is over would wait in vain.
  await inBatches(200, 1, visit);
  const before = await empty();
  await inBatches(SESSIONS, 1, visit);
  const after = await empty();
  assert.equal(after.stats.sessions, 0);
  assert.equal(after.stats.halfOpen, 0);
  assert.ok(after.held - before.held < 4 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
  await assertServes(server);
});

test('messages without end to an application that reads nothing are not acknowledged for ever', async (t) => {
  const server = await startUDPProcess(t);
  const socket = await openSocket(t, server);
  const session = await socket.handshake({ psk: PSK, deviceId: PARKED });
  const before = await server.weigh();
  let taken = 0;
  for (let i = 0; i < 150; i++) {
    const answers = await session.answersTo(
      ...Array.from({ length: 32 }, () => session.seal(DATA, 'x'.repeat(440))),
    );
    taken += answers.filter(({ isAck, type }) => isAck && type === DATA).length;
  }
  assert.ok(taken >= 64, `${taken} messages taken`);
  assert.ok(taken <= 400, `${taken} messages taken unread`);
  await assertServes(server);
  const after = await server.weigh();
  assert.ok(after.held - before.held < 4 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
});

test('a device that never acknowledges what the server sends it without end costs a bounded amount', async (t) => {
  const server = await startUDPProcess(t);
  const before = await server.weigh();
  for (let i = 0; i < 10; i++) {
    const socket = await openSocket(t, server);
    const session = await socket.handshake({ psk: PSK, deviceId: i === 0 ? FLOODED : randomDeviceId() });
    session.silent = true;
    // Those who are not flooded by themselves get an echo for each message.
    for (let n = 0; n < 20; n++) {
      await session.answersTo(...Array.from({ length: 16 }, () => session.seal(DATA, 'x'.repeat(440))));
    }
  }
  await assertServes(server);
  const after = await server.weigh();
  assert.ok(after.held - before.held < 8 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
});

async function startUDPProcess(
  t: TestContext,
  options: Partial<USMPServerOptions> = {},
): Promise<ServerProcess> {
  return startServerProcess(t, { listen: LISTEN, ...options });
}

/** While the server is still there: without it BYE would wait in vain for its UTACK. */
async function assertUntouched(bystander: USMPSession): Promise<void> {
  await assertAlive(bystander);
  await bystander.close();
}

function hello(): Buffer {
  return frame(0x01, 0, randomBytes(38));
}

function isRetry({ isAck, type }: { isAck: boolean; type: number }): boolean {
  return !isAck && type === HELLO_RETRY;
}

/** One HELLO from each of many sources, each an address and a port of its own. */
function visit(server: ServerProcess, count: number, addressOf: (index: number) => string): Promise<void> {
  return inBatches(count, 50, async (i) => {
    const socket = await RawSocket.open({ port: server.port, localAddress: addressOf(i) });
    socket.send(hello());
    await socket.frame(HELLO_RETRY);
    socket.close();
  });
}

/** Does something for each number below a count, so many at a time. */
async function inBatches(
  count: number,
  atOnce: number,
  visit: (index: number) => Promise<void>,
): Promise<void> {
  for (let first = 0; first < count; first += atOnce) {
    const size = Math.min(atOnce, count - first);
    await Promise.all(Array.from({ length: size }, (_, i) => visit(first + i)));
  }
}

async function pourGarbage(socket: RawSocket, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += 100) {
    const garbage = Array.from({ length: 100 }, (_, i) =>
      i % 2 === 0
        ? randomBytes(1 + i)
        : frame([PING, DATA, 0x02, 0x03][(i >> 1) % 4]!, i, randomBytes(28 + i)),
    );
    await socket.answersTo(...garbage);
  }
}

/** Weighs until something holds. */
async function settled(server: ServerProcess, holds: (weight: Weight) => boolean): Promise<Weight> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const weight = await server.weigh();
    if (holds(weight) || performance.now() > deadline) return weight;
    await delay(50);
  }
}
