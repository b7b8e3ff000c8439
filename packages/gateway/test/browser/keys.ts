import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { type GatewayProcess, until } from '../operation/gateway-process.js';
import { openDashboard, panel, sharedGateway } from './bed.js';
import { type OpenWindow, testInChromium } from './chromium.js';
import { connectDevice, fails } from './devices.js';

const UNKNOWN = '02:00:00:00:00:99';
const ITS_KEY = 'the key that it has had all along';

/** A device that is connected, and its page. */
async function openDevice(t: TestContext, open: OpenWindow, name: string) {
  const gateway = await sharedGateway();
  const { device, key } = await gateway.expect(201, 'POST', '/api/v1/devices', { name });
  const url = gateway.url('tcp');
  const path = `devices/${encodeURIComponent(device.id)}`;
  const page = await openDashboard(gateway, open, { path });
  await page.getByText('It was never connected.').waitFor();
  const { session } = await connectDevice(t, url, device.id, key);
  await state(page, 'Online');
  return { gateway, url, id: device.id as string, key: key as string, page, session };
}

/** Waits for what the head of the page says of the device. */
function state(page: Page, text: string | RegExp): Promise<void> {
  return page.locator('.page-head').getByText(text).waitFor();
}

testInChromium(
  'a key is rotated while the session goes on; the device uses the new one when it connects again, which ends the old one',
  async (t, open) => {
    const { url, id, key, page, session } = await openDevice(t, open, 'pump');
    await panel(page, 'Keys').getByRole('button', { name: 'Rotate key' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('The old one stays valid until the device has used the new one').waitFor();
    await dialog.getByRole('button', { name: 'Rotate key' }).click();
    const fresh = (await dialog.getByTestId('device-key').textContent())!;
    assert.notEqual(fresh, key);
    await page.keyboard.press('Escape');
    await dialog.getByRole('button', { name: 'I have it' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await panel(page, 'Keys').getByRole('heading', { name: 'Old key' }).waitFor();
    assert.ok(!(await page.content()).includes(fresh), 'the key is still in the page');

    await page.getByLabel('Message to pump').fill('still there');
    await page.keyboard.press('Enter');
    assert.equal(new TextDecoder().decode(await session.recv({ timeout: 10_000 })), 'still there');
    await page.getByText(session.id).waitFor();
    await panel(page, 'Session').getByText('the old one').waitFor();

    await session.close();
    await state(page, 'Offline');
    const { session: next } = await connectDevice(t, url, id, fresh);
    await state(page, 'Online');
    await panel(page, 'Keys').getByRole('heading', { name: 'Old key' }).waitFor({ state: 'hidden' });
    await next.close();
    assert.equal(await fails(url, id, key), 'refused');
    await state(page, 'Refused: wrong key');
    await panel(page, 'Session').getByText('Check the key in the device').waitFor();
  },
);

testInChromium(
  'a revoked key ends the session within a second, and the page says why the device cannot connect',
  async (t, open) => {
    const { gateway, url, id, key, page, session } = await openDevice(t, open, 'fan');
    await panel(page, 'Keys').getByRole('button', { name: 'Revoke' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Its session ends within a second').waitFor();
    await dialog.getByRole('button', { name: 'Revoke key' }).click();
    await state(page, 'No key');
    await panel(page, 'Session').getByText('Not connected. Last heard of').waitFor();
    await panel(page, 'Keys').getByText('It has no valid key and cannot connect.').waitFor();
    await until('the end of the session at the device', () => session.closed);
    const events: { type: string; at: string }[] = (
      await gateway.expect(200, 'GET', `/api/v1/events/log?device=${id}`)
    ).events;
    const at = (type: string) => Date.parse(events.find((event) => event.type === type)!.at);
    const took = at('disconnected') - at('key-revoked');
    assert.ok(took <= 1_000, `it took ${took} ms`);

    assert.equal(await fails(url, id, key), 'refused');
    await panel(page, 'Session').getByText('Key revoked. Give it a new key.').waitFor();
    await page.getByRole('link', { name: 'Events' }).last().click();
    const row = page.getByRole('row').filter({ hasText: 'Key revoked' });
    await row.getByText('all its keys').waitFor();
    await page.getByRole('row').filter({ hasText: 'Disconnected' }).waitFor();
  },
);

testInChromium(
  'a wrong key and a disabled device are explained in plain words, with what to do and the button that does it',
  async (t, open) => {
    const { gateway, url, id, key, page, session } = await openDevice(t, open, 'door');
    await session.close();
    assert.equal(await fails(url, id, 'not the key of this device'), 'refused');
    await state(page, 'Refused: wrong key');
    const nav = page.getByRole('navigation', { name: 'Main' });
    await nav.getByRole('link', { name: 'Refused' }).click();
    const wrong = page.getByRole('listitem', { name: `${id}: Wrong key` });
    await wrong.getByText('the key that the device has is not the one that belongs to it').waitFor();
    await wrong.getByText('the whole of it, without spaces or quotes').waitFor();
    await wrong.getByRole('link', { name: 'Open to rotate its key' }).waitFor();

    await gateway.expect(200, 'PATCH', `/api/v1/devices/${id}`, { enabled: false });
    assert.equal(await fails(url, id, key), 'refused');
    const disabled = page.getByRole('listitem', { name: `${id}: Disabled` });
    await disabled.getByText('Enable it to let it in.').waitFor();
    await disabled.getByRole('button', { name: `Enable ${id}` }).click();
    await page.getByText('The device is enabled.').waitFor();
    await connectDevice(t, url, id, key);
    await wrong.getByRole('link', { name: 'Open to rotate its key' }).click();
    await state(page, 'Online');

    // By somebody else, without an event.
    await nav.getByRole('link', { name: /^Refused\s*\d+$/ }).waitFor();
    await gateway.expect(204, 'DELETE', '/api/v1/refused');
    await nav.getByRole('link', { name: 'Refused', exact: true }).waitFor();
  },
);

testInChromium('an unknown device is admitted in one step, and gets in with its key', async (t, open) => {
  const gateway = await sharedGateway();
  const page = await openDashboard(gateway, open, { path: 'refused' });
  assert.equal(await fails(gateway.url('tcp'), UNKNOWN, ITS_KEY), 'refused');
  const entry = page.getByRole('listitem', { name: `${UNKNOWN}: Unknown device` });
  await entry.getByText('If it is yours, admit it.').waitFor();
  await entry.getByRole('button', { name: `Admit ${UNKNOWN}` }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('newcomer');
  await dialog.getByLabel('Key that the device has').fill(ITS_KEY);
  await dialog.getByRole('button', { name: 'Admit', exact: true }).click();
  await dialog.getByText('Waiting for newcomer to connect').waitFor();
  await comesIn(t, gateway);
  await dialog.getByText('newcomer is connected, over tcp').waitFor();
  await dialog.getByRole('button', { name: 'Close' }).click();
  await entry.waitFor({ state: 'hidden' });
});

function comesIn(t: TestContext, gateway: GatewayProcess) {
  return connectDevice(t, gateway.url('tcp'), UNKNOWN, ITS_KEY);
}
