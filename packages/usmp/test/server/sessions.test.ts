import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { USMPSession } from '#dist/index.js';
import { CHALLENGE, RawClient, RawHandshake, SESSION_OK } from '../support/raw-client.js';
import {
  assertServes,
  bothEnds,
  clientFor,
  coded,
  connect,
  echo,
  eventually,
  nextSession,
  PSK,
  park,
  refusal,
  startServer,
  text,
  within,
} from './live.js';

const ID = '02:00:00:00:00:01';

test('when the handler returns, the session ends with BYE', async (t) => {
  const live = await startServer(t, async (session) => {
    await session.send('that is all');
  });
  const session = await connect(t, live);
  assert.equal(text(await session.recv()), 'that is all');
  await assert.rejects(session.recv(), coded('ConnectionClosedError', 'bye'));
});

test('a handler that throws is logged with its error and its device, and the server lives on', async (t) => {
  const mine = new Error('a mistake of mine');
  for (const handler of [
    () => {
      throw mine;
    },
    async (session: USMPSession) => {
      await session.recv();
      throw mine;
    },
  ]) {
    let times = 0;
    const live = await startServer(t, (session) => (times++ === 0 ? handler(session) : echo(session)));
    const session = await connect(t, live);
    await session.send('go').catch(() => {});
    await assert.rejects(session.recv(), coded('ConnectionClosedError', 'bye'));
    await eventually(() => live.log.errors.length > 0, 'the error in the log');
    assert.deepEqual(live.log.errors, [mine]);
    assert.equal(live.log.matching(/^error: .*failed/).length, 1);
    assert.match(live.log.matching(/^error/)[0]!, new RegExp(session.deviceId));
    await assertServes(live);
  }
});

test('that a session ended under a handler is no error in the log', async (t) => {
  const live = await startServer(t, async (session) => {
    for (;;) await session.recv();
  });
  const { here } = await bothEnds(t, live);
  await here.close();
  await eventually(() => live.log.matching(/^info: disconnected/).length === 1, 'the disconnection');
  await live.server.close();
  assert.deepEqual(live.log.errors, []);
});

test('both ends know the session by the same ids, and where the other end is', async (t) => {
  const live = await startServer(t);
  const { here, there } = await bothEnds(t, live, { deviceId: 'AA:BB:CC:DD:EE:01' });
  assert.equal(here.deviceId, 'aa:bb:cc:dd:ee:01');
  assert.equal(there.deviceId, here.deviceId);
  assert.match(here.id, /^[0-9a-f]{32}$/);
  assert.equal(there.id, here.id);
  assert.equal(here.transport, 'tcp');
  assert.equal(there.transport, 'tcp');
  assert.equal(here.peer, `127.0.0.1:${live.port}`);
  assert.match(there.peer, /^127\.0\.0\.1:\d+$/);
  assert.equal(live.server.sessions.get(here.deviceId), there);
});

test('the newest session of a device replaces the older, which ends with the reason replaced', async (t) => {
  const live = await startServer(t);
  const ended: string[] = [];
  live.server.on('disconnect', (session, error) => ended.push(`${session.id} ${error.code}`));
  const first = await bothEnds(t, live, { deviceId: ID });
  const second = await bothEnds(t, live, { deviceId: ID });
  assert.deepEqual(ended, [`${first.there.id} replaced`]);
  assert.equal(first.there.error?.code, 'replaced');
  await assert.rejects(first.here.recv(), coded('ConnectionClosedError', 'bye'));
  assert.equal(live.server.sessions.get(ID), second.there);
  assert.equal(live.server.stats.sessions, 1);
  await second.here.send('I am the one');
  assert.equal(text(await second.here.recv()), 'I am the one');
});

test('a claim to be a device does not touch its session before the key is proved', async (t) => {
  const live = await startServer(t);
  const { here, there } = await bothEnds(t, live, { deviceId: ID });
  await assert.rejects(
    clientFor(live, { deviceId: ID, psk: 'not the key of it' }).connect(),
    coded('AuthError', 'refused'),
  );
  const raw = await RawClient.open({ port: live.port });
  t.after(() => raw.destroy());
  raw.write(new RawHandshake({ psk: PSK, deviceId: ID }).hello());
  await raw.expect(CHALLENGE);
  assert.equal(there.closed, false);
  await here.send('still me');
  assert.equal(text(await here.recv()), 'still me');
});

