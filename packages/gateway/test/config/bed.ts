/** A folder of its own for each test, and the configuration that is loaded from there. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { ConfigError, type ConfigSources, type LoadedConfig, loadConfig } from '#dist/config/load.js';

export interface Bed {
  readonly folder: string;
  /** Writes a file in the folder and returns its path. */
  write(name: string, text: string | Uint8Array): string;
  load(sources?: Partial<ConfigSources>): LoadedConfig;
  /** What is wrong; none when it loads. */
  problems(sources?: Partial<ConfigSources>): readonly string[];
}

export function makeBed(t: TestContext): Bed {
  const folder = mkdtempSync(join(tmpdir(), 'usmp-config-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const load = (sources: Partial<ConfigSources> = {}) =>
    loadConfig({ env: {}, flags: {}, cwd: folder, ...sources });
  return {
    folder,
    write(name, text) {
      const file = join(folder, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      return file;
    },
    load,
    problems(sources) {
      try {
        load(sources);
        return [];
      } catch (error) {
        if (error instanceof ConfigError) return error.problems;
        throw error;
      }
    },
  };
}
