/**
 * Builds the C tests of this folder for this machine, into `device/build/test`. An object is made again when its command or
 * anything that went into it has changed: gcc and clang write down what that was (`-MMD`). `node device/test/build.js` builds
 * all programs and says where they are.
 */

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { convertVectors } from './vectors/convert.js';

export const DEVICE = fileURLToPath(new URL('..', import.meta.url));
const BUILD = join(DEVICE, 'build/test');
const MINUTE = 60_000;

const execute = promisify(execFile);

/** What the core and its tests have to pass without a warning. */
export const WARNINGS = [
  ...['-std=c99', '-pedantic', '-Wall', '-Wextra', '-Wconversion', '-Wshadow', '-Werror'],
  ...['-Wstrict-prototypes', '-Wmissing-prototypes', '-Wundef', '-Wcast-align'],
];

/** Where the headers are; those of BearSSL give warnings by our measure. */
export const INCLUDES = [
  ...['core/include', 'crypto/include', 'test/support', 'test/vectors'].map(
    (path) => `-I${join(DEVICE, path)}`,
  ),
  ...['-DUSMP_CRYPTO_BEARSSL', '-isystem', '/usr/include/bearssl'],
];

const LONG = Boolean(process.env.USMP_LONG);

const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'];

/**
 * @typedef {object} Program
 * @property {string} name
 * @property {'gcc' | 'clang'} compiler
 * @property {readonly string[]} options for compiler and linker
 * @property {Record<string, number>} switches of the core
 * @property {boolean} [oneFile] the core as `usmp.c`: then only what is public can be tested
 */

const LARGEST = { USMP_MAX_MESSAGE: 1808, USMP_MAX_UNDER_WAY: 32, USMP_MAX_HELD: 64 };

/** @type {Program} Takes half a minute. */
const LARGE_SANITIZED = {
  name: 'clang with sanitizers, messages of 1,808, the largest windows',
  compiler: 'clang',
  options: ['-O1', '-g', ...SANITIZERS],
  switches: LARGEST,
};

/** @type {Program} By the optimiser, what `PLAIN` is without most of it. */
const LARGE_OPTIMISED = {
  name: 'gcc -O2, messages of 1,808, the largest windows',
  compiler: 'gcc',
  options: ['-O2'],
  switches: LARGEST,
};

/** @type {Program} Also for valgrind, and what the mutations are made of: its objects are made once for all of them. */
export const PLAIN = {
  name: 'gcc, messages of 1,808, the largest windows',
  compiler: 'gcc',
  options: ['-O1', '-g'],
  switches: LARGEST,
};

/** @type {readonly Program[]} */
export const PROGRAMS = [
  PLAIN,
  {
    name: 'gcc, the core as one file, messages of 452',
    compiler: 'gcc',
    options: ['-O2'],
    switches: { USMP_MAX_MESSAGE: 452 },
    oneFile: true,
  },
  {
    name: 'clang with sanitizers, messages of 452, the smallest windows',
    compiler: 'clang',
    options: ['-O1', '-g', ...SANITIZERS],
    switches: { USMP_MAX_MESSAGE: 452, USMP_MAX_UNDER_WAY: 1, USMP_MAX_HELD: 1 },
  },
  ...(LONG ? [LARGE_SANITIZED, LARGE_OPTIMISED] : []),
];

/** The functions of the seam that `support/seam.c` stands in front of. */
const WATCHED = [
  ...['crypto_x25519_public_key', 'crypto_x25519_agree', 'crypto_hmac_sha256'],
  ...['aead_prepare', 'aead_seal', 'aead_open', 'aead_release'],
];

/** Test suites that call what is inside of the core, or need not run for the core as one file again. */
const INTERNAL = [
  ...(LONG ? [] : ['crypto_failures', 'vectors']),
  ...['arq', 'cobs', 'crc16', 'datagram_connection', 'datagram_networks', 'endpoint', 'frame', 'handshake'],
  ...['key_schedule', 'message', 'rate_limit', 'record', 'replay', 'utack'],
].map((name) => `${name}_test.c`);

/* ── What this machine has ───────────────────────────────────────────────────────────────────────────────────────── */

