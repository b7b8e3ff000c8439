/**
 * Packs the Arduino library from this folder, the core, the seam to cryptography and BearSSL, into `device/build/arduino`: the tree
 * `USMP`, as it lies among a user's libraries, and `USMP-<version>.zip` of it. The same sources give the same bytes.
 *
 *   node device/arduino/pack.js
 *
 * The IDE compiles every `.c` and `.cpp` below `src`, with `src` alone on the include path. So the core is one file,
 * `usmp/core.c`, whose parts have another suffix: that makes the smallest code where the linker does not optimise.
 */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isProgram, MINUTE } from '../../scripts/debian.js';
import { bearsslSource } from '../../scripts/toolchain.js';
import { zip } from './zip.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const DEVICE = join(HERE, '..');
const BUILD = join(DEVICE, 'build/arduino');

/** A draft of that age was left by a run that was interrupted. */
const ABANDONED = 10 * MINUTE;

/** Of BearSSL, all that the seam may choose from: the same files as firmware/build.js takes. */
const BEARSSL_SOURCES = [
  ...['aead/gcm', 'codec/ccopy', 'codec/dec32be', 'codec/dec32le', 'codec/dec64be', 'codec/enc32be'],
  ...['codec/enc32le', 'codec/enc64be', 'ec/ec_c25519_m15', 'ec/ec_c25519_m31', 'hash/dig_size'],
  ...['hash/ghash_ctmul', 'hash/ghash_ctmul32', 'hash/sha2small', 'mac/hmac', 'symcipher/aes_ct'],
  ...['symcipher/aes_ct_ctr', 'symcipher/aes_ct_enc'],
];

/** @typedef {Map<string, Buffer>} Tree bytes by path, `/` between folders */

/**
 * @returns {Promise<{ folder: string, archive: string, files: string[] } | undefined>} absolute paths, and the files of the tree;
 *   undefined where BearSSL cannot be had, which is said on stderr
 */
export async function pack() {
  const bearssl = await bearsslSource();
  if (bearssl === undefined) return undefined;
  const tree = await collect(bearssl);
  const version = /^version=(\S+)$/m.exec(text(tree, 'library.properties'))?.[1];
  const files = [...tree.keys()].sort();
  const archive = zip(
    files.map((name) => ({ name: `USMP/${name}`, bytes: /** @type {Buffer} */ (tree.get(name)) })),
  );
  await mkdir(BUILD, { recursive: true });
  await removeAbandoned();
  return { ...(await publish(tree, archive, `USMP-${version}.zip`)), files };
}

/** @param {Tree} tree @param {string} name */
function text(tree, name) {
  const bytes = tree.get(name);
  if (bytes === undefined) throw new Error(`${name} is missing in the packed library`);
  return bytes.toString();
}

/** @param {string} bearssl its folder @returns {Promise<Tree>} */
async function collect(bearssl) {
  /** @type {Tree} */
  const tree = new Map();
  for (const name of ['library.properties', 'keywords.txt', 'README.md'])
    await add(tree, name, join(HERE, name));
  await add(tree, 'LICENSE', join(DEVICE, '../LICENSE'));
  await addFolder(tree, 'examples', join(HERE, 'examples'));
  await addFolder(tree, 'src', join(HERE, 'src'));
  await addFolder(tree, 'src/usmp', join(DEVICE, 'core/include/usmp'));
  await addFolder(tree, 'src/usmp', join(DEVICE, 'crypto/include/usmp'));
  sayWhereBearsslIs(tree);
  await addCore(tree);
  addMacroGuards(tree);
  for (const name of ['bearssl.c', 'mbedtls.c', 'psa.c', 'memory.c'])
    await add(tree, `src/usmp/crypto/${name}`, join(DEVICE, 'crypto/src', name));
  await addBearssl(tree, bearssl);
  tree.set(
    'src/usmp/arduino/error_texts.h',
    Buffer.from(errorTexts(await read(join(DEVICE, 'core/src/errors.c')))),
  );
  return tree;
}

/** @param {string} file */
function read(file) {
  return readFile(file, 'utf8');
}

/** @param {Tree} tree @param {string} name @param {string} file */
async function add(tree, name, file) {
  if (tree.has(name)) throw new Error(`${name} comes from two places`);
  tree.set(name, await readFile(file));
}

/** @param {Tree} tree @param {string} prefix @param {string} folder */
async function addFolder(tree, prefix, folder) {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    await add(tree, `${prefix}/${relative(folder, file).replaceAll('\\', '/')}`, file);
  }
}

/**
 * What keeps the macros of the configuration from a sketch: GCC remembers what they were before, and brings it back.
 *
 * @param {Tree} tree
 */
