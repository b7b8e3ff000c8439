import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Device, DevicePage, GatewayEvent } from '#dashboard/api/types.js';
import { DeviceList, PAGE, type ReadPage } from '#dashboard/state/device-list.js';

const ALL = Array.from({ length: 1_000 }, (_, index) => device(index));

test('pages are read one after the other, as far down as is looked at', async () => {
  const { list, asked } = open(ALL);
  await list.open({});
  assert.deepEqual([list.total, list.read], [1_000, PAGE]);
  list.want(30);
  await settled();
  assert.equal(list.read, PAGE);
  list.want(600);
  await settled();
  assert.equal(list.read, 3 * PAGE);
  assert.equal(list.row(599)!.id, ALL[599]!.id);
  assert.equal(list.row(900), undefined);
  assert.equal(asked.length, 3);
});

test('of two queries the answer to the later one counts, whichever comes first', async () => {
  const { list, hold } = open(ALL);
  const release = hold();
  const first = list.open({ search: '1' });
  const second = list.open({ search: '2' });
  release(1);
  await second;
  release(0);
  await first;
  assert.match(list.row(0)!.name, /2/);
  assert.equal(list.row(0)!.name, 'lamp 2');
});

test('an event changes the row of its device and no other', async () => {
  const { list } = open(ALL);
  await list.open({});
  const other = list.row(4);
  assert.ok(
    list.apply(event('connected', ALL[3]!.id, { session: 's1', transport: 'udp', peer: '192.0.2.1:5' })),
  );
  assert.equal(list.row(3)!.session!.transport, 'udp');
  assert.equal(list.row(4), other);
  assert.ok(list.apply(event('disconnected', ALL[3]!.id, { session: 's1' })));
  assert.equal(list.row(3)!.online, false);
  assert.equal(list.stale, false);
});

test('the end of a session that another one has replaced does not take that one away', async () => {
  const { list } = open(ALL);
  await list.open({});
  list.apply(event('connected', ALL[3]!.id, { session: 's2', transport: 'tcp', peer: 'x' }));
  list.apply(event('disconnected', ALL[3]!.id, { session: 's1' }));
  assert.equal(list.row(3)!.online, true);
});

test('what comes, goes or moves makes the list stale until it is read again', async () => {
  const { list } = open(ALL);
  await list.open({});
  assert.ok(list.apply(event('device-added', '02:ff:ff:ff:ff:ff', {})));
  assert.equal(list.stale, true);
  await list.reload();
  assert.equal(list.stale, false);
  await list.open({ state: 'online' });
  list.apply(event('connected', '02:ff:ff:ff:ff:ff', {}));
  assert.equal(list.stale, true);
});

test('a device that has moved down between two pages stands there once', async () => {
  const { list } = open(ALL, { overlap: 1 });
  await list.open({});
  list.want(1_000);
  await settled();
  const ids = Array.from({ length: list.read }, (_, index) => list.row(index)!.id);
  assert.equal(new Set(ids).size, ids.length);
});

test('a list that is read again is read as far down as is looked at', async () => {
  const { list } = open(ALL);
  await list.open({});
  list.want(600);
  await settled();
  await list.reload();
  await settled();
  assert.equal(list.row(599)?.id, ALL[599]!.id);
});

test('an event that comes before an older answer is not undone by it', async () => {
  const { list, hold } = open(ALL);
  const release = hold();
  const read = list.open({});
  list.apply(event('connected', ALL[3]!.id, { session: 's1', transport: 'udp', peer: '192.0.2.1:5' }));
  release(0);
  await read;
  assert.equal(list.row(3)!.online, true);
});

test('an error is told, and what was read stays', async () => {
  const errors: unknown[] = [];
  let fails = false;
  const list = new DeviceList({
    readPage: async () => {
      if (fails) throw new Error('away');
      return { devices: ALL.slice(0, 10), next: null, total: 10 };
    },
    changed() {},
    failed: (error) => errors.push(error),
  });
  await list.open({});
  fails = true;
  await list.reload();
  assert.equal(errors.length, 1);
  assert.equal(list.read, 10);
});

function open(all: readonly Device[], { overlap = 0 } = {}) {
  const asked: unknown[] = [];
  let gates: (() => void)[] | undefined;
  const readPage: ReadPage = async (query) => {
    asked.push(query);
    if (gates !== undefined) {
      const held = gates;
      await new Promise<void>((resolve) => held.push(resolve));
    }
    const { search = '', after, limit } = query;
    const found = all.filter(({ name }) => name.includes(search));
    const from = after === undefined ? 0 : Number(after);
    const end = Math.min(found.length, from + limit);
    const next = end < found.length ? String(end - overlap) : null;
    return { devices: found.slice(from, end), next, total: found.length } satisfies DevicePage;
  };
  const list = new DeviceList({ readPage, changed() {}, failed: (error) => assert.fail(String(error)) });
  const hold = () => {
    const held: (() => void)[] = [];
    gates = held;
    return (index: number) => held[index]!();
  };
  return { list, asked, hold };
}

function device(index: number): Device {
  return {
    id: `02:00:00:00:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 0xff).toString(16).padStart(2, '0')}`,
    name: `lamp ${index}`,
    note: '',
    tags: [],
    enabled: true,
    createdAt: '2026-11-26T17:00:00.000Z',
    updatedAt: '2026-11-26T17:00:00.000Z',
    ...{ lastConnectedAt: null, lastSeenAt: null, lastAddress: null, lastTransport: null },
    counters: { sessions: 0, messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 },
    keys: [],
    online: false,
    session: null,
  };
}

function event(type: GatewayEvent['type'], id: string, data: GatewayEvent['data']): GatewayEvent {
  return { id: 1, at: '2026-11-26T18:00:00.000Z', type, device: id, data };
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
