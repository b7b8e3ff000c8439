import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { GatewayError } from '#dist/errors.js';
import { type Bed, KEY, LAMP, PUMP, startGateway, take, until } from './bed.js';

const NEW_KEY = 'another key of 32 characters !!!';

test('a session is known while it is open, and its beginning and end are told', async (t) => {
  const bed = await startGateway(t);
  const device = await bed.connect();
  const facts = bed.fleet.session(LAMP)!;
  assert.deepEqual([facts.deviceId, facts.transport, facts.keyIndex], [LAMP, 'memory', 0]);
  assert.equal(bed.fleet.sessions().length, 1);
  await device.send('last words');
  await device.close();
  await until(() => bed.of('disconnected').length === 1);
  assert.equal(bed.fleet.isOnline(LAMP), false);
  assert.deepEqual(
    bed.published.map(({ type }) => type),
    ['connected', 'message', 'disconnected'],
  );
  const { session, reason, messagesIn } = bed.of('disconnected')[0]!.data;
  assert.deepEqual([session, reason, messagesIn], [facts.id, 'bye', 1]);
  const { counters, lastTransport } = bed.devices.require(LAMP);
  assert.deepEqual(
    [counters.sessions, counters.messagesIn, counters.bytesIn, lastTransport],
    [1, 1, 10, 'memory'],
  );
});

test('the end of a session that is replaced is told before the beginning of the next', async (t) => {
  const bed = await startGateway(t);
  await bed.connect();
  const first = bed.fleet.session(LAMP)!.id;
  await bed.connect();
  await until(() => bed.of('connected').length === 2 && bed.of('disconnected').length === 1);
  assert.deepEqual(
    bed.published.map(({ type }) => type),
    ['connected', 'disconnected', 'connected'],
  );
  assert.equal(bed.of('disconnected')[0]?.data.reason, 'replaced');
  assert.notEqual(bed.fleet.session(LAMP)?.id, first);
});

async function isEnded(bed: Bed, change: () => void): Promise<void> {
  const device = await bed.connect();
  const before = bed.of('disconnected').length;
  change();
  bed.fleet.enforce(LAMP);
  await assert.rejects(device.recv({ timeout: 5_000 }));
  await until(() => bed.of('disconnected').length > before);
  assert.equal(bed.fleet.isOnline(LAMP), false);
  assert.equal(bed.of('disconnected').at(-1)?.data.reason, 'revoked');
}

test('revoking, disabling and removing a device end its session, and no other', async (t) => {
  const bed = await startGateway(t);
  const pump = await bed.connect(PUMP);
  await isEnded(bed, () => bed.devices.update(LAMP, { enabled: false }));
  await assert.rejects(bed.connect());
  bed.devices.update(LAMP, { enabled: true });
  await isEnded(bed, () => bed.devices.revoke(LAMP));
  await assert.rejects(bed.connect());
  bed.devices.rotate(LAMP, { key: Buffer.from(KEY) });
  await isEnded(bed, () => bed.devices.remove(LAMP));
  await assert.rejects(bed.connect());
  assert.deepEqual(
    bed.refused.list().entries.map(({ reason }) => reason),
    ['unknown-device', 'revoked', 'disabled'],
  );
  await bed.submit('still here', {}, PUMP);
  assert.deepEqual(await take(pump, 1), ['still here']);
});

test('a session goes on while its key is rotated, and the old key ends when the new one is used', async (t) => {
  const bed = await startGateway(t);
  const device = await bed.connect();
  bed.devices.rotate(LAMP, { key: Buffer.from(NEW_KEY) });
  bed.fleet.enforce(LAMP);
  await bed.submit('still here');
  assert.deepEqual(await take(device, 1), ['still here']);
  await bed.connect(LAMP, { psk: KEY });
  assert.equal(bed.fleet.session(LAMP)?.keyIndex, 1);
  await bed.connect(LAMP, { psk: NEW_KEY });
  await until(() => bed.of('key-rotated').length === 1);
  assert.deepEqual(bed.of('key-rotated')[0]?.data, { done: true });
  await assert.rejects(bed.connect(LAMP, { psk: KEY }));
  assert.equal(bed.fleet.isOnline(LAMP), true);
});

test('a key that is rotated in the very moment in which a session opens stays the old one', async (t) => {
  const bed = await startGateway(t);
  const connecting = bed.connect();
  await until(() => bed.fleet.isOnline(LAMP));
  // What the session has to tell of its key is not stored yet.
  assert.ok(bed.queue.length > 0);
  bed.devices.rotate(LAMP, { key: Buffer.from(NEW_KEY) });
  bed.fleet.enforce(LAMP);
  await connecting;
  bed.settle();
  await bed.connect(LAMP, { psk: KEY });
  assert.equal(bed.fleet.session(LAMP)?.keyIndex, 1);
});