test('a full server turns the next away with busy, and takes it when there is room again', async (t) => {
  const live = await startServer(t, echo, { maxSessions: 2 });
  const first = await connect(t, live);
  await connect(t, live);
  await assert.rejects(clientFor(live).connect(), coded('HandshakeError', 'turned_away'));
  const { reason, message } = await refusal(live);
  assert.equal(reason, 'busy');
  assert.match(message, /2 sessions/);
  await first.close();
  await eventually(() => live.server.stats.sessions === 1, 'the end of the first session');
  await assertServes(live);
});

test('the limit of one address leaves room for others', async (t) => {
  const live = await startServer(t, echo, { maxSessionsPerAddress: 1 });
  await connect(t, live);
  await assert.rejects(clientFor(live).connect(), coded('HandshakeError', 'turned_away'));
  assert.equal((await refusal(live)).reason, 'busy');
  const raw = await RawClient.open({ port: live.port, localAddress: '127.0.1.9' });
  t.after(() => raw.destroy());
  const session = await raw.handshake({ psk: PSK });
  session.send('from elsewhere');
  assert.equal(text(await session.receive()), 'from elsewhere');
});

test('handshakes that finish together do not exceed the limit', async (t) => {
  const live = await startServer(t, echo, { maxSessions: 3 });
  const clients = await Promise.all(Array.from({ length: 8 }, () => RawClient.open({ port: live.port })));
  for (const raw of clients) t.after(() => raw.destroy());
  const attempts = clients.map(() => new RawHandshake({ psk: PSK }));
  for (const [i, raw] of clients.entries()) raw.write(attempts[i]!.hello());
  const challenges = await Promise.all(clients.map((raw) => raw.expect(CHALLENGE)));
  for (const [i, raw] of clients.entries()) raw.write(attempts[i]!.helloAck(challenges[i]!));
  await Promise.all(clients.map((raw) => raw.expect(SESSION_OK)));
  await eventually(() => live.server.stats.sessions === 3, 'three sessions');
  assert.equal(live.server.sessions.size, 3);
  let turnedAway = 0;
  for (const raw of clients) void raw.ending.then(() => turnedAway++);
  await eventually(() => turnedAway === 5, 'the others to be closed');
  assert.equal(live.server.stats.sessions, 3);
});

test('a handler that begins with ping() or rekey() is safe from a device that misbehaves at once', async (t) => {
  const unhandled: unknown[] = [];
  const keep = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', keep);
  t.after(() => process.removeListener('unhandledRejection', keep));
  const first = [
    (session: USMPSession) => session.ping({ timeout: 50 }),
    (session: USMPSession) => session.rekey({ timeout: 50 }),
    (session: USMPSession) => session.send('hello'),
  ];
  for (const begin of first) {
    const live = await startServer(t, begin);
    const ended = new Promise((resolve) => live.server.on('disconnect', resolve));
    const raw = await RawClient.open({ port: live.port });
    t.after(() => raw.destroy());
    const attempt = new RawHandshake({ psk: PSK });
    raw.write(attempt.hello());
    const challenge = await raw.expect(CHALLENGE);
    raw.write(attempt.helloAck(challenge), Buffer.from('and something that is no frame'));
    await within(ended, 'the end of the session');
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(unhandled, [], `after ${begin}`);
    assert.deepEqual(live.log.errors, [], 'the end of a session is no failure of the handler');
  }
});

test('a refused handshake does not call the handler', async (t) => {
  let calls = 0;
  const live = await startServer(t, () => {
    calls++;
    return park();
  });
  await assert.rejects(
    clientFor(live, { psk: 'not the right key' }).connect(),
    coded('AuthError', 'refused'),
  );
  await connect(t, live);
  assert.equal(calls, 1);
});

test('connect is told before the handler is called, and the session is listed then', async (t) => {
  const order: string[] = [];
  const live = await startServer(t, (session) => {
    order.push(`handler ${live.server.sessions.has(session.deviceId)}`);
    return park();
  });
  live.server.on('connect', (session) => order.push(`connect ${live.server.sessions.has(session.deviceId)}`));
  const arriving = nextSession(live.server);
  await connect(t, live);
  await arriving;
  assert.deepEqual(order, ['connect true', 'handler true']);
});
