import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import type { ErrorCode, USMPSession } from '#dist/index.js';
import {
  assertServes,
  clientFor,
  coded,
  eventually,
  type LiveServer,
  nextSession,
  PSK,
  startServer,
  text,
  WRONG_PSK,
  within,
} from '../server/live.js';
import {
  BYE,
  CHALLENGE,
  DATA,
  flipped,
  frame,
  HELLO,
  PING,
  PONG,
  RawClient,
  RawHandshake,
  RawSession,
  withChecksum,
} from '../support/raw-client.js';

const FRAGMENT = 0x09;
const REKEY = 0x0b;

/** A server, a hostile but authenticated client, and what the server's application received. */
interface Scene {
  readonly live: LiveServer;
  readonly raw: RawClient;
  readonly session: RawSession;
  readonly there: USMPSession;
  readonly received: string[];
}

async function scene(t: TestContext): Promise<Scene> {
  const received: string[] = [];
  const live = await startServer(t, async (session) => {
    for await (const message of session) {
      received.push(text(message));
      await session.send(message);
    }
  });
  const arriving = nextSession(live.server);
  const raw = await RawClient.open({ port: live.port });
  t.after(() => raw.destroy());
  const session = await raw.handshake({ psk: PSK });
  return { live, raw, session, there: await arriving, received };
}

async function assertEnds({ live, raw, there }: Scene, code: ErrorCode): Promise<void> {
  await within(raw.ending, 'the end of the connection');
  await eventually(() => there.closed, 'the end of the session');
  assert.equal(there.error?.code, code);
  assert.equal(there.error?.fault, 'peer');
  await assertServes(live);
}

test('a frame that is sent twice is delivered once, and ends the session', async (t) => {
  const here = await scene(t);
  const once = here.session.seal(DATA, 'pay 10');
  here.raw.write(once);
  await here.session.receive();
  here.raw.write(once);
  await assertEnds(here, 'bad_sequence');
  assert.deepEqual(here.received.slice(0, 1), ['pay 10']);
  assert.equal(here.received.filter((message) => message === 'pay 10').length, 1);
});

test('frames in another order are not delivered', async (t) => {
  const here = await scene(t);
  const [first, second] = [here.session.seal(DATA, 'first'), here.session.seal(DATA, 'second')];
  here.raw.write(second, first);
  await assertEnds(here, 'bad_sequence');
  assert.ok(!here.received.includes('first') && !here.received.includes('second'));
});

test('a gap in the numbers ends the session', async (t) => {
  const here = await scene(t);
  here.session.seal(DATA, 'withheld');
  here.raw.write(here.session.seal(DATA, 'sent'));
  await assertEnds(here, 'bad_sequence');
});

test('a frame of the server sent back to it is refused', async (t) => {
  const here = await scene(t);
  here.session.send('echo this');
  const reflection = await here.raw.expect(DATA);
  here.raw.write(reflection.bytes);
  // Its number was used before by the client: reflected at the right number it is under the wrong key.
  await assertEnds(here, 'bad_sequence');
  const other = await scene(t);
  const greeting = other.there.ping({ timeout: 10_000 });
  greeting.catch(() => {});
  other.raw.write((await other.raw.expect(PING)).bytes);
  await assertEnds(other, 'bad_tag');
});

/** What to change in a frame, by offset, and what the server must call it when the checksum is made right again. */
const TAMPERINGS: [name: string, offset: number, code: ErrorCode, mask?: number][] = [
  ['the magic', 0, 'bad_magic'],
  ['the version', 2, 'unsupported_version', 0x04],
  ['the type, to one that must be empty', 3, 'bad_tag', 0x03],
  ['the type, to one of the handshake', 3, 'unexpected_frame', 0x04],
  ['the type, to an unknown one', 3, 'bad_type', 0x70],
  ['the sequence number', 4, 'bad_sequence'],
  ['the last byte of the sequence number', 7, 'bad_sequence', 0x80],
  ['the number in the nonce', 12, 'bad_nonce'],
  ['the session id in the nonce', 16, 'bad_nonce'],
  ['the last byte of the nonce', 23, 'bad_nonce', 0x80],
  ['the first byte of the text', 24, 'bad_tag'],
  ['the last byte of the text', -17, 'bad_tag', 0x80],
  ['the first byte of the tag', -16, 'bad_tag'],
  ['the last byte of the tag', -1, 'bad_tag', 0x80],
];

for (const [name, offset, code, mask] of TAMPERINGS) {
  test(`a bit turned over in ${name} ends the session with ${code}`, async (t) => {
    const here = await scene(t);
    const altered = withChecksum(flipped(here.session.seal(DATA, 'do not touch this'), offset, mask));
    here.raw.write(altered);
    await assertEnds(here, code);
    assert.ok(!here.received.some((message) => message.includes('touch')));
  });
}

