import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('../../../../', import.meta.url));
const CORE = 'packages/usmp/src/core';

/** What would let the core touch a socket, a timer, a clock or a random source, and who must refuse it. */
const PROBES: Record<string, { code: string; lint?: true; types?: true }> = {
  'static-import': { code: `import fs from 'node:fs';\nexport const probe = fs;`, lint: true, types: true },
  'dynamic-import': { code: `export const probe = import('../crypto/node.js');`, lint: true, types: true },
  'driver-import': { code: `export { Peer as probe } from '../peer.js';`, lint: true, types: true },
  'package-import': { code: `import fc from 'fast-check';\nexport const probe = fc;`, lint: true },
  'type-import': {
    code: `import type { Socket } from 'node:net';\nexport type Probe = Socket;`,
    lint: true,
    types: true,
  },
  ...Object.fromEntries(
    [
      'Buffer',
      'process',
      'setTimeout',
      'setImmediate',
      'queueMicrotask',
      'console',
      'document',
      'fetch',
      'crypto',
      'performance',
      'require',
    ].map((name) => [`global-${name}`, { code: `export const probe = ${name};`, types: true as const }]),
  ),
};

/** What belongs to the language itself and so passes every compiler, but reads a clock, chance, or the way to both. */
const AMBIENT =
  /\b(?:Date|Math\s*\.\s*random|Math\s*\[|globalThis|eval|Function\s*\(|Atomics|WeakRef|FinalizationRegistry)/;

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
}

let folder: string;
before(async () => {
  // A copy: files of a broken kind in the real folder would disturb whoever builds at the same time.
  folder = await mkdtemp(join(tmpdir(), 'usmp-sans-io-'));
  await mkdir(join(folder, CORE), { recursive: true });
  for (const file of [
    'biome.json',
    'tsconfig.base.json',
    'packages/usmp/package.json',
    join(CORE, 'tsconfig.json'),
  ]) {
    await cp(join(REPOSITORY, file), join(folder, file));
  }
  await cp(join(REPOSITORY, CORE, 'crc16.ts'), join(folder, CORE, 'crc16.ts'));
  for (const other of ['crypto/node.ts', 'peer.ts']) {
    const path = join(folder, CORE, '..', other);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, 'export const Peer = 1;\n');
  }
  await writeFile(join(folder, CORE, 'allowed.ts'), `export { crc16 } from './crc16.js';\n`);
  for (const [name, { code }] of Object.entries(PROBES)) {
    await writeFile(join(folder, CORE, `${name}.ts`), `${code}\n`);
  }
});
after(() => rm(folder, { recursive: true }));

describe('core/ is sans-IO, and the rules that say so bite', () => {
  test('the linter refuses every import from outside', async () => {
    const linter = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome');
    const report = await run(process.execPath, [
      linter,
      'lint',
      '--vcs-enabled=false',
      '--reporter=json',
      '--max-diagnostics=none',
      '.',
    ]);
    const { diagnostics } = JSON.parse(report) as {
      diagnostics: { category: string; severity: string; location: { path: unknown } }[];
    };
    const refused = new Set(
      diagnostics
        .filter(
          ({ category, severity }) => category === 'lint/style/noRestrictedImports' && severity === 'error',
        )
        .map(({ location }) => JSON.stringify(location.path)),
    );
    for (const [name, { lint }] of Object.entries(PROBES)) {
      const found = [...refused].some((path) => path.includes(`${CORE}/${name}.ts`));
      assert.equal(found, lint === true, name);
    }
    assert.ok(![...refused].some((path) => path.includes('allowed.ts')), 'an import inside core/ is fine');
  });

  test('the compiler knows neither Node nor the browser there', async () => {
    const compiler = join(
      dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
      'bin/tsc',
    );
    const report = await run(process.execPath, [
      compiler,
      '-p',
      join(folder, CORE),
      '--noEmit',
      '--pretty',
      'false',
    ]);
    for (const [name, { types }] of Object.entries(PROBES)) {
      if (types) assert.match(report, new RegExp(`${name}\\.ts\\(\\d+,\\d+\\): error TS`), name);
    }
    assert.doesNotMatch(report, /(?:allowed|crc16)\.ts/, 'what is allowed compiles');
  });

  test('no source reads the clock or chance by what the language itself offers', async () => {
    const files = (await readdir(join(REPOSITORY, CORE))).filter((file) => file.endsWith('.ts'));
    assert.ok(files.length >= 10);
    for (const file of files) {
      const source = withoutComments(await readFile(join(REPOSITORY, CORE, file), 'utf8'));
      assert.doesNotMatch(source, AMBIENT, file);
    }
    for (const probe of [
      'Date.now()',
      'new Date()',
      'Math.random()',
      "globalThis['setTimeout']",
      "Function('x')",
    ]) {
      assert.match(withoutComments(`const probe = ${probe}; // ok`), AMBIENT);
    }
  });
});

/** What a program writes, however it ends. */
function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, args, { cwd: folder, maxBuffer: 1e7 }, (_error, stdout) => resolve(stdout));
  });
}
