import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import type { Role } from '#dist/model.js';
import type { GatewayProcess } from '../operation/gateway-process.js';
import { isLive, loginLink, openDashboard, panel, startGateway } from './bed.js';
import { type OpenWindow, testInChromium } from './chromium.js';
import { CONTROLS } from './page-scripts.js';
import { FOR_ADMINS, ONLINE, PAGES, smallFleet } from './small-fleet.js';

const DEVICE = `devices/${encodeURIComponent(ONLINE)}`;

/** Of requests that are turned away as they must be. */
const TURNED_AWAY = /^Failed to load resource: the server responded with a status of (?:401|404)/;

/** Answers to a page that are errors. */
function errorsOf(page: Page): string[] {
  const errors: string[] = [];
  page.on('response', (response) => {
    if (response.status() >= 400) errors.push(`${response.status()} ${response.url()}`);
  });
  return errors;
}

/** Names of all that can be done on the pages that there are. */
async function controlsOf(
  page: Page,
  gateway: GatewayProcess,
  pages: typeof PAGES,
): Promise<readonly string[]> {
  const names: string[] = [];
  for (const [path, shows] of pages) {
    await page.goto(`${gateway.publicURL}/${path}`);
    if (!NEEDS_ADMIN.includes(shows)) await page.getByRole('main').getByText(shows).first().waitFor();
    else await page.getByRole('main').getByText('takes a login of role admin').first().waitFor();
    await isLive(page);
    names.push(...(await page.evaluate<string[]>(CONTROLS)));
  }
  return names;
}

/** What is shown of pages that are for admins alone. */
const NEEDS_ADMIN = ['history.max_age'];

const offered = (controls: readonly string[], names: readonly string[]) =>
  controls.filter((control) => names.some((name) => control.startsWith(name)));

async function openAs(open: OpenWindow, role: Role) {
  const { gateway } = await smallFleet();
  const page = await openDashboard(gateway, open, { role });
  const errors = errorsOf(page);
  return { gateway, page, errors };
}

testInChromium(
  'a login of role read sees all pages without an error, and is offered nothing that it may not do',
  async (_, open) => {
    const { gateway, page, errors } = await openAs(open, 'read');
    await page.getByText('To add devices takes a login of role admin; this one has the role read.').waitFor();
    const pages = PAGES.filter(([path]) => path !== 'devices/nobody');
    const controls = await controlsOf(page, gateway, pages);
    assert.deepEqual(offered(controls, [...FOR_ADMINS, 'Send', 'Measure round trip', 'Cancel']), []);
    assert.equal(await page.getByRole('alert').count(), 0);
    assert.deepEqual(errors, []);
  },
);

testInChromium('a login of role send writes to devices, and no more', async (_, open) => {
  const { gateway, page, errors } = await openAs(open, 'send');
  const { session } = await smallFleet();
  const pages = PAGES.filter(([path]) => path === 'refused' || path === 'settings' || path === DEVICE);
  assert.deepEqual(offered(await controlsOf(page, gateway, pages), FOR_ADMINS), []);
  await page.goto(`${gateway.publicURL}/${DEVICE}`);
  await page.getByRole('button', { name: 'Measure round trip' }).click();
  await page.getByText('Round trip to lamp:').waitFor();
  await page.getByLabel('Message to lamp').fill('from a sender');
  await page.keyboard.press('Enter');
  assert.equal(new TextDecoder().decode(await session.recv({ timeout: 10_000 })), 'from a sender');
  assert.deepEqual(errors, []);
});

testInChromium('logging out ends the session, also for who has kept its cookie', async (_, open) => {
  const { gateway } = await smallFleet();
  const page = await openDashboard(gateway, open, { path: DEVICE, expected: TURNED_AWAY });
  const [cookie] = await page.context().cookies();
  assert.ok(cookie?.httpOnly && cookie.sameSite === 'Strict', JSON.stringify(cookie));
  const ask = async () => {
    const headers = { cookie: `${cookie.name}=${cookie.value}` };
    return (await fetch(`${gateway.publicURL}/api/v1/status`, { headers })).status;
  };
  assert.equal(await ask(), 200);
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  await page.getByText('You have logged out.').waitFor();
  assert.equal(await page.getByText('lamp').count(), 0, 'what was shown stays');
  assert.equal(await ask(), 401);
  assert.deepEqual(await page.context().cookies(), []);
});