test('a bit turned over anywhere without a new checksum is noticed by the checksum', async (t) => {
  for (const offset of [4, 10, 11, 12, 24, -1]) {
    const here = await scene(t);
    here.raw.write(flipped(here.session.seal(DATA, 'do not touch this'), offset));
    await assertEnds(here, 'bad_crc');
  }
});

test('a length made shorter or longer authenticates nothing', async (t) => {
  for (const change of [-1, 1]) {
    const here = await scene(t);
    const frame = here.session.seal(DATA, 'do not touch this');
    const altered = change < 0 ? Buffer.from(frame.subarray(0, -1)) : Buffer.concat([frame, Buffer.of(0)]);
    altered.writeUInt16LE(frame.readUInt16LE(8) + change, 8);
    here.raw.write(withChecksum(altered));
    await assertEnds(here, 'bad_tag');
  }
});

/** What an authenticated client may get wrong. */
const MISUSES: [name: string, bytes: (session: RawSession) => Buffer, code: ErrorCode][] = [
  ['a PING with something in it', (session) => session.seal(PING, 'x'), 'bad_length'],
  ['a PONG with something in it', (session) => session.seal(PONG, 'x'), 'bad_length'],
  ['a BYE with something in it', (session) => session.seal(BYE, 'x'), 'bad_length'],
  ['a REKEY with a short salt', (session) => session.seal(REKEY, randomBytes(31)), 'bad_length'],
  ['an encrypted frame too short for nonce and tag', () => frame(DATA, 0, randomBytes(27)), 'bad_length'],
  ['an empty DATA frame without nonce and tag', () => frame(DATA, 0, Buffer.alloc(0)), 'bad_length'],
  [
    'a fourth DATA_FRAG',
    (session) => Buffer.concat([1, 2, 3, 4].map(() => session.seal(FRAGMENT, 'x'))),
    'message_too_long',
  ],
  [
    'a PING between the parts',
    (session) => Buffer.concat([session.seal(FRAGMENT, 'x'), session.seal(PING)]),
    'unexpected_frame',
  ],
  ['a HELLO in the session', () => new RawHandshake({ psk: PSK }).hello(), 'unexpected_frame'],
  ['garbage in the session', () => randomBytes(64).fill(0x11, 0, 1), 'bad_magic'],
  ['a version 1 frame in the session', () => Buffer.from('cdab0105', 'hex'), 'version_1'],
];

for (const [name, bytes, code] of MISUSES) {
  test(`${name} ends the session with ${code}`, async (t) => {
    const here = await scene(t);
    here.raw.write(bytes(here.session));
    await assertEnds(here, code);
    assert.deepEqual(here.live.log.errors, []);
  });
}

test('a PONG that nobody asked for does no harm', async (t) => {
  const here = await scene(t);
  here.raw.write(here.session.seal(PONG), here.session.seal(PONG));
  here.session.send('still here');
  assert.equal(text(await here.session.receive()), 'still here');
});

test('a whole recorded session cannot be played again', async (t) => {
  const live = await startServer(t);
  const received: string[] = [];
  live.server.onSession(async (session) => {
    for await (const message of session) received.push(text(message));
  });
  const raw = await RawClient.open({ port: live.port });
  const attempt = new RawHandshake({ psk: PSK });
  const recording = [attempt.hello()];
  raw.write(recording[0]!);
  recording.push(attempt.helloAck(await raw.expect(CHALLENGE)));
  raw.write(recording[1]!);
  const session = attempt.session(raw, await raw.expect(0x04));
  recording.push(session.seal(DATA, 'open the door'), session.seal(BYE));
  raw.write(...recording.slice(2));
  await within(raw.ending, 'the end of the honest session');

  for (const allAtOnce of [true, false]) {
    const replay = await RawClient.open({ port: live.port });
    if (allAtOnce) replay.write(...recording);
    else {
      replay.write(recording[0]!);
      await replay.expect(CHALLENGE);
      replay.write(...recording.slice(1));
    }
    await within(replay.ending, 'the end of the replay');
  }
  assert.deepEqual(received, ['open the door']);
  assert.equal(live.server.stats.accepted, 1);
  await eventually(() => live.refusals.length === 2, 'the refusals');
  // All in one piece, the frame behind HELLO_ACK comes before the key has been looked up.
  assert.deepEqual(
    live.refusals.map(({ reason }) => reason),
    ['bad-frame', 'wrong-key'],
  );
});

