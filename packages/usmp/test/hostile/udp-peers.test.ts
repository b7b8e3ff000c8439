/** What an authenticated peer can do wrong in its session. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { assertServes, eventually, within } from '../server/live.js';
import {
  BYE,
  CHALLENGE,
  DATA,
  DATA_FRAG,
  frame,
  HELLO_ACK,
  HELLO_RETRY,
  PING,
  PONG,
  type RawDatagram,
  type RawDatagramSession,
  REKEY,
  SESSION_OK,
  utack,
} from '../support/raw-datagrams.js';
import { assertAlive, assertNone, scene } from './udp-bed.js';

/** What an authenticated peer may send between two messages, against the rules or without sense. */
const MISUSES: [name: string, frames: (session: RawDatagramSession) => Buffer[]][] = [
  ['a PING with something in it', (session) => [session.seal(PING, 'x')]],
  ['a PONG with something in it', (session) => [session.seal(PONG, 'x')]],
  ['a BYE with something in it', (session) => [session.seal(BYE, 'x')]],
  ['a PONG that nobody asked for', (session) => [session.seal(PONG)]],
  ['a REKEY with a salt of 31 bytes', (session) => [session.seal(REKEY, randomBytes(31))]],
  ['a REKEY without a salt', (session) => [session.seal(REKEY)]],
  ['records too short for nonce and tag', () => [0, 1, 27].map((size) => frame(DATA, 9, randomBytes(size)))],
  ['five parts', (session) => [...parts(session, 4), session.seal(DATA, 'the fifth')]],
  ['nine parts', (session) => [...parts(session, 8), session.seal(DATA, 'the ninth')]],
  ['parts and then a PING', (session) => [...parts(session, 2), session.seal(PING)]],
  ['parts and then a PONG', (session) => [...parts(session, 2), session.seal(PONG)]],
  [
    'parts and then a REKEY of 31 bytes',
    (session) => [...parts(session, 3), session.seal(REKEY, randomBytes(31))],
  ],
];

for (const [name, frames] of MISUSES) {
  test(`${name}: costs the unfinished message at most, not the session`, async (t) => {
    const here = await scene(t);
    const { session, socket, there } = here;
    await session.acknowledged(session.send('before'));
    for (const sealed of frames(session)) socket.send(sealed);
    await session.acknowledged(session.send('after'));
    await eventually(() => here.received.length === 2, 'the messages');
    assert.deepEqual(here.received, ['before', 'after']);
    assert.equal(there.closed, false);
    await assertAlive(here);
    await assertServes(here.live);
  });
}

test('a message whose middle was given up is not put together', async (t) => {
  const here = await scene(t);
  const { session, socket } = here;
  const [head, middle, tail] = [
    session.seal(DATA_FRAG, 'head '),
    session.seal(DATA_FRAG, 'middle '),
    session.seal(DATA, 'tail'),
  ];
  for (const sealed of [head, tail]) {
    socket.send(sealed);
    await session.acknowledged(sealed);
  }
  for (let i = 0; i < 65; i++) await session.acknowledged(session.send(`${i}`));
  await eventually(() => here.received.at(-1) === '64', 'what is behind the gap');
  assertNone(await session.answersTo(middle), 'the middle was taken late');
  assert.ok(
    here.received.every((message) => !message.includes('head')),
    `${here.received}`,
  );
  assert.deepEqual(
    here.received.slice(-65),
    Array.from({ length: 65 }, (_, i) => `${i}`),
  );
  assert.ok(here.there.stats.messagesLost >= 1);
  await assertServes(here.live);
});

test('the parts of a message in the wrong order are put together in the right one', async (t) => {
  const here = await scene(t);
  const { session, socket } = here;
  const sealed = [DATA_FRAG, DATA_FRAG, DATA_FRAG, DATA].map((type, i) => session.seal(type, `part ${i} `));
  for (const each of [sealed[3]!, sealed[1]!, sealed[1]!, sealed[2]!, sealed[3]!, sealed[0]!]) {
    socket.send(each);
    await session.acknowledged(each);
  }
  await eventually(() => here.received.length > 0, 'the message');
  await assertAlive(here);
  assert.deepEqual(here.received, ['part 0 part 1 part 2 part 3 ']);
  await assertServes(here.live);
});

