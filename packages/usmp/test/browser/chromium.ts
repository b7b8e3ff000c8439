/** Pages in a real Chromium, from a server on 127.0.0.1. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, type TestContext, test } from 'node:test';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { packageFolder } from '../package/paths.js';
import { hasProgram } from '../support/programs.js';

const SCRIPT = new URL('../../../../scripts/chromium.js', import.meta.url);

/** As strict as a page can be that connects to this machine. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src ws://127.0.0.1:*";

/** What the pages of tests load. */
const SCRIPTS: Record<string, () => Promise<string>> = {
  '/usmp.js': () => bundled(`export * from 'usmp/browser'`),
  '/page.js': async () => `import * as usmp from './usmp.js'; globalThis.usmp = usmp;`,
  '/worker.js': async () => WORKER,
};

/** Says what an echo server answers. */
const WORKER = `
  import { USMPClient } from './usmp.js';
  onmessage = async ({ data }) => {
    const session = await new USMPClient(data).connect();
    await session.send('from a worker');
    postMessage(new TextDecoder().decode(await session.recv()));
    await session.close();
  };`;

let browser: Promise<Browser> | undefined;
after(async () => (await browser)?.close());

/** What a test is given to open pages with. */
export type OpenPage = (options?: PageOptions) => Promise<Page>;

export interface PageOptions {
  /** Instead of the strict one. */
  readonly contentSecurityPolicy?: string;
  /** Instead of the page of the tests. */
  readonly url?: string;
}

/**
 * A test that needs Chromium. Where there is none it is left out, loudly; under CI, where nothing may be left out, it fails.
 * It fails too when something is thrown in a page that nothing there catches.
 */
export function testInChromium(
  promise: string,
  run: (t: TestContext, openPage: OpenPage) => Promise<void>,
): void {
  test(promise, { timeout: 120_000 }, async (t) => {
    if (!(await hasProgram(t, 'chromium', promise))) return;
    browser ??= launch();
    await run(t, pageOpener(t, await browser));
  });
}

async function launch(): Promise<Browser> {
  const script = await import(SCRIPT.href);
  return script.launchChromium();
}

function pageOpener(t: TestContext, in_: Browser): OpenPage {
  return async (options = {}) => {
    const url = options.url ?? (await servePages(t, options));
    const context = await in_.newContext();
    const page = await context.newPage();
    const uncaught: Error[] = [];
    page.on('pageerror', (error) => uncaught.push(error));
    t.after(async () => {
      await context.close();
      assert.deepEqual(uncaught, []);
    });
    await page.goto(url);
    if (options.url === undefined) await page.waitForFunction('globalThis.usmp !== undefined');
    return page;
  };
}

async function servePages(
  t: TestContext,
  { contentSecurityPolicy = CONTENT_SECURITY_POLICY }: PageOptions,
): Promise<string> {
  const server = createServer(async ({ url = '' }, response) => {
    response.setHeader('Content-Security-Policy', contentSecurityPolicy);
    if (url === '/') {
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      response.end('<!doctype html><title>test</title><script type="module" src="page.js"></script>');
    } else if (url in SCRIPTS) {
      response.setHeader('Content-Type', 'text/javascript');
      response.end(await SCRIPTS[url]!());
    } else response.writeHead(404).end();
  });
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** A module as browsers get it. */
export async function bundled(source: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: packageFolder },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  });
  return outputFiles[0]!.text;
}