/**
 * The absolute path of a program.
 *
 * @param {string} name
 * @returns {string | undefined}
 */
export function findProgram(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not there.
    }
  }
  return undefined;
}

/**
 * What is missing to build with a compiler, in words; undefined where nothing is.
 *
 * @param {string} compiler
 * @param {readonly string[]} options
 * @returns {Promise<string | undefined>}
 */
export async function whatIsMissing(compiler, options = []) {
  const path = findProgram(compiler);
  if (path === undefined) return `no ${compiler} on the PATH: apt-get install ${compiler}`;
  try {
    await execute(path, [
      ...INCLUDES,
      '-include',
      'bearssl.h',
      '-E',
      '-x',
      'c',
      '/dev/null',
      '-o',
      '/dev/null',
    ]);
  } catch {
    return 'no BearSSL below /usr/include/bearssl: apt-get install libbearssl-dev';
  }
  if (!options.some((option) => option.startsWith('-fsanitize'))) return undefined;
  try {
    const probe = ['-x', 'c', '-', '-o', '/dev/null'];
    const linking = execute(path, [...options, ...probe]);
    linking.child.stdin?.end('int main(void) { return 0; }\n');
    await linking;
  } catch {
    return `${compiler} has no sanitizers: apt-get install libclang-rt-14-dev`;
  }
  return undefined;
}

/* ── Building ────────────────────────────────────────────────────────────────────────────────────────────────────── */

const SUITES = readdirNames('core', '_test.c');

/** @param {string} folder @param {string} end */
function readdirNames(folder, end) {
  return readdirSync(join(DEVICE, 'test', folder)).filter((name) => name.endsWith(end));
}

/**
 * Compiles and links the unit tests.
 *
 * @param {Program} program
 * @returns {Promise<string>} path of the program: called with the name of a suite it prints TAP, without any the names
 */
export async function build(program) {
  const objects = await objectsOf(program);
  return await link(compilerOf(program), [...objects.values()], program.options);
}

/**
 * The objects of the unit tests.
 *
 * @param {Program} program
 * @returns {Promise<Map<string, string>>} paths, by that of the source
 */
export async function objectsOf(program) {
  const compiler = compilerOf(program);
  const sources = sourcesOf(program);
  const objects = await Promise.all(sources.map(({ file, options }) => compile(compiler, file, options)));
  return new Map(sources.map(({ file }, index) => [file, objects[index]]));
}

/** @param {Program} program */
function compilerOf(program) {
  const compiler = findProgram(program.compiler);
  if (compiler === undefined) throw new Error(`no ${program.compiler}`);
  return compiler;
}

/**
 * What a program is made of, and how each file is compiled.
 *
 * @param {Program} program
 * @returns {{ file: string, options: string[] }[]}
 */
export function sourcesOf(program) {
  const switches = Object.entries({ USMP_SERVER: 1, ...program.switches });
  const defines = switches.map(([name, value]) => `-D${name}=${value}`);
  if (program.oneFile) defines.push('-DTEST_ONE_FILE', ...(LONG ? ['-DTEST_ALL'] : []));

  const test = (folder, name) => join(DEVICE, 'test', folder, name);
  const core = program.oneFile
    ? [join(DEVICE, 'core/usmp.c')]
    : readdirSync(join(DEVICE, 'core/src'))
        .filter((name) => name.endsWith('.c'))
        .map((name) => join(DEVICE, 'core/src', name));
  const suites = SUITES.filter((name) => !program.oneFile || !INTERNAL.includes(name));
  const optimised = [...core, ...readdirNames('support', '.c').map((name) => test('support', name))];
  // Their memory is watched; how they compute, only where there is time.
  const trusting = program.options.includes(SANITIZERS[0]) && !LONG ? ['-fno-sanitize=undefined'] : [];
  const renames = WATCHED.map((name) => `-Dusmp_${name}=real_${name.replace('crypto_', '')}`);
  return [
    ...optimised.map((file) => ({
      file,
      options: [...program.options, ...WARNINGS, ...INCLUDES, ...defines],
    })),
    // The tests themselves need no optimisation, which would be most of the time for all of this.
    ...suites.map((name) => ({
      file: test('core', name),
      options: [...program.options, '-O0', ...trusting, ...WARNINGS, ...INCLUDES, ...defines],
    })),
    // These do not depend on the switches, so all programs of a compiler share them.
    ...['bearssl.c', 'memory.c'].map((name) => ({
      file: join(DEVICE, 'crypto/src', name),
      options: [...program.options, '-std=c99', ...INCLUDES, ...renames],
    })),
    { file: convertVectors(), options: [...program.options, '-std=c99', ...INCLUDES] },
  ];
}

