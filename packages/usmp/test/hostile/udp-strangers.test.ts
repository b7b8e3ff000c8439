/** What an address may send that has not proved with a cookie that it can be reached. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { test } from 'node:test';
import { assertServes, eventually, type LiveServer, PSK, refusal } from '../server/live.js';
import {
  BYE,
  CHALLENGE,
  DATA,
  DATA_FRAG,
  flipped,
  frame,
  HELLO,
  HELLO_ACK,
  HELLO_RETRY,
  PING,
  PONG,
  RawGreeting,
  type RawSocket,
  REKEY,
  SESSION_OK,
  utack,
  withChecksum,
} from '../support/raw-datagrams.js';
import { assertNone, openSocket, startUDP } from './udp-bed.js';

/** The most that fits into a datagram over IPv4. */
const LARGEST = 65_507;

const SIZES = [2, 6, 7, 11, 12, 13, 15, 49, 50, 51, 66, 67, 491, 492, 493, 1_472, 1_473, 9_000, LARGEST];

/** What a stranger may send, and what must not make the server say anything. */
const NOISE: [name: string, datagrams: readonly Buffer[]][] = [
  ['an empty datagram', [Buffer.alloc(0)]],
  ['every single byte', Array.from({ length: 256 }, (_, byte) => Buffer.of(byte))],
  ['random bytes of many sizes', SIZES.map((size) => randomBytes(size))],
  ['random bytes behind a true magic', SIZES.map((size) => begun([0xcd, 0xab], size))],
  [
    'random bytes behind the beginning of HELLO',
    SIZES.map((size) => begun([0xcd, 0xab, 2, HELLO, 0, 0, 0, 0, 0xff, 0xff], size)),
  ],
  ['a HELLO with a wrong magic', [0, 1].map((at) => withChecksum(flipped(hello(), at)))],
  ['a HELLO in the other byte order', [withChecksum(changed(hello(), [0xab, 0xcd]))]],
  ['HELLOs of versions 0, 3 and 255', [0, 3, 255].map((version) => versioned(version))],
  ['HELLOs with a cookie of versions 0, 3 and 255', [0, 3, 255].map((version) => versioned(version, 54))],
  ['unknown types', [0x00, 0x0c, 0x7f, 0x80, 0xff].map((type) => frame(type, 0, randomBytes(38)))],
  ['an ERROR frame', [frame(0xff, 0, Buffer.of(2))]],
  ['HELLOs of other sizes', [0, 1, 37, 39, 53, 55, 480].map((size) => frame(HELLO, 0, randomBytes(size)))],
  ['a HELLO of 481 bytes', [frame(HELLO, 0, randomBytes(481))]],
  [
    'HELLOs whose length does not fit the datagram',
    [-38, -1, 1, 16, 0xff00].map((by) => lengthened(hello(), by)),
  ],
  [
    'a HELLO that is cut off or has bytes behind it',
    [hello().subarray(0, -1), Buffer.concat([hello(), Buffer.of(0)])],
  ],
  ['two HELLOs in one datagram', [Buffer.concat([hello(), hello()])]],
  ['a CHALLENGE', [frame(CHALLENGE, 0, randomBytes(64))]],
  ['a HELLO_ACK', [frame(HELLO_ACK, 2, randomBytes(32))]],
  ['a SESSION_OK', [frame(SESSION_OK, 0, randomBytes(48))]],
  ['a HELLO_RETRY', [frame(HELLO_RETRY, 0, randomBytes(16))]],
  ['records of no session', [DATA, DATA_FRAG].map((type) => frame(type, 0, randomBytes(60)))],
  ['control frames of no session', [PING, PONG, BYE].map((type) => frame(type, 0, randomBytes(28)))],
  ['a REKEY of no session', [frame(REKEY, 0, randomBytes(60))]],
  ['UTACKs of every type', Array.from({ length: 16 }, (_, type) => utack({ type, seq: 0 }))],
  ['UTACKs with a MAC', Array.from({ length: 16 }, (_, type) => utack({ type, seq: 0 }, randomBytes(32)))],
  ['UTACKs of wrong sizes', [2, 3, 6, 8, 14, 16, 50].map((size) => begun([0xac, 0xac, HELLO], size))],
  ['a HELLO with a random cookie', [frame(HELLO, 1, randomBytes(54))]],
  ['a HELLO with a cookie of zeros', [frame(HELLO, 1, Buffer.concat([randomBytes(38), Buffer.alloc(16)]))]],
  ['an HTTP request', [Buffer.from('GET / HTTP/1.1\r\nHost: example.com\r\n\r\n')]],
  ['a DNS query', [Buffer.from('123401000001000000000000076578616d706c6503636f6d0000010001', 'hex')]],
];

