/**
 * Weighs the core on each board and writes `device/SIZE.md`. Exits with 1 where a limit is passed.
 *
 *   node device/firmware/size.js           measures and writes
 *   node device/firmware/size.js --check   measures and compares: 1 also where the file is not what would be written
 *
 * The same compilers make the same numbers every time: `.text` comes from the linker's map, and what runs is measure.c, whose
 * server is a recording.
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isProgram, MINUTE } from '../../scripts/debian.js';
import { BOARDS, binutil, build, emulation } from './build.js';

export const SIZE_FILE = fileURLToPath(new URL('../SIZE.md', import.meta.url));

/** The heading of the part that is not ours. */
export const ARDUINO_PART = '## Arduino Mega 2560\n';

const run = promisify(execFile);

/** @typedef {import('./build.js').BoardName} BoardName */

/** @type {{ title: string, board: BoardName, switches: Record<string, number> }[]} */
export const COLUMNS = [
  { title: 'rv32imc', board: 'rv32imc', switches: {} },
  { title: 'rv32imc, datagrams', board: 'rv32imc', switches: { USMP_DATAGRAM: 1 } },
  { title: 'Cortex-M3', board: 'cortex-m3', switches: {} },
  { title: 'Cortex-M0', board: 'cortex-m0', switches: {} },
  { title: 'LX106', board: 'lx106', switches: {} },
];

/**
 * What is measured of a column, in bytes and instructions.
 *
 * @typedef {object} Figures
 * @property {number} text @property {number} core @property {number} crypto @property {number} library
 * @property {number} handshake @property {number} step @property {number} handshakeWire
 * @property {number} ram @property {number} staticRam @property {number} allocators names of functions that take heap
 * @property {number} stack @property {number} sessionStack
 * @property {number} seal @property {number} open @property {number} messageWire
 */

/**
 * The rows of the table. `limit` holds for the first column, and `promise` says so; `other` is Mbed TLS.
 *
 * @typedef {object} Row
 * @property {keyof Figures} key @property {string} name @property {(value: number) => string} show
 * @property {number} [limit] @property {(limit: string) => string} [promise] @property {string} [other]
 */

/** @type {Row[]} */
const ROWS = [
  {
    key: 'text',
    name: '`.text` with cryptography, B',
    show: whole,
    limit: 21_000,
    promise: (limit) => `a client takes at most ${limit} B of flash, cryptography included`,
    other: '39,100',
  },
  {
    key: 'core',
    name: '– of it the core',
    show: whole,
    limit: 6_000,
    promise: (limit) => `the core alone takes at most ${limit} B of flash`,
  },
  { key: 'crypto', name: '– of it BearSSL and the seam to it', show: whole },
  { key: 'library', name: '– of it the C library', show: whole },
  {
    key: 'handshake',
    name: 'Handshake, instructions',
    show: millions,
    limit: 7_000_000,
    promise: (limit) => `a handshake takes at most ${limit} instructions`,
    other: '33 M',
  },
  { key: 'step', name: 'Longest step (one X25519), instructions', show: millions },
  {
    key: 'handshakeWire',
    name: 'Handshake, bytes on the wire, both ways',
    show: whole,
    limit: 230,
    promise: (limit) => `a handshake takes at most ${limit} bytes on the wire`,
    other: '344',
  },
  {
    key: 'ram',
    name: 'RAM of a connection, B',
    show: whole,
    limit: 1_900,
    promise: (limit) => `a connection takes at most ${limit} B of RAM`,
    other: '740',
  },
  {
    key: 'staticRam',
    name: 'RAM beside it, B',
    show: whole,
    limit: 0,
    promise: () => 'no RAM is taken beside the connection',
  },
  {
    key: 'allocators',
    name: 'Heap, B',
    show: (count) => (count === 0 ? '0' : 'some'),
    limit: 0,
    promise: () => 'nothing is allocated',
    other: '4,188',
  },
  {
    key: 'stack',
    name: 'Stack, peak in the handshake, B',
    show: whole,
    limit: 1_600,
    promise: (limit) => `a handshake takes at most ${limit} B of stack`,
    other: '1,440',
  },
  { key: 'sessionStack', name: 'Stack, peak in the session, B', show: whole },
  {
    key: 'seal',
    name: 'Message of 32 B, sealed and framed, instructions',
    show: thousands,
    limit: 32_000,
    promise: (limit) => `a message of 32 B is sealed and framed in at most ${limit} instructions`,
    other: '14.3 k',
  },
  { key: 'open', name: 'The same, opened', show: thousands },
  {
    key: 'messageWire',
    name: 'The same, bytes on the wire',
    show: whole,
    limit: 72,
    promise: (limit) => `a message of 32 B takes at most ${limit} bytes on the wire`,
    other: '53',
  },
];

