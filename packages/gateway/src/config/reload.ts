/**
 * What a new configuration changes while the gateway runs.
 *
 * @module
 */

import { type Config, fileValues } from './config.js';
import { OPTIONS } from './options.js';

/** Names of the options that differ: those that apply at once, and those that wait for the next start. */
export function changesOf(before: Config, after: Config): { applied: string[]; needRestart: string[] } {
  const [old, fresh] = [fileValues(before), fileValues(after)];
  const changed = OPTIONS.filter(
    ({ path }) => JSON.stringify(old.get(path)) !== JSON.stringify(fresh.get(path)),
  );
  return {
    applied: changed.filter(({ live }) => live).map(({ path }) => path),
    needRestart: changed.filter(({ live }) => !live).map(({ path }) => path),
  };
}
