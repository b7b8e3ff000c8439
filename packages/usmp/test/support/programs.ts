/** Programs of this machine that some tests need. */

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

const SCRIPT = new URL('../../../../scripts/programs.js', import.meta.url);

/** Its absolute path; undefined where it cannot be had. */
export async function findProgram(name: string): Promise<string | undefined> {
  const script = await import(SCRIPT.href);
  return script.findProgram(name);
}

/** Whether a test can be run. Where it cannot it is skipped loudly; under `CI=true` that is a failure. */
export async function hasProgram(t: TestContext, name: string, promise: string): Promise<boolean> {
  if ((await findProgram(name)) !== undefined) return true;
  const missing = `${name} is missing`;
  assert.notEqual(process.env.CI, 'true', missing);
  console.error(`*** NOT TESTED, ${missing}: ${promise}`);
  t.skip(missing);
  return false;
}
