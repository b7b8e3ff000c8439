/**
 * What the device's code is checked with, beside Node: compilers, emulators and analysers of this machine, and the source of
 * BearSSL for cross builds in the folder `device/.bearssl`. `node scripts/toolchain.js` prepares all of it; the exported
 * functions one thing each, when it is asked for.
 *
 * BearSSL is unpacked under a name of its own and renamed when it is complete. So what has its final name is whole, however
 * often a run is interrupted and however many run at once.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canInstallPackages, execute, installPackages, isProgram, MINUTE } from './debian.js';
import { onPath } from './on-path.js';

const DEVICE = fileURLToPath(new URL('../device', import.meta.url));
const BEARSSL = join(DEVICE, '.bearssl');
const BEARSSL_VARIABLE = 'USMP_BEARSSL_SOURCE';

/** Of Debian's bearssl_0.6+dfsg.1.orig.tar.xz: 0.6 without the files that Debian cannot distribute. */
const BEARSSL_SHA256 = '102a625bd8f6155260867a50c508df8d8c3f796985dd744df1a68e5cd1a79004';

/** Files that every release of BearSSL has. */
const BEARSSL_FILES = ['inc/bearssl.h', 'src/inner.h'];

/** Where Debian has the Arduino core of AVR. */
export const ARDUINO_AVR = '/usr/share/arduino/hardware/arduino/avr';

/** Longer than unpacking takes: a draft of that age was left by an interrupted run. */
const ABANDONED = 60 * MINUTE;

/**
 * @typedef {object} Group
 * @property {readonly string[]} programs on the PATH
 * @property {readonly string[]} packages of Debian 12 that bring them
 * @property {(tools: Record<string, string>) => Promise<unknown>} probe rejects where headers or libraries are missing
 */

/** @satisfies {Record<string, Group>} */
const GROUPS = {
  /** Builds, sanitizers and analysers for this machine. */
  analysis: {
    programs: ['gcc', 'g++', 'clang', 'clang-tidy', 'cppcheck', 'valgrind', 'make', 'cmake'],
    packages: [
      ...[
        'gcc',
        'g++',
        'libc6-dev',
        'clang',
        'libclang-rt-14-dev',
        'clang-tidy',
        'cppcheck',
        'valgrind',
        'make',
        'cmake',
      ],
      ...['libbearssl-dev', 'libmbedtls-dev'],
    ],
    probe: async ({ gcc, clang }) => {
      await preprocess(gcc, ['-include', 'bearssl.h', '-include', 'mbedtls/version.h']);
      await compile(clang, ['-fsanitize=fuzzer,address,undefined'], FUZZ_TARGET);
    },
  },
  riscv: {
    programs: ['riscv64-unknown-elf-gcc', 'qemu-system-riscv32'],
    packages: ['gcc-riscv64-unknown-elf', 'picolibc-riscv64-unknown-elf', 'qemu-system-misc'],
    probe: (tools) =>
      preprocess(tools['riscv64-unknown-elf-gcc'], ['--specs=picolibc.specs', '-include', 'string.h']),
  },
  arm: {
    programs: ['arm-none-eabi-gcc', 'qemu-system-arm'],
    packages: ['gcc-arm-none-eabi', 'libnewlib-arm-none-eabi', 'qemu-system-arm'],
    probe: (tools) => preprocess(tools['arm-none-eabi-gcc'], ['--specs=nano.specs', '-include', 'string.h']),
  },
  xtensa: {
    programs: ['xtensa-lx106-elf-gcc', 'qemu-system-xtensa'],
    packages: ['gcc-xtensa-lx106', 'picolibc-xtensa-lx106-elf', 'qemu-system-misc'],
    probe: (tools) =>
      preprocess(tools['xtensa-lx106-elf-gcc'], [
        `--specs=${xtensaSpecs(tools['xtensa-lx106-elf-gcc'])}`,
        ...['-include', 'string.h'],
      ]),
  },
  /** The Arduino core of AVR, and a simulator as a library. */
  avr: {
    programs: ['avr-gcc', 'avr-g++', 'arduino-ctags', 'arduino-builder', 'gcc'],
    packages: [
      ...['gcc-avr', 'avr-libc', 'binutils-avr', 'arduino-core-avr', 'arduino-ctags', 'arduino-builder'],
      ...['libsimavr-dev', 'libelf-dev', 'gcc', 'libc6-dev'],
    ],
    probe: async (tools) => {
      await preprocess(tools['avr-g++'], [
        '-mmcu=atmega2560',
        ...[`-I${ARDUINO_AVR}/cores/arduino`, `-I${ARDUINO_AVR}/variants/mega`, '-include', 'Arduino.h'],
      ]);
      await preprocess(tools.gcc, ['-include', 'simavr/sim_avr.h', '-include', 'libelf.h']);
    },
  },
};

