/**
 * What a transport promises, whichever it is, tried through servers, clients and sessions as applications use them.
 * `describeTransport(name, bed)` makes tests of all promises; `broken(promise, bed)` tries a single one.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Scope } from '../server/live.js';
import { hasProgram } from '../support/programs.js';
import type { TransportBed } from './bed.js';
import { ENDINGS } from './compliance-endings.js';
import { MESSAGES } from './compliance-messages.js';
import { OPENINGS } from './compliance-openings.js';

/** Something that every transport must do. */
export interface Promised {
  /** Whether it can be asked of this one. */
  readonly of?: (bed: TransportBed) => boolean;
  /** Fails where it is not kept. */
  readonly run: (scope: Scope, bed: TransportBed) => Promise<void>;
}

/** All promises, by what they say. */
export const PROMISES: Readonly<Record<string, Promised>> = { ...OPENINGS, ...MESSAGES, ...ENDINGS };

/** Makes a test of each promise. */
export function describeTransport(name: string, bed: TransportBed): void {
  describe(name, () => {
    for (const [says, { of, run }] of Object.entries(PROMISES)) {
      if (of !== undefined && !of(bed)) continue;
      test(says, async (t) => {
        if (bed.needs === undefined || (await hasProgram(t, bed.needs, says))) await run(t, bed);
      });
    }
  });
}

/** Tries one promise. Undefined when it is kept, else how it is broken. */
export async function broken(says: string, bed: TransportBed): Promise<unknown> {
  const promised = PROMISES[says];
  assert.ok(promised, `there is no promise "${says}"`);
  const ends: (() => unknown)[] = [];
  try {
    await promised.run({ after: (end) => void ends.push(end as () => unknown) }, bed);
    return undefined;
  } catch (error) {
    return error;
  } finally {
    for (const end of ends) await end();
  }
}
