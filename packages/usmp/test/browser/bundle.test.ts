import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { packageFolder, repository } from '../package/paths.js';

const run = promisify(execFile);

/** What a page has to load for the client, cryptography included: compressed bytes. */
const SIZE_LIMIT = 35_000;

/** A module as an application's bundler makes it, and the files that went into it. */
async function bundle(source: string): Promise<{ code: string; files: string[] }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: source, resolveDir: packageFolder },
    absWorkingDir: packageFolder,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    metafile: true,
    write: false,
  });
  return { code: outputFiles[0]!.text, files: Object.keys(metafile.inputs) };
}

test(`a bundle with the client stays below ${SIZE_LIMIT} bytes, and needs nothing that only Node has`, async (t) => {
  const { code } = await bundle(
    `import { USMPClient } from 'usmp/browser'; globalThis.USMPClient = USMPClient;`,
  );
  const size = gzipSync(code, { level: 9 }).length;
  t.diagnostic(`usmp/browser with cryptography: ${code.length} bytes minified, ${size} bytes with gzip`);
  assert.ok(size <= SIZE_LIMIT, `${size} bytes with gzip`);
  // A connection has a method of that name, so it is the call that counts.
  for (const absent of [/\bBuffer\b/, /\bnode:/, /\brequire\(["'`]/, /\bimport\b/, /__dirname/]) {
    assert.ok(!absent.test(code), `${absent} in the bundle`);
  }
});

test('what browsers have no use for is in no bundle: datagrams, the server, the sockets of Node', async () => {
  const { files } = await bundle(`export * from 'usmp/browser';`);
  const own = files.filter((file) => file.startsWith('dist/'));
  assert.ok(own.includes('dist/transports/browser-websocket.js'), own.join());
  assert.deepEqual(
    own.filter((file) => /datagram|arq|utack|endpoint|server\/|cli\/|node|tcp|udp/.test(file)),
    [],
  );
  const others = files.filter((file) => !file.startsWith('dist/') && file !== '<stdin>');
  for (const file of others) assert.match(file, /node_modules\/@noble\/(?:ciphers|curves|hashes)\//);
});

test('all that it is made of compiles with the types of a browser alone, and what is Node’s does not', async () => {
  const compiler = join(repository, 'node_modules/.bin/tsc');
  const config = join(packageFolder, 'src/tsconfig.browser.json');
  await run(compiler, ['-p', config]).catch(({ stdout }) => assert.fail(stdout));

  const folder = await mkdtemp(join(tmpdir(), 'usmp-browser-'));
  try {
    await writeFile(join(folder, 'probe.ts'), 'export const probe = [Buffer, process, setImmediate];\n');
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: config, files: ['probe.ts'], compilerOptions: { rootDir: '.' } }),
    );
    const { stdout } = await run(compiler, ['-p', folder, '--pretty', 'false']).then(
      () => ({ stdout: '' }),
      (error) => error,
    );
    for (const name of ['Buffer', 'process', 'setImmediate']) {
      assert.match(stdout, new RegExp(`Cannot find name '${name}'`));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
