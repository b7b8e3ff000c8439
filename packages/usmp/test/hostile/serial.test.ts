/** Serial lines over TCP whose other end breaks the rules, each followed by an honest session. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { MAX_IDLE_LINES, MAX_IDLE_LINES_PER_ADDRESS } from '#dist/core/limits.js';
import { PSK, text, within } from '../server/live.js';
import { FLOODED, PARKED, type ServerProcess, startServerProcess } from '../server/process.js';
import {
  BYE,
  CHALLENGE,
  DATA,
  frame,
  HELLO,
  HELLO_ACK,
  HELLO_RETRY,
  lineOf,
  PING,
  RawGreeting,
  type RawLineSession,
  RawTCPLine,
  SESSION_OK,
} from '../support/raw-line.js';
import { assertServes } from './honest-clients.js';

/** More of them would show a leak of fewer bytes each. */
const VISITS = process.env.USMP_LONG ? 4_000 : 800;

const MiB = 2 ** 20;

const LISTEN = { listen: 'serial+tcp://127.0.0.1:0' };

async function open(t: TestContext, server: ServerProcess, localAddress?: string): Promise<RawTCPLine> {
  const line = await RawTCPLine.open(server.port, localAddress);
  t.after(() => line.destroy());
  return line;
}

function hello(): Buffer {
  return frame(HELLO, 0, randomBytes(38));
}

/** An echo still comes back. */
async function assertAlive(session: RawLineSession): Promise<void> {
  session.send('are you there?');
  assert.equal(text(await within(session.receive(), 'the echo')), 'are you there?');
}

/** The same line still takes an honest device. A flood of HELLOs may have used up what is answered at once. */
async function assertTakes(line: RawTCPLine): Promise<void> {
  const greeting = new RawGreeting({ psk: PSK });
  const again = setInterval(() => line.send(greeting.hello()), 1_000);
  line.send(greeting.hello());
  const challenge = await within(answerTo(line, greeting), 'CHALLENGE', 30_000);
  clearInterval(again);
  line.send(greeting.helloAck(challenge));
  const sessionOk = await within(line.nextOf(SESSION_OK), 'SESSION_OK');
  assert.equal(sessionOk.payload.length, 48);
}

/** The last CHALLENGE of those that are on their way answers the last HELLO. */
async function answerTo(line: RawTCPLine, greeting: RawGreeting) {
  for (;;) {
    const challenge = await line.nextOf(CHALLENGE);
    if (line.unread > 0) continue;
    line.send(greeting.hello());
    const repeated = await line.nextOf(CHALLENGE);
    // The same HELLO is answered by the same CHALLENGE, so this one is ours.
    if (repeated.payload.equals(challenge.payload)) return repeated;
  }
}

const STREAMS: [name: string, bytes: () => Buffer][] = [
  ['endless bytes without a zero', () => Buffer.alloc(65_536, 0x55)],
  ['endless zeros', () => Buffer.alloc(65_536)],
  [
    'blocks of garbage',
    () => Buffer.concat(Array.from({ length: 200 }, () => [randomBytes(300), Buffer.of(0)]).flat()),
  ],
  ['blocks of one byte', () => Buffer.alloc(65_536, Buffer.of(1, 0))],
  [
    'frames with a wrong checksum',
    () => Buffer.concat(Array.from({ length: 500 }, () => lineOf(spoilt(hello())))),
  ],
  [
    'the beginnings of frames',
    () => Buffer.concat(Array.from({ length: 500 }, () => lineOf(hello()).subarray(0, 30))),
  ],
  [
    'frames of a session that there is not',
    () => Buffer.concat(Array.from({ length: 500 }, () => lineOf(stray()))),
  ],
  [
    'handshake frames without HELLO',
    () => Buffer.concat(Array.from({ length: 300 }, (_, i) => lineOf(misplaced(i)))),
  ],
];

