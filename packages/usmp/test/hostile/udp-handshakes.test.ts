/** What a client can do wrong once it has a cookie. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { KeyLookup, KeyMap } from '#dist/index.js';
import { assertServes, eventually, PSK, refusal, text, WRONG_PSK } from '../server/live.js';
import {
  CHALLENGE,
  DATA,
  flipped,
  frame,
  HELLO_ACK,
  PING,
  RawGreeting,
  randomDeviceId,
  SESSION_OK,
  told,
  withChecksum,
} from '../support/raw-datagrams.js';
import { assertNoFrames, assertNone, openSocket, startUDP } from './udp-bed.js';

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
