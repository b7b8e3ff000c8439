/** Compiles sketches and the packed library, for this machine and for chips, into `device/build/arduino`; what is built already stays. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inParallel } from '../../../scripts/in-parallel.js';
import { pack } from '../../arduino/pack.js';

export const ARDUINO = fileURLToPath(new URL('.', import.meta.url));
export const DEVICE = join(ARDUINO, '../..');
const BUILD = join(DEVICE, 'build/arduino');
const SHIM = join(ARDUINO, 'shim');

/** What nobody has asked for so long belongs to sources that are no more. Milliseconds. */
const STALE = 24 * 60 * 60_000;

const COMPILE_TIME = 180_000;

const run = promisify(execFile);

/** @type {ReturnType<typeof pack> | undefined} */
let packed;

/** The packed library, once for each process. */
export function library() {
  packed ??= pack();
  return packed;
}

/** Whether a compiler is there. @param {string} program */
export async function isThere(program) {
  return await run(program, ['--version']).then(
    () => true,
    () => false,
  );
}

/** Where an example lies in the packed library. @param {string} name */
export function example(name) {
  return join(BUILD, 'USMP/examples', name, `${name}.ino`);
}

/* ── Targets ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/**
 * @typedef {object} Target
 * @property {string} name of its folder
 * @property {string} shim the core whose headers it sees
 * @property {string} c compiler
 * @property {string} cpp compiler
 * @property {string[]} options
 * @property {string[]} libraries
 */

const HOST_WARNINGS = ['-Wall', '-Wextra', '-Werror'];
/** The library has no type information, which the check of virtual functions would need. */
const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize=vptr', '-fno-sanitize-recover=all'];

/** The `arch` of each core that the shim stands for, as the IDE defines it. */
const CORES = {
  esp32: ['-DARDUINO_ARCH_ESP32'],
  esp8266: ['-DARDUINO_ARCH_ESP8266'],
  rp2040: ['-DARDUINO_ARCH_RP2040', '-DPICO_CYW43_SUPPORTED=1'],
};

/** Programs for this machine. @satisfies {Record<string, Target>} */
export const HOSTS = {
  /** With the server's role, for tests in virtual time. */
  esp32: {
    name: 'host-esp32',
    shim: 'esp32',
    c: 'gcc',
    cpp: 'g++',
    options: [...CORES.esp32, '-DUSMP_SERVER=1', '-O1', '-g', ...SANITIZERS],
    libraries: ['-lmbedcrypto'],
  },
  /** Without sanitizers, for valgrind. */
  esp8266: {
    name: 'host-esp8266',
    shim: 'esp8266',
    c: 'gcc',
    cpp: 'g++',
    options: [...CORES.esp8266, '-O1', '-g'],
    libraries: ['-lbearssl'],
  },
  rp2040: {
    name: 'host-rp2040',
    shim: 'rp2040',
    c: 'gcc',
    cpp: 'g++',
    options: [...CORES.rp2040, '-O1', '-g'],
    libraries: ['-lbearssl'],
  },
};

/** Objects for chips, by the compilers that there are for them, or for their next of kin. */
export const CHIPS = {
  esp32: {
    name: 'chip-esp32',
    shim: 'esp32',
    group: 'riscv',
    prefix: 'riscv64-unknown-elf-',
    options: [...CORES.esp32, '-march=rv32imc', '-mabi=ilp32', '--specs=picolibc.specs', '-Os'],
  },
  esp8266: {
    name: 'chip-esp8266',
    shim: 'esp8266',
    group: 'xtensa',
    prefix: 'xtensa-lx106-elf-',
    options: [...CORES.esp8266, '-mtext-section-literals', '-Os'],
  },
  rp2040: {
    name: 'chip-rp2040',
    shim: 'rp2040',
    group: 'arm',
    prefix: 'arm-none-eabi-',
    options: [...CORES.rp2040, '-mcpu=cortex-m0plus', '-mthumb', '--specs=nano.specs', '-Os'],
  },
};

/* ── Compiling ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/** As the IDE has it, but for the version of the language, which is the oldest that a core uses. */
const LANGUAGE = { c: ['-std=gnu11'], cpp: ['-std=gnu++11', '-fno-exceptions', '-fno-rtti'] };

/** @param {Target} target @param {string} source @param {string[]} extra */
function optionsFor(target, source, extra) {
  const own = join(BUILD, 'USMP/src');
  const paths = [own, join(SHIM, 'common'), join(SHIM, target.shim)].map((path) => `-I${path}`);
  const isTest = !source.startsWith(own) && !source.endsWith('.ino.cpp');
  // Tests have std::function.
  const language = source.endsWith('.c') ? LANGUAGE.c : isTest ? LANGUAGE.cpp.slice(0, 1) : LANGUAGE.cpp;
  // What compiles sooner is sooner there: cryptography is not in C++, and how tests compute is looked at where there is time.
  const speed = source.endsWith('.c') || target.libraries.length === 0 ? [] : ['-O0'];
  if (isTest && !source.endsWith('.c') && !process.env.USMP_LONG) speed.push('-fno-sanitize=undefined');
  return [
    ...[...language, '-DARDUINO=10819', ...target.options, ...speed, ...HOST_WARNINGS],
    ...['-ffunction-sections', ...paths, ...extra],
  ];
}

