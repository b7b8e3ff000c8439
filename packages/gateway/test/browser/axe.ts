/** What axe has to say of a page. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** Checks that axe finds nothing serious or critical in a page, neither light nor dark. */
export async function checkWithAxe(page: Page, what: string): Promise<void> {
  if (!(await page.evaluate<boolean>('"axe" in window'))) await page.evaluate(AXE);
  const light = await violations(page, {});
  await page.emulateMedia({ colorScheme: 'dark' });
  // All else is the same in the dark.
  const dark = await violations(page, { runOnly: ['color-contrast'] });
  await page.emulateMedia({ colorScheme: 'light' });
  assert.deepEqual([...light, ...dark].map(tell), [], what);
}

async function violations(page: Page, options: object): Promise<Violation[]> {
  const all = JSON.stringify({ ...options, resultTypes: ['violations'] });
  const found = await page.evaluate<Violation[]>(`axe.run(document, ${all}).then((r) => r.violations)`);
  return found.filter(({ impact }) => impact === 'serious' || impact === 'critical');
}

function tell({ id, help, nodes }: Violation): string {
  return `${id}: ${help}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`;
}