/**
 * Chips for the text below the table: whose column stands for them, and their clock in MHz.
 *
 * @type {{ name: string, board: BoardName, clocks: number[] }[]}
 */
const CHIPS = [
  { name: 'ESP32-C3', board: 'rv32imc', clocks: [160] },
  { name: 'STM32F1 (Cortex-M3)', board: 'cortex-m3', clocks: [72] },
  { name: 'RP2040 (Cortex-M0+)', board: 'cortex-m0', clocks: [133] },
  { name: 'ESP8266', board: 'lx106', clocks: [80, 160] },
];

/* ── Measuring ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/**
 * @returns {Promise<(Figures | undefined)[]>} a column each, the one with the limits first; undefined where a tool is missing,
 *   which was said on stderr
 */
export async function measureAll() {
  const figures = [];
  for (const { board, switches } of COLUMNS) figures.push(await measure(board, switches));
  return figures;
}

/**
 * @param {BoardName} board @param {Record<string, number>} switches
 * @returns {Promise<Figures | undefined>}
 */
async function measure(board, switches) {
  const bare = await build(board, 'bare', switches);
  const image = await build(board, 'measure', switches);
  const how = image && (await emulation(board, image));
  const nm = await binutil(board, 'nm');
  if (bare === undefined || how === undefined || nm === undefined) return undefined;

  const { flash, ram } = weigh(await readFile(bare.map, 'utf8'));
  const facts = parseFacts(await runToEnd(how));
  return {
    text: sum(flash),
    core: flash.get('core') ?? 0,
    crypto: (flash.get('bearssl') ?? 0) + (flash.get('seam') ?? 0),
    library: flash.get('library') ?? 0,
    handshake: fact(facts, 'instructions handshake'),
    step: fact(facts, 'instructions step'),
    handshakeWire: fact(facts, 'wire handshake'),
    ram: fact(facts, 'ram'),
    staticRam: sum(ram),
    allocators: await countAllocators(nm, bare.elf),
    stack: fact(facts, 'stack handshake'),
    sessionStack: fact(facts, 'stack session'),
    seal: fact(facts, 'instructions seal'),
    open: fact(facts, 'instructions open'),
    messageWire: fact(facts, 'wire message'),
  };
}

/** @param {{ program: string, arguments: string[] }} how */
async function runToEnd(how) {
  try {
    const { stdout } = await run(how.program, how.arguments, { timeout: MINUTE, killSignal: 'SIGKILL' });
    return stdout;
  } catch (error) {
    throw new Error(`${how.program}: ${error.stdout}${error.stderr}`);
  }
}

/** Lines of `key value`. @param {string} text */
function parseFacts(text) {
  return new Map([...text.matchAll(/^(.+) (\d+)$/gm)].map(([, key, value]) => [key, Number(value)]));
}

/** @param {Map<string, number>} facts @param {string} key */
function fact(facts, key) {
  const value = facts.get(key);
  if (value === undefined) throw new Error(`the program did not report "${key}"`);
  return value;
}

