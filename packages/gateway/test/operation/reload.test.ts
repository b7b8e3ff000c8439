/** SIGHUP. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { USMPClient } from 'usmp';
import { GatewayProcess, temporaryFolder, until } from './gateway-process.js';

const LAMP = '02:00:00:00:00:01';
const AWAY = '02:00:00:00:00:02';

test('SIGHUP applies what a changed file says, a broken one changes nothing, and sessions stay', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'gateway.toml');
  const configure = (level: string, most: unknown) =>
    writeFileSync(file, `log.level = "${level}"\noutbox.max_messages = ${most}\n`);
  configure('error', 2);
  const gateway = await GatewayProcess.start(t, { folder, flags: ['--config', file] });
  const lamp = new USMPClient({
    url: gateway.url('tcp'),
    psk: await gateway.addDevice(LAMP),
    deviceId: LAMP,
  });
  t.after(() => lamp.disconnect());
  const session = await lamp.connect();
  await gateway.addDevice(AWAY);
  const send = async () =>
    (await gateway.call('POST', `/api/v1/devices/${AWAY}/messages`, { text: 'on' })).status;
  const reload = async (said: RegExp) => {
    const before = gateway.log.length;
    gateway.child.kill('SIGHUP');
    await until(`it says ${said}`, () => said.test(gateway.log.slice(before)));
  };
  assert.deepEqual([await send(), await send(), await send()], [202, 202, 429]);
  assert.equal(gateway.log, '', 'an info line at level error');

  configure('info', 3);
  await reload(/configuration read again/);
  assert.deepEqual([await send(), await send()], [202, 429]);
  assert.match(gateway.log, /"status":202/, 'requests are logged from level info on');

  configure('silent', '"many"');
  await reload(/gateway\.toml:2: outbox\.max_messages.*stays as it was/);
  assert.equal(await send(), 429);
  writeFileSync(file, 'this is = = no TOML');
  await reload(/gateway\.toml:1:6: .*stays as it was/);
  assert.equal(await send(), 429);

  configure('info', 100);
  await reload(/configuration read again/);
  assert.equal(await send(), 202);
  await session.ping();
  assert.equal(lamp.session, session, 'the session has lived through it');
  assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
});