testInChromium('a login link works once; used again it says so, and what to do', async (_, open) => {
  const { gateway } = await smallFleet();
  const link = await loginLink(gateway);
  const first = await open();
  await first.goto(link);
  await isLive(first);
  assert.equal(first.url(), `${gateway.publicURL}/`);

  const second = await open({ expected: TURNED_AWAY });
  await second.goto(link);
  await second.getByText('This link was used before, or is older than ten minutes.').waitFor();
  await second.getByText('usmp-gateway login-link', { exact: true }).waitFor();
  assert.equal(second.url(), `${gateway.publicURL}/`, 'the ticket is still in the address');
});

testInChromium('a token that is removed shuts the browser out that came in with it', async (_, open) => {
  const { gateway } = await smallFleet();
  const admin = await openDashboard(gateway, open, { path: 'settings' });
  await admin.getByRole('button', { name: 'Add token' }).click();
  const dialog = admin.getByRole('dialog');
  await dialog.getByLabel('Name').fill('visitor');
  await dialog.getByRole('radio', { name: /^send/ }).check();
  await dialog.getByRole('button', { name: 'Add token' }).click();
  const secret = (await admin.getByTestId('token-secret').textContent())!;
  assert.match(secret, /^usmp_[\w-]{43}$/);
  await dialog.getByRole('button', { name: 'I have it' }).click();

  const visitor = await open({ expected: TURNED_AWAY });
  await visitor.goto(`${gateway.publicURL}/${DEVICE}`);
  await visitor.getByLabel('Token').fill(secret);
  await visitor.getByRole('button', { name: 'Log in' }).click();
  await visitor.getByRole('heading', { name: 'lamp' }).waitFor();

  await admin.getByRole('button', { name: 'Remove token visitor' }).click();
  await admin.getByRole('dialog').getByRole('button', { name: 'Remove token' }).click();
  await admin.getByText('The token visitor is removed.').waitFor();
  await visitor.getByRole('heading', { name: 'Log in' }).waitFor();
});

testInChromium(
  'no token, key or ticket is in an address that is kept, in the log, or in what the browser stores',
  async (t, open) => {
    const gateway = await startGateway(t, { flags: ['--log-level', 'trace'] });
    const { secret } = await gateway.expect(201, 'POST', '/api/v1/tokens', { name: 'me', role: 'admin' });
    const page = await open({ expected: TURNED_AWAY });
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    const link = await loginLink(gateway);
    await page.goto(link);
    await isLive(page);
    const [session] = await page.context().cookies();
    await page.getByRole('textbox', { name: 'Name' }).fill('lamp');
    await page.getByRole('button', { name: 'Add device', exact: true }).click();
    const key = (await page.getByTestId('device-key').textContent())!;
    await page.getByRole('link', { name: 'Open lamp' }).click();
    await panel(page, 'Keys').getByRole('button', { name: 'Rotate key' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Rotate key' }).click();
    const second = (await page.getByTestId('device-key').textContent())!;
    await page.getByRole('button', { name: 'I have it' }).click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Token').fill(secret);
    await page.getByRole('button', { name: 'Log in' }).click();
    await isLive(page);
    const [other] = await page.context().cookies();

    const ticket = new URL(link).searchParams.get('ticket')!;
    const secrets = { ticket, secret, key, second, session: session!.value, other: other!.value };
    const stored = JSON.stringify((await page.context().storageState()).origins);
    for (const [what, text] of Object.entries(secrets)) {
      const bare = text.replace(/^usmp_/, '');
      assert.ok(bare.length >= 32, what);
      assert.ok(!gateway.log.includes(bare), `${what} is in the log`);
      assert.ok(!stored.includes(bare), `${what} is stored`);
      const urls = asked.filter((url) => url.includes(bare));
      assert.deepEqual(urls, what === 'ticket' ? [link] : [], what);
    }
    assert.match(gateway.log, /"path":"\/api\/v1\/devices\//, 'requests are logged');
  },
);