/** @typedef {keyof typeof GROUPS} GroupName */

const FUZZ_TARGET =
  'int LLVMFuzzerTestOneInput(const char *data, __SIZE_TYPE__ length) { return 0 * data[length]; }\n';

export const TOOL_GROUPS = /** @type {GroupName[]} */ (Object.keys(GROUPS));

/** @type {Map<GroupName, Promise<Record<string, string> | undefined>>} */
const groups = new Map();

/**
 * The programs of a group, whose headers and libraries are there too, all groups installed together if need be and allowed.
 *
 * @param {GroupName} name
 * @returns {Promise<Record<string, string> | undefined>} absolute paths by name; undefined where one cannot be had, which is
 *   said on stderr
 */
export function findTools(name) {
  let tools = groups.get(name);
  if (tools === undefined) {
    tools = findOrInstall(name).catch((error) => {
      console.error(
        `\n*** Tools for device code (${name}) are missing: ${error.message}\n*** Install them (Debian 12: apt-get install ` +
          `${GROUPS[name].packages.join(' ')}), and see that they are on the PATH.\n`,
      );
      return undefined;
    });
    groups.set(name, tools);
  }
  return tools;
}

/**
 * The specs file of picolibc, which this compiler does not find by name.
 *
 * @param {string} compiler absolute path of xtensa-lx106-elf-gcc
 */
export function xtensaSpecs(compiler) {
  return join(dirname(compiler), '../lib/xtensa-lx106-elf/picolibc.specs');
}

/** @type {Promise<string | undefined> | undefined} */
let bearssl;

/**
 * The folder with the source of BearSSL 0.6, downloaded if need be.
 *
 * @returns {Promise<string | undefined>} absolute path; undefined where it cannot be had, which is said on stderr
 */
export function bearsslSource() {
  bearssl ??= findOrDownload().catch((error) => {
    console.error(
      `\n*** The source of BearSSL is missing: ${error.message}\n*** Unpack BearSSL 0.6 (Debian: apt-get source bearssl, ` +
        `else https://bearssl.org) and let ${BEARSSL_VARIABLE} name the folder.\n`,
    );
    return undefined;
  });
  return bearssl;
}

/* ── Programs ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** @param {GroupName} name */
async function findOrInstall(name) {
  try {
    return await locate(name);
  } catch (error) {
    if (!canInstallPackages()) throw error;
  }
  await installMissing();
  return await locate(name);
}

/** @type {Promise<void> | undefined} */
let installation;

/** All that is missing in one call of the package manager: it takes a minute each time, and they share packages. */
function installMissing() {
  installation ??= (async () => {
    const found = await Promise.allSettled(TOOL_GROUPS.map(locate));
    const missing = TOOL_GROUPS.filter((_, index) => found[index].status === 'rejected');
    const packages = [...new Set(missing.flatMap((name) => GROUPS[name].packages))];
    console.error(`No tools for device code (${missing.join(', ')}): installing ${packages.join(' ')}`);
    await installPackages(packages);
  })();
  return installation;
}

/** @param {GroupName} name @returns {Promise<Record<string, string>>} */
async function locate(name) {
  const { programs, probe } = GROUPS[name];
  const found = programs.map((program) => [program, onPath(program)]);
  const absent = found.filter(([, path]) => path === undefined).map(([program]) => program);
  if (absent.length > 0) throw new Error(`${absent.join(', ')}: not on the PATH`);
  const tools = Object.fromEntries(found);
  await probe(tools);
  return tools;
}