test('a wrong key is refused without a word, and so is a proof for another device', async (t) => {
  const live = await startServer(t);
  const raw = await RawClient.open({ port: live.port });
  const attempt = new RawHandshake({ psk: WRONG_PSK });
  raw.write(attempt.hello());
  raw.write(attempt.helloAck(await raw.expect(CHALLENGE)));
  assert.equal(await within(raw.next(), 'the end'), undefined);

  const liar = await RawClient.open({ port: live.port });
  const [one, another] = [new RawHandshake({ psk: PSK }), new RawHandshake({ psk: PSK })];
  liar.write(one.hello());
  const challenge = await liar.expect(CHALLENGE);
  liar.write(another.helloAck(challenge, one.publicKey));
  assert.equal(await within(liar.next(), 'the end'), undefined);
  await eventually(() => live.refusals.length === 2, 'the refusals');
  assert.deepEqual(
    live.refusals.map(({ reason }) => reason),
    ['wrong-key', 'wrong-key'],
  );
  await assertServes(live);
});

test('a MAC with any bit turned over is a wrong key', async (t) => {
  const live = await startServer(t);
  for (const offset of [12, 27, -1]) {
    const raw = await RawClient.open({ port: live.port });
    const attempt = new RawHandshake({ psk: PSK });
    raw.write(attempt.hello());
    raw.write(flipped(attempt.helloAck(await raw.expect(CHALLENGE)), offset));
    assert.equal(await within(raw.next(), 'the end'), undefined);
  }
  await eventually(() => live.refusals.length === 3, 'the refusals');
  assert.equal(live.server.stats.accepted, 0);
  await assertServes(live);
});

test('seq and checksum of handshake frames are not looked at', async (t) => {
  const live = await startServer(t);
  const raw = await RawClient.open({ port: live.port });
  t.after(() => raw.destroy());
  const attempt = new RawHandshake({ psk: PSK });
  raw.write(flipped(flipped(attempt.hello(), 4), 11));
  raw.write(flipped(flipped(attempt.helloAck(await raw.expect(CHALLENGE)), 7), 10));
  const session = attempt.session(raw, await raw.expect(0x04));
  session.send('welcome');
  assert.equal(text(await session.receive()), 'welcome');
});

test('frames behind HELLO_ACK under invented keys end the session and reach nobody', async (t) => {
  const here = await scene(t);
  const raw = await RawClient.open({ port: here.live.port });
  const attempt = new RawHandshake({ psk: PSK });
  raw.write(attempt.hello());
  const invented = new RawSession(raw, randomBytes(16), randomBytes(32), randomBytes(32));
  raw.write(attempt.helloAck(await raw.expect(CHALLENGE)), invented.seal(DATA, 'invented'));
  await within(raw.ending, 'the end of the connection');
  assert.deepEqual(here.received, []);
  await assertServes(here.live);
});

test('an RST or a FIN at every step leaves nothing behind', async (t) => {
  const live = await startServer(t);
  for (const leave of ['reset', 'end'] as const) {
    const steps: ((raw: RawClient, attempt: RawHandshake) => Promise<void> | void)[] = [
      () => {},
      (raw) => raw.flush(Buffer.of(0xcd, 0xab)),
      (raw, attempt) => raw.flush(attempt.hello()),
      async (raw, attempt) => {
        raw.write(attempt.hello());
        await raw.flush(attempt.helloAck(await raw.expect(CHALLENGE)));
      },
      async (raw, attempt) => {
        raw.write(attempt.hello());
        raw.write(attempt.helloAck(await raw.expect(CHALLENGE)));
        const session = attempt.session(raw, await raw.expect(0x04));
        await raw.flush(session.seal(DATA, 'x').subarray(0, 20));
      },
    ];
    for (const step of steps) {
      const raw = await RawClient.open({ port: live.port });
      await step(raw, new RawHandshake({ psk: PSK }));
      raw[leave]();
    }
  }
  await eventually(() => live.server.stats.halfOpen === 0 && live.server.stats.sessions === 0, 'the ends');
  await assertServes(live);
  assert.deepEqual(live.log.errors, []);
});

test('a rogue in the middle that changes the keys of HELLO or CHALLENGE gets no session', async (t) => {
  const live = await startServer(t);
  const raw = await RawClient.open({ port: live.port });
  const attempt = new RawHandshake({ psk: PSK });
  // The server is given another key than the one the client answers for.
  raw.write(frame(HELLO, 0, Buffer.concat([attempt.deviceId, new RawHandshake({ psk: PSK }).publicKey])));
  raw.write(attempt.helloAck(await raw.expect(CHALLENGE)));
  assert.equal(await within(raw.next(), 'the end'), undefined);
  await assert.rejects(clientFor(live, { psk: WRONG_PSK }).connect(), coded('AuthError', 'refused'));
  assert.equal(live.server.stats.accepted, 0);
});
