import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { checkWithAxe } from './axe.js';
import { isLive, loginLink, openDashboard, panel } from './bed.js';
import { type OpenWindow, testInChromium } from './chromium.js';
import { CONTROLS, FIELD_IS_EMPTY, follow, NO_STREAMS, TOO_WIDE } from './page-scripts.js';
import { DISABLED, FOR_ADMINS, ONLINE, PAGES, smallFleet } from './small-fleet.js';

/** What the first page may take, compressed. Bytes. */
const FIRST_LOAD = 150_000;

/** Of the page of a device that is not there, and after logging out. */
const NOT_THERE = /^Failed to load resource: the server responded with a status of (?:401|404)/;

const PHONE = { width: 360, height: 740 };
const DESK = { width: 1280, height: 800 };

const DEVICE = `devices/${encodeURIComponent(ONLINE)}`;

/** Goes to a page as a link of another one leads to it. */
async function visit(page: Page, path: string, shows: string): Promise<void> {
  await page.evaluate(follow(path));
  await page.getByRole('main').getByText(shows).first().waitFor();
}

async function openFleet(open: OpenWindow): Promise<Page> {
  const { gateway } = await smallFleet();
  return openDashboard(gateway, open, { expected: NOT_THERE });
}

/** Dialogs, each from a page of its own. */
const DIALOGS: readonly (readonly [what: string, path: string, open: (page: Page) => Promise<void>])[] = [
  ['edit', DEVICE, (page) => page.getByRole('button', { name: 'Edit name, tags, note' }).click()],
  ['rotate', DEVICE, (page) => panel(page, 'Keys').getByRole('button', { name: 'Rotate key' }).click()],
  ['revoke', DEVICE, (page) => page.getByRole('button', { name: 'Revoke' }).click()],
  ['admit', 'refused', (page) => page.getByRole('button', { name: /^Admit / }).click()],
  ['token', 'settings', (page) => page.getByRole('button', { name: 'Add token' }).click()],
];

/** Looks at all dialogs, one after the other. */
async function throughDialogs(page: Page, look: (what: string) => Promise<void>): Promise<void> {
  for (const [what, path, openDialog] of DIALOGS) {
    await page.evaluate(follow(path));
    await openDialog(page);
    await page.getByRole('dialog').waitFor();
    await look(what);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
  }
}

testInChromium('axe finds nothing serious on any page, light or dark', async (_, open) => {
  const page = await openFleet(open);
  for (const [path, shows] of PAGES) {
    await visit(page, path, shows);
    await checkWithAxe(page, `/${path}`);
    assert.match(await page.title(), /^.+ – USMP gateway$/);
  }
});

