/**
 * A gateway that starts or stops, and a command on a stopped one, have the data folder for a moment: others wait for it.
 *
 * @module
 */

import { setTimeout as delay } from 'node:timers/promises';
import { GatewayError } from '../errors.js';

/** Milliseconds. */
const PATIENCE = 3_000;
const RETRY = 100;

/** Tries again for a while when somebody else has the folder. @throws {GatewayError} `conflict`: they keep it */
export async function whenUnlocked<Result>(work: () => Promise<Result>): Promise<Result> {
  for (const begun = performance.now(); ; await delay(RETRY)) {
    try {
      return await work();
    } catch (error) {
      const isLocked = error instanceof GatewayError && error.code === 'conflict';
      if (!isLocked || performance.now() - begun > PATIENCE) throw error;
    }
  }
}