for (const [name, datagrams] of NOISE) {
  test(`${name} from a stranger: no answer, and the honest are served`, async (t) => {
    const live = await startUDP(t);
    const socket = await openSocket(t, live);
    // A few at a time, so that all of them fit into the server's buffer and its cookies last.
    for (let i = 0; i < datagrams.length; i += 8)
      assertNone(
        await socket.answersTo(...datagrams.slice(i, i + 8)),
        `the server answered one of those at ${i}`,
      );
    await assertLeftNothing(live, socket);
    assert.deepEqual(live.refusals, []);
  });
}

test('a HELLO of version 1 is not answered, but reported with what to do', async (t) => {
  const live = await startUDP(t);
  const socket = await openSocket(t, live);
  assertNone(await socket.answersTo(versioned(1)), 'the server answered version 1');
  const { reason, message, transport, address, peer, error } = await refusal(live);
  assert.deepEqual([reason, transport, address, error.code], ['version-1', 'udp', '127.0.0.1', 'version_1']);
  assert.equal(peer, `127.0.0.1:${socket.localPort}`);
  assert.match(message, /update/);
  await assertLeftNothing(live, socket);
});

test('a flood of HELLOs of version 1 is not a flood of reports', async (t) => {
  const live = await startUDP(t);
  const socket = await openSocket(t, live);
  const started = performance.now();
  for (let i = 0; i < 50; i++) {
    const flood = Array.from({ length: 40 }, () => versioned(1));
    assertNone(await socket.answersTo(...flood), 'the server answered version 1');
  }
  const seconds = Math.ceil((performance.now() - started) / 1_000) + 1;
  const reports = live.refusals.filter(({ reason }) => reason === 'version-1').length;
  assert.ok(reports >= 1, 'no report');
  assert.ok(reports <= 20 * seconds, `${reports} reports in ${seconds} s`);
  assert.ok(live.log.matching(/version 1/).length <= 20 * seconds);
  await assertLeftNothing(live, socket);
});

test('datagrams from port 0, where nobody can be answered, do not end the server', async (t) => {
  // Only who may forge whole packets can send such a thing, so the socket itself is made to say that one came.
  const sockets: dgram.Socket[] = [];
  const createSocket = dgram.createSocket;
  t.mock.method(dgram, 'createSocket', (options: dgram.SocketOptions) => {
    sockets.push(createSocket(options));
    return sockets.at(-1);
  });
  const live = await startUDP(t);
  const [socket] = sockets;
  for (const datagram of [
    hello(),
    versioned(1),
    randomBytes(100),
    Buffer.alloc(0),
    frame(HELLO, 1, randomBytes(54)),
  ])
    socket!.emit('message', datagram, {
      address: '127.0.0.1',
      port: 0,
      family: 'IPv4',
      size: datagram.length,
    });
  assert.equal(live.server.stats.halfOpen, 0);
  await assertServes(live);
  assert.deepEqual(live.log.errors, []);
});

test('a HELLO gets less back than it has brought, and so does each of many', async (t) => {
  const live = await startUDP(t);
  const socket = await openSocket(t, live);
  for (let i = 0; i < 20; i++) await socket.cookie(new RawGreeting({ psk: PSK }));
  assert.ok(socket.bytesReceived <= socket.bytesSent, `${socket.bytesReceived} for ${socket.bytesSent}`);
  assert.equal(live.server.stats.halfOpen, 0);
  await assertLeftNothing(live, socket);
});

