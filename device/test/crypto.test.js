/** One test of the seam to cryptography, over each library that fills it, and what it promises. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findTools } from '../../scripts/toolchain.js';

const run = promisify(execFile);
const DEVICE = fileURLToPath(new URL('..', import.meta.url));
const tools = await findTools('analysis');
const skip =
  tools === undefined && 'no C compilers and cryptographic libraries: node scripts/toolchain.js says why';

const STRICT = [
  '-std=c99',
  '-Wall',
  '-Wextra',
  '-Wconversion',
  '-Wshadow',
  '-pedantic',
  '-Wundef',
  '-Werror',
];
const SANITIZED = ['-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'];

/** Every way to fill the seam: as compiled for this machine, and with what small chips multiply with. */
const BACKENDS = [
  {
    name: 'BearSSL',
    options: ['-DUSMP_CRYPTO_BEARSSL', '-isystem', '/usr/include/bearssl'],
    library: '-lbearssl',
  },
  {
    name: 'BearSSL as for chips without wide multiplication',
    options: ['-DUSMP_CRYPTO_BEARSSL', '-DUSMP_BEARSSL_M15=1', '-isystem', '/usr/include/bearssl'],
    library: '-lbearssl',
  },
  { name: 'PSA', options: ['-DUSMP_CRYPTO_PSA'], library: '-lmbedcrypto' },
  { name: 'Mbed TLS without PSA', options: ['-DUSMP_CRYPTO_MBEDTLS'], library: '-lmbedcrypto' },
];

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'usmp-seam-'));
});
after(() => rm(folder, { recursive: true }));

for (const [index, { name, options, library }] of BACKENDS.entries()) {
  describe(`the seam over ${name}`, { skip }, () => {
    for (const [compiler, optimisation] of [
      ['gcc', ['-O2']],
      ['clang', SANITIZED],
    ]) {
      test(`keeps its promises, built by ${compiler} ${optimisation.join(' ')}`, async (context) => {
        const program = join(folder, `${compiler}-${index}`);
        const sources = ['bearssl', 'psa', 'mbedtls', 'memory', 'random_posix'].map(
          (file) => `crypto/src/${file}.c`,
        );
        const paths = [
          '-Icore/include',
          '-Icrypto/include',
          '-Itest/crypto',
          ...sources,
          'test/crypto/seam_test.c',
          library,
        ];
        await run(tools[compiler], [...STRICT, ...optimisation, ...options, ...paths, '-o', program], {
          cwd: DEVICE,
        });
        const { stdout } = await run(program, { timeout: 60_000 }).catch((error) => error);
        const promises = [...stdout.matchAll(/^(ok|not ok) \d+ - (.*)$/gm)];
        assert.ok(promises.length > 20, stdout);
        assert.match(stdout, new RegExp(`^1\\.\\.${promises.length}$`, 'm'), 'it came to its end');
        for (const [, result, promise] of promises) {
          await context.test(promise, () => assert.equal(result, 'ok', stdout));
        }
      });
    }
  });
}

test('the vectors of the seam are what OpenSSL computes', async () => {
  await run(process.execPath, ['test/crypto/vectors.js', '--check'], { cwd: DEVICE });
});
