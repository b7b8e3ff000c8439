/** Pages in a real Chromium. What their consoles complain of, and whom they ask, is checked when a test ends. */

import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { DEADLINE } from '../operation/gateway-process.js';

const SCRIPT = new URL('../../../../scripts/chromium.js', import.meta.url);

/** What a desk has. Pixels. */
const DESK = { width: 1280, height: 800 };

let browser: Promise<Browser | undefined> | undefined;
after(async () => (await browser)?.close());

export interface WindowOptions {
  /** Complaints of the console that belong to the test. */
  readonly expected?: RegExp;
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: 'light' | 'dark';
  /** Of a phone: fingers, and a window that follows the viewport's meta tag. */
  readonly touch?: boolean;
}

/** Opens a window that shares nothing with others, with a page that is still empty. */
export type OpenWindow = (options?: WindowOptions) => Promise<Page>;

/** A test that needs Chromium. Where there is none it is left out, loudly; under CI, where nothing may be left out, it fails. */
export function testInChromium(
  promise: string,
  run: (t: TestContext, open: OpenWindow) => Promise<void>,
): void {
  test(promise, { timeout: 180_000 }, async (t) => {
    browser ??= launch();
    const launched = await browser;
    if (launched === undefined) return skipLoudly(t, 'chromium is missing', promise);
    const windows = new Windows(launched);
    // Before the gateway goes, which would be a complaint of its own.
    await run(t, (options) => windows.open(options)).finally(() => windows.close());
    assert.deepEqual(windows.complaints, []);
  });
}

async function launch(): Promise<Browser | undefined> {
  const script = await import(SCRIPT.href);
  return script.launchChromium();
}

export function skipLoudly(t: TestContext, missing: string, promise: string): void {
  assert.notEqual(process.env.CI, 'true', missing);
  console.error(`*** NOT TESTED, ${missing}: ${promise}`);
  t.skip(missing);
}

class Windows {
  readonly complaints: string[] = [];
  readonly #browser: Browser;
  readonly #contexts: BrowserContext[] = [];

  constructor(browser: Browser) {
    this.#browser = browser;
  }

  async open({ expected, width, height, scheme, touch }: WindowOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({
      viewport: { width: width ?? DESK.width, height: height ?? DESK.height },
      colorScheme: scheme ?? 'light',
      // What moves is drawn again and again.
      reducedMotion: 'reduce',
      ...(touch === true ? { hasTouch: true, isMobile: true } : {}),
    });
    this.#contexts.push(context);
    context.setDefaultTimeout(DEADLINE);
    watch(context, (text) => {
      if (expected?.test(text) !== true) this.complaints.push(text);
    });
    return context.newPage();
  }

  async close(): Promise<void> {
    await Promise.all(this.#contexts.map((context) => context.close()));
  }
}

/** What goes wrong in pages: errors, what their policy forbids, and requests to anybody but the machine of the test. */
function watch(context: BrowserContext, complain: (text: string) => void): void {
  context.on('weberror', (error) => complain(String(error.error().stack)));
  context.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complain(message.text());
  });
  context.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol !== 'data:' && hostname !== '127.0.0.1') complain(`asked ${request.url()}`);
  });
}