test('a cookie with any bit turned over opens nothing', async (t) => {
  const live = await startUDP(t);
  const socket = await openSocket(t, live);
  const attempt = new RawGreeting({ psk: PSK });
  const cookie = await socket.cookie(attempt);
  for (const at of [0, 7, 15]) {
    for (const mask of [0x01, 0x80]) {
      const forged = attempt.helloWith(flipped(cookie, at, mask));
      assertNone(await socket.answersTo(forged), `byte ${at} of the cookie is not looked at`);
    }
  }
  assert.equal(live.server.stats.halfOpen, 0);
  // The true one does.
  socket.send(attempt.helloWith(cookie));
  await socket.frame(CHALLENGE);
  await assertServes(live);
});

test('a cookie of another port of the same address opens nothing', async (t) => {
  const live = await startUDP(t);
  await assertTheftFails(live, await openSocket(t, live), await openSocket(t, live));
});

test('a cookie of another address with the same port opens nothing', async (t) => {
  const live = await startUDP(t);
  const owner = await openSocket(t, live);
  const thief = await openSocket(t, live, { localAddress: '127.0.0.66', localPort: owner.localPort });
  await assertTheftFails(live, owner, thief);
});

test('a cookie of another server opens nothing', async (t) => {
  const [here, there] = [await startUDP(t), await startUDP(t)];
  const attempt = new RawGreeting({ psk: PSK });
  const owner = await openSocket(t, there);
  const cookie = await owner.cookie(attempt);
  const { localPort } = owner;
  owner.close();
  const thief = await openSocket(t, here, { localPort });
  assertNone(await thief.answersTo(attempt.helloWith(cookie)), 'the cookies of two servers are alike');
  await assertLeftNothing(here, thief);
});

test('a server under a flood closes when it is told to', async (t) => {
  const live = await startUDP(t);
  const socket = await openSocket(t, live);
  let closed = false;
  const closing = socket.answersTo(...Array.from({ length: 50 }, hello)).then(async () => {
    await live.server.close();
    closed = true;
  });
  while (!closed) {
    socket.send(...Array.from({ length: 20 }, hello), ...Array.from({ length: 20 }, () => versioned(1)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await closing;
  assert.deepEqual(live.log.errors, []);
  // The port is free, and an honest server may have it.
  await assertServes(await startUDP(t, { listen: live.url }));
});

async function assertTheftFails(live: LiveServer, owner: RawSocket, thief: RawSocket): Promise<void> {
  const attempt = new RawGreeting({ psk: PSK });
  const cookie = await owner.cookie(attempt);
  assertNone(await thief.answersTo(attempt.helloWith(cookie)), 'somebody else used the cookie');
  assert.equal(live.server.stats.halfOpen, 0);
  // It is the owner's, and good for him.
  owner.send(attempt.helloWith(cookie));
  await owner.frame(CHALLENGE);
  await assertServes(live);
}

/** No slot, no late answer, no complaint; and an honest session. */
async function assertLeftNothing(live: LiveServer, socket: RawSocket): Promise<void> {
  assert.equal(live.server.stats.halfOpen, 0);
  assert.equal(live.server.stats.accepted, 0);
  await assertServes(live);
  await eventually(() => live.server.stats.sessions === 0, 'the end of the honest session');
  assertNone(socket.drain(), 'an answer came late');
  assert.deepEqual(live.log.errors, []);
}

function hello(): Buffer {
  return new RawGreeting({ psk: PSK }).hello();
}

function versioned(version: number, size = 38): Buffer {
  return withChecksum(changed(frame(HELLO, size === 38 ? 0 : 1, randomBytes(size)), [0xcd, 0xab, version]));
}

/** Random, with a given beginning. */
function begun(beginning: readonly number[], size: number): Buffer {
  const bytes = randomBytes(size);
  bytes.set(beginning.slice(0, size));
  return bytes;
}

function changed(bytes: Buffer, beginning: readonly number[]): Buffer {
  bytes.set(beginning);
  return bytes;
}

/** Says another length than it has. */
function lengthened(bytes: Buffer, by: number): Buffer {
  bytes.writeUInt16LE(bytes.readUInt16LE(8) + by, 8);
  return withChecksum(bytes);
}