/** @param {string} compiler @param {string[]} options */
function preprocess(compiler, options) {
  return execute(compiler, [...options, '-E', '-x', 'c', '/dev/null', '-o', '/dev/null'], MINUTE);
}

/** @param {string} compiler @param {string[]} options @param {string} source */
async function compile(compiler, options, source) {
  const folder = await mkdtemp(join(tmpdir(), 'usmp-probe-'));
  try {
    await writeFile(join(folder, 'probe.c'), source);
    await execute(compiler, [...options, join(folder, 'probe.c'), '-o', join(folder, 'probe')], MINUTE);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/* ── BearSSL ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

async function findOrDownload() {
  const named = process.env[BEARSSL_VARIABLE];
  if (named) {
    if (!hasBearssl(named))
      throw new Error(`${BEARSSL_VARIABLE} names ${named}, which has no ${BEARSSL_FILES[0]}`);
    return resolve(named);
  }
  if (hasBearssl(BEARSSL)) return BEARSSL;
  if (!existsSync('/usr/bin/apt-get')) throw new Error('there is no apt-get to download it');

  await removeAbandoned();
  console.error(`Downloading the source of BearSSL into ${BEARSSL}`);
  const draft = await mkdtemp(`${BEARSSL}.`);
  try {
    await chmod(draft, 0o755);
    await unpack(await download(), draft);
    await publish(draft);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return BEARSSL;
}

/** @param {string} folder */
function hasBearssl(folder) {
  return BEARSSL_FILES.every((file) => existsSync(join(folder, file)));
}

/**
 * Has apt download the source package, with lists, cache and state of its own, and checks what came.
 *
 * @returns {Promise<Buffer>} the archive
 */
async function download() {
  const home = await mkdtemp(join(tmpdir(), 'usmp-bearssl-'));
  try {
    // As root, apt downloads as a user without rights, who has to get here.
    await chmod(home, 0o755);
    const sources = join(home, 'source.sources');
    await writeFile(sources, await sourceSuites());
    const env = { APT_CONFIG: await writeConfiguration(home, sources) };
    await execute('/usr/bin/apt-get', ['update'], 2 * MINUTE, env);
    // apt writes into the folder that it is called in, and has no option for another.
    const script = 'cd "$1" && exec /usr/bin/apt-get source --download-only bearssl';
    await execute('/bin/sh', ['-c', script, 'sh', home], 2 * MINUTE, env);
    const name = (await readdir(home)).find((file) => /^bearssl_.*\.orig\.tar\.\w+$/.test(file));
    if (name === undefined) throw new Error('apt-get brought no archive');
    const archive = await readFile(join(home, name));
    const digest = createHash('sha256').update(archive).digest('hex');
    if (digest !== BEARSSL_SHA256) throw new Error(`${name} is another one: its SHA-256 is ${digest}`);
    return archive;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/**
 * A configuration for apt on top of that of the system, which may name a proxy: everything that is written goes to `home`, and
 * nothing runs afterwards that would work on the lists of the system.
 *
 * @param {string} home @param {string} sources
 * @returns {Promise<string>} for the variable APT_CONFIG
 */
async function writeConfiguration(home, sources) {
  // apt reads APT_CONFIG first, then apt.conf.d, then `Main`, where all can be overruled.
  const first = join(home, 'first.conf');
  const main = join(home, 'main.conf');
  const system = '/etc/apt/apt.conf';
  await writeFile(join(home, 'status'), '');
  await writeFile(first, `Dir::Etc::Main "${main}";\n`);
  await writeFile(
    main,
    `${existsSync(system) ? `#include "${system}";\n` : ''}
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Acquire::Languages "none";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::SourceList "${sources}";
Dir::State "${home}/state";
Dir::State::Lists "${home}/lists";
Dir::State::Status "${home}/status";
Dir::Cache "${home}/cache";
`,
  );
  await Promise.all(['state', 'lists', 'cache'].map((folder) => mkdir(join(home, folder))));
  return first;
}

/** Where this machine gets its packages from, asked for sources: mirrors and keys are those that its owner chose. */
async function sourceSuites() {
  const folder = '/etc/apt/sources.list.d';
  const names = await readdir(folder).catch(() => []);
  const modern = names.filter((name) => name.endsWith('.sources')).map((name) => join(folder, name));
  const classic = [
    '/etc/apt/sources.list',
    ...names.filter((name) => name.endsWith('.list')).map((name) => join(folder, name)),
  ];
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const codename = /^VERSION_CODENAME="?([\w-]+)"?$/m.exec(release)?.[1];

  const found = [];
  for (const file of modern) found.push(...stanzasOf(await readText(file)));
  for (const file of classic) found.push(...linesOf(await readText(file)));
  const suitable = found.filter(({ types, suites }) => /^deb(-src)?$/m.test(types) && suites.length > 0);
  // Security updates and back-ports have suites with a longer name, other distributors other names.
  const own = suitable.filter(({ suites }) => codename === undefined || suites.includes(codename));
  if (own.length === 0) throw new Error(`apt has no source for ${codename ?? 'this system'}`);
  return own
    .map(
      ({ uris, suites, components, signedBy }) =>
        `Types: deb-src\nURIs: ${uris}\nSuites: ${codename ?? suites[0]}\nComponents: ${components}\n` +
        (signedBy === undefined ? '' : `Signed-By: ${signedBy}\n`),
    )
    .join('\n');
}

/**
 * @typedef {object} Source
 * @property {string} types one a line
 * @property {string} uris @property {string[]} suites @property {string} components
 * @property {string | undefined} signedBy files, or a key with its continuation lines
 */

/** Stanzas of the deb822 format, sources.list(5). @param {string} text @returns {Source[]} */
function stanzasOf(text) {
  const plain = text.replace(/^#.*\n?/gm, '');
  return plain.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = new Map(
      [...stanza.matchAll(/^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)/gm)].map(([, name, value]) => [
        name.toLowerCase(),
        value,
      ]),
    );
    const uris = fields.get('uris');
    if (uris === undefined || fields.get('enabled')?.trim() === 'no') return [];
    return [
      {
        types: words(fields.get('types')).join('\n'),
        uris: words(uris).join(' '),
        suites: words(fields.get('suites')),
        components: words(fields.get('components')).join(' '),
        signedBy: fields.get('signed-by'),
      },
    ];
  });
}

/** Lines of the older format, sources.list(5). @param {string} text @returns {Source[]} */
function linesOf(text) {
  const lines = [...text.matchAll(/^\s*(deb|deb-src)\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#\n]+)/gm)];
  return lines.map(([, types, options, uris, suite, components]) => ({
    types,
    uris,
    suites: [suite],
    components: words(components).join(' '),
    signedBy: /(?:^|\s)signed-by=(\S+)/.exec(options ?? '')?.[1].replaceAll(',', ' '),
  }));
}

/** @param {string | undefined} text */
function words(text) {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}

/** @param {string} file */
function readText(file) {
  return readFile(file, 'utf8').catch(() => '');
}

/** @param {Buffer} archive @param {string} draft */
async function unpack(archive, draft) {
  const file = join(draft, 'archive');
  await writeFile(file, archive);
  await execute('tar', ['-xf', file, '-C', draft, '--strip-components=1', '--no-same-owner'], MINUTE);
  await rm(file);
  if (!hasBearssl(draft)) throw new Error(`the archive has no ${BEARSSL_FILES[0]}`);
}

/** Gives a complete draft its name, unless another process was faster. @param {string} draft */
async function publish(draft) {
  if (!hasBearssl(BEARSSL)) await rm(BEARSSL, { recursive: true, force: true });
  try {
    await rename(draft, BEARSSL);
  } catch (error) {
    if (!hasBearssl(BEARSSL)) throw error;
  }
}

async function removeAbandoned() {
  for (const entry of await readdir(DEVICE)) {
    if (!/^\.bearssl\.\w{6}$/.test(entry)) continue;
    const draft = join(DEVICE, entry);
    const age = await stat(draft).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > ABANDONED) await rm(draft, { recursive: true, force: true });
  }
}

if (isProgram(import.meta.url)) {
  let missing = 0;
  for (const name of TOOL_GROUPS) if ((await findTools(name)) === undefined) missing++;
  if ((await bearsslSource()) === undefined) missing++;
  if (missing > 0 && process.env.CI === 'true') process.exitCode = 1;
}
