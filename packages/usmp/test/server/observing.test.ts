import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { test } from 'node:test';
import type { Refusal } from '#dist/index.js';
import { RefusalLog } from '#dist/server/refusal.js';
import { RawClient } from '../support/raw-client.js';
import {
  bothEnds,
  clientFor,
  connect,
  echo,
  eventually,
  LogLines,
  nextSession,
  PSK,
  refusal,
  startServer,
  WRONG_PSK,
  within,
} from './live.js';

const ID = '02:00:00:00:00:01';

test('diagnostics channels tell of sessions and refusals', async (t) => {
  const told: { name: string; message: Record<string, unknown> }[] = [];
  const listener = (message: unknown, name: string | symbol) =>
    told.push({ name: String(name), message: message as Record<string, unknown> });
  for (const name of ['connect', 'disconnect', 'refused']) {
    subscribe(`usmp:server:${name}`, listener);
    t.after(() => unsubscribe(`usmp:server:${name}`, listener));
  }
  const live = await startServer(t);
  const { here, there } = await bothEnds(t, live, { deviceId: ID });
  await here.close();
  await eventually(() => told.length === 2, 'connect and disconnect');
  await assert.rejects(clientFor(live, { psk: WRONG_PSK }).connect());
  await eventually(() => told.length === 3, 'refused');
  assert.deepEqual(
    told.map(({ name }) => name),
    ['usmp:server:connect', 'usmp:server:disconnect', 'usmp:server:refused'],
  );
  for (const { message } of told) assert.equal(message.server, live.server);
  assert.equal(told[0]!.message.session, there);
  assert.equal(told[1]!.message.session, there);
  assert.equal((told[1]!.message.error as { code: string }).code, 'bye');
  assert.equal((told[2]!.message.refusal as Refusal).reason, 'wrong-key');
});

test('the counters of a session and of its server agree with what was sent', async (t) => {
  const live = await startServer(t);
  const { here, there } = await bothEnds(t, live);
  for (const length of [0, 452, 453, 1_808]) {
    await here.send(new Uint8Array(length));
    assert.equal((await here.recv()).length, length);
  }
  const expected = {
    messagesSent: 4,
    messagesReceived: 4,
    bytesSent: 2_713,
    bytesReceived: 2_713,
    framesSent: 8,
    framesReceived: 8,
  };
  assert.deepEqual({ ...here.stats, ...expected }, here.stats);
  assert.deepEqual({ ...there.stats, ...expected }, there.stats);
  assert.deepEqual(
    { ...live.server.stats, ...expected, sessions: 1, accepted: 1, halfOpen: 0 },
    live.server.stats,
  );
  await here.close();
  await eventually(() => live.server.stats.sessions === 0, 'the end of the session');
  const after = live.server.stats;
  assert.deepEqual([after.messagesReceived, after.bytesReceived, after.accepted], [4, 2_713, 1]);
});

test('the counters tell how much waits to be read and to be sent', async (t) => {
  const live = await startServer(t, (session) => session.send('for later').then(() => session.recv()));
  const { here } = await bothEnds(t, live);
  await eventually(() => here.stats.receiveQueueBytes > 0, 'a message in the queue');
  assert.ok(here.stats.receiveQueueBytes >= 'for later'.length);
  await here.recv();
  assert.equal(here.stats.receiveQueueBytes, 0);
  assert.equal(here.stats.sendBacklogBytes, 0);
});

test('refusals are counted by reason', async (t) => {
  const live = await startServer(t, echo, { psk: { [ID]: PSK } });
  await assert.rejects(clientFor(live).connect());
  await assert.rejects(clientFor(live, { deviceId: ID, psk: WRONG_PSK }).connect());
  await assert.rejects(clientFor(live, { deviceId: ID, psk: WRONG_PSK }).connect());
  assert.deepEqual(live.server.stats.refused, { 'unknown-device': 1, 'wrong-key': 2 });
  assert.equal(live.server.stats.accepted, 0);
});

