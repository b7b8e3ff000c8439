import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Keys } from '#dist/index.js';
import { CHALLENGE, RawClient, RawHandshake } from '../support/raw-client.js';
import {
  assertServes,
  bothEnds,
  clientFor,
  coded,
  connect,
  echo,
  PSK,
  refusal,
  startServer,
  stateOf,
  text,
  within,
} from './live.js';

const ID = '02:00:00:00:00:01';
const OTHER = '02:00:00:00:00:02';
const NEW = 'the new key of the device';
const OLD = 'the old key of the device';

test('each device comes in with its own key and no other', async (t) => {
  const live = await startServer(t, echo, { psk: { [ID]: NEW, [OTHER]: OLD } });
  await assertServes(live, { deviceId: ID, psk: NEW });
  await assertServes(live, { deviceId: OTHER, psk: OLD });
  await assert.rejects(clientFor(live, { deviceId: ID, psk: OLD }).connect(), coded('AuthError', 'refused'));
  assert.equal((await refusal(live)).reason, 'wrong-key');
  await assert.rejects(clientFor(live, { psk: NEW }).connect(), coded('AuthError', 'refused'));
  assert.equal((await refusal(live, 1)).reason, 'unknown-device');
});

test('while a key changes both are valid, and the session tells which was used', async (t) => {
  const live = await startServer(t, echo, { psk: { [ID]: [NEW, OLD] } });
  for (const [psk, keyIndex] of [
    [NEW, 0],
    [OLD, 1],
  ] as const) {
    const { here, there } = await bothEnds(t, live, { deviceId: ID, psk });
    assert.equal(there.keyIndex, keyIndex);
    assert.equal(here.keyIndex, 0);
  }
});

test('revoke ends the sessions of a device at once and refuses it until unrevoke', async (t) => {
  const live = await startServer(t);
  const { here, there } = await bothEnds(t, live, { deviceId: ID });
  const bystander = await connect(t, live, { deviceId: OTHER });
  live.server.revoke(ID.toUpperCase());
  assert.equal(there.error?.code, 'revoked');
  await assert.rejects(here.recv(), coded('ConnectionClosedError', 'bye'));
  await assert.rejects(clientFor(live, { deviceId: ID }).connect(), coded('AuthError', 'refused'));
  const { reason, deviceId, message } = await refusal(live);
  assert.deepEqual([reason, deviceId], ['revoked', ID]);
  assert.match(message, /unrevoke/);
  assert.equal(bystander.closed, false);
  live.server.unrevoke(ID);
  await assertServes(live, { deviceId: ID });
});

test('revoke reaches a device whose handshake is under way', async (t) => {
  const live = await startServer(t);
  const { attempt, raw, challenge } = await halfway(live.port);
  t.after(() => raw.destroy());
  live.server.revoke(ID);
  raw.write(attempt.helloAck(challenge));
  await within(raw.ending, 'the end of the connection');
  assert.equal(live.server.stats.sessions, 0);
  assert.equal(live.server.stats.accepted, 0);
});

test('a slow look-up of keys that were replaced meanwhile ends no session', async (t) => {
  const live = await startServer(t, echo, { psk: { [ID]: NEW } });
  const { here, there } = await bothEnds(t, live, { deviceId: ID, psk: NEW });
  let answer: (keys: undefined) => void = () => {};
  const slow = live.server.setKeys(
    () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  );
  await live.server.setKeys({ [ID]: NEW });
  answer(undefined);
  await slow;
  assert.equal(there.closed, false);
  await here.send('still there');
  assert.equal(text(await here.recv()), 'still there');
});

test('setKeys reaches a device whose handshake is under way', async (t) => {
  const live = await startServer(t, echo, { psk: { [ID]: OLD } });
  const { attempt, raw, challenge } = await halfway(live.port, OLD);
  t.after(() => raw.destroy());
  await live.server.setKeys({ [ID]: NEW });
  raw.write(attempt.helloAck(challenge));
  await within(raw.ending, 'the end of the connection: its key was withdrawn');
  assert.equal(live.server.stats.sessions, 0);
});

test('a withdrawn key ends the sessions that use it and no others', async (t) => {
  const live = await startServer(t, echo, { psk: { [ID]: [NEW, OLD], [OTHER]: OLD, '*': PSK } });
  const onOld = await bothEnds(t, live, { deviceId: ID, psk: OLD });
  const other = await bothEnds(t, live, { deviceId: OTHER, psk: OLD });
  const rest = await bothEnds(t, live);
  await live.server.setKeys({ [ID]: NEW, [OTHER]: [NEW, OLD], '*': PSK });
  assert.equal(onOld.there.error?.code, 'revoked');
  assert.equal(other.there.closed, false);
  assert.equal(rest.there.closed, false);
  await assert.rejects(clientFor(live, { deviceId: ID, psk: OLD }).connect(), coded('AuthError', 'refused'));
  await assertServes(live, { deviceId: ID, psk: NEW });
  await live.server.setKeys({ '*': PSK });
  assert.equal(other.there.error?.code, 'revoked');
  assert.equal(rest.there.closed, false);
});

