import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { type Bed, openBed } from './bed.js';

interface StreamedEvent {
  readonly id: string | undefined;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read what the gateway wrote.
  readonly data: any;
}

/** A reader of an event stream. */
class Reader {
  readonly #stop = new AbortController();
  readonly #events: AsyncGenerator<StreamedEvent>;
  comments = 0;

  constructor(url: string, headers: Record<string, string>) {
    this.#events = this.#read(url, headers);
  }

  async next(): Promise<StreamedEvent> {
    const { value, done } = await this.#events.next();
    if (done === true) throw new Error('the stream has ended');
    return value;
  }

  async take(count: number): Promise<StreamedEvent[]> {
    const events = [];
    while (events.length < count) events.push(await this.next());
    return events;
  }

  /** Resolves at the end of the stream; fails when an event comes before. */
  async ended(): Promise<void> {
    const { done, value } = await this.#events.next();
    assert.ok(done, `an event came: ${JSON.stringify(value)}`);
  }

  stop(): void {
    this.#stop.abort();
  }

  async *#read(url: string, headers: Record<string, string>): AsyncGenerator<StreamedEvent> {
    const response = await fetch(url, { headers, signal: this.#stop.signal });
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const blocks = text.split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) {
        const event = parse(block);
        if (event !== undefined) yield event;
        else if (block.startsWith(':')) this.comments++;
      }
    }
  }
}

function parse(block: string): StreamedEvent | undefined {
  const fields = Object.fromEntries(
    block.split('\n').map((line) => line.split(/: (.*)/s, 2) as [string, string]),
  );
  if (fields.data === undefined) return undefined;
  return { id: fields.id, event: fields.event!, data: JSON.parse(fields.data) };
}

function read(bed: Bed, query = '', lastId?: number): Reader {
  const headers = { authorization: `Bearer ${bed.secrets.read}` };
  const resumed = lastId === undefined ? headers : { ...headers, 'last-event-id': String(lastId) };
  return new Reader(`${bed.url}/api/v1/events${query}`, resumed);
}

/** As many events as asked for, stored and published. */
function happen(bed: Bed, count: number, data: Record<string, unknown> = {}): void {
  for (let number = 0; number < count; number++)
    bed.events.append('device-changed', undefined, { number, ...data });
  bed.queue.flush();
}

