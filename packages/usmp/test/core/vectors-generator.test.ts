import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const REPOSITORY = new URL('../../../../', import.meta.url);
const GENERATOR = fileURLToPath(new URL('spec/vectors/gen/generate.py', REPOSITORY));
const VECTORS = fileURLToPath(new URL('spec/vectors/', REPOSITORY));
const FILES = ['crc.json', 'sessions.json', 'rekey.json', 'invalid.json', 'utack.json', 'cobs.json'];

/** Installing the environment may take a while on the first run. */
const INSTALLATION = 10 * 60_000;

test('the committed vectors are what the independent generator makes', {
  timeout: INSTALLATION,
}, async (t) => {
  const { vectorsPython } = (await import(new URL('scripts/peers.js', REPOSITORY).href)) as {
    vectorsPython(): Promise<string | undefined>;
  };
  const python = await vectorsPython();
  if (python === undefined) {
    assert.notEqual(process.env.CI, 'true', 'the generator must run where CI=true');
    t.skip('NO PYTHON: the vectors were not compared with their generator');
    return;
  }
  const check = (folder: string) =>
    promisify(execFile)(python, ['-B', GENERATOR, '--check', '--out', folder]);
  await check(VECTORS);

  const copy = await mkdtemp(join(tmpdir(), 'usmp-vectors-'));
  try {
    for (const file of FILES) {
      await cp(join(VECTORS, file), join(copy, file));
      await writeFile(join(copy, file), `${await readFile(join(copy, file), 'utf8')}\n`);
    }
    await assert.rejects(check(copy), (error: { stderr: string }) => {
      for (const file of FILES) assert.match(error.stderr, new RegExp(`${file} differs`));
      return true;
    });
  } finally {
    await rm(copy, { recursive: true });
  }
});
