import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { importCsv, openDashboard, startGateway } from './bed.js';
import { testInChromium } from './chromium.js';
import { connectDevice } from './devices.js';
import { longestTask } from './long-tasks.js';

const DEVICES = 10_000;
const FLOORS = 8;

/** Milliseconds. */
const LONGEST_TASK = 100;
/** More than the window has, and what is drawn ahead of it. */
const MOST_ROWS = 60;
/** The best counts. */
const ATTEMPTS = 3;

const KEY = 'the key of the last device';

/** From the top of the page to its end, some screens with each frame. The most rows that there were. */
const SCROLL = `(async () => {
  let rows = 0;
  while (scrollY + innerHeight < document.documentElement.scrollHeight - 1) {
    scrollBy(0, 3000);
    await new Promise(requestAnimationFrame);
    rows = Math.max(rows, document.querySelectorAll('tbody tr').length);
  }
  return rows;
})()`;

interface Scroll {
  /** Milliseconds. */
  readonly longest: number;
  readonly rows: number;
}

const idOf = (i: number) => `02:00:00:00:${i.toString(16).padStart(4, '0').replace(/^../, '$&:')}`;
const nameOf = (i: number) => `sensor-${String(i).padStart(5, '0')}`;

testInChromium(
  `${DEVICES} devices are scrolled, searched, sorted and filtered without a task over ${LONGEST_TASK} ms`,
  async (t, open) => {
    const gateway = await startGateway(t);
    const lines = Array.from(
      { length: DEVICES },
      (_, i) => `${idOf(i)},${nameOf(i)},floor-${i % FLOORS},${i === DEVICES - 1 ? KEY : ''}`,
    );
    await importCsv(gateway, `id,name,tags,key\n${lines.join('\n')}\n`);
    await connectDevice(t, gateway.url('tcp'), idOf(DEVICES - 1), KEY);
    const page = await openDashboard(gateway, open);
    const count = page.getByTestId('device-count');
    await count.getByText('10,000 devices').waitFor();
    const best = await scrollWell(page);
    t.diagnostic(`longest task ${best.longest} ms, ${best.rows} rows`);
    assert.ok(best.longest <= LONGEST_TASK, `a task took ${best.longest} ms`);
    assert.ok(best.rows > 10 && best.rows <= MOST_ROWS, `${best.rows} rows in the document`);
    const last = page.locator(`tr[aria-rowindex="${DEVICES + 1}"]`);
    await last.getByText(nameOf(DEVICES - 1)).waitFor();
    await last.getByText('Online').waitFor();

    const first = page.locator('tr[aria-rowindex="2"]');
    await page.getByRole('button', { name: 'Device' }).click();
    await first.getByText(nameOf(DEVICES - 1)).waitFor();
    await page.getByLabel('Search devices').fill('sensor-0123');
    await count.getByText('10 devices found').waitFor();
    await first.getByText(nameOf(1239)).waitFor();
    await page.getByLabel('Search devices').fill('nothing like it');
    await page.getByText('No device is like that.').waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.getByRole('combobox', { name: 'Tag' }).selectOption(`floor-3 (${DEVICES / FLOORS})`);
    await count.getByText('1,250 devices found').waitFor();
    await page.getByRole('combobox', { name: 'State' }).selectOption('Online');
    await page.getByText('No device is like that.').waitFor();
    await page.getByRole('combobox', { name: 'Tag' }).selectOption('All tags');
    await count.getByText('1 device found').waitFor();
    await first.getByText(nameOf(DEVICES - 1)).waitFor();
  },
);

/** All devices, from the first to the last. */
async function scrollWell(page: Page): Promise<Scroll> {
  const scrolls: Scroll[] = [];
  do {
    if (scrolls.length > 0) await page.reload();
    await page.getByTestId('device-count').getByText('10,000 devices').waitFor();
    let rows = 0;
    const longest = await longestTask(page, async () => {
      rows = await page.evaluate<number>(SCROLL);
      await page
        .locator(`tr[aria-rowindex="${DEVICES + 1}"]`)
        .getByText(nameOf(DEVICES - 1))
        .waitFor();
    });
    scrolls.unshift({ longest, rows });
  } while (scrolls[0]!.longest > LONGEST_TASK && scrolls.length < ATTEMPTS);
  return scrolls.sort((a, b) => a.longest - b.longest)[0]!;
}
