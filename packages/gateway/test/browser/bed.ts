/** A gateway as an operator runs it, and its dashboard in windows of a browser. */

import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import type { Role } from '#dist/model.js';
import {
  GatewayProcess,
  type Scope,
  type StartOptions,
  temporaryFolder,
} from '../operation/gateway-process.js';
import type { OpenWindow, WindowOptions } from './chromium.js';
import { once, wholeFile } from './scope.js';

const TCP = ['tcp://127.0.0.1:0'];

export async function startGateway(t: Scope, options: Partial<StartOptions> = {}): Promise<GatewayProcess> {
  const folder = options.folder ?? temporaryFolder(t);
  const gateway = await GatewayProcess.start(t, { listen: TCP, ...options, folder });
  const index = await (await fetch(`${gateway.publicURL}/`)).text();
  assert.match(index, /<script type="module"/, 'the dashboard is not built: npm run build');
  return gateway;
}

/** One for all tests that do not mind what others have left. */
export const sharedGateway = once(() => startGateway(wholeFile));

/** A link that lets one browser in. */
export async function loginLink(gateway: GatewayProcess, role: Role = 'admin'): Promise<string> {
  const { url } = await gateway.expect(201, 'POST', '/api/v1/login-links', { role });
  return gateway.publicURL + new URL(url).pathname + new URL(url).search;
}

/** A window that is logged in, at a path of the dashboard. */
export async function openDashboard(
  gateway: GatewayProcess,
  open: OpenWindow,
  { path = '', role = 'admin', ...options }: WindowOptions & { path?: string; role?: Role } = {},
): Promise<Page> {
  const page = await open(options);
  await page.goto(await loginLink(gateway, role));
  if (path !== '') await page.goto(`${gateway.publicURL}/${path}`);
  await isLive(page);
  return page;
}

/** Waits until events come as they happen. */
export async function isLive(page: Page): Promise<void> {
  await page
    .getByRole('banner')
    .getByText(/^\W*Live$/)
    .waitFor();
}

/** The panel under a heading. */
export function panel(page: Page, title: string) {
  return page.getByRole('region', { name: title, exact: true });
}

/** Takes in a CSV file of devices. */
export async function importCsv(gateway: GatewayProcess, csv: string): Promise<void> {
  const { url, token } = gateway.runFileFacts();
  const response = await fetch(`${url}/api/v1/devices/import`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'text/csv' },
    body: csv,
  });
  assert.equal(response.status, 200, await response.text());
}