function addMacroGuards(tree) {
  const names = ['src/usmp/config.h', 'src/usmp/arduino_config.h'].flatMap((file) =>
    [...text(tree, file).matchAll(/^#(?:define|ifndef) (USMP_\w+)/gm)].map(([, name]) => name),
  );
  for (const action of ['push', 'pop']) {
    const pragmas = [...new Set(names)].sort().map((name) => `#pragma ${action}_macro("${name}")`);
    const head = '/* Written by device/arduino/pack.js. No guard: it is read each time. */';
    tree.set(`src/usmp/arduino/macros_${action}.h`, Buffer.from(`${head}\n${pragmas.join('\n')}\n`));
  }
}

/** The seam includes BearSSL by the name that it has on this board. @param {Tree} tree */
function sayWhereBearsslIs(tree) {
  const name = 'src/usmp/crypto_bearssl.h';
  const code = text(tree, name);
  if (code.includes('USMP_BEARSSL_HEADER')) return;
  tree.set(name, Buffer.from(code.replace('#include <bearssl.h>', '#include USMP_BEARSSL_HEADER')));
}

/** @param {Tree} tree */
async function addCore(tree) {
  const one = await read(join(DEVICE, 'core/usmp.c'));
  const parts = [...one.matchAll(/^#include "src\/(\w+)\.c"$/gm)].map(([, name]) => name);
  for (const name of parts)
    await add(tree, `src/usmp/core/${name}.inc`, join(DEVICE, 'core/src', `${name}.c`));
  const renamed = one.replaceAll(/^#include "src\/(\w+)\.c"$/gm, '#include "usmp/core/$1.inc"');
  const head = '/* The core of USMP. Written by device/arduino/pack.js from device/core/usmp.c. */\n';
  tree.set('src/usmp/core.c', Buffer.from(head + renamed.replace(/^\/\*\*.*?\*\/\n/s, '')));
}

/**
 * BearSSL for boards whose core has none; elsewhere its files are empty. They lie in one folder, where they find each other. For the
 * linker they have names of their own, as another library of a sketch may bring BearSSL too.
 *
 * @param {Tree} tree @param {string} bearssl
 */
async function addBearssl(tree, bearssl) {
  const to = 'src/usmp/bearssl';
  for (const name of (await readdir(join(bearssl, 'inc'))).sort())
    await add(tree, `${to}/${name}`, join(bearssl, 'inc', name));
  for (const name of ['inner.h', 'config.h']) await add(tree, `${to}/${name}`, join(bearssl, 'src', name));
  await add(tree, `${to}/LICENSE.txt`, join(bearssl, 'LICENSE.txt'));
  const names = [];
  for (const source of BEARSSL_SOURCES) {
    const code = await read(join(bearssl, 'src', `${source}.c`));
    // A function begins its line, and what is constant says so.
    for (const [, name] of code.matchAll(/^(?:const \w+ )?(br_\w+)(?: =|[([])/gm)) names.push(name);
    tree.set(`${to}/${source.split('/')[1]}.c`, Buffer.from(guarded(code)));
  }
  const lines = names.sort().map((name) => `#define ${name} usmp_${name}`);
  const head =
    '/* Written by device/arduino/pack.js: names for the linker. Sketches do not see this. */\n#pragma once\n\n';
  tree.set(`${to}/names.h`, Buffer.from(`${head}${lines.join('\n')}\n`));
  tree.set(`${to}/bearssl.h`, Buffer.from(`#include "names.h"\n${text(tree, `${to}/bearssl.h`)}`));
}

/** @param {string} code of a file of BearSSL */
function guarded(code) {
  return `#include "usmp/config.h"\n#if USMP_BUNDLED_BEARSSL\n${code}\n#endif\n`;
}

/**
 * The core's texts of errors in the flash of an AVR, where constants otherwise lie in RAM.
 *
 * @param {string} code of core/src/errors.c
 */
function errorTexts(code) {
  const rows = [...code.matchAll(/^ {4}\{(USMP_\w+), USMP_FAULT_\w+, "\w+", ("[^\n]*")\},$/gm)];
  if (rows.length < 30)
    throw new Error('core/src/errors.c does not look as it did: pack.js does not find its texts');
  const strings = rows.map(([, name, line]) => `static const char TEXT_${name}[] PROGMEM = ${line};`);
  const table = rows.map(([, name]) => `    {${name}, TEXT_${name}},`);
  return `/* Written by device/arduino/pack.js from device/core/src/errors.c. */
#pragma once

#include <avr/pgmspace.h>

#include "usmp/errors.h"

namespace USMP {

${strings.join('\n')}
static const char unknownError[] PROGMEM = "not an error of USMP";

struct ErrorText {
    uint8_t error;
    const char *text;
};

static const ErrorText errorTexts[] PROGMEM = {
${table.join('\n')}
};

} // namespace USMP
`;
}

/* ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/**
 * Files that are the same stay as they are, so that what was built from them need not be built again.
 *
 * @param {Tree} tree @param {Buffer} archive @param {string} name
 */
async function publish(tree, archive, name) {
  const folder = join(BUILD, 'USMP');
  const file = join(BUILD, name);
  for (const [path, bytes] of tree) await writeWhole(join(folder, path), bytes);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const stale = join(entry.parentPath, entry.name);
    if (entry.isFile() && !tree.has(relative(folder, stale).replaceAll('\\', '/')))
      await rm(stale, { force: true });
  }
  await writeWhole(file, archive);
  return { folder, archive: file };
}

/** Two that pack at once do not disturb each other. @param {string} file @param {Buffer} bytes */
async function writeWhole(file, bytes) {
  const there = await readFile(file).catch(() => undefined);
  if (there?.equals(bytes)) return;
  await mkdir(dirname(file), { recursive: true });
  const draft = await mkdtemp(join(BUILD, '.draft-'));
  await writeFile(join(draft, 'file'), bytes);
  await rename(join(draft, 'file'), file);
  await rm(draft, { recursive: true });
}

async function removeAbandoned() {
  for (const name of (await readdir(BUILD)).filter((entry) => entry.startsWith('.draft-'))) {
    const { mtimeMs } = await stat(join(BUILD, name)).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > ABANDONED) await rm(join(BUILD, name), { recursive: true, force: true });
  }
}

if (isProgram(import.meta.url)) {
  const packed = await pack();
  if (packed === undefined) process.exitCode = 1;
  else console.log(`${packed.folder}: ${packed.files.length} files\n${packed.archive}`);
}
