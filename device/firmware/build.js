/**
 * Builds the programs of this folder for its boards, into `device/build/<board>`, and says how the emulator runs them.
 * `node device/firmware/build.js [BOARD…]` builds all, or some. What was built has the hash of all that went into it in its
 * name: a second build finds it there, and two at once do not disturb each other.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isProgram, MINUTE } from '../../scripts/debian.js';
import { inParallel } from '../../scripts/in-parallel.js';
import { bearsslSource, findTools, xtensaSpecs } from '../../scripts/toolchain.js';
import { recordingHeader } from './recording.js';

const FIRMWARE = fileURLToPath(new URL('.', import.meta.url));
const DEVICE = fileURLToPath(new URL('..', import.meta.url));
const BUILD = join(DEVICE, 'build');

/** What nobody has built for so long is removed: it belongs to sources that are no more. */
const STALE = 24 * 60 * MINUTE;

const run = promisify(execFile);

/** Several builds of one process may be at the same file. */
let drafts = 0;

/**
 * @typedef {object} Board
 * @property {'riscv' | 'arm' | 'xtensa'} tools
 * @property {string} compiler name of a program of `tools`; `nm` and the like have the same prefix
 * @property {string} emulator
 * @property {(compiler: string) => string[]} options for the processor
 * @property {string[]} sources of the board, below `boards/`
 * @property {string[]} machine arguments of the emulator. One instruction takes 2^shift ns
 */

/** @satisfies {Record<string, Board>} */
export const BOARDS = {
  rv32imc: {
    tools: 'riscv',
    compiler: 'riscv64-unknown-elf-gcc',
    emulator: 'qemu-system-riscv32',
    options: () => ['-march=rv32imc', '-mabi=ilp32', '--specs=picolibc.specs'],
    sources: ['rv32imc/start.S', 'rv32imc/board.c', 'semihosting.c'],
    machine: ['-M', 'virt', '-m', '16M', '-bios', 'none', '-icount', 'shift=0'],
  },
  'cortex-m3': {
    tools: 'arm',
    compiler: 'arm-none-eabi-gcc',
    emulator: 'qemu-system-arm',
    options: () => ['-mcpu=cortex-m3', '-mthumb', '--specs=nano.specs'],
    sources: ['cortex-m3/board.c', 'cortex-m.c', 'semihosting.c'],
    machine: ['-M', 'mps2-an385', '-icount', 'shift=5'],
  },
  'cortex-m0': {
    tools: 'arm',
    compiler: 'arm-none-eabi-gcc',
    emulator: 'qemu-system-arm',
    options: () => ['-mcpu=cortex-m0', '-mthumb', '--specs=nano.specs'],
    sources: ['cortex-m0/board.c', 'cortex-m.c', 'semihosting.c'],
    machine: ['-M', 'microbit', '-icount', 'shift=5'],
  },
  lx106: {
    tools: 'xtensa',
    compiler: 'xtensa-lx106-elf-gcc',
    emulator: 'qemu-system-xtensa',
    options: (compiler) => [`--specs=${xtensaSpecs(compiler)}`, '-mtext-section-literals'],
    sources: ['lx106/start.S', 'lx106/board.c', 'lx106/rom.c'],
    machine: ['-M', 'lx60-nommu', '-cpu', 'lx106', '-icount', 'shift=5'],
  },
};

/** @typedef {keyof typeof BOARDS} BoardName */

export const BOARD_NAMES = /** @type {BoardName[]} */ (Object.keys(BOARDS));

/** Programs: what they are linked from beside core, seam, BearSSL and board. */
const PROGRAMS = {
  main: ['main.c', 'facts.c', 'random.c'],
  measure: ['measure.c', 'facts.c'],
};

/** @typedef {keyof typeof PROGRAMS} ProgramName */

/** Of BearSSL, all that the seam may choose from; the linker takes what it did choose. */
const BEARSSL_SOURCES = [
  ...[
    'aead/gcm.c',
    'codec/ccopy.c',
    'codec/dec32be.c',
    'codec/dec32le.c',
    'codec/dec64be.c',
    'codec/enc32be.c',
  ],
  ...['codec/enc32le.c', 'codec/enc64be.c', 'ec/ec_c25519_m15.c', 'ec/ec_c25519_m31.c', 'hash/dig_size.c'],
  ...['hash/ghash_ctmul.c', 'hash/ghash_ctmul32.c', 'hash/sha2small.c', 'mac/hmac.c', 'symcipher/aes_ct.c'],
  ...['symcipher/aes_ct_ctr.c', 'symcipher/aes_ct_enc.c'],
];

const WARNINGS = ['-Wall', '-Wextra', '-Wconversion', '-Wshadow'];
const OPTIMISATION = ['-Os', '-g', '-ffunction-sections', '-fdata-sections'];

/** Switches of the core (`usmp/config.h`). */
const DEFAULT_SWITCHES = { USMP_DATAGRAM: 0, USMP_SERVER: 0 };

/**
 * The public functions of a client, for a program that consists of nothing else: what a device pays for. The texts of errors
 * are left out, which a device without a screen leaves out too.
 */
