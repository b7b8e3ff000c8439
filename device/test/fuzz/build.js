/**
 * Builds the fuzz targets of this folder, into `device/build/fuzz`. What is built has the hash of all that went into it in its
 * name, so a second build finds it there. `node device/test/fuzz/build.js [TARGET…]` builds all, or some, and says where they are.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { findTools } from '../../../scripts/toolchain.js';

const FUZZ = fileURLToPath(new URL('.', import.meta.url));
const DEVICE = fileURLToPath(new URL('../..', import.meta.url));
export const BUILD = join(DEVICE, 'build/fuzz');

/** What nobody has built for so long belongs to sources that are no more. */
const STALE = 24 * 3_600_000;

const run = promisify(execFile);

/**
 * @typedef {object} Target
 * @property {readonly string[]} sources beside `ends.c` and `watch.c`, which all have
 * @property {'toy' | 'real'} seam the toy is faster by far (toy.c); the real one is BearSSL
 */

/**
 * With the toy, long messages and many frames under way; with the real one, the defaults of a small device.
 *
 * @satisfies {Record<string, Target>}
 */
export const TARGETS = {
  decoder: { sources: ['decoder.c'], seam: 'toy' },
  client: { sources: ['client.c', 'handshake.c'], seam: 'toy' },
  server: { sources: ['server.c', 'handshake.c'], seam: 'toy' },
  session: { sources: ['session.c'], seam: 'toy' },
  'session-bearssl': { sources: ['session.c'], seam: 'real' },
  datagrams: { sources: ['datagrams.c'], seam: 'toy' },
  'datagrams-bearssl': { sources: ['datagrams.c'], seam: 'real' },
  endpoint: { sources: ['endpoint.c'], seam: 'toy' },
};

/** @typedef {keyof typeof TARGETS} TargetName */

export const TARGET_NAMES = /** @type {TargetName[]} */ (Object.keys(TARGETS));

const SWITCHES = {
  toy: {
    USMP_SERVER: 1,
    USMP_MAX_MESSAGE: 1808,
    USMP_SEND_QUEUE: 2,
    USMP_MAX_UNDER_WAY: 8,
    USMP_MAX_HELD: 4,
  },
  real: { USMP_SERVER: 1 },
};

const INCLUDES = {
  toy: [`-I${join(FUZZ, 'toy')}`],
  real: ['-isystem', '/usr/include/bearssl'],
};

const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'];

/** The core, and what runs on it, is what the fuzzer learns from. The rest need not slow it down. */
const LEARNS = '-fsanitize=fuzzer-no-link';

/** Functions of the seam that `watch.c` stands in front of. */
const WATCHED = [
  ...[
    'usmp_crypto_x25519_public_key',
    'usmp_crypto_x25519_agree',
    'usmp_crypto_hmac_sha256',
    'usmp_aead_prepare',
  ],
  ...['usmp_aead_seal', 'usmp_aead_open', 'usmp_aead_release'],
];

/** @returns {Promise<string | undefined>} path of clang; undefined where it cannot be had */
async function findClang() {
  return (await findTools('analysis'))?.clang;
}

/** Whether targets can be built here. */
export async function canBuild() {
  return (await findClang()) !== undefined;
}

/**
 * @param {TargetName} name
 * @returns {Promise<string>} path of the program
 */
export async function buildTarget(name) {
  const clang = await findClang();
  if (clang === undefined) throw new Error('no clang');
  await mkdir(BUILD, { recursive: true });
  const { sources, seam } = TARGETS[name];
  const objects = await Promise.all([
    core(clang, seam),
    ...['ends.c', ...sources].map((file) => object(clang, seam, join(FUZZ, file), [...SANITIZERS, LEARNS])),
    object(clang, seam, join(FUZZ, 'watch.c'), ['-O2', ...SANITIZERS]),
    seam === 'toy'
      ? object(clang, seam, join(FUZZ, 'toy.c'), ['-O2', ...SANITIZERS])
      : object(clang, seam, join(DEVICE, 'crypto/src/bearssl.c'), ['-O2', ...SANITIZERS]),
    // Byte by byte through volatile: with sanitizers, most of the time would go into this.
    object(clang, seam, join(DEVICE, 'crypto/src/memory.c'), ['-O2']),
  ]);
  const options = [
    '-fsanitize=fuzzer,address,undefined',
    ...WATCHED.map((watched) => `-Wl,--wrap=${watched}`),
    ...objects,
    ...(seam === 'real' ? ['-lbearssl'] : []),
  ];
  return await make(name, '', options, async (draft) => {
    await run(clang, [...options, '-o', draft]);
  });
}

