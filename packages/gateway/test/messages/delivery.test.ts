import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '#dist/model.js';
import { DeadableLine, LAMP, PUMP, startGateway, take, temporaryFolder, until } from '../fleet/bed.js';

test('messages for a device that is away reach it in order when it comes, and are confirmed', async (t) => {
  const bed = await startGateway(t);
  const messages: Message[] = [];
  for (let n = 0; n < 40; n++) messages.push(await bed.submit(`m${n}`));
  assert.equal(bed.outbox.queued(LAMP), 40);
  const device = await bed.connect();
  assert.deepEqual(
    await take(device, 40),
    messages.map((_, n) => `m${n}`),
  );
  await until(() => messages.every((message) => bed.stateOf(message) === 'confirmed'));
  assert.equal(bed.outbox.queued(LAMP), 0);
});

test('a message for a device that is online is on its way when its submission is answered', async (t) => {
  const bed = await startGateway(t);
  const device = await bed.connect();
  const message = await bed.submit('now');
  assert.equal(message.state, 'sent');
  assert.equal(bed.fleet.session(LAMP)?.messagesOut, 1);
  assert.deepEqual(await take(device, 1), ['now']);
  await until(() => bed.stateOf(message) === 'confirmed');
  assert.ok(bed.roundTrips.length > 0);
});

test('many submissions at once to a device that is online arrive in order, each once', async (t) => {
  const bed = await startGateway(t);
  const device = await bed.connect();
  const texts = Array.from({ length: 60 }, (_, n) => `m${n}`);
  const submitted = Promise.all(texts.map((text) => bed.submit(text)));
  assert.deepEqual(await take(device, 60), texts);
  const messages = await submitted;
  await until(() => messages.every((message) => bed.stateOf(message) === 'confirmed'));
  assert.equal(bed.fleet.underWay, 0);
});

test('the largest and the empty message arrive unchanged', async (t) => {
  const bed = await startGateway(t);
  const device = await bed.connect();
  const large = Buffer.alloc(1_808, 0xa5);
  await bed.outbox.submit(LAMP, large, { format: 'base64' });
  await bed.outbox.submit(LAMP, Buffer.alloc(0), { format: 'base64' });
  assert.deepEqual(Buffer.from(await device.recv({ timeout: 5_000 })), large);
  assert.equal((await device.recv({ timeout: 5_000 })).length, 0);
});

test('no more than 16 messages are under way to a device that does not answer, and others are served', async (t) => {
  const bed = await startGateway(t, { listen: 'tcp://127.0.0.1:0' });
  const line = await DeadableLine.to(t, bed.url);
  await bed.connect(LAMP, { url: line.url });
  const pump = await bed.connect(PUMP);
  line.dead = true;
  for (let n = 0; n < 20; n++) await bed.submit(`m${n}`);
  assert.equal(bed.fleet.underWay, 16);
  assert.equal(bed.outbox.queued(LAMP), 4);
  await bed.submit('hello', {}, PUMP);
  assert.deepEqual(await take(pump, 1), ['hello']);
});

test('what was not confirmed stays sent, and what may be redelivered comes again, ahead of what waits', async (t) => {
  const bed = await startGateway(t, { listen: 'tcp://127.0.0.1:0' });
  const line = await DeadableLine.to(t, bed.url);
  await bed.connect(LAMP, { url: line.url });
  line.dead = true;
  const once = await bed.submit('once');
  const again = await bed.submit('again', { redeliver: true });
  for (let n = 0; n < 14; n++) await bed.submit(`again ${n}`, { redeliver: true });
  const waiting = await bed.submit('waiting');
  assert.equal(bed.stateOf(waiting), 'queued');
  line.cut();
  await until(() => !bed.fleet.isOnline(LAMP));
  bed.settle();
  assert.equal(bed.stateOf(once), 'sent');
  assert.equal(bed.stateOf(again), 'queued');
  const device = await bed.connect();
  const texts = await take(device, 16);
  assert.deepEqual([texts[0], texts[1], texts[15]], ['again', 'again 0', 'waiting']);
});

