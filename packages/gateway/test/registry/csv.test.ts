import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Devices } from '#dist/registry/devices.js';
import { gatewayError, openRegistry, START, text } from './support.js';

const ID = '02:00:00:00:00:01';
const OTHER = '02:00:00:00:00:02';
const KEY = 'sixteen letters or more';

test('what is exported with keys is the same after it was imported elsewhere', (t) => {
  const { devices } = openRegistry(t);
  devices.add({ id: ID, name: '=cmd|calc', note: 'a, "b"\n  c ', tags: ['x', 'y'], enabled: false });
  devices.add({ id: OTHER, name: "'+1", note: "  'quoted", key: Buffer.from(`-${KEY}`) });
  devices.rotate(OTHER, { key: Buffer.alloc(32, 0xff), oldUntil: START + 5_000 });
  devices.revoke(devices.add({ name: 'no key' }).device.id);
  const table = devices.exportCsv({ keys: true });
  const copy = openRegistry(t).devices;
  assert.deepEqual(copy.importCsv(table), { added: 3, updated: 0 });
  assert.deepEqual(withoutFingerprints(copy), withoutFingerprints(devices));
  assert.deepEqual(copy.keysOf(OTHER).map(Buffer.from), devices.keysOf(OTHER).map(Buffer.from));
  assert.equal(copy.exportCsv({ keys: true }), table);
  assert.deepEqual(copy.importCsv(table), { added: 0, updated: 3 });
  assert.deepEqual(withoutFingerprints(copy), withoutFingerprints(devices));
});

/** Those are made with the master key, which the copy has another of. */
function withoutFingerprints(devices: Devices) {
  return devices.list({}).devices.map((device) => ({
    ...device,
    keys: device.keys.map(({ fingerprint: _, ...facts }) => facts),
  }));
}

test('an export has keys only when they are asked for, and no formulas', (t) => {
  const { devices } = openRegistry(t);
  const { key } = devices.add({ id: ID, name: '=1+1', note: '@x', tags: ['b', 'a'] });
  assert.equal(devices.exportCsv({ keys: false }), `id,name,note,tags,enabled\n${ID},'=1+1,'@x,a b,true\n`);
  assert.equal(devices.exportCsv({ keys: true }).split('\n')[1], `${ID},'=1+1,'@x,a b,true,${key},,`);
});

test('BOM, CRLF, quotes, blank lines, and tags between spaces or semicolons are read', (t) => {
  const { devices } = openRegistry(t);
  const table = `\uFEFFname,ID,tags,note,key\r\n\r\n"lamp, left", 02:00:00:00:00:01 ,a;b c,"two\r\nlines ""here""",${KEY}\r\n`;
  assert.deepEqual(devices.importCsv(table), { added: 1, updated: 0 });
  const device = devices.require('lamp, left');
  assert.deepEqual([device.id, device.tags, device.note], [ID, ['a', 'b', 'c'], 'two\nlines "here"']);
  assert.deepEqual(text(devices.keysOf(ID)), [KEY]);
});

test('everything wrong is told with its line, and nothing is imported', (t) => {
  const { devices } = openRegistry(t);
  devices.add({ id: OTHER, name: 'taken' });
  const table = [
    'id,name,tags,enabled,key,old_key,old_key_until',
    `${ID},"two`,
    `lines",,,,,`,
    `nonsense,x,,,,,`,
    '',
    `${ID.replace('1', '3')},,UPPER,,,,`,
    `,TAKEN,,,,,`,
    `02:00:00:00:00:04,taken,,,,,`,
    `02:00:00:00:00:05,five,,maybe,,,`,
    `02:00:00:00:00:06,five,,,short-secret,,`,
    `02:00:00:00:00:07,six,,,,${KEY},`,
    `02:00:00:00:00:08,seven,,,,,2026-01-01`,
    `02:00:00:00:00:09,Nine,,,,,`,
    `02:00:00:00:00:09,nine,,,,,`,
    `02:00:00:00:00:0a,short`,
    `,,a,,,,`,
  ].join('\n');
  let message = '';
  assert.throws(
    () => devices.importCsv(table),
    (error: Error) => {
      message = error.message;
      return true;
    },
  );
  const expected = [
    /^nothing was imported$/,
    /^line 2: name has the character U\+000A/,
    /^line 4: "nonsense" is not a device id/,
    /^line 6: "?02.*is not a device id|^line 6: tag "UPPER"/,
    /^line 8: name "taken" is on line 7 already/,
    /^line 9: enabled is "maybe"/,
    /^line 10: key is 12 bytes, at least 16/,
    /^line 11: old_key without key/,
    /^line 12: old_key_until without old_key/,
    /^line 14: 02:00:00:00:00:09 is on line 13 already/,
    /^line 14: name "nine" is on line 13 already/,
    /^line 15: 2 cells, the header has 7/,
    /^line 16: neither id nor name/,
  ];
  const lines = message.split('\n');
  assert.equal(lines.length, expected.length, message);
  for (const [index, pattern] of expected.entries()) assert.match(lines[index]!, pattern);
  assert.doesNotMatch(message, /secret|sixteen/);
  assert.equal(devices.count(), 1);
});

