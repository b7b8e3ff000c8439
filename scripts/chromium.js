/**
 * Chromium as tests of pages have it.
 */
import { chromium } from 'playwright-core';
import { findProgram } from './programs.js';

/** Neither acceleration nor anything that would ask other machines. */
const OPTIONS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Undefined where it cannot be had, which is said on stderr. @returns {Promise<import('playwright-core').Browser | undefined>} */
export async function launchChromium() {
  const executablePath = await findProgram('chromium');
  return executablePath === undefined ? undefined : chromium.launch({ executablePath, args: OPTIONS });
}
