/** How the gateway ends when it is told to. */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { USMPClient } from 'usmp';
import { GatewayProcess, temporaryFolder, until } from './gateway-process.js';

const USMP = fileURLToPath(new URL('../../../usmp/bin/usmp.js', import.meta.url));

const LAMP = '02:00:00:00:00:01';
const METER = '02:00:00:00:00:02';
const AWAY = '02:00:00:00:00:03';

/** For all of it; twice this is still far from the deadlines of service managers. */
const SHUTDOWN_DEADLINE = 3_000;

/** A device that can be held still as a whole, in a session. */
async function hangingDevice(t: TestContext, gateway: GatewayProcess, id: string): Promise<ChildProcess> {
  const psk = await gateway.addDevice(id);
  const device = spawn(
    process.execPath,
    [USMP, 'connect', gateway.url('tcp'), '--psk', psk, '--device-id', id],
    {
      stdio: ['pipe', 'ignore', 'ignore'],
    },
  );
  const gone = once(device, 'exit');
  t.after(() => {
    device.kill('SIGKILL');
    return gone;
  });
  await until(
    'it has a session',
    async () => (await gateway.call('GET', `/api/v1/devices/${id}`)).body.online,
  );
  device.kill('SIGSTOP');
  return device;
}

test('SIGTERM says BYE to devices, keeps what waits for the next start, and ends with 0', async (t) => {
  const folder = temporaryFolder(t);
  const first = await GatewayProcess.start(t, { folder });
  const listen = first.urls;
  const [lampKey, meterKey] = [await first.addDevice(LAMP), await first.addDevice(METER)];
  const awayKey = await first.addDevice(AWAY);
  const clients = [
    new USMPClient({ url: first.url('tcp'), psk: lampKey, deviceId: LAMP }),
    new USMPClient({ url: first.url('udp'), psk: meterKey, deviceId: METER }),
  ];
  t.after(() => Promise.all(clients.map((client) => client.disconnect())));
  const sessions = await Promise.all(clients.map((client) => client.connect()));
  const ends = clients.map(
    (client) => new Promise((resolve) => client.on('disconnect', (_, error) => resolve(error.code))),
  );
  for (const text of ['one', 'two', 'three']) {
    await first.expect(202, 'POST', `/api/v1/devices/${AWAY}/messages`, { text });
    await first.expect(202, 'POST', `/api/v1/devices/${LAMP}/messages`, { text });
  }
  await sessions[0]!.send('the last word');
  await sessions[0]!.ping();

  const begun = performance.now();
  assert.deepEqual(await first.stop(), { code: 0, signal: null });
  assert.ok(performance.now() - begun < SHUTDOWN_DEADLINE, 'nobody was to be waited for');
  assert.deepEqual(await Promise.all(ends), ['bye', 'bye']);
  assert.equal(existsSync(first.runFile), false);
  assert.equal(existsSync(`${folder}/gateway.db-wal`), false, 'a backup of gateway.db has everything');

  const second = await GatewayProcess.start(t, { folder, listen });
  const stored = await second.messages();
  assert.deepEqual(
    stored.filter(({ device }) => device === LAMP).map(({ text, state }) => [text, state]),
    [
      ['one', 'confirmed'],
      ['two', 'confirmed'],
      ['three', 'confirmed'],
      ['the last word', 'received'],
    ],
  );
  const away = new USMPClient({ url: second.url('tcp'), psk: awayKey, deviceId: AWAY });
  t.after(() => away.disconnect());
  const session = await away.connect();
  for (const text of ['one', 'two', 'three'])
    assert.equal(Buffer.from(await session.recv()).toString(), text);
  const told = (await second.events()).map(({ type, device }) => `${type} ${device ?? ''}`.trim());
  const stopping = told.indexOf('gateway-stopping');
  assert.ok(stopping > 0, told.join());
  for (const id of [LAMP, METER])
    assert.ok(told.indexOf(`disconnected ${id}`) > stopping, 'the ends of sessions are told');
});

test('a device that hangs does not hold the end up, which /readyz and run.json announce', async (t) => {
  const folder = temporaryFolder(t);
  const flags = ['--shutdown-deadline', `${SHUTDOWN_DEADLINE}ms`];
  const gateway = await GatewayProcess.start(t, { folder, flags });
  await hangingDevice(t, gateway, LAMP);
  await gateway.expect(202, 'POST', `/api/v1/devices/${LAMP}/messages`, { text: 'never confirmed' });
  const begun = performance.now();
  const exit = gateway.stop();
  const answer = await until('it says that it stops', async () => {
    const { status, body } = await gateway.call('GET', '/readyz', undefined, { url: gateway.publicURL });
    return status === 503 && body;
  });
  assert.deepEqual(answer, { ready: false, reasons: ['stopping'] });
  assert.equal(existsSync(gateway.runFile), false);
  assert.deepEqual(await exit, { code: 0, signal: null });
  const took = performance.now() - begun;
  assert.ok(took < SHUTDOWN_DEADLINE + 1_000, `it took ${took} ms`);

  const again = await GatewayProcess.start(t, { folder });
  assert.deepEqual(
    (await again.messages()).map(({ text, state }) => [text, state]),
    [['never confirmed', 'sent']],
  );
});

test('a second SIGTERM ends it at once, and nothing that was acknowledged is lost', async (t) => {
  const folder = temporaryFolder(t);
  const gateway = await GatewayProcess.start(t, { folder, flags: ['--shutdown-deadline', '10m'] });
  await hangingDevice(t, gateway, LAMP);
  await gateway.addDevice(AWAY);
  await gateway.expect(202, 'POST', `/api/v1/devices/${LAMP}/messages`, { text: 'under way' });
  await gateway.expect(202, 'POST', `/api/v1/devices/${AWAY}/messages`, { text: 'waits' });
  gateway.child.kill('SIGTERM');
  await until('it stops', () => !existsSync(gateway.runFile));
  // Two within half a second are one: npm and npx repeat that of the terminal.
  await until('it is gone', () => {
    gateway.child.kill('SIGTERM');
    return !gateway.isRunning;
  });
  assert.deepEqual(await gateway.exited, { code: null, signal: 'SIGTERM' });

  const again = await GatewayProcess.start(t, { folder });
  const states = (await again.messages()).map(({ text, state }) => [text, state]);
  assert.deepEqual(states, [
    ['under way', 'sent'],
    ['waits', 'queued'],
  ]);
});
