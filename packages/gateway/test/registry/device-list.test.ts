import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Device } from '#dist/model.js';
import type { DeviceQuery, Devices } from '#dist/registry/devices.js';
import type { Statement, Storage } from '#dist/storage/storage.js';
import { gatewayError, openRegistry, type Registry, START } from './support.js';

const SORTS = ['name', 'id', 'createdAt', 'seenAt'] as const;

/** 40 devices, some of which were made and seen at the same time, some never. */
function fleet(registry: Registry): Devices {
  const { devices, clock, storage } = registry;
  storage.transaction(() => {
    for (let n = 0; n < 40; n++) {
      clock.now = START + Math.floor(n / 7);
      const id = `02:00:00:00:00:${((n * 17) % 40).toString(16).padStart(2, '0')}`;
      const tags = n % 10 === 0 ? ['tenth', 'all'] : ['all'];
      devices.add({ id, name: `${n % 2 ? 'Lamp' : 'lamp'} ${(n * 11) % 40}`, tags, note: `room ${n}` });
      if (n % 3 === 0) devices.connected(id, { at: START + (n % 6), address: 'a', transport: 'tcp' });
      if (n % 8 === 0) devices.update(id, { enabled: false });
    }
  });
  return devices;
}

function pages(devices: Devices, query: DeviceQuery): Device[] {
  const found: Device[] = [];
  let after: string | undefined;
  do {
    const page = devices.list({ ...query, ...(after !== undefined && { after }) });
    assert.ok(page.devices.length > 0);
    found.push(...page.devices);
    after = page.next;
  } while (after !== undefined);
  return found;
}

test('pages of every order, filtered or not, have each device once, in that order and its reverse', (t) => {
  const devices = fleet(openRegistry(t));
  const sortKey = {
    name: (device: Device) => device.name.toLowerCase(),
    id: (device: Device) => device.id,
    createdAt: (device: Device) => device.createdAt,
    seenAt: (device: Device) => device.lastSeenAt ?? 0,
  };
  for (const filter of [{}, { tag: 'all' }, { enabled: true }, { search: 'm' }])
    for (const sort of SORTS) {
      const all = pages(devices, { ...filter, sort, limit: 7 });
      assert.equal(new Set(all.map(({ id }) => id)).size, 'enabled' in filter ? 35 : 40);
      const expected = [...all].sort((a, b) => {
        const [x, y] = [sortKey[sort](a), sortKey[sort](b)];
        return x === y ? (a.id < b.id ? -1 : 1) : x < y ? -1 : 1;
      });
      assert.deepEqual(all, expected);
      const reverse = pages(devices, { ...filter, sort, descending: true, limit: 7 });
      assert.deepEqual(reverse, expected.toReversed());
    }
});

test('filters find what they say, together what all of them say', (t) => {
  const devices = fleet(openRegistry(t));
  const total = (query: DeviceQuery) => devices.list(query).total;
  assert.equal(total({}), 40);
  assert.equal(total({ tag: 'tenth' }), 4);
  assert.equal(total({ enabled: false }), 5);
  assert.equal(total({ tag: 'tenth', enabled: false }), 1);
  assert.equal(total({ search: 'LAMP 1' }), 11);
  assert.equal(total({ search: 'room 39' }), 1);
  assert.equal(total({ search: 'tent' }), 4);
  assert.equal(total({ search: '02:00:00:00:00:1F' }), 1);
  assert.equal(total({ ids: ['02:00:00:00:00:00', '02:00:00:00:00:01', 'x'] }), 2);
  assert.equal(total({ ids: [] }), 0);
});

test('what LIKE takes for a wildcard is looked for as it stands', (t) => {
  const { devices } = openRegistry(t);
  for (const name of ['100 %', '100 x', 'a_b', 'axb', String.raw`back\slash`]) devices.add({ name });
  for (const search of ['100 %', 'a_b', String.raw`k\s`])
    assert.equal(devices.list({ search }).total, 1, search);
});

test('a device that is added between two pages shifts none', (t) => {
  const devices = fleet(openRegistry(t));
  const first = devices.list({ limit: 20 });
  devices.add({ name: 'aaa' });
  const second = devices.list({ limit: 20, after: first.next! });
  assert.equal(new Set([...first.devices, ...second.devices].map(({ id }) => id)).size, 40);
  assert.equal(second.next, undefined);
});

test('cursors of another order, broken ones and limits out of range are refused', (t) => {
  const devices = fleet(openRegistry(t));
  const { next } = devices.list({ limit: 1 });
  for (const query of [
    { after: next!, sort: 'id' },
    { after: next!, descending: true },
    { after: 'x' },
  ] as const)
    assert.throws(() => devices.list(query), gatewayError('invalid', /after must be the "next"/));
  for (const limit of [0, 1_001, 1.5])
    assert.throws(() => devices.list({ limit }), gatewayError('invalid', /limit must be 1 to 1000/));
});

test('every order is read from an index, without sorting', (t) => {
  const registry = openRegistry(t);
  const devices = fleet(registry);
  const queries = recordQueries(registry.storage);
  for (const sort of SORTS)
    for (const descending of [false, true]) pages(devices, { sort, descending, limit: 9 });
  devices.keysOf('02:00:00:00:00:00');
  devices.expireKeys();
  for (const [sql, count] of queries.parameters) {
    if (/count\(\*\)/.test(sql) || !sql.startsWith('SELECT')) continue;
    const plan = registry.storage
      .prepare<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
      .all(...Array<number>(count).fill(1))
      .map(({ detail }) => detail)
      .join('; ');
    assert.doesNotMatch(plan, /TEMP B-TREE/, sql);
    if (/[<>] \(?\?/.test(sql)) assert.match(plan, /SEARCH (d|device_keys) USING/, sql);
  }
});

/** Which statements are prepared from now on, and how many values each takes. */
function recordQueries(storage: Storage): { parameters: Map<string, number> } {
  const parameters = new Map<string, number>();
  const prepare = storage.prepare.bind(storage);
  storage.prepare = <Row>(sql: string): Statement<Row> => {
    if (!sql.startsWith('EXPLAIN')) parameters.set(sql, sql.split('?').length - 1);
    return prepare<Row>(sql);
  };
  return { parameters };
}