const CLIENT_FUNCTIONS = [
  ...[
    'prepare',
    'connect',
    'handle_input',
    'handle_end',
    'handle_timeout',
    'send',
    'can_send',
    'ping',
    'rekey',
    'close',
  ],
  ...[
    'wipe',
    'poll_event',
    'poll_transmit',
    'transmitted',
    'poll_timeout',
    'state',
    'pending_transmit',
    'lingers',
  ],
].map((name) => `usmp_${name}`);

/** @typedef {{ elf: string, map: string }} Image a program, and what its linker says of it */

/**
 * A program for a board.
 *
 * @param {BoardName} board
 * @param {ProgramName | 'bare'} program `bare`: the functions of a client, without board and `main`: to be weighed, not run
 * @param {Record<string, number>} switches of the core
 * @returns {Promise<Image | undefined>} undefined where compiler or BearSSL cannot be had, which is said on stderr
 */
export async function build(board, program, switches = {}) {
  const tools = await findTools(BOARDS[board].tools);
  const bearssl = await bearsslSource();
  if (tools === undefined || bearssl === undefined) return undefined;

  const workshop = await openWorkshop(board, tools[BOARDS[board].compiler], bearssl, {
    ...DEFAULT_SWITCHES,
    ...switches,
  });
  const objects = await workshop.compile([
    ...BEARSSL_SOURCES.map((source) => ({ group: 'bearssl', file: join(bearssl, 'src', source) })),
    { group: 'core', file: join(DEVICE, 'core/usmp.c') },
    ...['bearssl.c', 'memory.c'].map((source) => ({
      group: 'seam',
      file: join(DEVICE, 'crypto/src', source),
    })),
    ...firmwareOf(board, program).map((source) => ({ group: 'board', file: join(FIRMWARE, source) })),
  ]);
  return await workshop.link(program, objects);
}

/**
 * How to run a program: the emulator, and its arguments. What the program reports comes on the emulator's stdout.
 *
 * @param {BoardName} board
 * @param {Image} image
 * @param {{ port?: number, arguments?: readonly string[] }} options `port` of the host that the UART is connected to, again after
 *   a second when the other end has hung up. What the board sends meanwhile is lost, and so is what it has not read by then
 * @returns {Promise<{ program: string, arguments: string[] } | undefined>} undefined where there is no emulator
 */
export async function emulation(board, image, options = {}) {
  const { tools, emulator, machine } = BOARDS[board];
  const found = await findTools(tools);
  if (found === undefined) return undefined;
  const words = ['usmp', ...(options.arguments ?? [])]
    .map((word) => `,arg=${word.replaceAll(',', ',,')}`)
    .join('');
  const uart =
    options.port === undefined
      ? ['-serial', 'null']
      : // Without nodelay every message waits for an acknowledgement of TCP.
        [
          '-chardev',
          `socket,id=uart,host=127.0.0.1,port=${options.port},nodelay=on,reconnect=1`,
          '-serial',
          'chardev:uart',
        ];
  return {
    program: found[emulator],
    arguments: [
      ...[...machine, '-display', 'none', '-monitor', 'none', '-chardev', 'stdio,id=report,signal=off'],
      ...['-semihosting-config', `enable=on,target=native,chardev=report${words}`],
      ...[...uart, '-kernel', image.elf],
    ],
  };
}

/** A tool beside the compiler: `nm`, `size`. @param {BoardName} board @param {string} name */
export async function binutil(board, name) {
  const tools = await findTools(BOARDS[board].tools);
  return tools?.[BOARDS[board].compiler].replace(/gcc$/, name);
}

/** @param {BoardName} board @param {ProgramName | 'bare'} program */
function firmwareOf(board, program) {
  // The arithmetic that this chip has in ROM is needed in any case.
  if (program === 'bare')
    return BOARDS[board].sources.filter((source) => source.endsWith('/rom.c')).map(onBoard);
  return [...['start.c', 'stack.c', ...BOARDS[board].sources].map(onBoard), ...PROGRAMS[program]];
}

/** @param {string} source */
function onBoard(source) {
  return join('boards', source);
}

/* ── Compiling ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/** @typedef {{ group: string, file: string }} Source `group`: core, seam, bearssl or board, which size.js tells apart */

/**
 * @param {BoardName} board @param {string} compiler @param {string} bearssl @param {Record<string, number>} switches
 */