test('the log says of a refused device who it is and what to do', async (t) => {
  const live = await startServer(t, echo, { psk: { [ID]: PSK }, handshakeTimeout: 120 });
  await assert.rejects(clientFor(live, { deviceId: '02:00:00:00:00:99' }).connect());
  await assert.rejects(clientFor(live, { deviceId: ID, psk: WRONG_PSK }).connect());
  for (const bytes of [
    Buffer.from('cdab0101', 'hex'),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.alloc(0),
  ]) {
    const raw = await RawClient.open({ port: live.port });
    raw.write(bytes);
    await within(raw.ending, 'the end of the connection');
  }
  await eventually(() => live.refusals.length === 5, 'five refusals');
  const lines = live.log.matching(/refused/);
  assert.match(
    lines[0]!,
    /^warn: refused 02:00:00:00:00:99 at 127\.0\.0\.1:\d+: unknown device id: add its key/,
  );
  assert.match(lines[1]!, /^warn: refused 02:00:00:00:00:01 at .*: wrong key: .*same/);
  assert.match(lines[2]!, /^warn: refused 127\.0\.0\.1:\d+: version 1 firmware.*update/);
  assert.match(lines[3]!, /not a USMP frame/);
  assert.match(lines[4]!, /timed out waiting for HELLO: slow network, or not a USMP client/);
  for (const line of live.log.lines) {
    assert.ok(!line.includes(PSK) && !line.includes(WRONG_PSK), 'a key in the log');
  }
});

test('five failures make a device wait; the log says so, its neighbours do not notice', async (t) => {
  const live = await startServer(t, echo, { backoff: { after: 2, base: 60_000 } });
  for (let i = 0; i < 2; i++) {
    await assert.rejects(clientFor(live, { deviceId: ID, psk: WRONG_PSK }).connect(), { code: 'refused' });
  }
  await assert.rejects(clientFor(live, { deviceId: ID }).connect(), { code: 'turned_away' });
  const { reason, message } = await refusal(live, 2);
  assert.equal(reason, 'backoff');
  assert.match(message, /wait/);
  await connect(t, live);
  const elsewhere = await RawClient.open({ port: live.port, localAddress: '127.0.7.7' });
  t.after(() => elsewhere.destroy());
  await elsewhere.handshake({ psk: PSK, deviceId: ID });
});

test('a device gets in again once its wait is over, and its slate is clean then', async (t) => {
  const live = await startServer(t, echo, { backoff: { after: 2, base: 150 } });
  for (let round = 0; round < 2; round++) {
    await assert.rejects(clientFor(live, { deviceId: ID, psk: WRONG_PSK }).connect(), { code: 'refused' });
  }
  await assert.rejects(clientFor(live, { deviceId: ID }).connect(), { code: 'turned_away' });
  const started = performance.now();
  for (;;) {
    try {
      await connect(t, live, { deviceId: ID });
      break;
    } catch (error) {
      assert.equal((error as { code: string }).code, 'turned_away');
      assert.ok(performance.now() - started < 10_000, 'locked out for good');
    }
  }
  await assert.rejects(clientFor(live, { deviceId: ID, psk: WRONG_PSK }).connect(), { code: 'refused' });
  await connect(t, live, { deviceId: ID });
});

test('a device that goes away in the middle of its handshake is not called refused', async (t) => {
  const live = await startServer(t);
  const raw = await RawClient.open({ port: live.port });
  await eventually(() => live.server.stats.halfOpen === 1, 'the connection to be accepted');
  raw.end();
  await eventually(() => live.server.stats.halfOpen === 0, 'the end of the handshake');
  assert.deepEqual(live.refusals, []);
});

test('a flood of refusals does not flood the log, and the rest is counted', () => {
  const log = new LogLines();
  const refusals = new RefusalLog(log);
  const one = { deviceId: undefined, peer: '192.0.2.7:1', message: 'not acceptable' } as Refusal;
  for (let i = 0; i < 10_000; i++) refusals.write(one, 5_000 + i / 100);
  assert.ok(log.lines.length <= 40, `${log.lines.length} lines within a second`);
  const written = log.lines.length;
  refusals.write(one, 9_000);
  assert.deepEqual(log.matching(/more refusals/), [
    `warn: ${10_000 - written} more refusals were not logged`,
  ]);
});

test('connections and their ends are in the log with the device', async (t) => {
  const live = await startServer(t);
  const arriving = nextSession(live.server);
  const session = await connect(t, live, { deviceId: ID });
  await arriving;
  await session.close();
  await eventually(() => live.log.matching(/disconnected/).length === 1, 'the line about the end');
  assert.match(live.log.lines[0]!, /^(info|debug): listening on tcp:\/\/127\.0\.0\.1:\d+$/);
  assert.match(live.log.lines[1]!, /^info: connected 02:00:00:00:00:01 from 127\.0\.0\.1:\d+$/);
  assert.match(live.log.lines[2]!, /^info: disconnected 02:00:00:00:00:01: the peer closed the session$/);
});