/** @param {string} nm @param {string} elf */
async function countAllocators(nm, elf) {
  const { stdout } = await run(nm, [elf]);
  return [...stdout.matchAll(/ _?(malloc|calloc|realloc|_malloc_r|sbrk|_sbrk)$/gm)].length;
}

/* ── The linker's map ────────────────────────────────────────────────────────────────────────────────────────────── */

const IN_FLASH = ['.text', '.rodata', '.data', '.ARM.exidx'];
const IN_RAM = ['.data', '.bss'];

/**
 * Bytes by group, of what is in flash (constants and initial values, too) and of what is in RAM.
 *
 * @param {string} map
 */
export function weigh(map) {
  /** @type {Map<string, number>} */
  const flash = new Map();
  /** @type {Map<string, number>} */
  const ram = new Map();
  let output = '';
  let group = '';
  // A long name of a section stands on a line of its own.
  const lines = map
    .slice(map.indexOf('Linker script and memory map'))
    .replace(/\n( \S+)\n +(?=0x)/g, '\n$1 ')
    .split('\n');
  for (const line of lines) {
    output = /^(\.[\w.]+)/.exec(line)?.[1] ?? output;
    const input = /^ (\S+) +0x[0-9a-f]+ +0x([0-9a-f]+)(?: (\S+))?\s*$/.exec(line);
    if (input === null) continue;
    // Filling is for the alignment of what stands before it, or behind: that hardly matters.
    if (input[1] !== '*fill*') group = groupOf(input[3] ?? '');
    const size = Number.parseInt(input[2], 16);
    // What stands in for the ROM of a chip is not in its flash.
    if (group === 'rom' || size === 0) continue;
    if (IN_FLASH.includes(output)) flash.set(group, (flash.get(group) ?? 0) + size);
    if (IN_RAM.includes(output)) ram.set(group, (ram.get(group) ?? 0) + size);
  }
  return { flash, ram };
}

/** @param {string} object as the map names it */
function groupOf(object) {
  const name = basename(object);
  if (name.startsWith('board-rom.c')) return 'rom';
  const known = /^(core|seam|bearssl)-/.exec(name);
  if (known) return known[1];
  if (/\.a\(.*\)$|^crt\w+\.o$/.test(name)) return 'library';
  throw new Error(`the linker has taken ${object}, which belongs to none of the groups`);
}

/** @param {Map<string, number>} groups */
function sum(groups) {
  return [...groups.values()].reduce((total, size) => total + size, 0);
}

/* ── The document ────────────────────────────────────────────────────────────────────────────────────────────────── */

/** @param {number} value */
function whole(value) {
  return value.toLocaleString('en');
}

/** To 10,000 instructions: the clocks of some boards tell no single ones. @param {number} value */
function millions(value) {
  return `${(value / 1_000_000).toFixed(2)} M`;
}

/** To 100 instructions. @param {number} value */
function thousands(value) {
  return `${(value / 1_000).toFixed(1)} k`;
}

