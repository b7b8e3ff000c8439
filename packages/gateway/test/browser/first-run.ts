import assert from 'node:assert/strict';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { encode } from 'uqr';
import { type GatewayProcess, temporaryFolder } from '../operation/gateway-process.js';
import { openDashboard, sharedGateway, startGateway } from './bed.js';
import { testInChromium } from './chromium.js';
import { clientInC, DeviceProgram } from './devices.js';

const PACKAGES = fileURLToPath(new URL('../../../../node_modules', import.meta.url));

/** Types a name into the form of a new device. Its id, and its key as the page shows it. */
async function add(page: Page, name: string): Promise<{ id: string; key: string }> {
  await page.getByRole('textbox', { name: 'Name' }).fill(name);
  await page.getByRole('button', { name: 'Add device', exact: true }).click();
  await page.getByRole('heading', { name: `2. Give ${name} its key` }).waitFor();
  const key = await page.getByTestId('device-key').textContent();
  const id = await page.getByText('Device id').locator('code').textContent();
  return { id: id!, key: key! };
}

/** The code for a kind of device. */
async function codeFor(page: Page, kind: string): Promise<string> {
  await page.getByRole('tab', { name: kind, exact: true }).click();
  const code = await page.getByRole('tabpanel', { name: kind }).locator('pre').textContent();
  return code!;
}

testInChromium(
  'an empty gateway teaches the first step: the key as text and QR code, and code for each kind of device',
  async (t, open) => {
    const gateway = await startGateway(t);
    const page = await openDashboard(gateway, open);
    await page.getByRole('heading', { name: 'Your first device' }).waitFor();
    await page.getByRole('textbox', { name: 'Name' }).fill('lam');
    await gateway.expect(201, 'POST', '/api/v1/devices', { name: 'other' });
    await page.getByText('Somebody else has added a device meanwhile.').waitFor();
    assert.equal(await page.getByRole('textbox', { name: 'Name' }).inputValue(), 'lam');
    const { id, key } = await add(page, 'lamp');
    assert.match(key, /^[\w-]{32}$/);
    await page.getByText('This key is shown only now.').waitFor();
    await page.getByRole('button', { name: 'Show QR code' }).click();
    const code = page.getByRole('img', { name: 'QR code of the key of lamp' });
    const drawn = await code.locator('path').getAttribute('d');
    const { data, size } = encode(key, { border: 3 });
    assert.equal(await code.getAttribute('viewBox'), `0 0 ${size} ${size}`);
    const modules = [...drawn!.matchAll(/M(\d+) (\d+)h1v1h-1z/g)].map(([, x, y]) => `${x} ${y}`);
    const dark = data.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`${x} ${y}`] : [])));
    assert.deepEqual(modules, dark);

    const { hostname, port } = new URL(gateway.url('tcp'));
    const digits = id.split(':');
    const asBytes: Record<string, string> = {
      'ESP-IDF': digits.map((byte) => `0x${byte}`).join(', '),
      Python: digits.join(''),
    };
    for (const kind of ['This computer', 'Arduino', 'ESP-IDF', 'Node', 'Python']) {
      const text = await codeFor(page, kind);
      for (const fact of [key, hostname, port, asBytes[kind] ?? id])
        assert.ok(text.includes(fact), `${fact} is not in the code for ${kind}: ${text}`);
    }
    await page.getByText('Waiting for lamp to connect').waitFor();

    await page.getByRole('link', { name: 'To the fleet' }).click();
    await page.getByRole('link', { name: 'lamp' }).waitFor();
    assert.ok(!(await page.content()).includes(key), 'the key is still in the page');
  },
);

testInChromium(
  'the code for Node runs as printed: the device lights up online, and both ways have messages',
  async (t, open) => {
    const gateway = await sharedGateway();
    const page = await openDashboard(gateway, open, { path: 'add' });
    await add(page, 'node lamp');
    const device = runAsPrinted(t, await codeFor(page, 'Node'));
    await talksBothWays(page, device, 'node lamp');
  },
);

const WITH_C =
  'the client in C lights up online with the key that the page shows, and both ways have messages';
testInChromium(WITH_C, async (t, open) => {
  const client = await clientInC(t, WITH_C);
  if (client === undefined) return;
  const gateway = await sharedGateway();
  const page = await openDashboard(gateway, open, { path: 'add' });
  const { id, key } = await add(page, 'c lamp');
  const device = runC(t, client, gateway, id, key);
  device.write('hello');
  await talksBothWays(page, device, 'c lamp');
});