/** Objects that are being made or were made in this run: programs share them. @type {Map<string, Promise<string>>} */
const made = new Map();

/** @param {string} compiler @param {string} file @param {readonly string[]} options */
function compile(compiler, file, options) {
  const command = hash([compiler, file, ...options]);
  const object = join(BUILD, `${basename(file, '.c')}-${command}.o`);
  let making = made.get(object);
  if (making === undefined) {
    making = isCurrent(object, dependencies(object)) ? Promise.resolve(object) : make(object);
    made.set(object, making);
  }
  return making;

  /** @param {string} output */
  function make(output) {
    return turn(async () => {
      const draft = `${output}.${process.pid}`;
      await mkdir(dirname(output), { recursive: true });
      await run(compiler, [...options, '-MMD', '-MF', `${draft}.d`, '-c', file, '-o', draft]);
      await rename(`${draft}.d`, `${output}.d`);
      await rename(draft, output);
      return output;
    });
  }
}

/** @param {string} compiler @param {readonly string[]} objects @param {readonly string[]} options */
async function link(compiler, objects, options) {
  const program = join(BUILD, `unit-${hash([compiler, ...objects, ...options])}`);
  if (isCurrent(program, objects)) return program;
  return await turn(async () => {
    const draft = `${program}.${process.pid}`;
    await run(compiler, [...options, ...objects, '-lbearssl', '-o', draft]);
    await rename(draft, program);
    return program;
  });
}

/**
 * Compiles without keeping anything: for what only has to compile.
 *
 * @param {string} compiler
 * @param {readonly string[]} args
 */
export function compiles(compiler, args) {
  const path = findProgram(compiler);
  if (path === undefined) throw new Error(`no ${compiler}`);
  return turn(() => run(path, args));
}

/** Runs a compiler; what it says becomes the error. @param {string} program @param {readonly string[]} args */
async function run(program, args) {
  try {
    await execute(program, args, { timeout: 5 * MINUTE, maxBuffer: 1 << 24 });
  } catch (error) {
    const { stderr = '' } = /** @type {{ stderr?: string }} */ (error);
    throw new Error(`${basename(program)} ${args.join(' ')}\n${stderr || error}`, { cause: error });
  }
}

/** Compilers that run at once; the others wait in line. */
let running = 0;
/** @type {(() => void)[]} */
const waiting = [];

/** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
async function turn(work) {
  if (running >= availableParallelism())
    await new Promise((resolve) => waiting.push(() => resolve(undefined)));
  running++;
  try {
    return await work();
  } finally {
    running--;
    waiting.shift()?.();
  }
}

/** @param {readonly string[]} words */
function hash(words) {
  return createHash('sha256').update(words.join('\0')).digest('hex').slice(0, 16);
}

/** What went into an object; undefined where that is not known. @param {string} object */
function dependencies(object) {
  try {
    const text = readFileSync(`${object}.d`, 'utf8').replaceAll('\\\n', ' ');
    return text
      .slice(text.indexOf(':') + 1)
      .split(/\s+/)
      .filter((word) => word !== '');
  } catch {
    return undefined;
  }
}

/** @param {string} output @param {readonly string[] | undefined} inputs */
function isCurrent(output, inputs) {
  if (inputs === undefined) return false;
  try {
    const time = statSync(output).mtimeMs;
    return inputs.every((input) => statSync(input).mtimeMs <= time);
  } catch {
    return false;
  }
}

/** Removes everything that was built. */
export function clean() {
  return rm(BUILD, { recursive: true, force: true });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const program of PROGRAMS) {
    const missing = await whatIsMissing(program.compiler, program.options);
    console.log(`${program.name}: ${missing ?? (await build(program))}`);
  }
}
