import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { RefusalReason } from '#dist/index.js';
import { assertServes, echo, eventually, PSK, refusal, startServer, text, within } from '../server/live.js';
import {
  BYE,
  CHALLENGE,
  DATA,
  flipped,
  frame,
  HELLO,
  HELLO_ACK,
  PING,
  RawClient,
  RawHandshake,
  SESSION_OK,
  withChecksum,
} from '../support/raw-client.js';

const TLS_CLIENT_HELLO = Buffer.from(
  `16030100f8010000f40303${'ab'.repeat(32)}20${'cd'.repeat(32)}0026c02bc02fc02cc030cca9cca8c009c013c00ac014`,
  'hex',
);

/** What a stranger may send first, and how it is refused; `undefined` where it only stays away. */
const FIRST_WORDS: [name: string, bytes: Buffer, reason: RefusalReason][] = [
  ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: example.com\r\n\r\n'), 'bad-frame'],
  ['a TLS ClientHello', TLS_CLIENT_HELLO, 'bad-frame'],
  ['an SSH banner', Buffer.from('SSH-2.0-OpenSSH_9.6\r\n'), 'bad-frame'],
  ['zeros', Buffer.alloc(4_096), 'bad-frame'],
  ['random bytes', Buffer.concat([Buffer.of(0x00), randomBytes(65_536)]), 'bad-frame'],
  ['one wrong byte', Buffer.of(0xce), 'bad-frame'],
  ['half a magic and a wrong byte', Buffer.of(0xcd, 0xcd), 'bad-frame'],
  ['a version 1 HELLO', versioned(1), 'version-1'],
  ['a frame of version 3', versioned(3), 'bad-frame'],
  ['an unknown type', frame(0x7f, 0, randomBytes(38)), 'bad-frame'],
  ['an ERROR frame', frame(0xff, 0, Buffer.of(2)), 'bad-frame'],
  ['a length over the limit', Buffer.from('cdab020100000000e1010000', 'hex'), 'bad-frame'],
  ['the largest length there is', Buffer.from('cdab020100000000ffff0000', 'hex'), 'bad-frame'],
  ['a HELLO of 54 bytes, as over UDP', frame(HELLO, 1, randomBytes(54)), 'bad-frame'],
  ['a HELLO of 37 bytes', frame(HELLO, 0, randomBytes(37)), 'bad-frame'],
  ['an empty HELLO', frame(HELLO, 0, Buffer.alloc(0)), 'bad-frame'],
  ['a HELLO_ACK first', frame(HELLO_ACK, 2, randomBytes(32)), 'bad-frame'],
  ['a CHALLENGE', frame(CHALLENGE, 0, randomBytes(64)), 'bad-frame'],
  ['a SESSION_OK', frame(SESSION_OK, 0, randomBytes(48)), 'bad-frame'],
  ['a HELLO_RETRY', frame(0x0a, 0, randomBytes(16)), 'bad-frame'],
  ['DATA before any handshake', frame(DATA, 0, randomBytes(60)), 'bad-frame'],
  ['BYE before any handshake', frame(BYE, 0, randomBytes(28)), 'bad-frame'],
  ['DATA with a wrong checksum', flipped(frame(DATA, 0, randomBytes(60)), 10), 'bad-frame'],
];

for (const [name, bytes, reason] of FIRST_WORDS) {
  test(`${name} is refused as ${reason} without an answer, and the honest are served`, async (t) => {
    const live = await startServer(t);
    const raw = await RawClient.open({ port: live.port });
    raw.write(bytes);
    await within(raw.ending, 'the end of the connection');
    assert.equal(raw.bytesReceived, 0, 'the server answered');
    assert.equal((await refusal(live)).reason, reason);
    await assertServes(live);
    assert.equal(live.server.stats.halfOpen, 0);
    assert.deepEqual(live.log.errors, []);
  });
}

