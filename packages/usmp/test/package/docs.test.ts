import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { access, readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { ERROR_CODES } from '#dist/core/errors.js';
import { repository } from './paths.js';

test('docs/errors.md lists exactly the codes that exist, each with the right fault', async () => {
  const text = await readFile(join(repository, 'docs/errors.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([a-z0-9_]+)` .*$/gm)].map(([row, code]) => ({ row, code }));
  const documented = rows.filter(({ code }) => code in ERROR_CODES);
  assert.deepEqual(documented.map(({ code }) => code).sort(), Object.keys(ERROR_CODES).sort());
  for (const { row, code } of documented) {
    const [fault] = ERROR_CODES[code as keyof typeof ERROR_CODES];
    assert.match(row, new RegExp(`\\| ${fault} `), code);
  }
});

test('links between the documents lead somewhere', async () => {
  const documents = (await readdir(repository, { recursive: true })).filter(
    (file) => file.endsWith('.md') && !/node_modules|\.peers|\.bearssl|device\/build/.test(file),
  );
  assert.ok(documents.length > 5);
  const broken: string[] = [];
  for (const document of documents) {
    const text = await readFile(join(repository, document), 'utf8');
    for (const [, link] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const target = resolve(repository, dirname(document), link);
      await access(target).catch(() => broken.push(`${document}: ${link}`));
    }
  }
  assert.deepEqual(broken, []);
});

test('ARCHITECTURE.md says of every source file what it is for', async () => {
  const text = await readFile(join(repository, 'ARCHITECTURE.md'), 'utf8');
  const files = await readdir(join(repository, 'packages/usmp/src'), { recursive: true });
  const unnamed = files.filter((file) => file.endsWith('.ts') && !text.includes(basename(file)));
  assert.deepEqual(unnamed, []);
});

test('the core in C has the same parts under the same names', async () => {
  const names = async (folder: string, extension: string) =>
    (await readdir(join(repository, folder)))
      .filter((file) => file.endsWith(extension))
      .map((file) => basename(file, extension).replaceAll('-', '_'));
  // Where there is nothing to run: interfaces, counters, numbers. Headers have them in C.
  const headersAlone = ['bytes', 'crypto', 'limits', 'stats'];
  const typescript = (await names('packages/usmp/src/core', '.ts')).filter(
    (name) => !headersAlone.includes(name),
  );
  assert.deepEqual((await names('device/core/src', '.c')).sort(), typescript.sort());
});

test('one file of the core in C brings all others together', async () => {
  const text = await readFile(join(repository, 'device/core/usmp.c'), 'utf8');
  const included = [...text.matchAll(/^#include "src\/(.+)"$/gm)].map(([, file]) => file);
  assert.deepEqual(included, (await readdir(join(repository, 'device/core/src'))).sort());
});

test('all packages carry one version number', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(repository, 'scripts/version.js')], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
});