test('a REKEY between the parts of a message changes the keys and drops the parts', async (t) => {
  const here = await scene(t);
  const { session, socket } = here;
  for (const part of parts(session, 2)) {
    socket.send(part);
    await session.acknowledged(part);
  }
  await session.rekey();
  await session.acknowledged(session.send('whole'));
  await eventually(() => here.received.length > 0, 'the message');
  assert.deepEqual(here.received, ['whole']);
  await assertAlive(here);
  await assertServes(here.live);
});

test('a REKEY and what was sent before it do nothing when they come again after the change of keys', async (t) => {
  const here = await scene(t);
  const { session, there } = here;
  const before = [session.send('under the old keys'), session.seal(PING), session.seal(DATA, 'kept back')];
  await session.acknowledged(before[0]!);
  const rekey = await session.rekey();
  const after = session.send('under the new keys');
  await session.acknowledged(after);
  assertNone(await session.answersTo(...before, rekey), 'a frame under the old keys was acknowledged');
  assert.equal(there.closed, false);
  await assertAlive(here);
  assert.deepEqual(here.received, ['under the old keys', 'under the new keys']);
  await assertServes(here.live);
});

test('a REKEY while a message of the server is under way is left alone; its repeat is taken after that', async (t) => {
  const here = await scene(t);
  const { session, socket, there } = here;
  session.silent = true;
  const delivered = there.send('under way', { acknowledged: true });
  const data = await socket.frame(DATA);
  const salt = randomBytes(32);
  const rekey = session.seal(REKEY, salt);
  const answers = await socket.answersTo(rekey, rekey);
  assertNone(
    answers.filter(({ isAck }) => isAck),
    'REKEY was acknowledged',
  );
  socket.send(session.ackFor(data));
  await within(delivered, 'the acknowledgement');
  session.silent = false;
  await session.completeRekey(rekey, salt);
  await assertAlive(here);
  await assertServes(here.live);
});

test('handshake frames in a live session do not touch it', async (t) => {
  const here = await scene(t);
  const { live, session, there } = here;
  const answers = await session.answersTo(
    frame(CHALLENGE, 0, randomBytes(64)),
    frame(SESSION_OK, 0, randomBytes(48)),
    frame(HELLO_RETRY, 0, randomBytes(16)),
    frame(HELLO_ACK, 2, randomBytes(31)),
    frame(HELLO_ACK, 2, randomBytes(32)),
    frame(0x01, 1, randomBytes(54)),
    utack({ type: SESSION_OK, seq: 0 }),
    utack({ type: CHALLENGE, seq: 0 }),
  );
  // What looks like a repeat of HELLO_ACK may be acknowledged, for its content is not looked at again.
  assertNone(
    answers.filter(({ isAck, type }) => !isAck || type !== HELLO_ACK),
    'a handshake frame was answered',
  );
  assert.equal(there.closed, false);
  assert.deepEqual([live.server.stats.sessions, live.server.stats.halfOpen], [1, 0]);
  await assertAlive(here);
  await assertServes(live);
});

test('10,000 PINGs of a peer that acknowledges nothing get a few PONGs, and the session lives', async (t) => {
  const here = await scene(t);
  const { session, socket } = here;
  session.silent = true;
  const pongs = new Map<string, RawDatagram>();
  for (let i = 0; i < 200; i++) {
    const pings = Array.from({ length: 49 }, () => session.seal(PING));
    const answers = await session.answersTo(...pings);
    assert.equal(answers.filter(({ isAck }) => isAck).length, pings.length, 'a PING was not acknowledged');
    for (const answer of answers) if (!answer.isAck) pongs.set(answer.bytes.toString('hex'), answer);
  }
  assert.ok(pongs.size >= 1, 'no PONG');
  assert.ok(pongs.size <= 32, `${pongs.size} PONGs`);
  session.silent = false;
  for (const pong of pongs.values()) socket.send(session.ackFor(pong));
  // The message comes behind the PONGs that were still owed.
  await assertAlive(here);
  assert.ok(session.pongs <= 64, `${session.pongs} PONGs more`);
  await assertServes(here.live);
});

function parts(session: RawDatagramSession, count: number): Buffer[] {
  return Array.from({ length: count }, (_, i) => session.seal(DATA_FRAG, `part ${i}`));
}
