import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { until } from '../operation/gateway-process.js';
import { isLive, openDashboard } from './bed.js';
import { testInChromium } from './chromium.js';
import { FOCUSED } from './page-scripts.js';
import { smallFleet } from './small-fleet.js';

/** Longer than the way through any page here. */
const MOST_TABS = 60;

/** Presses Tab until something of that name has the focus. */
async function tabTo(page: Page, name: string, key = 'Tab'): Promise<void> {
  const passed: string[] = [];
  for (let i = 0; i < MOST_TABS; i++) {
    await page.keyboard.press(key);
    const focused = await page.evaluate<string>(FOCUSED);
    if (focused === name) return;
    passed.push(focused);
  }
  assert.fail(`${name} is not reached, but ${passed.join(', ')}`);
}

async function focusIsOn(page: Page, name: string): Promise<void> {
  await until(`the focus is on ${name}`, async () => (await page.evaluate(FOCUSED)) === name);
}

testInChromium(
  'with the keyboard alone somebody logs in, adds a device, writes to it, and uses dialogs and tabs',
  async (_, open) => {
    const { gateway } = await smallFleet();
    const { secret } = await gateway.expect(201, 'POST', '/api/v1/tokens', { name: 'me', role: 'admin' });
    const page = await open({ expected: /401/ });
    const { keyboard } = page;
    await page.goto(`${gateway.publicURL}/add`);
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    await tabTo(page, 'Token');
    await keyboard.type(secret);
    await keyboard.press('Enter');
    await isLive(page);

    await tabTo(page, 'Name');
    await keyboard.type('fan');
    await tabTo(page, 'The device has an id or a key already');
    await keyboard.press('Enter');
    await tabTo(page, 'Device id');
    await keyboard.type('02:00:00:00:00:0f');
    await keyboard.press('Enter');
    await focusIsOn(page, '2. Give fan its key');
    await tabTo(page, 'This computer');
    await keyboard.press('ArrowRight');
    await focusIsOn(page, 'Arduino');
    await page.getByText('#include <USMP.h>').waitFor();
    await tabTo(page, 'Open fan');
    await keyboard.press('Enter');
    await focusIsOn(page, 'fan');

    await tabTo(page, 'Message to fan');
    await keyboard.type('spin');
    await keyboard.press('Enter');
    await page.getByRole('log').getByText('queued').waitFor();
    await focusIsOn(page, 'Message to fan');

    await tabTo(page, 'Rotate key');
    await keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Rotate the key of fan' }).waitFor();
    await keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await focusIsOn(page, 'Rotate key');
    await tabTo(page, 'Remove');
    await keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Remove fan' }).waitFor();
    // The focus stays in the dialog.
    await tabTo(page, 'Remove');
    await tabTo(page, 'Cancel');
    await keyboard.press('Enter');
    await focusIsOn(page, 'Remove');
    assert.equal((await gateway.call('GET', '/api/v1/devices/fan')).status, 200);

    await tabTo(page, 'Events', 'Shift+Tab');
    await keyboard.press('Enter');
    await focusIsOn(page, 'Events');
  },
);

testInChromium('the first Tab leads past the header, and the theme is chosen by keys', async (_, open) => {
  const { gateway } = await smallFleet();
  const page = await openDashboard(gateway, open);
  await page.keyboard.press('Tab');
  await focusIsOn(page, 'Skip to content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate('document.activeElement.id'), 'main');
  await tabTo(page, 'Theme', 'Shift+Tab');
  await page.keyboard.press('D');
  const dark = page.locator('html[data-theme=dark]');
  await dark.waitFor();
  await page.reload();
  await dark.waitFor();
});