test('of many problems the first twenty are told, and how many more there are', (t) => {
  const { devices } = openRegistry(t);
  const table = `id\n${'x\n'.repeat(30)}`;
  assert.throws(
    () => devices.importCsv(table),
    gatewayError('invalid', /^nothing was imported\nline 2: .*(\nline \d+: .*){19}\nand 10 more$/),
  );
});

test('a header that cannot be used is refused by name', (t) => {
  const { devices } = openRegistry(t);
  const refused: [string, RegExp][] = [
    ['', /the file is empty/],
    ['id,colour\n', /line 1: unknown column "colour", must be one of id, name, note/],
    ['id,name,ID\n', /line 1: column id is there twice/],
    ['note,tags\n', /line 1: there must be a column id or a column name/],
    ['id,name\n"a,b\n', /line \d: a quoted cell does not end/],
    [`id,key\n${ID},se"cret\n`, /^(?!.*cret)[\s\S]*line 2: a " in the middle of a cell/],
    [`id,key\n${ID},"se"cret\n`, /^(?!.*cret)[\s\S]*line 2: a " that does not end its cell/],
  ];
  for (const [table, message] of refused)
    assert.throws(() => devices.importCsv(table), gatewayError('invalid', message));
});

test('columns that are missing, and cells that are empty, leave a device as it is', (t) => {
  const { devices } = openRegistry(t);
  devices.add({ id: ID, name: 'lamp', note: 'hall', tags: ['a'], enabled: false, key: Buffer.from(KEY) });
  const before = devices.require(ID);
  devices.importCsv(`id,name,enabled,key\n${ID},,,\n`);
  assert.deepEqual(devices.require(ID), before);
  assert.deepEqual(devices.importCsv('name,tags,note\nLAMP,,new\n'), { added: 0, updated: 1 });
  const { name, note, tags } = devices.require(ID);
  assert.deepEqual([name, note, tags], ['LAMP', 'new', []]);
});

test('another key for a device is rotated in, so that no device is locked out', (t) => {
  const { devices } = openRegistry(t);
  devices.add({ id: ID, key: Buffer.from(KEY) });
  devices.importCsv(`id,key\n${ID},${KEY} of late\n`);
  assert.deepEqual(text(devices.keysOf(ID)), [`${KEY} of late`, KEY]);
  devices.importCsv(`id,key,old_key\n${ID},${KEY} 1,${KEY} 0\n`);
  assert.deepEqual(text(devices.keysOf(ID)), [`${KEY} 1`, `${KEY} 0`]);
});

test('devices can exchange their names, and take one that becomes free', (t) => {
  const { devices } = openRegistry(t);
  devices.add({ id: ID, name: 'left' });
  devices.add({ id: OTHER, name: 'right' });
  devices.importCsv(`id,name\n${ID},right\n${OTHER},left\n`);
  assert.deepEqual([devices.require(ID).name, devices.require(OTHER).name], ['right', 'left']);
  devices.importCsv(`id,name\n${ID},centre\n02:00:00:00:00:03,right\n`);
  assert.equal(devices.require('right').id, '02:00:00:00:00:03');
  assert.throws(
    () => devices.importCsv(`id,name\n${ID},LEFT\n`),
    gatewayError('invalid', /line 2: name "LEFT" belongs to 02:00:00:00:00:02/),
  );
});

test('thousands of devices are imported and exported whole', (t) => {
  const { devices } = openRegistry(t);
  let table = 'id,name,tags,key\n';
  for (let n = 0; n < 3_205; n++) {
    const id = n.toString(16).padStart(4, '0');
    table += `02:00:00:00:${id.slice(0, 2)}:${id.slice(2)},device ${n},site-${n % 7},${KEY} ${n}\n`;
  }
  assert.deepEqual(devices.importCsv(table), { added: 3_205, updated: 0 });
  assert.equal(devices.list({ tag: 'site-6' }).total, 457);
  assert.deepEqual(text(devices.keysOf('02:00:00:00:0c:84')), [`${KEY} 3204`]);
  assert.equal(devices.exportCsv({ keys: true }).split('\n').length, 3_205 + 2);
});