for (const [name, bytes] of STREAMS) {
  test(`${name} cost nothing, and the line takes the next device`, async (t) => {
    const server = await startServerProcess(t, LISTEN);
    await assertServes(server);
    const line = await open(t, server);
    const before = await server.weigh();
    for (let i = 0; i < 60; i++) await within(line.flush(bytes()), 'the flood');
    await assertServes(server);
    line.write(Buffer.of(0));
    await assertTakes(line);
    const { held, stats } = await server.weigh();
    assert.ok(held - before.held < 4 * MiB, `${(held - before.held) / MiB} MiB more are held`);
    assert.deepEqual(stats.refused, {});
    assert.equal(line.closed, false);
  });
}

test('HELLOs without end cost no memory, keep no other line out, and the line takes the next device', async (t) => {
  const server = await startServerProcess(t, LISTEN);
  const bystander = await (await open(t, server)).handshake({ psk: PSK });
  const line = await open(t, server);
  const before = await server.weigh();
  for (let i = 0; i < 100; i++) {
    await line.flush(Buffer.concat(Array.from({ length: 300 }, () => lineOf(hello()))));
    if (i % 25 === 0) await assertAlive(bystander);
  }
  await assertServes(server);
  const { held, stats } = await server.weigh();
  assert.ok(stats.halfOpen <= 2, `${stats.halfOpen} handshakes under way`);
  assert.ok(held - before.held < 4 * MiB, `${(held - before.held) / MiB} MiB more are held`);
  await assertTakes(line);
});

test('HELLOs without end of a peer that never reads cost no memory', async (t) => {
  const server = await startServerProcess(t, LISTEN);
  const line = await open(t, server);
  line.socket.pause();
  const before = await server.weigh();
  const same = Buffer.concat(Array.from({ length: 300 }, () => lineOf(frame(HELLO, 0, Buffer.alloc(38, 7)))));
  for (let i = 0; i < 300; i++) await line.flush(same);
  await assertServes(server);
  const { held } = await server.weigh();
  assert.ok(held - before.held < 4 * MiB, `${(held - before.held) / MiB} MiB more are held`);
});

test('silent connections from one address keep nobody out, and sessions are not touched', async (t) => {
  const server = await startServerProcess(t, LISTEN);
  const bystander = await (await open(t, server)).handshake({ psk: PSK });
  const lines: RawTCPLine[] = [];
  for (let i = 0; i < 1_000; i++) lines.push(await open(t, server));
  await assertServes(server);
  await assertAlive(bystander);
  await within(lines[0]!.ending, 'the end of the oldest');
  const left = lines.filter((line) => !line.closed).length;
  assert.ok(left <= MAX_IDLE_LINES_PER_ADDRESS, `${left} silent lines`);
});

test('silent connections from many addresses keep nobody out, and sessions are not touched', async (t) => {
  const server = await startServerProcess(t, LISTEN);
  const bystander = await (await open(t, server)).handshake({ psk: PSK });
  const lines: RawTCPLine[] = [];
  for (let i = 0; i < 1_500; i++) lines.push(await open(t, server, `127.0.${1 + (i >> 8)}.${i & 0xff}`));
  await assertServes(server);
  await assertAlive(bystander);
  await within(lines[400]!.ending, 'the end of the oldest');
  const left = lines.filter((line) => !line.closed).length;
  assert.ok(left <= MAX_IDLE_LINES, `${left} silent lines`);
});

test('connections with half a handshake each keep nobody out', async (t) => {
  const server = await startServerProcess(t, LISTEN);
  for (let i = 0; i < 600; i++) (await open(t, server)).send(hello());
  await assertServes(server);
  const { stats } = await server.weigh();
  assert.ok(stats.halfOpen <= MAX_IDLE_LINES_PER_ADDRESS, `${stats.halfOpen} handshakes under way`);
});

test('a HELLO without the key does not end the open session, however often it comes', async (t) => {
  const server = await startServerProcess(t, LISTEN);
  const line = await open(t, server);
  const session = await line.handshake({ psk: PSK });
  for (let i = 0; i < 10; i++) {
    const greeting = new RawGreeting({ psk: 'no key of this server' });
    line.send(greeting.hello());
    line.send(greeting.helloAck(await within(line.nextOf(CHALLENGE), 'CHALLENGE')));
    line.send(frame(HELLO_ACK, 2, randomBytes(32)));
    await assertAlive(session);
  }
  await assertServes(server);
});

