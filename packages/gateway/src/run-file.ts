/**
 * How the command line finds the gateway that runs on a data folder: a file that only its owner can read, with the
 * address of its API on the loopback interface and a token that is valid while it runs.
 *
 * @module
 */

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface RunFile {
  readonly pid: number;
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string;
  /** Where others reach the API: with the path left out, what the configuration and the flags of the start have made of it. */
  readonly api: string;
  /** Of role `admin`. */
  readonly token: string;
}

const NAME = 'run.json';

/** Replaces the file in one step, so that nobody reads half of it. */
export function writeRunFile(folder: string, run: RunFile): void {
  const file = join(folder, NAME);
  const made = `${file}.new`;
  rmSync(made, { force: true });
  writeFileSync(made, `${JSON.stringify(run)}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(made, file);
}

/** Undefined when there is none; the gateway it speaks of may be gone. */
export function readRunFile(folder: string): RunFile | undefined {
  try {
    const { pid, url, api, token } = JSON.parse(readFileSync(join(folder, NAME), 'utf8'));
    return [url, api, token].every((value) => typeof value === 'string')
      ? { pid: Number(pid), url, api, token }
      : undefined;
  } catch {
    return undefined;
  }
}

export function removeRunFile(folder: string): void {
  rmSync(join(folder, NAME), { force: true });
}