test('a stream tells what happens from now on, each event with its id, type and data', async (t) => {
  const bed = await openBed(t);
  happen(bed, 3);
  const reader = read(bed);
  const first = reader.next();
  await opened(bed, 1);
  const { device } = bed.devices.add({ name: 'lamp' });
  bed.events.append('device-added', device.id, { name: 'lamp' });
  bed.queue.flush();
  const { id, event, data } = await first;
  assert.equal(event, 'device-added');
  assert.equal(data.id, Number(id));
  assert.deepEqual(data.data, { name: 'lamp' });
  assert.equal(data.device, device.id);
  assert.match(data.at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  reader.stop();
});

test('resumed with Last-Event-ID, a stream has every event once and in order, while new ones go on happening', async (t) => {
  const bed = await openBed(t);
  happen(bed, 3_000);
  const from = bed.events.lastPublishedId - 2_500;
  const reader = read(bed, '?after=0', from);
  // Some while it reads from the database, some when it is live.
  const events = await reader.take(100);
  for (let burst = 0; burst < 20; burst++) {
    happen(bed, 50);
    events.push(...(await reader.take(50)));
  }
  const { lastPublishedId } = bed.events;
  while (Number(events.at(-1)!.id) < lastPublishedId) events.push(await reader.next());
  assert.deepEqual(
    events.map(({ id }) => Number(id)),
    Array.from({ length: lastPublishedId - from }, (_, index) => from + 1 + index),
  );
  reader.stop();
});

test('messages are resumed like events, in one order with them', async (t) => {
  const bed = await openBed(t);
  const { id } = bed.devices.add({ name: 'lamp' }).device;
  const start = bed.events.lastPublishedId;
  const first = await bed.outbox.submit(id, Buffer.from('{"on":true}'), { format: 'json' });
  bed.events.append('disconnected', id, {});
  const second = await bed.outbox.submit(id, Buffer.from([0xff]), { format: 'base64' });
  const reader = read(bed, `?after=${start}`);
  const events = await reader.take(3);
  assert.deepEqual(
    events.map(({ event }) => event),
    ['message', 'disconnected', 'message'],
  );
  assert.deepEqual([events[0]!.id, events[2]!.id].map(Number), [first.id, second.id]);
  assert.deepEqual(events[0]!.data.data.json, { on: true });
  assert.equal(events[2]!.data.data.base64, '/w==');
  reader.stop();
});

test('a stream can be of some types and of one device', async (t) => {
  const bed = await openBed(t);
  const { id } = bed.devices.add({ name: 'lamp' }).device;
  const start = bed.events.lastPublishedId;
  const reader = read(bed, `?types=connected,disconnected&device=LAMP&after=${start}`);
  for (const [type, device] of [
    ['connected', '02:00:00:00:00:99'],
    ['device-changed', id],
    ['connected', id],
    ['connected', undefined],
    ['disconnected', id],
  ] as const)
    bed.events.append(type, device, {});
  bed.queue.flush();
  const events = await reader.take(2);
  assert.deepEqual(
    events.map(({ event, data }) => [event, data.device]),
    [
      ['connected', id],
      ['disconnected', id],
    ],
  );
  reader.stop();
});

test('where some events are not kept any more, or an id was never given, the stream says so and goes on', async (t) => {
  const bed = await openBed(t);
  happen(bed, 10);
  const { since } = bed.events;
  bed.events.since = (id, limit) => ({ ...since.call(bed.events, id, limit), gap: true });
  const reader = read(bed, '', 5);
  const [gap, next] = await reader.take(2);
  assert.deepEqual(gap, { id: undefined, event: 'gap', data: { after: 5 } });
  assert.equal(next!.id, '6');
  reader.stop();
  const ahead = read(bed, '', 1_000_000);
  assert.equal((await ahead.next()).event, 'gap');
  happen(bed, 1);
  assert.equal((await ahead.next()).event, 'device-changed');
  ahead.stop();
});

test('a line on which nothing happens is kept open by comments', async (t) => {
  const bed = await openBed(t, { streams: { heartbeat: 10 } });
  const reader = read(bed);
  const next = reader.next();
  while (reader.comments < 3) await new Promise(setImmediate);
  happen(bed, 1);
  assert.equal((await next).event, 'device-changed');
  reader.stop();
});

test('a stream ends soon after its token was removed', async (t) => {
  const bed = await openBed(t, { streams: { heartbeat: 10 } });
  const { token, facts } = bed.tokens.create('brief', 'read');
  const reader = new Reader(`${bed.url}/api/v1/events`, { authorization: `Bearer ${token}` });
  const end = reader.ended();
  await opened(bed, 1);
  bed.tokens.remove(facts.id);
  await end;
});

test('a reader that does not read is cut off at 1 MiB, and others do not notice', async (t) => {
  const bed = await openBed(t);
  const slow = connect(bed.port, '127.0.0.1').pause();
  slow.write(
    `GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${bed.secrets.read}\r\n\r\n`,
  );
  await opened(bed, 1);
  const reader = read(bed);
  const seen: StreamedEvent[] = [];
  const first = reader.next();
  await opened(bed, 2);
  let told = 0;
  // What the kernel takes for the slow one varies between machines.
  for (; bed.app.eventStreams.size === 2 && told < 2_000; told += 20) {
    happen(bed, 20, { filler: 'x'.repeat(10_000) });
    if (told === 0) seen.push(await first, ...(await reader.take(19)));
    else seen.push(...(await reader.take(20)));
  }
  assert.equal(bed.app.eventStreams.size, 1);
  assert.ok(told * 10_000 > 1024 * 1024, `cut off after ${told} events`);
  assert.equal(seen.length, told);
  slow.on('error', () => {}).resume();
  await once(slow, 'close');
  reader.stop();
});

test('a reader that resumes is not cut off for what it has not read of the past', async (t) => {
  const bed = await openBed(t);
  happen(bed, 600, { filler: 'x'.repeat(10_000) });
  const reader = read(bed, '', 0);
  const first = await reader.next();
  await new Promise(setImmediate);
  happen(bed, 10);
  const rest = await reader.take(609);
  assert.equal(Number(rest.at(-1)!.id) - Number(first.id), 609);
  reader.stop();
});

test('there are at most 100 streams, and one that ends makes room', async (t) => {
  const bed = await openBed(t, { streams: { streams: 3 } });
  const readers = Array.from({ length: 3 }, () => read(bed));
  const ends = readers.map((reader) => reader.next().catch(() => {}));
  await opened(bed, 3);
  const refused = await bed.ask('GET', '/api/v1/events', { as: 'read' });
  assert.equal(refused.status, 503);
  assert.equal(refused.json.error.code, 'unavailable');
  readers[0]!.stop();
  await opened(bed, 2);
  const another = read(bed);
  ends.push(another.next().catch(() => {}));
  await opened(bed, 3);
  for (const reader of [...readers, another]) reader.stop();
  await Promise.all(ends);
});

test('streams end when the gateway does', async (t) => {
  const bed = await openBed(t);
  const readers = [read(bed), read(bed, '?after=0')];
  const ends = readers.map((reader) => reader.ended());
  await opened(bed, 2);
  await bed.app.close();
  await Promise.all(ends);
});

test('the log of events is read page by page, with the same filters', async (t) => {
  const bed = await openBed(t);
  happen(bed, 2_500);
  bed.events.append('connected', '02:00:00:00:00:01', {});
  bed.queue.flush();
  const ids: number[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const page = await bed.ask('GET', `/api/v1/events/log?after=${after}&limit=999`);
    ids.push(...page.json.events.map(({ id }: { id: number }) => id));
    after = page.json.next;
  }
  assert.deepEqual(
    ids,
    Array.from({ length: 2_501 }, (_, index) => index + 1),
  );
  const filtered = await bed.ask('GET', '/api/v1/events/log?types=connected&limit=1');
  assert.equal(filtered.json.events.length, 1);
  assert.equal(filtered.json.next, null);
});

/** Resolves when that many streams are open. */
async function opened(bed: Bed, count: number): Promise<void> {
  while (bed.app.eventStreams.size !== count) await new Promise(setImmediate);
}
