import assert from 'node:assert/strict';
import { chmodSync, cpSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Devices } from '#dist/registry/devices.js';
import { KeyVault } from '#dist/registry/key-vault.js';
import { MasterKey } from '#dist/registry/master-key.js';
import { rotateMasterKey } from '#dist/registry/master-key-rotation.js';
import { Storage } from '#dist/storage/storage.js';
import { gatewayError, openRegistry, temporaryFolder, text } from './support.js';

const ID = '02:00:00:00:00:01';
const KEY = 'the key of one lamp';
const FIRST = `hex:${'11'.repeat(32)}`;
const SECOND = `hex:${'22'.repeat(32)}`;

/** A folder with one device, closed. */
function prepared(t: TestContext, env: Record<string, string> = {}): string {
  const folder = temporaryFolder(t);
  withStorage(folder, (storage) => {
    const devices = new Devices(storage, new KeyVault(MasterKey.load(storage, env)));
    devices.add({ id: ID, key: Buffer.from(KEY) });
  });
  return folder;
}

function withStorage<Result>(folder: string, use: (storage: Storage) => Result): Result {
  const storage = Storage.open(folder);
  try {
    return use(storage);
  } finally {
    storage.close();
  }
}

/** What a start finds. */
function keysIn(folder: string, env: Record<string, string> = {}): { keys: string[]; notices: string[] } {
  return withStorage(folder, (storage) => {
    const notices: string[] = [];
    const master = MasterKey.load(storage, env, (notice) => notices.push(notice));
    return { keys: text(new Devices(storage, new KeyVault(master)).keysOf(ID)), notices };
  });
}

function loading(folder: string, env: Record<string, string> = {}) {
  return () => withStorage(folder, (storage) => MasterKey.load(storage, env));
}

test('the first start makes a master key that only its owner can read', (t) => {
  const folder = prepared(t);
  const file = join(folder, 'master.key');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.match(readFileSync(file, 'utf8'), /^base64:[\w+/]{43}=\n$/);
  assert.deepEqual(keysIn(folder), { keys: [KEY], notices: [] });
});

test('a master key that others can read is refused with the command that ends it', (t) => {
  const folder = prepared(t);
  chmodSync(join(folder, 'master.key'), 0o644);
  assert.throws(
    loading(folder),
    gatewayError(
      'unavailable',
      /master\.key can be read by others \(mode 0644\): run chmod 600 \S+master\.key$/,
    ),
  );
});

test('a missing master key is an error while keys are sealed with it, and never replaced', (t) => {
  const folder = prepared(t);
  rmSync(join(folder, 'master.key'));
  assert.throws(loading(folder), gatewayError('unavailable', /master\.key is missing.*from a backup/));
  assert.equal(existsSync(join(folder, 'master.key')), false);
});

test('a master key of another database is refused, and the error names file and database', (t) => {
  const folder = prepared(t);
  writeFileSync(join(folder, 'master.key'), FIRST);
  assert.throws(
    loading(folder),
    gatewayError('unavailable', /master\.key does not fit \S+gateway\.db.*bring back the master\.key/),
  );
});

test('what is no master key is refused without being shown', (t) => {
  const folder = prepared(t);
  for (const wrong of ['', 'base64:c2VjcmV0', 'hex:beef', 'secret-secret']) {
    writeFileSync(join(folder, 'master.key'), wrong);
    assert.throws(loading(folder), gatewayError('invalid', /^(?!.*(c2Vj|beef|secret-)).*is no master key/));
  }
});

test('of a file and a variable the variable is used, and that is said', (t) => {
  const folder = prepared(t);
  const env = { USMP_GATEWAY_MASTER_KEY: readFileSync(join(folder, 'master.key'), 'utf8') };
  const { keys, notices } = keysIn(folder, env);
  assert.deepEqual(keys, [KEY]);
  assert.match(notices.join(), /USMP_GATEWAY_MASTER_KEY is used as master key, .*master\.key is not/);
  const wrong = { USMP_GATEWAY_MASTER_KEY: FIRST };
  assert.throws(
    loading(folder, wrong),
    gatewayError('unavailable', /in USMP_GATEWAY_MASTER_KEY does not fit .*unset it to use .*master\.key/),
  );
});

test('a master key from the environment leaves no file', (t) => {
  const env = { USMP_GATEWAY_MASTER_KEY: FIRST };
  const folder = prepared(t, env);
  assert.equal(existsSync(join(folder, 'master.key')), false);
  assert.deepEqual(keysIn(folder, env).keys, [KEY]);
});

test('any master key will do while nothing is sealed', (t) => {
  const folder = temporaryFolder(t);
  loading(folder)();
  loading(folder, { USMP_GATEWAY_MASTER_KEY: FIRST })();
  rmSync(join(folder, 'master.key'));
  loading(folder)();
  assert.equal(existsSync(join(folder, 'master.key')), true);
});