/** What device/SIZE.md should be. @param {Figures[]} figures as `measureAll` brings them */
export async function documentOf(figures) {
  const head = ['', ...COLUMNS.map(({ title }) => title), 'limit', 'Mbed TLS 2.28'];
  const rows = ROWS.map(({ key, name, show, limit, other = '' }) => [
    name,
    ...figures.map((column) => show(column[key])),
    limit === undefined ? '' : show(limit),
    other,
  ]);
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`;
  return `# What the core costs

Written by \`node device/firmware/size.js\`, which fails where the first column passes a limit. Built with \`-Os
-ffunction-sections -fdata-sections\` and linked with \`--gc-sections\`, over BearSSL 0.6, by
${(await compilers()).join(', ')}.

${line(head)}
${line(head.map((_, index) => (index === 0 ? '---' : '---:')))}
${rows.map(line).join('\n')}

- **\`.text\`** is all that a client adds to the flash of a device: every function of \`usmp/usmp.h\` that a client can call, what
  they need of BearSSL and of the C library, and constants. Not in it are the texts of errors, the random source, drivers,
  and what the LX106 has in ROM (64-bit multiplication). Streams and serial lines are compiled in, \`USMP_DATAGRAM\` where the
  column says so, \`USMP_SERVER\` nowhere.
- **Instructions** are counted by QEMU around each call of a function of the core, over a stream, without drivers and
  waiting; exactly on rv32imc, else by a clock that is as good as the digits shown. The handshake has both X25519.
- **The longest step** is the longest call of a function of the core: HELLO with its key pair, or the shared secret. Nothing
  else happens meanwhile. The times are computed from the counts, an instruction a cycle, not measured on chips. They are the
  least: some instructions take more cycles, and flash behind a cache makes the processor wait.
${chips(figures).join('\n')}
  - An 8-bit AVR has no column here; at 16 MHz it takes about 8 s.
- **RAM of a connection** is \`sizeof(usmp_t)\`: context, both prepared keys, both buffers.
- **Heap** is 0 where no function that allocates is linked.
- **Stack** is counted from the call of a function of the core, by a painted stack.
- **The limits** are for the first column.
- **Mbed TLS 2.28** is TLS 1.2 with ECDHE-PSK-CHACHA20-POLY1305 over X25519 on rv32imc. These figures were measured
  elsewhere, not by this program: they are here to compare with.
`;
}

/** Lines on how long the longest step takes. @param {Figures[]} figures */
function chips(figures) {
  return CHIPS.map(({ name, board, clocks }) => {
    const { step } = figures[COLUMNS.findIndex((column) => column.board === board)];
    const times = clocks.map((clock) => `${Math.round(step / (clock * 1_000))} ms at ${clock} MHz`);
    return `  - ${name}: ${times.join(', ')}`;
  });
}

/** @returns {Promise<string[]>} what each says of itself */
export async function compilers() {
  const names = [...new Set(Object.values(BOARDS).map(({ compiler }) => compiler))];
  return Promise.all(
    names.map(async (name) => {
      const { stdout } = await run(name, ['-dumpfullversion']);
      return `${name} ${stdout.trim()}`;
    }),
  );
}

/**
 * What must not grow. `complaint` is there where it has.
 *
 * @param {Figures} figures of the first column
 * @returns {{ promise: string, complaint: string | undefined }[]}
 */
export function gates(figures) {
  return ROWS.flatMap(({ key, name, show, limit, promise }) => {
    if (limit === undefined || promise === undefined) return [];
    const passed = figures[key] > limit;
    const complaint = passed
      ? `${name}: ${whole(figures[key])}, at most ${whole(limit)} are allowed`
      : undefined;
    return [{ promise: promise(show(limit)), complaint }];
  });
}

/** What device/SIZE.md is, but for its last part. */
export async function committedDocument() {
  return (await committedParts())[0];
}

/** Its own part, and that of the Arduino library, which `device/test/arduino/mega-size.js` writes. */
async function committedParts() {
  const text = await readFile(SIZE_FILE, 'utf8').catch(() => '');
  const end = text.indexOf(`\n${ARDUINO_PART}`);
  return end < 0 ? [text, ''] : [text.slice(0, end), text.slice(end)];
}

if (isProgram(import.meta.url)) {
  const figures = await measureAll();
  if (figures.includes(undefined)) {
    console.error('Tools are missing: nothing was measured');
    process.exit(1);
  }
  const text = await documentOf(/** @type {Figures[]} */ (figures));
  if (process.argv.includes('--check')) {
    if ((await committedDocument()) !== text) {
      console.error(`device/SIZE.md is not what would be written now:\n${text}`);
      process.exitCode = 1;
    }
  } else {
    await writeFile(SIZE_FILE, text + (await committedParts())[1]);
    console.log(text);
  }
  for (const { complaint } of gates(/** @type {Figures} */ (figures[0]))) {
    if (complaint === undefined) continue;
    console.error(`${COLUMNS[0].title}: ${complaint}`);
    process.exitCode = 1;
  }
}
