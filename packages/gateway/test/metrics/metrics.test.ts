import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { Metrics, type MetricsSources } from '#dist/metrics/metrics.js';

const PREFIX = 'usmp_gateway_';

const STATS = {
  messagesSent: 20,
  messagesReceived: 30,
  bytesSent: 200,
  bytesReceived: 300,
  framesSent: 21,
  framesReceived: 31,
  framesRetransmitted: 4,
  framesRepeated: 0,
  datagramsDropped: 2,
  messagesLost: 1,
  sessions: 7,
  halfOpen: 3,
  accepted: 9,
  refused: { 'wrong-key': 5, busy: 1 },
};

function sources(changes: Partial<MetricsSources> = {}): MetricsSources {
  return {
    server: () => STATS,
    devices: () => 12,
    outboxQueued: () => 6,
    commitQueue: () => 8,
    eventsDropped: () => 11,
    receiveQueueBytes: () => 512,
    storageOk: () => true,
    storageBytes: () => 4_096,
    roundTrip: () => undefined,
    ...changes,
  };
}

function open(t: { after(undo: () => void): void }): Metrics {
  const metrics = new Metrics('1.2.3');
  t.after(() => metrics.close());
  return metrics;
}

/** Values by name and labels, as Prometheus reads them. */
async function scrape(metrics: Metrics): Promise<Record<string, number>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] = /^usmp_gateway_(\S+(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      assert.ok(name !== undefined && value !== undefined, `no line of a metric of ours: ${line}`);
      return [name, Number(value)];
    }),
  );
}

test('a scrape has what the server has counted, the same twice in a row', async (t) => {
  const metrics = open(t);
  metrics.watch(sources());
  await scrape(metrics);
  const values = await scrape(metrics);
  const expected = {
    sessions: 7,
    half_open_handshakes: 3,
    'handshakes_total{outcome="accepted"}': 9,
    'handshakes_total{outcome="wrong-key"}': 5,
    'handshakes_total{outcome="busy"}': 1,
    'handshakes_total{outcome="unknown-device"}': 0,
    'messages_total{direction="in"}': 30,
    'messages_total{direction="out"}': 20,
    'message_bytes_total{direction="in"}': 300,
    'message_bytes_total{direction="out"}': 200,
    retransmissions_total: 4,
    datagrams_dropped_total: 2,
    messages_lost_total: 1,
    devices: 12,
    outbox_messages: 6,
    commit_queue_writes: 8,
    events_dropped_total: 11,
    receive_queue_bytes: 512,
    storage_ok: 1,
    storage_bytes: 4_096,
    'info{version="1.2.3"}': 1,
  };
  assert.deepEqual(Object.fromEntries(Object.keys(expected).map((name) => [name, values[name]])), expected);
});

test('every reason for which a device is refused has its number from the start', async (t) => {
  const metrics = open(t);
  metrics.watch(sources({ server: () => ({ ...STATS, refused: {} }) }));
  const values = await scrape(metrics);
  const outcomes = Object.keys(values).filter((name) => name.startsWith('handshakes_total'));
  assert.equal(outcomes.length, 9);
});

test('handshakes, round trips, states and requests are counted as they happen', async (t) => {
  const metrics = open(t);
  metrics.handshake(0.03);
  metrics.roundTrip(0.004);
  metrics.messageState('confirmed');
  metrics.httpRequest('/api/v1/devices/{id}', 'GET', 200, 0.002);
  metrics.httpRequest('/api/v1/events', 'GET', 200, undefined);
  metrics.eventStreams(2);
  const values = await scrape(metrics);
  assert.equal(values['handshake_duration_seconds_bucket{le="0.025"}'], 0);
  assert.equal(values['handshake_duration_seconds_bucket{le="0.05"}'], 1);
  assert.equal(values.round_trip_seconds_count, 1);
  assert.equal(values['message_states_total{state="confirmed"}'], 1);
  assert.equal(values['http_requests_total{route="/api/v1/devices/{id}",method="GET",status="200"}'], 1);
  assert.equal(values['http_request_duration_seconds_count{route="/api/v1/devices/{id}",method="GET"}'], 1);
  assert.equal(values['http_request_duration_seconds_count{route="/api/v1/events",method="GET"}'], undefined);
  assert.equal(values.event_streams, 2);
});