/**
 * @param {Target} target @param {string} source @param {{ extra?: string[], headers: string }} facts `headers`: the hash of all
 *   that may be included
 * @returns {Promise<string>} the object
 */
async function compile(target, source, { extra = [], headers }) {
  const compiler = source.endsWith('.c') ? target.c : target.cpp;
  const options = optionsFor(target, source, extra);
  const key = hashOf(await versionOf(compiler), ...options, headers, source, await readFile(source));
  const folder = join(BUILD, target.name);
  const object = join(folder, `${basename(source)}-${key}.o`);
  return await once(object, async () => {
    await mkdir(folder, { recursive: true });
    await unlessThere(object, (draft) =>
      run(compiler, [...options, '-c', source, '-o', draft], { timeout: COMPILE_TIME }),
    );
    return object;
  });
}

/**
 * The objects of the library and, for this machine, of the shim.
 *
 * @param {Target} target @param {string[]} more sources @param {string[]} extra options
 */
async function objectsOf(target, more, extra = []) {
  const sources = [...(await librarySources()), ...more];
  const headers = await hashOfHeaders();
  return await inParallel(sources, (source) => compile(target, source, { extra, headers }));
}

async function librarySources() {
  const { folder, files } = await mustBePacked();
  return files
    .filter((file) => /^src\/.*\.(c|cpp)$/.test(file) && !file.startsWith('src/usmp/bearssl/'))
    .map((file) => join(folder, file));
}

async function mustBePacked() {
  const result = await library();
  if (result === undefined) throw new Error('the library cannot be packed: see above');
  return result;
}

/**
 * A sketch as a program for this machine.
 *
 * @param {keyof typeof HOSTS} host @param {string} sketch `.ino`
 * @returns {Promise<string>} the program
 */
export function buildSketch(host, sketch) {
  return once(`${host} ${sketch}`, async () => {
    const target = HOSTS[host];
    await mustBePacked();
    const program = await withPrototypes(target, sketch);
    const shim = ['shim', 'network', 'main'].map((name) => join(SHIM, 'common', `${name}.cpp`));
    return await link(target, basename(sketch, '.ino'), await objectsOf(target, [...shim, program]));
  });
}

/**
 * A test in virtual time, with a server inside.
 *
 * @param {string} name of its file in `virtual`
 */
export function buildVirtual(name) {
  return once(name, () => linkVirtual(name));
}

/** @param {string} name */
async function linkVirtual(name) {
  const target = HOSTS.esp32;
  const virtual = [`virtual/${name}.cpp`, 'virtual/world.cpp'].map((file) => join(ARDUINO, file));
  const shim = ['shim', 'network'].map((part) => join(SHIM, 'common', `${part}.cpp`));
  const wrapped = ['x25519_public_key', 'x25519_agree'].map((part) => `-Wl,--wrap=usmp_crypto_${part}`);
  return await link(target, name, await objectsOf(target, [...shim, ...virtual]), wrapped);
}

/** @type {Map<string, Promise<string>>} */
const builds = new Map();

/** Tests that need the same program, or the same object, wait for one build of it. @param {string} name @param {() => Promise<string>} build */
function once(name, build) {
  let program = builds.get(name);
  if (program === undefined) {
    program = build();
    builds.set(name, program);
  }
  return program;
}

/** @param {Target} target @param {string} name @param {string[]} objects @param {string[]} options */
async function link(target, name, objects, options = []) {
  const arguments_ = [...target.options, ...objects, ...options, ...target.libraries];
  const program = join(BUILD, target.name, `${name}-${hashOf(...arguments_)}`);
  await unlessThere(program, (draft) =>
    run(target.cpp, [...arguments_, '-o', draft], { timeout: COMPILE_TIME }),
  );
  await removeStale(join(BUILD, target.name));
  return program;
}

/**
 * Compiles the library and a number of sketches for a chip.
 *
 * @param {Target} target @param {string[]} sketches @param {string[]} extra options
 */
export async function compileForChip(target, sketches, extra = []) {
  await mustBePacked();
  const programs = await inParallel(sketches, (sketch) => withPrototypes(target, sketch, extra));
  await objectsOf(target, programs, extra);
  await removeStale(join(BUILD, target.name));
}

/* ── Sketches ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/**
 * What the IDE makes of a sketch: the core's header in front, and declarations of its functions before the first of them.
 *
 * @param {Target} target @param {string} sketch @param {string[]} extra options
 * @returns {Promise<string>} a file of C++
 */