test('dropping the old key ends the session under it', async (t) => {
  const bed = await startGateway(t);
  bed.devices.rotate(LAMP, { key: Buffer.from(NEW_KEY) });
  await isEnded(bed, () => bed.devices.dropOldKey(LAMP));
});

test('a message on its way to a device that is removed does not wait for it again', async (t) => {
  const bed = await startGateway(t, { redeliver: true });
  await bed.connect();
  const submitted = bed.submit('last');
  bed.devices.remove(LAMP);
  bed.fleet.enforce(LAMP);
  bed.outbox.refuseAll(LAMP);
  const message = await submitted;
  await until(() => bed.of('disconnected').length === 1);
  bed.settle();
  assert.notEqual(bed.stateOf(message), 'queued');
  assert.equal(bed.outbox.total, 0);
});

test('refusals are listed, and told once', async (t) => {
  const bed = await startGateway(t);
  for (let n = 0; n < 3; n++) await assert.rejects(bed.connect('02:00:00:00:00:99'));
  await assert.rejects(bed.connect(LAMP, { psk: NEW_KEY }));
  await until(() => bed.of('refused').length === 2);
  const entries = bed.refused
    .list()
    .entries.map(({ deviceId, reason, count, address }) => [deviceId, reason, count, address]);
  assert.deepEqual(entries, [
    [LAMP, 'wrong-key', 1, 'local'],
    ['02:00:00:00:00:99', 'unknown-device', 3, 'local'],
  ]);
});

test('a flood of refusals is a few events', async (t) => {
  const bed = await startGateway(t, { listen: 'tcp://127.0.0.1:0' });
  const { port } = new URL(bed.url);
  for (let n = 0; n < 60; n++) {
    const socket = net.connect({ port: Number(port), host: '127.0.0.1', localAddress: `127.0.2.${n + 1}` });
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\n\r\n');
  }
  await until(() => Object.values(bed.fleet.stats.refused).reduce((sum, count) => sum + count, 0) >= 60);
  bed.settle();
  // 20 a second, and the loop may cross one.
  assert.ok(bed.of('refused').length <= 40, `${bed.of('refused').length} events`);
  assert.ok(bed.of('refused').length >= 20);
});

test('a device is made to wait while its messages cannot be stored, and none is lost', async (t) => {
  const bed = await startGateway(t);
  const device = await bed.connect();
  await until(() => bed.queue.length === 0);
  bed.full = true;
  await assert.rejects(bed.submit('no room'));
  const texts = Array.from({ length: 500 }, (_, n) => `${n} ${'x'.repeat(1_000)}`);
  let sent = 0;
  const sending = (async () => {
    for (const text of texts) {
      await device.send(text);
      sent++;
    }
  })();
  await until(() => bed.fleet.receiveQueueBytes > 60_000);
  assert.ok(sent < 500);
  assert.ok(bed.queue.length < 100, 'they are not read into memory');
  bed.full = false;
  bed.queue.flush();
  await sending;
  await until(() => bed.of('message').length === 500);
  assert.deepEqual(
    bed.of('message').map(({ data }) => data.text),
    texts,
  );
});

test('a round trip is measured, or the error says why not', async (t) => {
  const bed = await startGateway(t);
  await assert.rejects(
    bed.fleet.ping(LAMP),
    (error) => error instanceof GatewayError && error.code === 'not_found',
  );
  await bed.connect();
  assert.ok((await bed.fleet.ping(LAMP)) >= 0);
  assert.ok(bed.fleet.session(LAMP)!.rtt! >= 0);
});

test('disconnecting ends the session, and the device may come back', async (t) => {
  const bed = await startGateway(t);
  assert.equal(bed.fleet.disconnect(LAMP), false);
  await bed.connect();
  assert.equal(bed.fleet.disconnect(LAMP), true);
  await until(() => !bed.fleet.isOnline(LAMP));
  await bed.connect();
});

test('stopping says BYE and stores what sessions have counted, within its deadline', async (t) => {
  const bed = await startGateway(t);
  const device = await bed.connect();
  await device.send('counted');
  await until(() => bed.of('message').length === 1);
  const begun = performance.now();
  await bed.fleet.close(2_000);
  assert.ok(performance.now() - begun < 4_000);
  await assert.rejects(device.recv({ timeout: 5_000 }));
  assert.equal(device.error?.code, 'bye');
  assert.equal(bed.devices.require(LAMP).counters.messagesIn, 1);
  assert.equal(bed.of('disconnected')[0]?.data.reason, 'shutdown');
});
