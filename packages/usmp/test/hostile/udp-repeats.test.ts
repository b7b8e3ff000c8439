/** Handshakes that are repeated, recorded, or begun beside a session. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { assertServes, eventually, nextSession, PSK, refusal, text, WRONG_PSK } from '../server/live.js';
import {
  CHALLENGE,
  flipped,
  frame,
  HELLO,
  HELLO_ACK,
  type RawDatagram,
  RawGreeting,
  type RawSocket,
  SESSION_OK,
  utack,
  withChecksum,
} from '../support/raw-datagrams.js';
import { assertNoFrames, assertNone, openSocket, scene, startUDP } from './udp-bed.js';

test('a HELLO that is repeated is acknowledged, and makes one handshake and one session', async (t) => {
  const live = await startUDP(t);
  const socket = await openSocket(t, live);
  const attempt = new RawGreeting({ psk: PSK });
  const hello = attempt.helloWith(await socket.cookie(attempt));
  const answers = await socket.answersTo(...Array.from({ length: 20 }, () => hello));
  assert.equal(live.server.stats.halfOpen, 1);
  const challenges = answers.filter(({ isAck, type }) => !isAck && type === CHALLENGE);
  assert.equal(withoutRepeats(challenges).length, 1, 'more than one CHALLENGE');
  socket.acknowledge(challenges[0]!);
  socket.send(attempt.helloAck(challenges[0]!));
  const session = socket.session(attempt, await socket.frame(SESSION_OK));
  await session.answersTo();
  const after = await session.answersTo(hello, hello, hello);
  assert.deepEqual(
    after.map(({ bytes }) => bytes.toString('hex')),
    Array.from({ length: 3 }, () => utack({ type: HELLO, seq: 1 }).toString('hex')),
  );
  assert.deepEqual([live.server.stats.halfOpen, live.server.stats.accepted], [0, 1]);
  session.send('one session');
  assert.equal(text(await session.receive()), 'one session');
  await assertServes(live);
});

test('one cookie used for two hundred HELLOs with other keys costs one slot', async (t) => {
  const live = await startUDP(t);
  const socket = await openSocket(t, live);
  const cookie = await socket.cookie(new RawGreeting({ psk: PSK }));
  for (let i = 0; i < 20; i++) {
    const hellos = Array.from({ length: 10 }, () => new RawGreeting({ psk: PSK }).helloWith(cookie));
    await socket.answersTo(...hellos);
    assert.ok(live.server.stats.halfOpen <= 1, `${live.server.stats.halfOpen} half-open`);
  }
  await assertServes(live);
});

test('a HELLO with another key beside a live session does not touch it, unless it authenticates', async (t) => {
  const { live, socket, session, there, received, deviceId } = await scene(t);
  const wrong = new RawGreeting({ psk: WRONG_PSK, deviceId });
  await besideSession(socket, wrong);
  const answers = await session.answersTo();
  assertNoFrames(answers);
  await session.acknowledged(session.send('while it tries'));
  assert.equal((await refusal(live)).reason, 'wrong-key');
  await session.acknowledged(session.send('after it failed'));
  assert.equal(there.closed, false);
  assert.deepEqual(received, ['while it tries', 'after it failed']);

  const arriving = nextSession(live.server);
  const right = new RawGreeting({ psk: PSK, deviceId });
  await besideSession(socket, right);
  const next = socket.session(right, await socket.frame(SESSION_OK));
  await arriving;
  await eventually(() => there.closed, 'the end of the session before');
  assert.equal(there.error?.code, 'replaced');
  await next.acknowledged(next.send('the new one'));
  await eventually(() => received.length === 3, 'the message');
  await assertServes(live);
});

test('a handshake beside a live session that goes no further leaves the session as it was', async (t) => {
  const { live, socket, session, there, received } = await scene(t, { handshakeTimeout: 400 });
  await socket.challenge(new RawGreeting({ psk: PSK }));
  assert.equal(live.server.stats.halfOpen, 1);
  await session.acknowledged(session.send('while it waits'));
  assert.equal((await refusal(live)).reason, 'timeout');
  await session.acknowledged(session.send('after it has gone'));
  await there.send('both ways', { acknowledged: true });
  assert.equal(text(await session.receive()), 'both ways');
  assert.deepEqual(received, ['while it waits', 'after it has gone']);
  assert.equal(there.closed, false);
  await assertServes(live);
});

test('the handshake of the session before, played again beside the next one, does not touch it', async (t) => {
  const live = await startUDP(t);
  const socket = await openSocket(t, live);
  const attempt = new RawGreeting({ psk: PSK });
  const hello = attempt.helloWith(await socket.cookie(attempt));
  socket.send(hello);
  const challenge = await socket.frame(CHALLENGE);
  socket.acknowledge(challenge);
  const proof = attempt.helloAck(challenge);
  socket.send(proof);
  socket.session(attempt, await socket.frame(SESSION_OK));

  const session = await socket.handshake({ psk: PSK });
  const arriving = [...live.server.sessions.values()].filter(({ id }) => id === session.id.toString('hex'));
  assert.equal(arriving.length, 1);
  socket.send(hello);
  socket.acknowledge(await socket.frame(CHALLENGE));
  assertNoFrames(await session.answersTo(proof));
  assert.equal((await refusal(live)).reason, 'wrong-key');
  session.send('still here');
  assert.equal(text(await session.receive()), 'still here');
  assert.equal(arriving[0]!.closed, false);
  assert.equal(live.server.stats.accepted, 2);
  await assertServes(live);
});

test('another device that authenticates from the address of a live session takes its place', async (t) => {
  const { live, socket, there } = await scene(t);
  const other = new RawGreeting({ psk: PSK });
  await besideSession(socket, other);
  const next = socket.session(other, await socket.frame(SESSION_OK));
  next.send('here I am');
  assert.equal(text(await next.receive()), 'here I am');
  await eventually(() => there.closed, 'the end of the session before');
  await assertServes(live);
});

test('a repeated HELLO_ACK gets the same SESSION_OK again, and no second session', async (t) => {
  const live = await startUDP(t);
  const socket = await openSocket(t, live);
  const attempt = new RawGreeting({ psk: PSK });
  const proof = attempt.helloAck(await socket.challenge(attempt));
  socket.send(proof);
  const sessionOk = await socket.frame(SESSION_OK);
  // Acknowledged or not: an acknowledgement of the handshake can be forged.
  for (const acknowledges of [false, true]) {
    if (acknowledges) socket.acknowledge(sessionOk);
    socket.send(proof);
    await socket.exactly(sessionOk.bytes);
    const again = (await socket.answersTo(proof, withChecksum(flipped(proof, -1)))).filter(
      ({ isAck }) => !isAck,
    );
    assert.ok(again.length > 0, 'no SESSION_OK');
    for (const { bytes } of again) assert.deepEqual(bytes, sessionOk.bytes);
    assertNoFrames(await answersToForgery(socket, sessionOk));
  }
  const session = socket.session(attempt, sessionOk);
  session.send('one session');
  assert.equal(text(await session.receive()), 'one session');
  assert.equal(live.server.stats.accepted, 1);
  await assertServes(live);
});

test('a handshake recorded and played again gets no session, from its own port or from another', async (t) => {
  const live = await startUDP(t);
  const socket = await openSocket(t, live);
  const attempt = new RawGreeting({ psk: PSK });
  const hello = attempt.helloWith(await socket.cookie(attempt));
  socket.send(hello);
  const challenge = await socket.frame(CHALLENGE);
  socket.acknowledge(challenge);
  const proof = attempt.helloAck(challenge);
  socket.send(proof);
  const session = socket.session(attempt, await socket.frame(SESSION_OK));
  const bye = session.seal(0x08);
  socket.send(bye);
  await session.acknowledged(bye);
  await eventually(() => live.server.stats.sessions === 0, 'the end of the session');

  const thief = await openSocket(t, live);
  assertNone(await thief.answersTo(hello, proof), 'the recording was answered elsewhere');
  socket.drain();
  socket.send(hello);
  // The cookie is still good, so that the handshake begins anew, with a nonce that the recording does not know.
  const anew = await socket.frame(CHALLENGE);
  assert.notDeepEqual(anew.payload.subarray(0, 32), challenge.payload.subarray(0, 32));
  socket.acknowledge(anew);
  assertNoFrames(await socket.answersTo(proof));
  assert.equal((await refusal(live)).reason, 'wrong-key');
  assert.equal(live.server.stats.accepted, 1);
  await assertServes(live);
});

test('a forged UTACK of SESSION_OK does not keep the client from getting it', async (t) => {
  const live = await startUDP(t);
  const socket = await openSocket(t, live);
  const attempt = new RawGreeting({ psk: PSK });
  const proof = attempt.helloAck(await socket.challenge(attempt));
  socket.send(proof, utack({ type: SESSION_OK, seq: 0 }));
  const lost = await socket.frame(SESSION_OK);
  // The client never saw that one, and asks again.
  socket.send(utack({ type: SESSION_OK, seq: 0 }), proof);
  const session = socket.session(attempt, await socket.exactly(lost.bytes));
  session.send('here at last');
  assert.equal(text(await session.receive()), 'here at last');
  await assertServes(live);
});

/** Goes through a handshake on the socket of a session. */
async function besideSession(socket: RawSocket, attempt: RawGreeting): Promise<void> {
  const challenge = await socket.challenge(attempt);
  socket.send(attempt.helloAck(challenge));
}

/** What an invented HELLO_ACK is answered by, repeats of SESSION_OK by time left out. */
async function answersToForgery(socket: RawSocket, sessionOk: RawDatagram): Promise<RawDatagram[]> {
  socket.acknowledge(sessionOk);
  await socket.answersTo();
  return socket.answersTo(frame(HELLO_ACK, 2, randomBytes(32)));
}

/** Datagrams count once, however often they came. */
function withoutRepeats(datagrams: readonly RawDatagram[]): RawDatagram[] {
  return [...new Map(datagrams.map((datagram) => [datagram.bytes.toString('hex'), datagram])).values()];
}
