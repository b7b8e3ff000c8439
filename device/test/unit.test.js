/**
 * The unit tests of the C core. Builds them in several ways (`build.js`), runs each suite in a process of its own, and shows
 * every promise as a test. And all combinations of switches have to compile without a warning, by two compilers.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { build, compiles, DEVICE, INCLUDES, PROGRAMS, WARNINGS, whatIsMissing } from './build.js';

const LONGEST_RUN = 120_000;

/** Each combination of switches by the optimiser, and each file alone, takes a while. */
const LONG = Boolean(process.env.USMP_LONG);

/** Suites that run: two at once, as two cores have. Here, as suites begin while this file is still being read. */
let running = 0;
/** @type {(() => void)[]} */
const waiting = [];

for (const program of PROGRAMS) {
  const missing = await whatIsMissing(program.compiler, program.options);
  describe(program.name, { skip: skipFor(missing) }, async () => {
    if (missing !== undefined) return;
    let path;
    try {
      path = await build(program);
    } catch (error) {
      test('builds', () => Promise.reject(error));
      return;
    }
    const { output } = await run(path, []);
    const names = output.split('\n').filter((line) => line !== '');
    const reports = await Promise.all(names.map((name) => inTurn(() => run(path, [name]))));
    for (const [i, name] of names.entries()) describe(name, () => show(reports[i]));
    test('error codes are those of the TypeScript core', () => checkErrorCodes(path));
  });
}

/** Loud: what is skipped here is not tested on this machine. @param {string | undefined} missing */
function skipFor(missing) {
  if (missing === undefined) return false;
  console.error(`\n*** The C core is not tested: ${missing}\n`);
  return missing;
}

/**
 * @typedef {object} Report
 * @property {string} output
 * @property {number | string | null} status
 */

/** @param {string} path @param {string[]} args @returns {Promise<Report>} */
function run(path, args) {
  return new Promise((resolve) => {
    execFile(path, args, { timeout: LONGEST_RUN, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      resolve({ output: stdout + stderr, status: error === null ? 0 : (error.code ?? error.signal ?? null) });
    });
  });
}

/** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
async function inTurn(work) {
  if (running >= 2) await new Promise((resolve) => waiting.push(() => resolve(undefined)));
  running++;
  try {
    return await work();
  } finally {
    running--;
    waiting.shift()?.();
  }
}

/** Each line of TAP as a test; what was said before it says why it has failed. @param {Report} report */
function show({ output, status }) {
  let said = [];
  let planned;
  let shown = 0;
  for (const line of output.split('\n')) {
    const result = /^(not ok|ok) \d+ - (.*)$/.exec(line);
    planned ??= /^1\.\.(\d+)$/.exec(line)?.[1];
    if (result === null) {
      said.push(line);
      continue;
    }
    const why = said.join('\n');
    said = [];
    shown++;
    test(result[2], () => {
      if (result[1] !== 'ok') assert.fail(why);
    });
  }
  const rest = said.join('\n');
  test('runs to its end', () => {
    assert.equal(planned, String(shown), `ended with ${status}\n${rest}`);
  });
}

/** @param {string} path */
async function checkErrorCodes(path) {
  const { ERROR_CODES } = await import('../../packages/usmp/dist/core/errors.js');
  const { output } = await run(path, ['--error-codes']);
  const rows = output.trim().split('\n');
  assert.ok(rows.length > 30);
  for (const row of rows) {
    const [code, fault] = row.split(' ');
    if (code === 'busy' || code === 'crypto_failed') continue;
    assert.ok(code in ERROR_CODES, code);
    assert.equal(fault, ERROR_CODES[code][0], `the fault of ${code}`);
  }
}

/* ── What has to compile ─────────────────────────────────────────────────────────────────────────────────────────── */

const CORE = join(DEVICE, 'core/src');
const HEADERS = readdirSync(join(DEVICE, 'core/include/usmp'));

/**
 * Every way to switch transports and the server on and off, as long as one transport is on.
 *
 * @returns {Generator<{ name: string, defines: string[], isTypical: boolean }>} typical is what is used: one transport, or all, by a
 * client; everything, by a server
 */
function* combinations() {
  for (let bits = 1; bits < 16; bits++) {
    const [stream, serial, datagram, server] = [0, 1, 2, 3].map((bit) => (bits >> bit) & 1);
    const transports = stream + serial + datagram;
    if (transports === 0) continue;
    const switches = Object.entries({ stream, serial, datagram, server });
    yield {
      name: switches
        .filter(([, value]) => value === 1)
        .map(([key]) => key)
        .join(', '),
      defines: switches.map(([key, value]) => `-DUSMP_${key.toUpperCase()}=${value}`),
      isTypical: transports === 3 || (transports === 1 && server === 0),
    };
  }
}

for (const compiler of /** @type {const} */ (['gcc', 'clang'])) {
  const missing = await whatIsMissing(compiler);
  describe(`${compiler} compiles without a warning`, { skip: skipFor(missing), concurrency: 4 }, () => {
    if (missing !== undefined) return;
    const sources = readdirSync(CORE)
      .filter((name) => name.endsWith('.c'))
      .map((name) => join(CORE, name));
    for (const { name, defines, isTypical } of combinations()) {
      const thorough = compiler === 'gcc' && (LONG || isTypical);
      // Some warnings of gcc come from its optimiser, those of clang never do.
      const mode = thorough ? ['-O1', '-c', '-o', '/dev/null'] : ['-fsyntax-only'];
      test(`${name}: one file`, () =>
        compiles(compiler, [...mode, ...WARNINGS, ...INCLUDES, ...defines, join(DEVICE, 'core/usmp.c')]));
      // With everything, the programs above are made of them.
      if (!thorough || (!LONG && name.includes(', '))) continue;
      test(`${name}: each file alone`, () =>
        compiles(compiler, ['-fsyntax-only', ...WARNINGS, ...INCLUDES, ...defines, ...sources]));
    }

    // In checks.test.js by one compiler.
    if (!LONG) return;
    test('each header alone, as C', () => headersAlone(compiler, 'c', WARNINGS));
    const cpp = ['-std=c++11', '-pedantic', '-Wall', '-Wextra', '-Werror'];
    test('each header alone, as C++', () => headersAlone(compiler, 'c++', cpp));
  });
}

/** @param {string} compiler @param {string} language @param {string[]} warnings */
async function headersAlone(compiler, language, warnings) {
  const options = ['-fsyntax-only', ...warnings, ...INCLUDES, '-DUSMP_SERVER=1', '-x', language];
  // What is in it does not matter, but a file of C has to have something in it.
  const source = join(DEVICE, 'core/src/crc16.c');
  const results = HEADERS.map((name) => compiles(compiler, [...options, '-include', `usmp/${name}`, source]));
  await Promise.all(results);
}