async function openWorkshop(board, compiler, bearssl, switches) {
  const folder = join(BUILD, board);
  await mkdir(folder, { recursive: true });
  const recording = await writeRecording();
  const processor = BOARDS[board].options(compiler);
  const { stdout: version } = await run(compiler, ['--version']);

  const own = ['core/include', 'crypto/include', 'firmware'].map((name) => join(DEVICE, name));
  const library = [join(bearssl, 'inc'), join(bearssl, 'src')];
  const headers = {
    library: await hashOfHeaders(library),
    // The core's one file includes the others.
    own: (await hashOfHeaders([...own, join(DEVICE, 'core/src'), library[0]])) + hashOf(recording),
  };
  const defines = Object.entries(switches).map(([name, value]) => `-D${name}=${value}`);

  /** @param {string} group */
  const optionsOf = (group) => {
    if (group === 'bearssl') return [...processor, ...OPTIMISATION, ...library.map((path) => `-I${path}`)];
    // Whose headers give warnings by our measure.
    const paths = [...[...own, BUILD].map((path) => `-I${path}`), '-isystem', library[0]];
    const standard = group === 'board' ? '-std=gnu99' : '-std=c99';
    return [
      ...processor,
      standard,
      ...WARNINGS,
      ...OPTIMISATION,
      '-DUSMP_CRYPTO_BEARSSL',
      ...defines,
      ...paths,
    ];
  };

  /** @param {Source} source */
  const compileOne = async ({ group, file }) => {
    const options = optionsOf(group);
    const known = group === 'bearssl' ? headers.library : headers.own;
    const key = hashOf(version, ...options, known, await readFile(file));
    const object = join(folder, `${group}-${basename(file)}-${key}.o`);
    await unlessThere(object, async (draft) => {
      const { stderr } = await run(compiler, [...options, '-c', file, '-o', draft]);
      if (stderr !== '') console.error(stderr);
    });
    return object;
  };

  return {
    /** @param {Source[]} sources @returns {Promise<string[]>} objects, in the same order */
    compile: (sources) => inParallel(sources, compileOne),

    /** @param {ProgramName | 'bare'} program @param {string[]} objects @returns {Promise<Image>} */
    link: async (program, objects) => {
      const scripts = [join(FIRMWARE, 'boards', board, 'link.ld'), join(FIRMWARE, 'boards/cortex-m.ld')];
      const texts = await Promise.all(scripts.map((script) => readFile(script)));
      const options = [
        ...[
          ...processor,
          '-nostartfiles',
          '-Wl,--gc-sections',
          `-L${join(FIRMWARE, 'boards')}`,
          '-T',
          scripts[0],
        ],
        ...(program === 'bare' ? bareOptions() : []),
      ];
      const elf = join(folder, `${program}-${hashOf(version, ...options, ...objects, ...texts)}.elf`);
      await unlessThere(elf, async (draft) => {
        await run(compiler, [...options, ...objects, `-Wl,-Map=${draft}.map`, '-o', draft]);
        await rename(`${draft}.map`, `${elf}.map`);
      });
      await removeStale(folder);
      return { elf, map: `${elf}.map` };
    },
  };
}

/** Links what `CLIENT_FUNCTIONS` need, and nothing else. The random source is the device's own affair: any address does. */
function bareOptions() {
  const roots = CLIENT_FUNCTIONS.map((name) => `-Wl,--undefined=${name}`);
  return [
    ...roots,
    `-Wl,--entry=${CLIENT_FUNCTIONS[0]}`,
    `-Wl,--defsym=usmp_crypto_random=${CLIENT_FUNCTIONS[0]}`,
  ];
}

/** The recorded session for measure.c. @returns {Promise<string>} its text */
async function writeRecording() {
  const sessions = JSON.parse(await readFile(join(DEVICE, '../spec/vectors/sessions.json'), 'utf8'));
  const text = recordingHeader(sessions.sessions[0]);
  const file = join(BUILD, 'recording.h');
  if ((await readFile(file, 'utf8').catch(() => '')) === text) return text;
  const draft = `${file}.${process.pid}.${++drafts}`;
  await writeFile(draft, text);
  await rename(draft, file);
  return text;
}

/* ── What is there already ───────────────────────────────────────────────────────────────────────────────────────── */

/**
 * Has a file made under another name and renamed, unless it is there: so what has its name is whole.
 *
 * @param {string} file @param {(draft: string) => Promise<void>} make
 */
async function unlessThere(file, make) {
  if (existsSync(file)) return;
  const draft = `${file}.${process.pid}.${++drafts}`;
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
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > STALE) await rm(file, { force: true });
  }
}

/** All sources of some folders: which of them a source includes is not worth finding out. @param {string[]} folders */
async function hashOfHeaders(folders) {
  const hash = createHash('sha256');
  for (const folder of folders) {
    const names = await readdir(folder, { recursive: true });
    for (const name of names.filter((entry) => /\.[ch]$/.test(entry)).sort())
      hash.update(name).update(await readFile(join(folder, name)));
  }
  return hash.digest('hex');
}

/** @param {(string | Buffer)[]} parts */
function hashOf(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 16);
}

if (isProgram(import.meta.url)) {
  const names = process.argv.slice(2);
  const unknown = names.find((name) => !(name in BOARDS));
  if (unknown !== undefined) {
    console.error(`${unknown}: no such board; there are ${BOARD_NAMES.join(', ')}`);
    process.exit(2);
  }
  for (const board of names.length > 0 ? /** @type {BoardName[]} */ (names) : BOARD_NAMES) {
    for (const program of /** @type {ProgramName[]} */ (Object.keys(PROGRAMS))) {
      const image = await build(board, program);
      if (image === undefined) process.exitCode = 1;
      else console.log(relative(process.cwd(), image.elf));
    }
  }
}