async function withPrototypes(target, sketch, extra = []) {
  const folder = join(BUILD, target.name, 'sketches');
  await mkdir(folder, { recursive: true });
  const code = await readFile(sketch, 'utf8');
  const name = JSON.stringify(sketch);
  const file = join(folder, `${basename(sketch)}.cpp`);
  const plain = `#include <Arduino.h>\n#line 1 ${name}\n${code}`;

  const draft = `${file}.${draftName()}.cpp`;
  await writeFile(draft, plain);
  const options = optionsFor(target, file, extra).filter((option) => option !== '-Werror');
  await run(target.cpp, [...options, '-w', '-E', '-CC', draft, '-o', `${draft}.ii`], {
    timeout: COMPILE_TIME,
  });
  const flags = [
    '-u',
    '--language-force=c++',
    '-f',
    '-',
    '--c++-kinds=svpf',
    '--fields=KSTtzns',
    '--line-directives',
  ];
  const { stdout } = await run('arduino-ctags', [...flags, `${draft}.ii`], { maxBuffer: 64 * 1024 * 1024 });
  await Promise.all([draft, `${draft}.ii`].map((one) => rm(one, { force: true })));

  const functions = functionsOf(stdout, sketch);
  const lines = code.split('\n');
  const first = Math.min(...functions.map(({ line }) => line));
  const prototypes = functions.map(({ line, text }) => `#line ${line} ${name}\n${text};`);
  lines.splice(first - 1, 0, ...prototypes, `#line ${first} ${name}`);
  await writeIfChanged(file, `#include <Arduino.h>\n#line 1 ${name}\n${lines.join('\n')}`);
  return file;
}

/** @param {string} tags what ctags prints @param {string} sketch */
function functionsOf(tags, sketch) {
  return tags
    .split('\n')
    .map((tag) => tag.split('\t'))
    .filter(([, file, , kind]) => file === sketch && kind === 'kind:function')
    .map(([name, , , , ...fields]) => {
      const field = Object.fromEntries(
        fields.map((one) => [one.slice(0, one.indexOf(':')), one.slice(one.indexOf(':') + 1)]),
      );
      return {
        line: Number(field.line),
        text: `${field.returntype} ${name}${field.signature}`,
        isMethod: 'class' in field,
      };
    })
    .filter(({ isMethod }) => !isMethod);
}

/* ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

let drafts = 0;

/** No two builds write the same file, in this process or another. */
function draftName() {
  return `${process.pid}-${drafts++}`;
}

/** @param {string} file @param {string} text */
async function writeIfChanged(file, text) {
  if ((await readFile(file, 'utf8').catch(() => '')) === text) return;
  const draft = `${file}.${draftName()}`;
  await writeFile(draft, text);
  await rename(draft, file);
}

/**
 * Has a file made under another name and renamed: so what has its name is whole.
 *
 * @param {string} file @param {(draft: string) => Promise<unknown>} make
 */
async function unlessThere(file, make) {
  if (existsSync(file)) {
    const now = new Date();
    await utimes(file, now, now);
    return;
  }
  const draft = `${file}.${draftName()}`;
  try {
    await make(draft);
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw new Error(`${relative(DEVICE, file)}: ${error.stderr || error.message}`);
  }
}

/** @param {string} folder */
async function removeStale(folder) {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const file = join(folder, entry.name);
    const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Date.now() }));
    if (entry.isFile() && Date.now() - mtimeMs > STALE) await rm(file, { force: true });
  }
}

/** @type {Promise<string> | undefined} */
let headersHash;

/** Everything that a source may include: finding out which is not worth it. */
function hashOfHeaders() {
  headersHash ??= (async () => {
    const hash = createHash('sha256');
    for (const folder of [join(BUILD, 'USMP/src'), ARDUINO]) {
      const names = await readdir(folder, { recursive: true });
      for (const name of names.filter((entry) => /\.(h|inc)$/.test(entry)).sort())
        hash.update(name).update(await readFile(join(folder, name)));
    }
    return hash.digest('hex');
  })();
  return headersHash;
}

/** @type {Map<string, Promise<string>>} */
const versions = new Map();

/** @param {string} compiler */
function versionOf(compiler) {
  let version = versions.get(compiler);
  if (version === undefined) {
    version = run(compiler, ['--version']).then(({ stdout }) => stdout);
    versions.set(compiler, version);
  }
  return version;
}

/** @param {(string | Buffer)[]} parts */
function hashOf(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 16);
}

/**
 * A folder with links to headers under the names that a core has for them.
 *
 * @param {Record<string, string>} links absolute paths by name
 */
export async function folderOfLinks(links) {
  const folder = join(BUILD, 'headers');
  await mkdir(folder, { recursive: true });
  for (const [name, path] of Object.entries(links)) await symlink(path, join(folder, name)).catch(() => {});
  return folder;
}
