import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '#dist/errors.js';
import { LAMP, PUMP, startGateway, take, temporaryFolder, until } from '../fleet/bed.js';

const refuses = (code: string) => (error: unknown) => error instanceof GatewayError && error.code === code;

test('an answered message is in the database whatever happens next', async (t) => {
  const folder = temporaryFolder(t);
  const bed = await startGateway(t, {}, folder);
  const message = await bed.submit('kept', { redeliver: true });
  await bed.crash();
  const next = await startGateway(t, {}, folder);
  assert.deepEqual(next.history.get(message.id), message);
  assert.equal(next.outbox.queued(LAMP), 1);
});

test('the limit counts the messages that wait for one device, those under way to the disk included', async (t) => {
  const bed = await startGateway(t, { maxMessages: 3 });
  const submitted = ['a', 'b', 'c', 'd'].map((text) => bed.submit(text));
  await assert.rejects(submitted[3]!, refuses('outbox_full'));
  await Promise.all(submitted.slice(0, 3));
  await bed.submit('for another', {}, PUMP);
  await bed.outbox.cancel((await submitted[0]!).id);
  await bed.submit('d');
  assert.equal(bed.outbox.total, 4);
});

test('a message that is too large, or expires in the past, is not taken', async (t) => {
  const bed = await startGateway(t);
  await assert.rejects(bed.submit('x'.repeat(1_809)), refuses('too_large'));
  await assert.rejects(bed.submit('x', { expiresAt: Date.now() - 1 }), refuses('invalid'));
  assert.equal(bed.outbox.total, 0);
});

test('the same request id is the same message, also at the same time, when the outbox is full and after a restart', async (t) => {
  const folder = temporaryFolder(t);
  const bed = await startGateway(t, { maxMessages: 1 }, folder);
  const [first, second] = await Promise.all([
    bed.submit('once', { requestId: 'r1' }),
    bed.submit('once', { requestId: 'r1' }),
  ]);
  assert.equal(first.id, second.id);
  assert.equal((await bed.submit('once', { requestId: 'r1' })).id, first.id);
  assert.equal(bed.outbox.queued(LAMP), 1);
  await assert.rejects(bed.submit('twice', { requestId: 'r1' }), refuses('conflict'));
  assert.notEqual((await bed.submit('once', { requestId: 'r1' }, PUMP)).id, first.id);
  await bed.crash();
  const next = await startGateway(t, {}, folder);
  assert.equal((await next.submit('once', { requestId: 'r1' })).id, first.id);
});

test('a message that waits can be cancelled, others cannot', async (t) => {
  const bed = await startGateway(t);
  const message = await bed.submit('no');
  assert.equal((await bed.outbox.cancel(message.id)).state, 'refused');
  await assert.rejects(bed.outbox.cancel(message.id), refuses('conflict'));
  await assert.rejects(bed.outbox.cancel(123_456), refuses('not_found'));
  await bed.submit('yes');
  assert.deepEqual(await take(await bed.connect(), 1), ['yes']);
});

test('a message expires while its device is away, by one timer', async (t) => {
  const bed = await startGateway(t);
  const late = await bed.submit('late', { expiresAt: Date.now() + 60_000 });
  const soon = await bed.submit('soon', { expiresAt: Date.now() + 30 });
  await until(() => bed.stateOf(soon) === 'expired');
  await until(() => bed.of('message-state').length === 1);
  assert.deepEqual(bed.of('message-state')[0]?.data, { message: soon.id, state: 'expired' });
  assert.equal(bed.stateOf(late), 'queued');
  assert.equal(bed.outbox.queued(LAMP), 1);
});

test('a message whose time is over is not delivered, even before the timer has noticed', async (t) => {
  const bed = await startGateway(t);
  const old = await bed.submit('old', { expiresAt: Date.now() + 20_000 });
  await bed.submit('new', { expiresAt: Date.now() + 90_000 });
  bed.clockOffset = 30_000;
  assert.deepEqual(await take(await bed.connect(), 1), ['new']);
  assert.equal(bed.stateOf(old), 'expired');
});

test('a clock that is set back keeps messages longer and in order', async (t) => {
  const bed = await startGateway(t);
  const first = await bed.submit('first', { expiresAt: Date.now() + 1_000 });
  bed.clockOffset = -3_600_000;
  const second = await bed.submit('second');
  bed.outbox.expireDue();
  bed.settle();
  assert.ok(second.at < first.at && second.id > first.id);
  assert.deepEqual(await take(await bed.connect(), 2), ['first', 'second']);
});

test('what waits for a device that is removed is refused', async (t) => {
  const folder = temporaryFolder(t);
  const bed = await startGateway(t, {}, folder);
  const message = await bed.submit('never');
  bed.outbox.refuseAll(LAMP);
  bed.settle();
  assert.equal(bed.stateOf(message), 'refused');
  const other = await bed.submit('never', {}, PUMP);
  // The crash comes between the two.
  bed.devices.remove(PUMP);
  await bed.crash();
  const next = await startGateway(t, {}, folder);
  assert.equal(next.stateOf(other), 'refused');
});

test('messages wait for a device that is disabled or revoked', async (t) => {
  const bed = await startGateway(t);
  bed.devices.update(LAMP, { enabled: false });
  const message = await bed.submit('later');
  assert.equal(message.state, 'queued');
  bed.devices.update(LAMP, { enabled: true });
  assert.deepEqual(await take(await bed.connect(), 1), ['later']);
});

test('clearing an outbox refuses all that waits in it and nothing else', async (t) => {
  const bed = await startGateway(t);
  for (const text of ['a', 'b', 'c']) await bed.submit(text);
  await bed.submit('d', {}, PUMP);
  assert.equal(await bed.outbox.clear(LAMP), 3);
  assert.deepEqual([bed.outbox.queued(LAMP), bed.outbox.queued(PUMP)], [0, 1]);
});

test('with a full disk nothing is taken and nothing leaves; with room again what waits leaves', async (t) => {
  const bed = await startGateway(t);
  const waiting = await bed.submit('waiting');
  bed.full = true;
  await assert.rejects(bed.submit('too late'), refuses('storage_full'));
  await assert.rejects(bed.submit('too late'), refuses('storage_full'));
  const device = await bed.connect();
  await device.send('held');
  await until(() => bed.queue.length >= 3);
  assert.equal(bed.stateOf(waiting), 'queued');
  assert.equal(bed.outbox.queued(LAMP), 1);
  bed.full = false;
  bed.queue.flush();
  assert.deepEqual(await take(device, 1), ['waiting']);
  await until(() => bed.of('message').some(({ data }) => data.text === 'held'));
});

test('a submission to a device that is online fails with a full disk, and leaves no trace', async (t) => {
  const bed = await startGateway(t);
  const device = await bed.connect();
  await until(() => bed.queue.length === 0);
  bed.full = true;
  await assert.rejects(bed.submit('lost'), refuses('storage_full'));
  bed.full = false;
  bed.queue.flush();
  await bed.submit('next');
  assert.deepEqual(await take(device, 1), ['next']);
  assert.equal(bed.history.totals.messages, 1);
});
