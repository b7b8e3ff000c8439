/** Waiting for what must come, however busy the machine. */

import { setTimeout as delay } from 'node:timers/promises';

/** How long anything may take on a busy machine. Milliseconds. */
export const DEADLINE = 60_000;

/** Until the condition holds. @throws {Error} it does not in time */
export async function until(condition: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const deadline = performance.now() + DEADLINE;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what()}`);
    await delay(2);
  }
}
