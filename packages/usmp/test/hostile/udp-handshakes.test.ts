/** What a client can do wrong, or more often than it should, once it has a cookie. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { KeyLookup, KeyMap } from '#dist/index.js';
import { assertServes, eventually, nextSession, PSK, refusal, text, WRONG_PSK } from '../server/live.js';
import {
  CHALLENGE,
  DATA,
  flipped,
  frame,
  HELLO,
  HELLO_ACK,
  PING,
  type RawDatagram,
  RawGreeting,
  type RawSocket,
  randomDeviceId,
  SESSION_OK,
  told,
  utack,
  withChecksum,
} from '../support/raw-datagrams.js';
import { assertNone, openSocket, scene, startUDP } from './udp-bed.js';

test('cookies and then silence: the oldest handshake of the address makes room, and the honest are served', async (t) => {
  const live = await startUDP(t, { maxHalfOpenPerAddress: 8 });
  const ports: number[] = [];
  for (let i = 0; i < 20; i++) {
    const socket = await openSocket(t, live, { localAddress: '127.0.0.9' });
    await socket.challenge(new RawGreeting({ psk: PSK }));
    ports.push(socket.localPort);
    assert.ok(live.server.stats.halfOpen <= 8, `${live.server.stats.halfOpen} half-open`);
  }
  await eventually(() => live.refusals.length === 12, 'the refusals');
  assert.deepEqual(
    live.refusals.map(({ reason, peer }) => `${reason} ${peer}`),
    ports.slice(0, 12).map((port) => `busy 127.0.0.9:${port}`),
  );
  await assertServes(live);
  assert.equal(live.server.stats.halfOpen, 8);
});

test('cookies and then silence from many addresses: the oldest handshake of all makes room', async (t) => {
  const live = await startUDP(t, { maxHalfOpen: 10 });
  for (let i = 0; i < 30; i++) {
    const socket = await openSocket(t, live, { localAddress: `127.0.3.${1 + i}` });
    await socket.challenge(new RawGreeting({ psk: PSK }));
    assert.ok(live.server.stats.halfOpen <= 10, `${live.server.stats.halfOpen} half-open`);
  }
  await assertServes(live);
});

test('a client that acknowledges CHALLENGE and says no more is dropped when its time is over', async (t) => {
  const live = await startUDP(t, { handshakeTimeout: 400 });
  const socket = await openSocket(t, live);
  await socket.challenge(new RawGreeting({ psk: PSK }));
  const { reason, error } = await refusal(live);
  assert.deepEqual([reason, error.code], ['timeout', 'handshake_timeout']);
  assert.equal(live.server.stats.halfOpen, 0);
  await assertServes(live);
});

test('a client that does not even acknowledge CHALLENGE gets it a few times and no more', async (t) => {
  const live = await startUDP(t, { handshakeTimeout: 1_500 });
  const socket = await openSocket(t, live);
  const attempt = new RawGreeting({ psk: PSK });
  socket.send(attempt.helloWith(await socket.cookie(attempt)));
  assert.equal((await refusal(live)).reason, 'timeout');
  const challenges = (await socket.answersTo()).filter(({ isAck, type }) => !isAck && type === CHALLENGE);
  assert.ok(challenges.length >= 2, 'CHALLENGE was not repeated');
  assert.ok(challenges.length <= 5, `CHALLENGE came ${challenges.length} times`);
  assert.equal(new Set(challenges.map(({ bytes }) => bytes.toString('hex'))).size, 1);
  await assertServes(live);
});

test('what arrives during a handshake does not give it more time', async (t) => {
  const live = await startUDP(t, { handshakeTimeout: 600 });
  const socket = await openSocket(t, live);
  const attempt = new RawGreeting({ psk: PSK });
  const hello = attempt.helloWith(await socket.cookie(attempt));
  while (live.refusals.length === 0) {
    await socket.answersTo(hello, frame(PING, 0, randomBytes(28)));
    // Not so fast that the cookies run out that the answers cost.
    await delay(10);
  }
  assert.equal((await refusal(live)).reason, 'timeout');
  await assertServes(live);
});

for (const [name, lookup] of [
  ['a map', (keys: KeyMap) => keys],
  [
    'an async function',
    (keys: KeyMap): KeyLookup =>
      async (id) =>
        (keys as Record<string, string>)[id],
  ],
] as const) {
  test(`a wrong key, an unknown id and a revoked device look the same, with keys from ${name}`, async (t) => {
    const [known, revoked] = [randomDeviceId(), randomDeviceId()];
    const live = await startUDP(t, { psk: lookup({ [known]: PSK, [revoked]: PSK }) });
    live.server.revoke(revoked);
    const views: string[][] = [];
    for (const [deviceId, psk] of [
      [known, WRONG_PSK],
      [randomDeviceId(), PSK],
      [revoked, PSK],
    ] as const) {
      const failures = live.refusals.length;
      const socket = await openSocket(t, live);
      const attempt = new RawGreeting({ psk, deviceId });
      const challenge = await socket.challenge(attempt);
      const seen = await socket.answersTo(attempt.helloAck(challenge));
      await refusal(live, failures);
      seen.push(...(await socket.answersTo()));
      // A machine that was busy for long may see CHALLENGE again before its UTACK is read.
      views.push(seen.filter(({ isAck, type }) => isAck || type !== CHALLENGE).map(told));
    }
    assert.deepEqual(
      live.refusals.map(({ reason }) => reason),
      ['wrong-key', 'unknown-device', 'revoked'],
    );
    assert.deepEqual(views[1], views[0]);
    assert.deepEqual(views[2], views[0]);
    assert.ok(!views[0]!.some((line) => line.startsWith('frame')), `${views[0]}`);
    assert.equal(live.server.stats.accepted, 0);
    await assertServes(live, { deviceId: known });
  });
}

test('a proof with any bit turned over gets no session, nor does one for another device', async (t) => {
  const live = await startUDP(t);
  for (const offset of [12, 27, -1]) {
    const socket = await openSocket(t, live);
    const attempt = new RawGreeting({ psk: PSK });
    const proof = attempt.helloAck(await socket.challenge(attempt));
    assertNoFrames(await socket.answersTo(withChecksum(flipped(proof, offset))));
  }
  const socket = await openSocket(t, live);
  const [one, other] = [new RawGreeting({ psk: PSK }), new RawGreeting({ psk: PSK })];
  assertNoFrames(await socket.answersTo(other.helloAck(await socket.challenge(one), one.publicKey)));
  await eventually(() => live.refusals.length === 4, 'the refusals');
  for (const { reason } of live.refusals) assert.equal(reason, 'wrong-key');
  assert.equal(live.server.stats.accepted, 0);
  await assertServes(live);
});

test('a proof that was damaged on the way is not acknowledged; its repeat is, and opens the session', async (t) => {
  const live = await startUDP(t);
  for (const offset of [4, 10, 12, 30, -1]) {
    const socket = await openSocket(t, live);
    const attempt = new RawGreeting({ psk: PSK });
    const proof = attempt.helloAck(await socket.challenge(attempt));
    await socket.answersTo();
    assertNone(await socket.answersTo(flipped(proof, offset)), 'a damaged frame was acknowledged');
    socket.send(proof);
    const session = socket.session(attempt, await socket.frame(SESSION_OK));
    session.send('welcome');
    assert.equal(text(await session.receive()), 'welcome');
  }
  assert.deepEqual(live.refusals, []);
  await assertServes(live);
});

test('a device that fails too often has to wait, in silence', async (t) => {
  const live = await startUDP(t, { backoff: { after: 3, base: 60_000 } });
  const deviceId = randomDeviceId();
  for (let i = 0; i < 3; i++) {
    const socket = await openSocket(t, live);
    const attempt = new RawGreeting({ psk: WRONG_PSK, deviceId });
    socket.send(attempt.helloAck(await socket.challenge(attempt)));
    assert.equal((await refusal(live, i)).reason, 'wrong-key');
  }
  const socket = await openSocket(t, live);
  const attempt = new RawGreeting({ psk: PSK, deviceId });
  const cookie = await socket.cookie(attempt);
  assertNoFrames(await socket.answersTo(attempt.helloWith(cookie)));
  assert.equal((await refusal(live, 3)).reason, 'backoff');
  await assertServes(live);
});

test('a HELLO_ACK from another port than HELLO proves nothing', async (t) => {
  const live = await startUDP(t);
  const [owner, thief] = [await openSocket(t, live), await openSocket(t, live)];
  const attempt = new RawGreeting({ psk: PSK });
  const proof = attempt.helloAck(await owner.challenge(attempt));
  assertNone(await thief.answersTo(proof), 'the proof of another source was taken');
  owner.send(proof);
  await owner.frame(SESSION_OK);
  assert.equal(live.server.stats.accepted, 1);
  await assertServes(live);
});

test('frames of a session before there is one are dropped, and the handshake goes on', async (t) => {
  const live = await startUDP(t);
  const socket = await openSocket(t, live);
  const attempt = new RawGreeting({ psk: PSK });
  const challenge = await socket.challenge(attempt);
  // Takes the UTACK of HELLO out of the way.
  await socket.answersTo();
  const early = [DATA, PING, 0x08, 0x0b].map((type) => frame(type, 0, randomBytes(60)));
  const foreign = [CHALLENGE, SESSION_OK, 0x0a].map((type) => frame(type, 0, randomBytes(48)));
  const sizes = [0, 31, 33].map((size) => frame(HELLO_ACK, 2, randomBytes(size)));
  assertNone(await socket.answersTo(...early, ...foreign, ...sizes), 'something was answered');
  socket.send(attempt.helloAck(challenge));
  const session = socket.session(attempt, await socket.frame(SESSION_OK));
  session.send('welcome');
  assert.equal(text(await session.receive()), 'welcome');
  await assertServes(live);
});

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

test('public keys of low order are refused in silence, though the proof is right', async (t) => {
  const live = await startUDP(t);
  const lowOrder = [
    Buffer.alloc(32),
    Buffer.concat([Buffer.of(1), Buffer.alloc(31)]),
    Buffer.from('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', 'hex'),
    Buffer.from('ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'hex'),
  ];
  for (const [i, point] of lowOrder.entries()) {
    const socket = await openSocket(t, live);
    const attempt = new RawGreeting({ psk: PSK });
    const challenge = await socket.challenge(attempt, point);
    assertNoFrames(await socket.answersTo(attempt.helloAck(challenge, point)));
    assert.equal((await refusal(live, i)).error.code, 'low_order_point');
  }
  assert.equal(live.server.stats.accepted, 0);
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

function assertNoFrames(datagrams: readonly RawDatagram[]): void {
  const frames = datagrams.filter(({ isAck, type }) => !isAck && type !== CHALLENGE);
  assert.deepEqual(frames.map(told), []);
}

/** Datagrams count once, however often they came. */
function withoutRepeats(datagrams: readonly RawDatagram[]): RawDatagram[] {
  return [...new Map(datagrams.map((datagram) => [datagram.bytes.toString('hex'), datagram])).values()];
}