test('the process is measured: memory, CPU, and how late the event loop is', async (t) => {
  const metrics = open(t);
  let values = await scrape(metrics);
  while (!(values['event_loop_delay_seconds{quantile="1"}']! > 0.03)) {
    // Its timer, of 10 ms, has to run before and after: a scrape begins anew.
    await setTimeout(25);
    for (const until = performance.now() + 60; performance.now() < until; );
    await setTimeout(25);
    values = await scrape(metrics);
  }
  assert.ok(values.process_resident_memory_bytes! > 10_000_000);
  assert.ok(values['process_cpu_seconds_total{mode="user"}']! > 0);
  assert.ok(Math.abs(values.process_start_time_seconds! - Date.now() / 1_000) < 3_600);
});

test('while the storage fails a scrape says so, with the last values of what the database tells', async (t) => {
  const metrics = open(t);
  let works = true;
  const devices = () => {
    if (!works) throw new Error('the disk is gone');
    return 12;
  };
  metrics.watch(sources({ devices, storageOk: () => works }));
  await scrape(metrics);
  works = false;
  const values = await scrape(metrics);
  assert.equal(values.storage_ok, 0);
  assert.equal(values.devices, 12);
});

test('names have the prefix, a unit or _total, and every metric has a help text', async (t) => {
  const metrics = open(t);
  const text = await metrics.text();
  const types = Object.fromEntries(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]),
  );
  for (const name of metrics.names) {
    assert.match(name, /^usmp_gateway_[a-z_]+$/);
    assert.equal(name.endsWith('_total'), types[name] === 'counter', name);
    if (types[name] === 'histogram') assert.match(name, /_seconds$/);
    assert.match(text, new RegExp(`^# HELP ${name} .{10}`, 'm'));
  }
});

test('the Grafana dashboard uses only metrics and labels that exist, and shows every metric', async (t) => {
  const metrics = open(t);
  metrics.watch(sources());
  const text = readFileSync(new URL('../../examples/grafana-dashboard.json', import.meta.url), 'utf8');
  const expressions = [...text.matchAll(/"(?:expr|query)": "((?:[^"\\]|\\.)*)"/g)].map(([, written]) =>
    JSON.parse(`"${written}"`),
  );
  const used = new Set(
    expressions.flatMap((expression) => [...expression.matchAll(/usmp_gateway_\w+/g)].map(([name]) => name)),
  );
  const names = new Set(metrics.names);
  const baseOf = (name: string) => (names.has(name) ? name : name.replace(/_(bucket|sum|count)$/, ''));
  for (const name of used) assert.ok(names.has(baseOf(name)), `${name} does not exist`);
  const shown = new Set([...used].map(baseOf));
  for (const name of names) assert.ok(shown.has(name), `${name} is on no panel`);
  const written = await metrics.text();
  for (const expression of expressions)
    for (const [, labels] of expression.matchAll(/by \(([\w, ]+)\)/g))
      for (const label of labels.split(', '))
        assert.ok(LABELS.has(label) || written.includes(`${label}="`), `no metric has the label ${label}`);
  const ids = JSON.parse(text).panels.map(({ id }: { id: number }) => id);
  assert.equal(new Set(ids).size, ids.length);
});

/** Of metrics that have no value before something happens. */
const LABELS = new Set(['route', 'method', 'status', 'state']);

test('nothing of one gateway shows in the metrics of another', async (t) => {
  const [one, other] = [open(t), open(t)];
  one.messageState('sent');
  assert.equal((await scrape(other))[`message_states_total{state="sent"}`], undefined);
  assert.ok((await one.text()).includes(`${PREFIX}message_states_total{state="sent"} 1`));
});
