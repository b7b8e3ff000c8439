import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import type { USMPClient } from 'usmp';
import { temporaryFolder, until } from '../operation/gateway-process.js';
import { openDashboard, startGateway } from './bed.js';
import { type OpenWindow, testInChromium } from './chromium.js';
import { fails } from './devices.js';
import {
  connectFarm,
  DISABLED,
  REFUSED,
  SHOWN,
  seedFarm,
  tellOfHoursBefore,
  valuesOf,
} from './picture-fleet.js';

const FOLDER = fileURLToPath(new URL('../../../../docs/pictures', import.meta.url));
const NAMES = ['dashboard-fleet', 'dashboard-fleet-dark', 'dashboard-device', 'dashboard-device-dark'];

const SIZE = { width: 1280, height: 800 };
const MOST_BYTES = 200_000;

/** How often all devices say something. Milliseconds. */
const PACE = 5_000;

if (process.env.USMP_PICTURES === '1') testInChromium('the pictures of the README are taken', takePictures);

test('the pictures of the README are as large as a window, and small enough to load', () => {
  for (const name of NAMES) {
    const png = readFileSync(join(FOLDER, `${name}.png`));
    assert.deepEqual({ width: png.readUInt32BE(16), height: png.readUInt32BE(20) }, SIZE, name);
    assert.ok(png.length < MOST_BYTES, `${name} has ${png.length} bytes`);
  }
});

async function takePictures(t: TestContext, open: OpenWindow): Promise<void> {
  const folder = temporaryFolder(t);
  const farm = seedFarm(folder, Date.now());
  const gateway = await startGateway(t, { folder });
  const idOf = (name: string) => farm.find((device) => device.name === name)!.id;
  const clients = await connectFarm(t, gateway, farm);
  const url = gateway.url('tcp');
  await gateway.expect(200, 'PATCH', `/api/v1/devices/${idOf(DISABLED)}`, { enabled: false });
  await fails(url, idOf(REFUSED), 'the key that was rotated');
  await fails(url, '02:5a:11:00:00:71', 'the key of a stranger');
  const talking = setInterval(() => talk(clients), PACE / clients.size);
  t.after(() => clearInterval(talking));
  for (const { id, name } of farm)
    if (clients.has(name))
      await gateway.expect(202, 'POST', `/api/v1/devices/${id}/messages`, { text: 'report' });

  const page = await openDashboard(gateway, open, SIZE);
  await tellOfHoursBefore(page);
  await page.reload();
  await page.getByText('40 devices').waitFor();
  // Messages a second are counted between two answers.
  const out = page.locator('.tiles > div').filter({ hasText: 'Messages in' });
  await until('messages a second', async () => /[1-9]/.test((await out.textContent())!));
  await shoot(page, 'dashboard-fleet');

  await page.getByRole('link', { name: SHOWN }).click();
  const say = async (text: string, answer: string) => {
    await page.getByLabel(`Message to ${SHOWN}`).fill(text);
    await page.keyboard.press('Enter');
    await page.getByRole('listitem').filter({ hasText: text }).last().getByText('confirmed').waitFor();
    await clients.get(SHOWN)!.send(answer);
    await page.getByRole('listitem').last().getByText(answer, { exact: true }).waitFor();
  };
  clearInterval(talking);
  await say('fan on', 'ok');
  await say('{"window":40}', '{"window":40,"moving":true}');
  await clients.get(SHOWN)!.send(valuesOf(111));
  await page.getByRole('button', { name: 'Measure round trip' }).click();
  await page.getByText(`Round trip to ${SHOWN}`).waitFor();
  await page.getByRole('button', { name: 'Close this notice' }).click();
  await shoot(page, 'dashboard-device');
}

let turn = 0;
function talk(clients: ReadonlyMap<string, USMPClient>): void {
  const all = [...clients.values()];
  void all[turn % all.length]!.send(valuesOf(turn)).catch(() => {});
  turn++;
}

/** Once light, once dark. */
async function shoot(page: Page, name: string): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  await page.mouse.move(0, 0);
  for (const [colorScheme, suffix] of [
    ['light', ''],
    ['dark', '-dark'],
  ] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(FOLDER, `${name}${suffix}.png`), caret: 'hide' });
  }
  await page.emulateMedia({ colorScheme: 'light' });
}