test('handshake frames in a session have no effect', async (t) => {
  const server = await startServerProcess(t, LISTEN);
  const line = await open(t, server);
  const session = await line.handshake({ psk: PSK });
  for (let i = 0; i < 300; i++) line.send(misplaced(i));
  line.send(frame(HELLO, 1, randomBytes(54)));
  await assertAlive(session);
  await assertServes(server);
});

test('replayed frames of a session before have no effect in the next one', async (t) => {
  const server = await startServerProcess(t, LISTEN);
  const line = await open(t, server);
  const identity = { psk: PSK, deviceId: '02:00:00:00:00:09' };
  const before = await line.handshake(identity);
  const said = [before.seal(DATA, 'pay 100'), before.seal(PING), before.seal(BYE)];
  line.send(said[0]!);
  await within(line.nextOf(DATA), 'the echo');
  line.send(...said.slice(1));
  line.send(...said);
  const after = await within(line.handshake(identity), 'the next session');
  await assertAlive(after);
  // Into an open session they break the order, which ends it and nothing else.
  line.send(...said);
  await within(line.nextOf(BYE), 'the end of the session');
  await assertTakes(line);
  await assertServes(server);
});

test('a device that floods a session that is not read costs a bounded amount, also behind the next HELLO', async (t) => {
  const server = await startServerProcess(t, LISTEN);
  const line = await open(t, server);
  const session = await line.handshake({ psk: PSK, deviceId: PARKED });
  const before = await server.weigh();
  for (let i = 0; i < 200; i++) {
    const block = Buffer.concat(
      Array.from({ length: 100 }, () => lineOf(session.seal(DATA, 'x'.repeat(440)))),
    );
    const stuck = new Promise<'stuck'>((resolve) => setTimeout(resolve, 500, 'stuck').unref());
    if ((await Promise.race([line.flush(block), stuck])) === 'stuck') break;
  }
  await assertServes(server);
  const { held } = await server.weigh();
  assert.ok(held - before.held < 4 * MiB, `${(held - before.held) / MiB} MiB more are held`);
});

test('a device that never reads what it is sent costs a bounded amount', async (t) => {
  const server = await startServerProcess(t, LISTEN);
  const before = await server.weigh();
  const line = await open(t, server);
  await line.handshake({ psk: PSK, deviceId: FLOODED });
  line.socket.pause();
  for (let i = 0; i < 5; i++) {
    line.send(hello());
    await assertServes(server);
  }
  const { held } = await server.weigh();
  assert.ok(held - before.held < 8 * MiB, `${(held - before.held) / MiB} MiB more are held`);
});

test('connections that come and go leave nothing behind', async (t) => {
  const server = await startServerProcess(t, LISTEN);
  const visit = async (i: number) => {
    const line = await RawTCPLine.open(server.port, `127.0.2.${1 + (i % 200)}`);
    if (i % 2 === 0) line.send(hello());
    if (i % 3 === 0) line.write(lineOf(hello()).subarray(0, 20));
    line.socket[i % 5 === 0 ? 'resetAndDestroy' : 'end']();
    await line.ending;
  };
  const round = async (count: number) => {
    for (let i = 0; i < count; i += 50)
      await within(Promise.all(Array.from({ length: 50 }, (_, j) => visit(i + j))), 'fifty visits', 60_000);
    await assertServes(server);
  };
  await round(500);
  const before = await server.weigh();
  await round(VISITS);
  const after = await server.weigh();
  assert.equal(after.stats.halfOpen, 0);
  assert.ok(after.held - before.held < 2 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
});

/** With one bit turned over, and the checksum left as it was. */
function spoilt(bytes: Buffer): Buffer {
  bytes[20]! ^= 0x01;
  return bytes;
}

function stray(): Buffer {
  return frame(DATA, 0, randomBytes(60));
}

/** What only a server sends, or what comes too late. */
function misplaced(index: number): Buffer {
  const cases: [type: number, length: number][] = [
    [CHALLENGE, 64],
    [HELLO_ACK, 32],
    [SESSION_OK, 48],
    [HELLO_RETRY, 16],
  ];
  const [type, length] = cases[index % cases.length]!;
  return frame(type, 0, randomBytes(length));
}
