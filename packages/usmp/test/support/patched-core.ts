/** Copies of the compiled core with a few words changed, for what no test could wait for. */

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const CORE = fileURLToPath(new URL('../../dist/core/', import.meta.url));

export interface Patch {
  /** In `core/`. */
  readonly file: string;
  /** Must stand there exactly once. */
  readonly from: string;
  readonly to: string;
}

/** The module `stream-connection` of a core that differs by the patches. Its classes are not those of the real one. */
export async function patchedConnection(
  patches: readonly Patch[],
): Promise<typeof import('#dist/core/stream-connection.js')> {
  const folder = await mkdtemp(join(tmpdir(), 'usmp-core-'));
  try {
    await cp(CORE, folder, { recursive: true });
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    for (const { file, from, to } of patches) {
      const text = await readFile(join(folder, file), 'utf8');
      const parts = text.split(from);
      if (parts.length !== 2)
        throw new Error(`${file} has "${from}" ${parts.length - 1} times, must be once`);
      await writeFile(join(folder, file), parts.join(to));
    }
    return await import(pathToFileURL(join(folder, 'stream-connection.js')).href);
  } finally {
    await rm(folder, { recursive: true });
  }
}
