/** Where the log goes must not matter to what it tells of. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { USMPClient } from 'usmp';
import { GatewayProcess, temporaryFolder } from './gateway-process.js';

const FULL = ['sh', '-c', 'exec "$0" "$@" 2>/dev/full'];

test('a log that cannot be written stops neither sessions nor the end', {
  skip: process.platform === 'linux' ? false : 'needs /dev/full',
}, async (t) => {
  const gateway = await GatewayProcess.start(t, { folder: temporaryFolder(t), through: FULL });
  const deviceId = '02:00:00:00:00:01';
  const psk = await gateway.addDevice(deviceId);
  const client = new USMPClient({ url: gateway.url('tcp'), deviceId, psk });
  await client.connect();
  await client.send('hello');
  await client.disconnect();
  assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
});

test('commands on the machine are answered while somebody uses up the rate limit', async (t) => {
  const flags = ['--http-rate-limit', '10'];
  const gateway = await GatewayProcess.start(t, { folder: temporaryFolder(t), flags });
  const statuses = [];
  for (let request = 0; request < 12; request++)
    statuses.push((await fetch(`${gateway.publicURL}/healthz`)).status);
  assert.deepEqual(statuses.slice(-2), [429, 429]);
  await gateway.expect(200, 'GET', '/api/v1/status');
});
