import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { USMPClient } from 'usmp';
import { GatewayProcess, temporaryFolder } from '../operation/gateway-process.js';
import { isLive, loginLink, openDashboard, sharedGateway, startGateway } from './bed.js';
import { testInChromium } from './chromium.js';
import { lineTo } from './line.js';

/** What a browser says when nobody answers, or nobody is logged in. */
const NO_ANSWER = /^Failed to load resource: (?:net::ERR_|the server responded with a status of 401)/;

/** A device that connects again by itself. */
async function keepConnected(t: TestContext, url: string, deviceId: string, psk: string) {
  const client = new USMPClient({ url, psk, deviceId, reconnect: { base: 20, cap: 200 } });
  t.after(() => client.disconnect());
  await client.connect();
  return client;
}

/** Waits until the page has a message from the device. */
function said(page: Page, text: string): Promise<void> {
  return page.getByRole('log', { name: 'Messages' }).getByText(text, { exact: true }).waitFor();
}

testInChromium(
  'a page whose gateway cannot be reached says so, and comes back by itself with what it missed',
  async (t, open) => {
    const gateway = await sharedGateway();
    const { device, key } = await gateway.expect(201, 'POST', '/api/v1/devices', { name: 'meter' });
    const client = await keepConnected(t, gateway.url('tcp'), device.id, key);
    const line = await lineTo(t, gateway.publicURL);
    const page = await open({ expected: NO_ANSWER });
    await page.goto((await loginLink(gateway)).replace(gateway.publicURL, line.url));
    await page.getByRole('link', { name: 'meter' }).click();
    await page.getByRole('heading', { name: 'meter' }).waitFor();
    await isLive(page);
    await client.send('before');
    await said(page, 'before');

    line.cut();
    const banner = page.getByRole('alert').filter({ hasText: 'The gateway is away' });
    await banner.getByText('Is it running? This page tries again by itself.').waitFor();
    await banner.getByText('What you see is as it was before.').waitFor();
    await page.getByRole('banner').getByText('Gateway away').waitFor();
    await page.getByLabel('Message to meter').fill('not lost');
    await page.keyboard.press('Enter');
    await page.locator('form.send').getByText('The gateway does not answer.').waitFor();
    await client.send('meanwhile');

    line.mend();
    await isLive(page);
    await banner.waitFor({ state: 'hidden' });
    await said(page, 'meanwhile');
    await client.send('after');
    await said(page, 'after');
    assert.equal(await page.getByLabel('Message to meter').inputValue(), 'not lost');
    await page.getByRole('button', { name: 'Send' }).click();
    assert.equal(new TextDecoder().decode(await client.recv({ timeout: 10_000 })), 'not lost');
  },
);

testInChromium(
  'a page goes on by itself when the gateway was killed and started again, and says what to do when its login has ended',
  async (t, open) => {
    const folder = temporaryFolder(t);
    const first = await startGateway(t, { folder });
    const { device, key } = await first.expect(201, 'POST', '/api/v1/devices', { name: 'meter' });
    const { secret } = await first.expect(201, 'POST', '/api/v1/tokens', { name: 'me', role: 'admin' });
    const client = await keepConnected(t, first.url('tcp'), device.id, key);
    const page = await openDashboard(first, open, {
      path: `devices/${encodeURIComponent(device.id)}`,
      expected: NO_ANSWER,
    });
    await client.send('before');
    await said(page, 'before');
    await page.getByLabel('Message to meter').fill('half of a sentence');

    await first.kill();
    await page.getByRole('alert').getByText('The gateway is away').waitFor();
    const second = await GatewayProcess.start(t, {
      folder,
      listen: first.urls,
      httpListen: first.httpListen,
    });
    await isLive(page);
    await client.send('again');
    await said(page, 'again');

    await page.getByRole('button', { name: 'Edit name, tags, note' }).click();
    const dialog = page.getByRole('dialog', { name: 'Edit meter' });
    await dialog.getByLabel('Note').fill('half of a note');

    // In another tab.
    const headers = { origin: second.publicURL };
    assert.equal((await page.request.post(`${second.publicURL}/logout`, { headers })).status(), 204);
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    await page.getByText('This login has ended: log in again. This page goes on where it was.').waitFor();
    await dialog.waitFor({ state: 'hidden' });
    await page.getByText('usmp-gateway login-link', { exact: true }).waitFor();

    await page.getByLabel('Token').fill('usmp_nonsense');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('alert').getByText('This token is unknown, expired or removed.').waitFor();
    await page.getByLabel('Token').fill(secret);
    await page.getByRole('button', { name: 'Log in' }).click();
    await isLive(page);
    assert.equal(await dialog.getByLabel('Note').inputValue(), 'half of a note');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    await page.getByRole('heading', { name: 'meter' }).waitFor();
    assert.equal(await page.getByLabel('Message to meter').inputValue(), 'half of a sentence');
    await client.send('after');
    await said(page, 'after');
    await page.locator('.page-head').getByText('Online').waitFor();
    assert.ok(!second.log.includes(secret), 'the token is in the log');
  },
);
