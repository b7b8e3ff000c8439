/** What can be done to a live session by those who see its datagrams. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { assertServes, bothEnds, eventually, nextSession, PSK, text, within } from '../server/live.js';
import {
  BYE,
  DATA,
  DATA_FRAG,
  flipped,
  frame,
  HEADER,
  HELLO_RETRY,
  PING,
  PONG,
  type RawDatagramSession,
  REKEY,
  told,
  utack,
  withChecksum,
} from '../support/raw-datagrams.js';
import { tap } from '../support/raw-path.js';
import { assertAlive, assertNone, openSocket, scene, startUDP } from './udp-bed.js';

// ── Forged and damaged ───────────────────────────────────────────────────────────────────────────────────────────

test('forged UTACKs acknowledge nothing: the server repeats its frame until the true one comes', async (t) => {
  const { live, socket, session, there } = await scene(t);
  session.silent = true;
  const delivered = there.send('important', { acknowledged: true });
  let done = false;
  delivered.then(
    () => {
      done = true;
    },
    () => {},
  );
  const data = await socket.frame(DATA);
  const honest = session.ackFor(data);
  socket.send(
    honest.subarray(0, 7),
    Buffer.concat([honest, Buffer.of(0)]),
    honest.subarray(0, 14),
    flipped(honest, 7),
    flipped(honest, -1, 0x80),
    Buffer.concat([honest.subarray(0, 7), randomBytes(8)]),
    Buffer.concat([honest.subarray(0, 7), Buffer.alloc(8)]),
    session.ackOf(data.bytes),
    flipped(honest, 2, 0x02),
    flipped(honest, 3),
    utack({ type: PING, seq: data.seq }, randomBytes(32)),
  );
  // It comes again, as the same bytes.
  await socket.exactly(data.bytes);
  await session.answersTo();
  assert.equal(done, false, 'a forged UTACK was believed');
  assert.ok(there.stats.framesRetransmitted >= 1);
  socket.send(session.ackFor(data));
  await within(delivered, 'the acknowledgement');
  session.silent = false;
  await assertAlive({ session, there });
  await assertServes(live);
});

test('forged session frames from the address of a session are not acknowledged and do nothing', async (t) => {
  const here = await scene(t);
  const { session, there } = here;
  const forged = [DATA, PING, PONG, BYE, DATA_FRAG, REKEY].flatMap((type) => [
    forge(session, type, session.nextSeq),
    forge(session, type, 0),
    forge(session, type, 0xffff_fffe),
    frame(type, session.nextSeq, randomBytes(60)),
  ]);
  const before = there.stats.datagramsDropped;
  assertNone(await session.answersTo(...forged), 'a forgery was acknowledged');
  assert.equal(there.stats.datagramsDropped - before, forged.length);
  assert.deepEqual(here.received, []);
  await assertAlive(here);
  await assertServes(here.live);
});

test('a frame with any damage is not acknowledged; its repeat is, and is delivered', async (t) => {
  const here = await scene(t);
  const { session, socket } = here;
  const good = session.seal(DATA, 'do not touch this');
  const damaged: Buffer[] = [];
  for (const offset of [0, 1, 2, 3, 4, 7, 8, 10, 12, 15, 16, 23, 24, -17, -16, -1]) {
    damaged.push(flipped(good, offset, 0x40));
    // Offsets 8 and 9 say how long it is, 10 and 11 are the checksum itself.
    if (offset < 8 || offset > 11) damaged.push(withChecksum(flipped(good, offset, 0x40)));
  }
  damaged.push(good.subarray(0, -1), Buffer.concat([good, Buffer.of(0)]), good.subarray(0, HEADER));
  assertNone(await session.answersTo(...damaged), 'a damaged frame was acknowledged');
  assert.deepEqual(here.received, []);
  socket.send(good);
  await session.acknowledged(good);
  await eventually(() => here.received.length === 1, 'the message');
  assert.deepEqual(here.received, ['do not touch this']);
  await assertServes(here.live);
});

test('a frame of the server that comes back to it is not acknowledged', async (t) => {
  const here = await scene(t);
  const { session, socket, there } = here;
  await there.send('a message of the server');
  const data = await socket.frame(DATA);
  assertNone(await session.answersTo(data.bytes, session.ackFor(data)), 'the reflection was taken');
  assert.deepEqual(here.received, []);
  await assertAlive(here);
  await assertServes(here.live);
});

test('frames of a session that come from another port or address are nobody’s', async (t) => {
  const here = await scene(t);
  const { live, session, socket } = here;
  const message = session.seal(DATA, 'once');
  for (const localAddress of ['127.0.0.1', '127.0.0.66']) {
    const thief = await openSocket(t, live, { localAddress });
    const stolen = [message, session.seal(BYE, '', 1_000), session.seal(PING, '', 1_001)];
    assertNone(await thief.answersTo(...stolen), 'the session answered somebody else');
  }
  assertNone(await session.answersTo(), 'something was sent to the session');
  assert.deepEqual(here.received, []);
  socket.send(message);
  await session.acknowledged(message);
  await eventually(() => here.received.length === 1, 'the message');
  await assertServes(live);
});

test('a BYE or a message of the session before, from the same address, does nothing to the next one', async (t) => {
  const first = await scene(t);
  const { live, socket, session, deviceId } = first;
  const recorded = [session.send('yesterday'), session.seal(PING), session.seal(BYE)];
  socket.send(...recorded.slice(1));
  await session.acknowledged(recorded[2]!);
  await eventually(() => live.server.stats.sessions === 0, 'the end of the first session');
  const arriving = nextSession(live.server);
  const next = await socket.handshake({ psk: PSK, deviceId });
  assertNone(await next.answersTo(...recorded), 'a frame of the old session was acknowledged');
  assert.deepEqual(first.received, ['yesterday']);
  await assertAlive({ session: next, there: await arriving });
  await assertServes(live);
});

// ── Repeated, reordered, left out ────────────────────────────────────────────────────────────────────────────────

test('a recorded message sent again is acknowledged again and delivered once', async (t) => {
  const here = await scene(t);
  const { session, there } = here;
  const data = session.send('pay 10');
  await session.acknowledged(data);
  const answers = await session.answersTo(...Array.from({ length: 10 }, () => data));
  assert.deepEqual(
    answers.map(({ bytes }) => bytes.toString('hex')),
    Array.from({ length: 10 }, () => session.ackOf(data).toString('hex')),
  );
  assert.equal(there.stats.framesRepeated, 10);
  await session.acknowledged(session.send('that is all'));
  await eventually(() => here.received.length === 2, 'the messages');
  assert.deepEqual(here.received, ['pay 10', 'that is all']);
  await assertServes(here.live);
});

test('a whole recorded session delivers nothing, played again while it lives or after it', async (t) => {
  const received: string[] = [];
  const live = await startUDP(t, {}, async (session) => {
    for await (const message of session) {
      received.push(text(message));
      await session.send(message);
    }
  });
  const line = await tap(live.port);
  t.after(() => line.close());
  const { here, there } = await bothEnds(t, { ...live, url: line.url });
  for (const message of ['open the door', 'close the door', 'x'.repeat(1_500)]) {
    await here.send(message);
    assert.equal(text(await here.recv({ timeout: 10_000 })), message);
  }
  line.sendToServer(...line.recording);
  await here.send('and again');
  assert.equal(text(await here.recv({ timeout: 10_000 })), 'and again');
  assert.equal(there.closed, false);
  await here.close();
  await eventually(() => live.server.stats.sessions === 0, 'the end of the session');
  const sent = [...received];
  assert.equal(sent.length, 4);

  const thief = await openSocket(t, live);
  // The first HELLO is anybody's to send: it gets its UTACK and a cookie.
  const answers = await thief.answersTo(...line.recording);
  assert.deepEqual(
    new Set(answers.map(({ isAck, type }) => (isAck ? type : -type))),
    new Set([0x01, -HELLO_RETRY]),
    `${answers.map(told)}`,
  );
  line.sendToServer(...line.recording);
  await eventually(() => live.refusals.length > 0, 'the refusal of the replay');
  assert.equal(live.refusals[0]!.reason, 'wrong-key');
  await assertServes(live);
  assert.deepEqual(received, [...sent, 'are you there?']);
  assert.equal(live.server.stats.accepted, 2);
});

test('frames that arrive in any order within the window are delivered in order, once', async (t) => {
  const here = await scene(t);
  const { session, socket } = here;
  const names = Array.from({ length: 60 }, (_, i) => `message ${i}`);
  const frames = names.map((name) => session.seal(DATA, name));
  // The last one first, so that all others lie in the window below it; 37 and 59 have no common divisor.
  const order = Array.from({ length: 59 }, (_, i) => frames[(i * 37) % 59]!);
  for (const sealed of [frames.at(-1)!, ...order, ...order]) {
    socket.send(sealed);
    await session.acknowledged(sealed);
  }
  await eventually(() => here.received.length >= names.length, 'the messages');
  assert.deepEqual(here.received, names);
  await assertServes(here.live);
});

test('a frame older than the window is not acknowledged and not delivered, repeat or not', async (t) => {
  const here = await scene(t);
  const { session, there } = here;
  const first = session.send('first');
  await session.acknowledged(first);
  const late = session.seal(DATA, 'too late');
  const lost = there.stats.messagesLost;
  for (let i = 0; i < 70; i++) await session.acknowledged(session.send(`${i}`));
  await eventually(() => here.received.length === 71, 'what is behind the gap');
  assertNone(await session.answersTo(first, late), 'a frame older than the window was acknowledged');
  assert.equal(there.stats.messagesLost - lost, 1);
  assert.deepEqual(here.received, ['first', ...Array.from({ length: 70 }, (_, i) => `${i}`)]);
  await assertServes(here.live);
});

test('the number that is never used is refused and does not move the window', async (t) => {
  const here = await scene(t);
  const { session } = here;
  const spent = [DATA, PING, BYE].map((type) => session.seal(type, '', 0xffff_ffff));
  assertNone(await session.answersTo(...spent), 'the number 0xFFFFFFFF was taken');
  assert.deepEqual(here.received, []);
  await assertAlive(here);
  await assertServes(here.live);
});

test('a jump of 1,000 numbers loses what was left out and nothing else', async (t) => {
  const here = await scene(t);
  const { session, there } = here;
  await session.acknowledged(session.send('before'));
  const skipped = session.nextSeq;
  session.skip(1_000);
  const after = Array.from({ length: 65 }, (_, i) => `after ${i}`);
  for (const name of after) await session.acknowledged(session.send(name));
  await eventually(() => here.received.length === 66, 'what is behind the gap');
  assert.deepEqual(here.received, ['before', ...after]);
  assert.equal(there.stats.messagesLost, 1_000);
  assertNone(await session.answersTo(session.seal(DATA, 'left out', skipped)), 'a number was used late');
  await assertAlive(here);
  await assertServes(here.live);
});

test('a jump to the last number of all leaves a session that closes in order', async (t) => {
  const here = await scene(t);
  const { session, there, socket } = here;
  const last = session.seal(BYE, '', 0xffff_fffe);
  socket.send(last);
  await session.acknowledged(last);
  await eventually(() => there.closed, 'the end of the session');
  assert.equal(there.error?.code, 'bye');
  await assertServes(here.live);
});

test('a BYE that comes again is acknowledged again, and nothing else is', async (t) => {
  const { live, session, socket, there } = await scene(t);
  const data = session.send('last words');
  const bye = session.seal(BYE);
  socket.send(bye);
  await session.acknowledged(bye);
  await eventually(() => there.closed && live.server.stats.sessions === 0, 'the end of the session');
  socket.drain();
  const answers = await socket.answersTo(bye, data, session.seal(DATA, 'one more'), bye);
  const ack = session.ackOf(bye).toString('hex');
  assert.deepEqual(
    answers.map(({ bytes }) => bytes.toString('hex')),
    [ack, ack],
  );
  await assertServes(live);
});

/** A frame as it should be, but for the tag. */
function forge(session: RawDatagramSession, type: number, seq: number): Buffer {
  const plaintext = type === REKEY ? randomBytes(32) : Buffer.alloc(0);
  const sealed = session.seal(type, plaintext, seq);
  randomBytes(16).copy(sealed, sealed.length - 16);
  return withChecksum(sealed);
}
