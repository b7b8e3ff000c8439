/** Starts that cannot succeed: they say what is in the way, end with 1, and leave nothing half done. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import Database from 'libsql';
import { GatewayProcess, temporaryFolder } from './gateway-process.js';

/** Takes away what lets root write everywhere. */
const WITHOUT_PRIVILEGE = ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'];

async function takenTCP(t: TestContext): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function takenUDP(t: TestContext): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  t.after(() => socket.close());
  await once(socket, 'listening');
  return socket.address().port;
}

test('a database that is damaged, too new, or none at all is named, and stays as it is', async (t) => {
  const damaged = temporaryFolder(t);
  writeFileSync(join(damaged, 'gateway.db'), 'no database, but long enough to be taken for one '.repeat(100));
  const newer = temporaryFolder(t);
  const db = new Database(join(newer, 'gateway.db'));
  db.exec('PRAGMA user_version = 999');
  db.close();
  const folderInPlace = temporaryFolder(t);
  mkdirSync(join(folderInPlace, 'gateway.db'));
  const fail = (folder: string, message: RegExp) => GatewayProcess.spawn(t, { folder }).assertFailed(message);
  await Promise.all([
    fail(damaged, /gateway\.db is damaged or no database.*: move it away.* or bring back a backup/),
    fail(newer, /its version is 999, .*: update the gateway, or use another data folder/),
  ]);
  await fail(folderInPlace, /gateway\.db cannot be opened: it must be a file/);
});

test('a data folder that is a file, or that cannot be written, is named', async (t) => {
  const file = join(temporaryFolder(t), 'data');
  writeFileSync(file, '');
  const readOnly = temporaryFolder(t);
  chmodSync(readOnly, 0o500);
  const isRoot = process.getuid?.() === 0;
  if (isRoot)
    assert.equal(spawnSync(WITHOUT_PRIVILEGE[0]!, [...WITHOUT_PRIVILEGE.slice(1), 'true']).status, 0);
  await Promise.all([
    GatewayProcess.spawn(t, { folder: file }).assertFailed(
      /data.* is a file, or in one: the data folder must be a folder/,
    ),
    GatewayProcess.spawn(t, { folder: readOnly, through: isRoot ? WITHOUT_PRIVILEGE : [] }).assertFailed(
      /usmp-operation-\w+ cannot be written: it must belong to the user who runs the gateway/,
    ),
  ]);
});

test('a taken port is named, with the option that gives another, and the data folder is free again', async (t) => {
  const folder = temporaryFolder(t);
  const [tcp, udp] = [await takenTCP(t), await takenUDP(t)];
  const starts = [
    { port: tcp, option: /see listen in the configuration/, listen: [`tcp://127.0.0.1:${tcp}`] },
    // What listens already by then is let go of.
    {
      port: udp,
      option: /see listen in the configuration/,
      listen: ['tcp://127.0.0.1:0', `udp://127.0.0.1:${udp}`],
    },
    { port: tcp, option: /http\.listen/, httpListen: `127.0.0.1:${tcp}` },
  ];
  // Each finds the folder as the one before has left it.
  for (const { port, option, ...options } of starts) {
    const gateway = GatewayProcess.spawn(t, { folder, ...options });
    await gateway.assertFailed(new RegExp(`127\\.0\\.0\\.1:${port}`));
    assert.match(gateway.log, option);
  }
});

test('a second gateway on the same folder is turned away, and does not disturb the first', async (t) => {
  const folder = temporaryFolder(t);
  const first = await GatewayProcess.start(t, { folder });
  const second = GatewayProcess.spawn(t, { folder });
  assert.deepEqual(await second.exited, { code: 1, signal: null });
  assert.match(second.log, /another process uses .*: stop it, or use another data folder/);
  assert.equal(second.stdout, '');
  assert.deepEqual(await first.expect(200, 'GET', '/readyz'), { ready: true, reasons: [] });
  const { pid } = first.runFileFacts();
  assert.equal(pid, first.child.pid, 'commands still find the first');
});