testInChromium(
  'messages can be written and read as text, hex and JSON, and mistakes are explained',
  async (_, open) => {
    const gateway = await sharedGateway();
    const { device } = await gateway.expect(201, 'POST', '/api/v1/devices', { name: 'lamp' });
    const page = await openDashboard(gateway, open, { path: `devices/${encodeURIComponent(device.id)}` });
    const field = page.getByLabel('Message to lamp');
    const send = async (format: string, text: string) => {
      await page.getByRole('radio', { name: format }).check();
      await field.fill(text);
      await page.getByRole('button', { name: 'Send' }).click();
    };
    const bodies = page.getByRole('log', { name: 'Messages' }).locator('.body');
    await send('Hex', '01 a');
    await page.getByRole('alert').getByText('Half of a byte is missing').waitFor();
    await send('Hex', '68 69 ff');
    await bodies.getByText('68 69 ff').waitFor();
    await send('JSON', '{"on": true');
    await page.getByRole('alert').getByText('This is not JSON').waitFor();
    await send('JSON', '{"on": true}');
    await bodies.getByText('{"on":true}').waitFor();
    await send('Text', 'grüße');
    await bodies.getByText('grüße').waitFor();

    await page.getByLabel('Show as').selectOption('Hex');
    await bodies.getByText('67 72 c3 bc c3 9f 65').waitFor();
    assert.match(page.url(), /show=hex/, 'the address does not say what is shown');
    await page.getByLabel('Show as').selectOption('JSON');
    await bodies.getByText('"on": true').waitFor();
    await page.getByLabel('Show as').selectOption('Text');
    assert.deepEqual(await bodies.allTextContents(), ['hi\ufffd', '{"on":true}', 'grüße']);

    await page.getByText('3 messages wait for the device').waitFor();
    const { messages } = await gateway.expect(200, 'GET', `/api/v1/devices/${device.id}/outbox`);
    assert.deepEqual(
      messages.map(({ text, json, base64 }: Record<string, unknown>) => text ?? json ?? base64),
      ['aGn/', { on: true }, 'grüße'],
    );
    await page.getByRole('button', { name: 'Cancel all' }).click();
    await page.getByText('3 messages cancelled.').waitFor();
    await page.getByText('3 messages wait for the device').waitFor({ state: 'hidden' });

    await send('Text', ' \n ');
    await bodies.getByText('only blank space').waitFor();
    await send('Text', 'on\u202eno');
    await bodies.getByText('on‹U+202E›no').waitFor();
  },
);

/** A file of the code, where the package usmp can be found. */
function runAsPrinted(t: TestContext, code: string): DeviceProgram {
  const folder = temporaryFolder(t);
  symlinkSync(PACKAGES, join(folder, 'node_modules'));
  writeFileSync(join(folder, 'device.mjs'), code);
  return new DeviceProgram(t, process.execPath, [join(folder, 'device.mjs')]);
}

function runC(t: TestContext, client: string, gateway: GatewayProcess, id: string, key: string) {
  const file = join(temporaryFolder(t), 'key.txt');
  writeFileSync(file, `${key}\n`, { mode: 0o600 });
  return new DeviceProgram(t, client, ['--psk-file', file, '--device-id', id, gateway.url('tcp')]);
}

/** From the page of the key, with a device that says hello when it connects. */
async function talksBothWays(page: Page, device: DeviceProgram, name: string): Promise<void> {
  await page.getByText(`${name} is connected, over tcp from 127.0.0.1`).waitFor();
  await page.getByRole('link', { name: 'Talk to it' }).click();
  const lines = page.getByRole('log', { name: 'Messages' }).getByRole('listitem');
  await lines.filter({ hasText: 'from the device' }).filter({ hasText: 'hello' }).waitFor();
  await page.locator('.page-head').getByText('Online').waitFor();
  const send = async (text: string) => {
    await page.getByLabel(`Message to ${name}`).fill(text);
    await page.keyboard.press('Enter');
  };
  await send('switch on');
  await device.prints('switch on');
  await lines.filter({ hasText: 'switch on' }).getByText('confirmed').waitFor();

  // A device that stands still has not said that it got the message.
  device.freeze();
  await send('are you there');
  const second = lines.filter({ hasText: 'are you there' });
  await second.getByText(/^\W*sent$/).waitFor();
  device.thaw();
  await second.getByText('confirmed').waitFor();
  await device.prints('are you there');

  await device.kill();
  await page.locator('.page-head').getByText('Offline').waitFor();
  await send('for later');
  const last = lines.filter({ hasText: 'for later' });
  await last.getByText('queued').waitFor();
  await last.getByRole('button', { name: /^Cancel message/ }).click();
  await last.getByText('refused').waitFor();
}