test('a rotation seals all keys anew, for the running gateway and the next start', (t) => {
  const folder = prepared(t);
  const before = readFileSync(join(folder, 'master.key'), 'utf8');
  withStorage(folder, (storage) => {
    const vault = new KeyVault(MasterKey.load(storage, {}));
    const devices = new Devices(storage, vault);
    devices.rotate(ID);
    assert.deepEqual(rotateMasterKey(storage, vault, {}), { keys: 2, remaining: undefined });
    assert.equal(text(devices.keysOf(ID))[1], KEY);
    devices.dropOldKey(ID);
    // The same key is known as such under its new fingerprint.
    assert.throws(
      () => devices.rotate(ID, { key: devices.keysOf(ID)[0]! }),
      /this is the key that the device has/,
    );
    devices.rotate(ID, { key: Buffer.from(`${KEY}, again`) });
  });
  assert.notEqual(readFileSync(join(folder, 'master.key'), 'utf8'), before);
  assert.equal(existsSync(join(folder, 'master.key.new')), false);
  assert.equal(keysIn(folder).keys[0], `${KEY}, again`);
});

test('a rotation that is killed before or after its commit leaves what the next start opens', (t) => {
  const folder = prepared(t);
  const killed = { before: temporaryFolder(t), after: temporaryFolder(t) };
  withStorage(folder, (storage) => {
    const vault = new KeyVault(MasterKey.load(storage, {}));
    storage.join({
      beforeCommit: () => cpSync(folder, killed.before, { recursive: true }),
      committed: () => cpSync(folder, killed.after, { recursive: true }),
      rolledBack: () => {},
    });
    rotateMasterKey(storage, vault, {});
  });
  for (const copy of [killed.before, killed.after]) {
    assert.equal(existsSync(join(copy, 'master.key.new')), true);
    assert.deepEqual(keysIn(copy).keys, [KEY]);
    assert.equal(existsSync(join(copy, 'master.key.new')), false);
    assert.deepEqual(keysIn(copy), { keys: [KEY], notices: [] });
  }
  assert.notEqual(
    readFileSync(join(killed.before, 'master.key'), 'utf8'),
    readFileSync(join(killed.after, 'master.key'), 'utf8'),
  );
});

test('a rotation that could not be committed changes nothing, and the next attempt works', (t) => {
  const folder = prepared(t);
  withStorage(folder, (storage) => {
    const vault = new KeyVault(MasterKey.load(storage, {}));
    const devices = new Devices(storage, vault);
    let fails = true;
    storage.join({
      beforeCommit: () => {
        if (fails) throw new Error('no room');
      },
      committed: () => {},
      rolledBack: () => {},
    });
    assert.throws(() => rotateMasterKey(storage, vault, {}), /no room/);
    assert.deepEqual(text(devices.keysOf(ID)), [KEY]);
    fails = false;
    rotateMasterKey(storage, vault, {});
    assert.deepEqual(text(devices.keysOf(ID)), [KEY]);
  });
  assert.deepEqual(keysIn(folder).keys, [KEY]);
});

test('half a next key, of a start or rotation that was cut short, is in nobody’s way', (t) => {
  const folder = prepared(t);
  writeFileSync(join(folder, 'master.key.new'), 'base6', { mode: 0o600 });
  assert.deepEqual(keysIn(folder).keys, [KEY]);
  const fresh = temporaryFolder(t);
  writeFileSync(join(fresh, 'master.key.new'), 'base6', { mode: 0o600 });
  loading(fresh)();
});

test('a master key from the environment is rotated to the next one there, whichever the next start has', (t) => {
  const folder = prepared(t, { USMP_GATEWAY_MASTER_KEY: FIRST });
  const env = { USMP_GATEWAY_MASTER_KEY: FIRST, USMP_GATEWAY_MASTER_KEY_NEW: SECOND };
  withStorage(folder, (storage) => {
    const vault = new KeyVault(MasterKey.load(storage, env));
    assert.throws(
      () => rotateMasterKey(storage, vault, { USMP_GATEWAY_MASTER_KEY: FIRST }),
      gatewayError('invalid', /give the next one in USMP_GATEWAY_MASTER_KEY_NEW/),
    );
    assert.match(
      rotateMasterKey(storage, vault, env).remaining!,
      /put the value of USMP_GATEWAY_MASTER_KEY_NEW/,
    );
  });
  const unchanged = keysIn(folder, env);
  assert.deepEqual(unchanged.keys, [KEY]);
  assert.match(unchanged.notices.join(), /has been rotated/);
  assert.deepEqual(keysIn(folder, { USMP_GATEWAY_MASTER_KEY: SECOND }), { keys: [KEY], notices: [] });
  assert.throws(
    loading(folder, { USMP_GATEWAY_MASTER_KEY: FIRST }),
    gatewayError('unavailable', /does not fit/),
  );
});

test('the sealed key of one device does not open for another', (t) => {
  const { storage, devices } = openRegistry(t);
  devices.add({ id: ID });
  devices.add({ id: '02:00:00:00:00:02' });
  storage
    .prepare(
      'UPDATE device_keys SET sealed = (SELECT sealed FROM device_keys WHERE device = ?) WHERE device = ?',
    )
    .run('02:00:00:00:00:02', ID);
  assert.throws(
    () => devices.keysOf(ID),
    gatewayError('unavailable', /the stored key of 02:00:00:00:00:01 does not open/),
  );
});

test('neither database nor log of it has a key in the clear', (t) => {
  const folder = temporaryFolder(t);
  const { storage, devices } = openRegistry(t, folder);
  const { key } = devices.add({ id: ID });
  const stored = () =>
    ['gateway.db', 'gateway.db-wal'].map((file) => readFileSync(join(folder, file), 'latin1')).join('');
  assert.equal(stored().includes(ID), true);
  assert.equal(stored().includes(key), false);
  storage.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
  assert.equal(stored().includes(key), false);
});