test('a device whose new key moves to the second place keeps its session', async (t) => {
  const live = await startServer(t, echo, { psk: { [ID]: OLD } });
  const { here, there } = await bothEnds(t, live, { deviceId: ID, psk: OLD });
  await live.server.setKeys({ [ID]: [NEW, OLD] });
  assert.equal(there.closed, false);
  await here.send('still here');
  assert.equal(text(await here.recv()), 'still here');
  await live.server.setKeys({ [ID]: NEW });
  assert.equal(there.error?.code, 'revoked');
});

test('keys that cannot be used are refused, and the old ones stay', async (t) => {
  const live = await startServer(t);
  const session = await connect(t, live);
  await assert.rejects(
    live.server.setKeys('short'),
    coded('ArgumentError', 'key_too_short', /^key is 5 bytes, at least 16$/),
  );
  assert.equal(session.closed, false);
  await assertServes(live);
});

test('keys may come from a function, at once or later', async (t) => {
  for (const later of [false, true]) {
    const asked: string[] = [];
    const live = await startServer(t, echo, {
      psk: (id) => {
        asked.push(id);
        const keys: Keys | undefined = id === ID ? [NEW, OLD] : undefined;
        return later ? new Promise((resolve) => setTimeout(() => resolve(keys), 20)) : keys;
      },
    });
    const { there } = await bothEnds(t, live, { deviceId: ID, psk: OLD });
    assert.equal(there.keyIndex, 1);
    await assert.rejects(
      clientFor(live, { deviceId: OTHER, psk: OLD }).connect(),
      coded('AuthError', 'refused'),
    );
    assert.equal((await refusal(live)).reason, 'unknown-device');
    assert.deepEqual(asked, [ID, OTHER]);
  }
});

test('CHALLENGE does not wait for the key look-up', async (t) => {
  let answer: ((keys: Keys) => void) | undefined;
  const live = await startServer(t, echo, { psk: () => new Promise((resolve) => (answer = resolve)) });
  const { attempt, raw, challenge } = await halfway(live.port);
  t.after(() => raw.destroy());
  raw.write(attempt.helloAck(challenge));
  const reply = raw.next();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(await stateOf(reply), 'pending');
  answer!(PSK);
  assert.equal((await within(reply, 'SESSION_OK'))?.type, 0x04);
});

test('a key function that fails refuses the device and is told in the log, and the server lives on', async (t) => {
  for (const fail of [
    () => {
      throw new Error('the database is away');
    },
    () => Promise.reject(new Error('the database is away')),
  ]) {
    let broken = true;
    const live = await startServer(t, echo, { psk: () => (broken ? fail() : PSK) });
    await assert.rejects(clientFor(live).connect(), coded('AuthError', 'refused'));
    assert.match((await refusal(live)).message, /key look-up failed: the database is away/);
    assert.equal(live.log.matching(/the database is away/).length, 1);
    broken = false;
    await assertServes(live);
  }
});

test('a key function that answers with a short key refuses the device and does not show the key', async (t) => {
  const live = await startServer(t, echo, { psk: async () => 'hunter2' });
  await assert.rejects(clientFor(live).connect(), coded('AuthError', 'refused'));
  assert.match((await refusal(live)).message, /is 7 bytes, at least 16/);
  assert.deepEqual(live.log.matching(/hunter2/), []);
});

test('a key function that never answers costs the device its handshake time and nothing else', async (t) => {
  const live = await startServer(t, echo, {
    psk: (id) => (id === ID ? new Promise(() => {}) : PSK),
    handshakeTimeout: 150,
  });
  await assert.rejects(clientFor(live, { deviceId: ID }).connect(), coded('AuthError', 'refused'));
  const { reason, message } = await refusal(live);
  assert.equal(reason, 'timeout');
  assert.match(message, /waiting for keys/);
  assert.equal(live.server.stats.halfOpen, 0);
  await assertServes(live);
});

test('an answer of the key function that comes too late does no harm', async (t) => {
  let answer: ((keys: Keys) => void) | undefined;
  const live = await startServer(t, echo, {
    psk: (id) => (id === ID ? new Promise((resolve) => (answer = resolve)) : PSK),
    handshakeTimeout: 100,
  });
  await assert.rejects(clientFor(live, { deviceId: ID }).connect(), coded('AuthError', 'refused'));
  await refusal(live);
  answer!(PSK);
  await assertServes(live);
  assert.equal(live.server.stats.accepted, 1);
});

/** A handshake of the device that has its CHALLENGE and has not answered. */
async function halfway(port: number, psk = PSK) {
  const raw = await RawClient.open({ port });
  const attempt = new RawHandshake({ psk, deviceId: ID });
  raw.write(attempt.hello());
  const challenge = await within(raw.expect(CHALLENGE), 'CHALLENGE');
  return { raw, attempt, challenge };
}
