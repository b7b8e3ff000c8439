/** A gateway with something to see on each page. */

import { type GatewayProcess, until } from '../operation/gateway-process.js';
import { startGateway } from './bed.js';
import { connectDevice, fails } from './devices.js';
import { once, wholeFile } from './scope.js';

export const ONLINE = '02:00:00:00:00:01';
export const WAITING = '02:00:00:00:00:02';
export const DISABLED = '02:00:00:00:00:03';
const STRANGER = '02:00:00:00:00:99';

/** The same one for all tests of a file. */
export const smallFleet = once(async () => {
  const gateway = await startGateway(wholeFile);
  const add = async (id: string, name: string, tags: readonly string[]): Promise<string> =>
    (await gateway.expect(201, 'POST', '/api/v1/devices', { id, name, tags })).key;
  const key = await add(ONLINE, 'lamp', ['attic', 'light']);
  await add(WAITING, `a-pump${'W'.repeat(58)}`, ['cellar', 'a'.repeat(32)]);
  const disabled = await add(DISABLED, 'valve', []);
  await gateway.expect(200, 'PATCH', `/api/v1/devices/${DISABLED}`, { enabled: false, note: 'It leaks.' });
  const url = gateway.url('tcp');
  const { session } = await connectDevice(wholeFile, url, ONLINE, key);
  await say(gateway, ONLINE, { text: 'on' });
  await say(gateway, WAITING, { json: { speed: 3 } });
  await session.recv();
  await session.send('{"temperature":21.5,"humidity":48,"battery":3.71,"uptime":86400,"errors":[]}');
  await session.send(new Uint8Array([0, 1, 254, 255]));
  await session.send('x'.repeat(200));
  await fails(url, WAITING, 'not the key of this device');
  await fails(url, DISABLED, disabled);
  await fails(url, STRANGER, 'the key of a stranger');
  await gateway.expect(200, 'POST', `/api/v1/devices/${ONLINE}/rotate`, {});
  await gateway.expect(201, 'POST', '/api/v1/tokens', { name: 'a program', role: 'send' });
  await listIsWritten(gateway);
  return { gateway, session };
});

function say(gateway: GatewayProcess, id: string, body: object) {
  return gateway.expect(202, 'POST', `/api/v1/devices/${id}/messages`, body);
}

/** The list of who was refused is written once a second. */
async function listIsWritten(gateway: GatewayProcess): Promise<void> {
  await until('all refused are in the list', async () => {
    const { total } = await gateway.expect(200, 'GET', '/api/v1/refused');
    return total === 3;
  });
}

/** Paths of all pages, and what shows that they are complete. */
export const PAGES: readonly (readonly [path: string, shows: string])[] = [
  ['', 'lamp'],
  ['?state=offline&search=pump', '1 device found'],
  ['add', 'Give it a name'],
  [`devices/${encodeURIComponent(ONLINE)}`, 'Old key'],
  [`devices/${encodeURIComponent(ONLINE)}?view=history&show=hex`, '00 01 fe ff'],
  [`devices/${encodeURIComponent(WAITING)}`, '1 message waits for the device'],
  [`devices/${encodeURIComponent(DISABLED)}`, 'It leaks.'],
  ['devices/nobody', 'No such device'],
  ['refused', 'Enable it to let it in.'],
  ['events', 'Device added'],
  ['events?types=message,message-state', 'to it: on'],
  ['settings', 'history.max_age'],
];

/** Beginnings of the names of what only admins can do. */
export const FOR_ADMINS: readonly string[] = [
  ...['Add device', 'Rotate key', 'Revoke', 'Edit name, tags, note', 'Disable', 'Enable', 'Remove'],
  ...['End session', 'Admit', 'Forget', 'Add token', 'Make a link', 'End old key'],
];