testInChromium('axe finds nothing serious in dialogs, the key of a device and the login', async (_, open) => {
  const page = await openFleet(open);
  await throughDialogs(page, (what) => checkWithAxe(page, what));
  await visit(page, DEVICE, 'Old key');
  await panel(page, 'Keys').getByRole('button', { name: 'Rotate key' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate key' }).click();
  await page.getByRole('button', { name: 'Show QR code' }).click();
  await page.getByRole('img', { name: 'QR code of the key of lamp' }).waitFor();
  await checkWithAxe(page, 'the key of a device');
  await page.getByRole('button', { name: 'I have it' }).click();
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  await checkWithAxe(page, 'the login');
});

testInChromium(
  'on a phone no page is wider than the window, and all that can be done at a desk can be done there',
  async (_, open) => {
    const page = await openFleet(open);
    const all: string[] = [];
    for (const [path, shows] of PAGES) {
      await page.setViewportSize(DESK);
      await visit(page, path, shows);
      const atDesk = await page.evaluate<string[]>(CONTROLS);
      await page.setViewportSize(PHONE);
      assert.deepEqual(await page.evaluate(TOO_WIDE), [], `/${path}`);
      const onPhone = new Set(await page.evaluate<string[]>(CONTROLS));
      const missing = atDesk.filter((name) => !onPhone.has(name));
      assert.deepEqual(missing, [], `/${path}`);
      all.push(...onPhone);
    }
    for (const name of FOR_ADMINS)
      assert.ok(
        all.some((one) => one.startsWith(name)),
        `${name} is nowhere`,
      );
    await throughDialogs(page, async (what) => {
      assert.deepEqual(await page.evaluate(TOO_WIDE), [], what);
    });
  },
);

testInChromium(
  `the first page is loaded with less than ${FIRST_LOAD / 1_000} kB, from the gateway alone`,
  async (t, open) => {
    const { gateway } = await smallFleet();
    const page = await open();
    let bytes = 0;
    const asked: string[] = [];
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Network.enable');
    devtools.on('Network.requestWillBeSent', ({ request }) => asked.push(request.url));
    // Headers as well; of the event stream, which does not end, what has come.
    devtools.on('Network.responseReceived', ({ response }) => (bytes += response.encodedDataLength));
    devtools.on('Network.dataReceived', ({ encodedDataLength }) => (bytes += encodedDataLength));
    await page.goto(await loginLink(gateway));
    await page.getByRole('link', { name: 'lamp' }).waitFor();
    await page.getByText('Messages a second').waitFor();
    t.diagnostic(`${bytes} bytes in ${asked.length} requests`);
    assert.ok(bytes > 30_000 && bytes < FIRST_LOAD, `${bytes} bytes`);
    for (const url of asked) assert.match(url, new RegExp(`^(?:data:|${gateway.publicURL}/)`));
  },
);

testInChromium('the list says how each device is, and filters are part of the address', async (_, open) => {
  const page = await openFleet(open);
  const rows = page.getByRole('table', { name: 'Devices' }).getByRole('row');
  await rows.filter({ hasText: 'lamp' }).getByText('Online').waitFor();
  await rows.filter({ hasText: 'a-pump' }).getByText('Refused: wrong key').waitFor();
  await rows.filter({ hasText: 'valve' }).getByText('Disabled').waitFor();
  await page.getByRole('combobox', { name: 'Tag' }).selectOption('attic (1)');
  await page.getByText('1 device found').waitFor();
  assert.match(page.url(), /\?tag=attic$/);
  await page.reload();
  await page.getByText('1 device found').waitFor();
  await page.goBack();
  await page.getByText('3 devices').waitFor();
  await page.getByRole('combobox', { name: 'State' }).selectOption('Disabled');
  await rows.filter({ hasText: 'valve' }).getByRole('link').click();
  await page.getByRole('heading', { name: 'valve' }).waitFor();
  await page.getByText(DISABLED, { exact: true }).waitFor();
});

testInChromium(
  'a page shows what there is also when its stream of events breaks off at once',
  async (_, open) => {
    const page = await openFleet(open);
    await page.evaluate(NO_STREAMS);
    await visit(page, DEVICE, 'Old key');
  },
);

testInChromium(
  'the page of a device that is not there yet is live, shows it once it is added, and goes on when it is renamed',
  async (_, open) => {
    const { gateway } = await smallFleet();
    const page = await openDashboard(gateway, open, { path: 'devices/later', expected: NOT_THERE });
    await page.getByRole('heading', { name: 'No such device' }).waitFor();
    const { device } = await gateway.expect(201, 'POST', '/api/v1/devices', { name: 'later' });
    await page.getByRole('heading', { name: 'later', exact: true }).waitFor();
    await page.waitForURL(`${gateway.publicURL}/devices/${device.id}`);
    await isLive(page);
    await gateway.expect(200, 'PATCH', `/api/v1/devices/${device.id}`, { name: 'renamed' });
    await page.getByRole('heading', { name: 'renamed', exact: true }).waitFor();
    await gateway.expect(204, 'DELETE', `/api/v1/devices/${device.id}`);
    await page.getByRole('heading', { name: 'No such device' }).waitFor();
    await visit(page, 'events?device=later', 'later');
    await isLive(page);
  },
);

testInChromium(
  'a message is sent once, also when its answer is lost, and nothing when Enter is pressed once more',
  async (_, open) => {
    const { gateway, session } = await smallFleet();
    const page = await openDashboard(gateway, open, { path: DEVICE, expected: /ERR_CONNECTION_RESET/ });
    const field = page.getByLabel('Message to lamp');
    await page.route(
      /\/messages$/,
      async (route) => {
        await route.fetch();
        await route.abort('connectionreset');
      },
      { times: 1 },
    );
    await field.fill('once');
    await field.press('Enter');
    await page.getByText('The gateway does not answer.').waitFor();
    await field.press('Enter');
    await page.waitForFunction(FIELD_IS_EMPTY);
    await field.press('Enter');
    await field.fill('last');
    await field.press('Enter');
    for (const text of ['once', 'last'])
      assert.equal(new TextDecoder().decode(await session.recv({ timeout: 10_000 })), text);
  },
);

testInChromium('events are those that the address says, whichever answer comes last', async (_, open) => {
  const { gateway } = await smallFleet();
  const page = await openDashboard(gateway, open, { path: 'events' });
  const rows = page.getByRole('table', { name: 'Events' }).locator('tbody tr');
  let late: Promise<void> | undefined;
  await page.route(/events\/log\?types=refused&/, (route) => {
    late = delay(1_500).then(() => route.continue());
  });
  const kind = page.getByRole('combobox', { name: 'Kind of events' });
  await kind.selectOption('Refused');
  while (late === undefined) await delay(20);
  await kind.selectOption('Connections');
  await rows.filter({ hasText: 'Device added' }).first().waitFor({ state: 'hidden' });
  const answered = page.waitForResponse(/events\/log\?types=refused&/);
  await Promise.all([late, answered]);
  await delay(200);
  assert.equal(await rows.filter({ hasText: 'Refused' }).count(), 0);
  assert.ok((await rows.filter({ hasText: 'Connected' }).count()) > 0);
});