/** @type {Map<string, Promise<string>>} */
const made = new Map();

/**
 * Makes a file once, however many ask for it.
 *
 * @param {string} name @param {string} suffix @param {readonly string[]} inputs @param {(draft: string) => Promise<void>} command
 */
function make(name, suffix, inputs, command) {
  const path = join(BUILD, `${name}-${hash(inputs)}${suffix}`);
  let promise = made.get(path);
  if (promise === undefined) {
    promise = (async () => {
      if (existsSync(path)) return path;
      const draft = `${path}.${process.pid}`;
      await inTurn(() => command(draft));
      await rename(draft, path);
      return path;
    })();
    made.set(path, promise);
  }
  return promise;
}

/** @param {readonly string[]} parts */
function hash(parts) {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 16);
}

/** All files of the core in one, but not as `usmp.c` has them: what is inside stays visible to the targets. */
async function core(/** @type {string} */ clang, /** @type {'toy' | 'real'} */ seam) {
  const folder = join(DEVICE, 'core/src');
  const files = (await readdir(folder)).filter((file) => extname(file) === '.c').sort();
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  const options = [...(await flags(seam)), ...SANITIZERS, LEARNS];
  const source = files.map((file) => `#include "${join(folder, file)}"\n`).join('');
  const inputs = [clang, ...options, await headers(), ...texts];
  return await make(`core-${seam}`, '.o', inputs, (draft) =>
    compile(clang, [...options, '-x', 'c', '-', '-o', draft], source),
  );
}

async function object(
  /** @type {string} */ clang,
  /** @type {'toy' | 'real'} */ seam,
  /** @type {string} */ file,
  /** @type {string[]} */ more,
) {
  const options = [...(await flags(seam)), ...more];
  const inputs = [clang, ...options, await headers(), await readFile(file, 'utf8')];
  return await make(`${basename(file, '.c')}-${seam}`, '.o', inputs, (draft) =>
    compile(clang, [...options, file, '-o', draft]),
  );
}

/** @param {string} clang @param {string[]} args @param {string} [input] */
async function compile(clang, args, input) {
  const running = run(clang, ['-c', ...args]);
  running.child.stdin?.end(input);
  await running;
}

/** @param {'toy' | 'real'} seam */
async function flags(seam) {
  return [
    ...['-std=c11', '-g', '-O1', '-Wall', '-Wextra', '-Wconversion', '-Wshadow', '-Werror'],
    ...INCLUDES[seam],
    ...['core/include', 'crypto/include'].map((path) => `-I${join(DEVICE, path)}`),
    '-DUSMP_CRYPTO_BEARSSL',
    ...Object.entries(SWITCHES[seam]).map(([name, value]) => `-D${name}=${value}`),
  ];
}

/** @type {Promise<string> | undefined} */
let allHeaders;

/** All headers that any of the sources may include. */
function headers() {
  allHeaders ??= (async () => {
    const folders = ['core/include/usmp', 'crypto/include/usmp', 'test/fuzz', 'test/fuzz/toy/usmp'];
    const texts = folders.map(async (folder) => {
      const names = (await readdir(join(DEVICE, folder))).filter((file) => extname(file) === '.h').sort();
      return await Promise.all(names.map((name) => readFile(join(DEVICE, folder, name), 'utf8')));
    });
    return (await Promise.all(texts)).flat().join('\0');
  })();
  return allHeaders;
}

/* ── As many at once as there are processors ─────────────────────────────────────────────────────────────────────── */

let free = availableParallelism();
/** @type {(() => void)[]} */
const waiting = [];

/** @param {() => Promise<void>} command */
async function inTurn(command) {
  if (free === 0) await new Promise((resolve) => waiting.push(() => resolve(undefined)));
  else free--;
  try {
    await command();
  } finally {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  }
}

/** Removes what belongs to sources that are no more. */
export async function removeStale() {
  const names = await readdir(BUILD).catch(() => []);
  for (const name of names) {
    const path = join(BUILD, name);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() && Date.now() - found.mtimeMs > STALE) await rm(path, { force: true });
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const names = process.argv.slice(2);
  for (const name of TARGET_NAMES.filter((target) => names.length === 0 || names.includes(target))) {
    console.log(await buildTarget(name));
  }
}