test('the reason does not depend on how the bytes are cut', async (t) => {
  const live = await startServer(t);
  for (const [index, [name, bytes, reason]] of FIRST_WORDS.filter(
    ([, { length }]) => length < 100,
  ).entries()) {
    const raw = await RawClient.open({ port: live.port });
    for (const byte of bytes) {
      if (raw.socket.destroyed) break;
      raw.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await within(raw.ending, 'the end of the connection');
    assert.equal((await refusal(live, index)).reason, reason, name);
  }
  await assertServes(live);
});

test('frames that stop halfway cost a slot until the time is over, and nothing else', async (t) => {
  const live = await startServer(t, echo, { handshakeTimeout: 250 });
  const hello = new RawHandshake({ psk: PSK }).hello();
  const halves = [0, 1, 2, 3, 4, 9, 10, 11, 12, 30, hello.length - 1];
  const clients = await Promise.all(halves.map(() => RawClient.open({ port: live.port })));
  for (const [i, raw] of clients.entries()) raw.write(hello.subarray(0, halves[i]));
  await assertServes(live);
  await within(Promise.all(clients.map((raw) => raw.ending)), 'the ends of the connections');
  await eventually(() => live.refusals.length === halves.length, 'the refusals');
  for (const { reason, message } of live.refusals) {
    assert.equal(reason, 'timeout');
    assert.match(message, /waiting for HELLO/);
  }
  assert.equal(live.server.stats.halfOpen, 0);
});

test('an honest handshake byte by byte works', async (t) => {
  const live = await startServer(t);
  const raw = await RawClient.open({ port: live.port });
  t.after(() => raw.destroy());
  const attempt = new RawHandshake({ psk: PSK });
  const drip = async (bytes: Buffer) => {
    for (const byte of bytes) await raw.flush(Buffer.of(byte));
  };
  await drip(attempt.hello());
  await drip(attempt.helloAck(await raw.expect(CHALLENGE)));
  const session = attempt.session(raw, await raw.expect(SESSION_OK));
  await drip(session.seal(DATA, 'one byte at a time'));
  assert.equal(text(await session.receive()), 'one byte at a time');
});

test('a handshake that drips does not get more time by it', async (t) => {
  const live = await startServer(t, echo, { handshakeTimeout: 300 });
  const raw = await RawClient.open({ port: live.port });
  const started = performance.now();
  const attempt = new RawHandshake({ psk: PSK });
  const hello = attempt.hello();
  let over = false;
  void raw.ending.then(() => {
    over = true;
  });
  for (let i = 0; i < hello.length && !over; i++) {
    raw.write(hello.subarray(i, i + 1));
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  await within(raw.ending, 'the end of the connection');
  const took = performance.now() - started;
  assert.ok(took >= 290, `cut off after ${took} ms`);
  assert.equal(over, true, 'the whole HELLO went through');
  assert.equal((await refusal(live)).reason, 'timeout');
  await assertServes(live);
});

test('the time runs from the accepted connection, not from HELLO', async (t) => {
  const live = await startServer(t, echo, { handshakeTimeout: 400 });
  const raw = await RawClient.open({ port: live.port });
  await new Promise((resolve) => setTimeout(resolve, 250));
  raw.write(new RawHandshake({ psk: PSK }).hello());
  await raw.expect(CHALLENGE);
  const challenged = performance.now();
  await within(raw.ending, 'the end of the connection');
  assert.ok(performance.now() - challenged < 390, 'HELLO restarted the time');
  assert.match((await refusal(live)).message, /waiting for HELLO_ACK/);
});

test('PING and DATA in the middle of a handshake end it', async (t) => {
  const live = await startServer(t);
  for (const [i, type] of [PING, DATA, HELLO, CHALLENGE].entries()) {
    const raw = await RawClient.open({ port: live.port });
    raw.write(new RawHandshake({ psk: PSK }).hello());
    await raw.expect(CHALLENGE);
    raw.write(frame(type, 0, randomBytes(38)));
    await within(raw.ending, 'the end of the connection');
    assert.equal((await refusal(live, i)).reason, 'bad-frame');
  }
  await assertServes(live);
});

test('a second HELLO ends the handshake, together with the first or after it', async (t) => {
  const live = await startServer(t);
  const hello = new RawHandshake({ psk: PSK }).hello();
  const raw = await RawClient.open({ port: live.port });
  raw.write(hello, hello);
  await within(raw.ending, 'the end of the connection');
  assert.equal((await refusal(live)).reason, 'bad-frame');
  await assertServes(live);
});

test('a public key of low order is refused, whether the MAC is right or not', async (t) => {
  const live = await startServer(t);
  const lowOrder = [
    Buffer.alloc(32),
    Buffer.concat([Buffer.of(1), Buffer.alloc(31)]),
    Buffer.from('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', 'hex'),
    Buffer.from('ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'hex'),
  ];
  for (const [i, point] of lowOrder.entries()) {
    const raw = await RawClient.open({ port: live.port });
    const attempt = new RawHandshake({ psk: PSK });
    raw.write(attempt.hello(point));
    raw.write(attempt.helloAck(await raw.expect(CHALLENGE), point));
    assert.equal(await within(raw.next(), 'the end'), undefined, 'SESSION_OK for a public key of low order');
    assert.equal((await refusal(live, i)).error.code, 'low_order_point');
  }
  await assertServes(live);
});

function versioned(version: number): Buffer {
  const hello = frame(HELLO, 0, randomBytes(38));
  hello[2] = version;
  return withChecksum(hello);
}