test('a newer session of the same device takes over, in order', async (t) => {
  const bed = await startGateway(t, { listen: 'tcp://127.0.0.1:0', redeliver: true });
  const line = await DeadableLine.to(t, bed.url);
  await bed.connect(LAMP, { url: line.url });
  line.dead = true;
  const texts = Array.from({ length: 30 }, (_, n) => `m${n}`);
  const submitted = texts.slice(0, 20).map((text) => bed.submit(text));
  await Promise.all(submitted);
  const first = bed.fleet.session(LAMP)!.id;
  const device = await bed.connect();
  await until(() => bed.fleet.session(LAMP)?.id !== first);
  for (const text of texts.slice(20)) void bed.submit(text);
  assert.deepEqual(await take(device, 30), texts);
});

test('messages that are submitted in the very turn in which the session ends keep their order', async (t) => {
  const bed = await startGateway(t);
  await bed.connect();
  const before = [bed.submit('m0'), bed.submit('m1')];
  bed.fleet.disconnect(LAMP);
  const messages = [...(await Promise.all(before)), await bed.submit('m2')];
  assert.deepEqual(
    messages.map(({ state }) => state),
    ['queued', 'queued', 'queued'],
  );
  assert.deepEqual(await take(await bed.connect(), 3), ['m0', 'm1', 'm2']);
});

test('after a crash, what was queued leaves in order, and what was sent stays sent or comes again', async (t) => {
  const folder = temporaryFolder(t);
  const bed = await startGateway(t, { listen: 'tcp://127.0.0.1:0' }, folder);
  const line = await DeadableLine.to(t, bed.url);
  await bed.connect(LAMP, { url: line.url });
  line.dead = true;
  const once = await bed.submit('once');
  const again = await bed.submit('again', { redeliver: true });
  for (let n = 0; n < 20; n++) await bed.submit(`m${n}`);
  await bed.crash();
  line.cut();

  const next = await startGateway(t, {}, folder);
  assert.equal(next.stateOf(once), 'sent');
  assert.equal(next.stateOf(again), 'queued');
  assert.equal(next.outbox.queued(LAMP), 7);
  const later = await next.submit('later');
  assert.ok(later.id > again.id);
  assert.deepEqual(await take(await next.connect(), 8), [
    'again',
    ...['m14', 'm15', 'm16', 'm17', 'm18', 'm19'],
    'later',
  ]);
});

test('over UDP each message is confirmed by its acknowledgement', async (t) => {
  const bed = await startGateway(t, { listen: 'udp://127.0.0.1:0' });
  const device = await bed.connect();
  const messages = await Promise.all(Array.from({ length: 30 }, (_, n) => bed.submit(`m${n}`)));
  assert.equal((await take(device, 30)).at(-1), 'm29');
  await until(() => messages.every((message) => bed.stateOf(message) === 'confirmed'));
});

test('an acknowledgement that comes with the end of a session over UDP still counts', async (t) => {
  const bed = await startGateway(t, { listen: 'udp://127.0.0.1:0', redeliver: true });
  const device = await bed.connect();
  const message = await bed.submit('last');
  await take(device, 1);
  await device.close();
  await until(() => !bed.fleet.isOnline(LAMP));
  await until(() => bed.stateOf(message) === 'confirmed');
  assert.equal(bed.outbox.queued(LAMP), 0);
});

test('stopping waits for confirmations, takes nothing more out of the outbox, and keeps the rest', async (t) => {
  const folder = temporaryFolder(t);
  const bed = await startGateway(t, {}, folder);
  const device = await bed.connect();
  const messages = await Promise.all(Array.from({ length: 40 }, (_, n) => bed.submit(`m${n}`)));
  await bed.stop();
  const received = [];
  for await (const payload of device) received.push(Buffer.from(payload).toString());
  const next = await startGateway(t, {}, folder);
  const states = messages.map((message) => next.stateOf(message));
  assert.ok(states.every((state) => state === 'confirmed' || state === 'queued'));
  assert.equal(states.filter((state) => state === 'confirmed').length, received.length);
  assert.deepEqual(
    [...received, ...(await take(await next.connect(), 40 - received.length))],
    messages.map((_, n) => `m${n}`),
  );
});

test('PINGs behind messages stay under what released devices bear', async (t) => {
  const bed = await startGateway(t);
  const device = await bed.connect();
  const begun = performance.now();
  for (let n = 0; n < 50; n++) {
    await bed.submit(`m${n}`);
    await take(device, 1);
  }
  const most = 1 + Math.ceil((performance.now() - begun) / 250);
  assert.ok(bed.roundTrips.length <= most, `${bed.roundTrips.length} PINGs, at most ${most}`);
});
