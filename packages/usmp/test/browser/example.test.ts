import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import type { USMPServer } from '#dist/index.js';
import { type OpenPage, testInChromium } from './chromium.js';

interface Example {
  startUsmp(listen: string, psk: string): Promise<USMPServer>;
  startPages(port: number): Promise<{ url: string; close(): void }>;
}

const EXAMPLE = new URL('../../../../examples/browser/serve.js', import.meta.url);
const KEY = 'the key of the example';

/** The example as its command starts it, but on other ports, and opened in a browser. */
async function openExample(t: TestContext, openPage: OpenPage): Promise<{ page: Page; server: USMPServer }> {
  const { startUsmp, startPages }: Example = await import(EXAMPLE.href);
  const server = await startUsmp('ws://127.0.0.1:0', KEY);
  t.after(() => server.close({ timeout: 0 }));
  const pages = await startPages(0);
  t.after(() => pages.close());
  const page = await openPage({ url: `${pages.url}?server=${encodeURIComponent(server.urls[0]!)}` });
  return { page, server };
}

testInChromium(
  'the example talks to its server, by keyboard alone, and asks nobody else',
  async (t, openPage) => {
    const { page } = await openExample(t, openPage);
    const asked: string[] = [];
    const complaints: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    page.on('console', (message) => complaints.push(message.text()));
    await page.reload();

    await page.getByLabel('Key').focus();
    await page.keyboard.type(KEY);
    await page.keyboard.press('Enter');
    await page.getByText('Hello from the server').waitFor();
    assert.equal(await page.getByRole('status').textContent(), 'Connected');

    await page.keyboard.type('grüße');
    await page.keyboard.press('Enter');
    await page.locator('.received', { hasText: 'grüße' }).waitFor();
    assert.deepEqual(await page.locator('#messages p').allTextContents(), [
      'Hello from the server. What you write comes back.',
      'grüße',
      'grüße',
    ]);

    await page.getByRole('button', { name: 'Disconnect' }).press('Enter');
    await page.getByText('Not connected').waitFor();
    assert.equal(await page.getByRole('alert').count(), 0, 'leaving is no problem');
    assert.ok(asked.length >= 3);
    assert.deepEqual(
      asked.filter((url) => new URL(url).hostname !== '127.0.0.1'),
      [],
    );
    assert.deepEqual(complaints, []);
  },
);

testInChromium('the example explains a wrong key, and a server that has gone', async (t, openPage) => {
  const { page, server } = await openExample(t, openPage);
  await page.getByLabel('Key').fill('some other key entirely');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByRole('alert').getByText('does not take this key').waitFor();

  await page.getByLabel('Key').fill(KEY);
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByText('Hello from the server').waitFor();
  assert.equal(await page.getByRole('alert').count(), 0, 'the problem is over');
  await server.close();
  await page.getByRole('alert').getByText('The server has closed the session').waitFor();
});
