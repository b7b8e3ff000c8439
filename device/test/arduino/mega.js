/** A Mega 2560: sketches built by the IDE's own builder with the real Arduino core, and run in simavr. */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { ARDUINO_AVR, findTools } from '../../../scripts/toolchain.js';
import { alone, Program } from '../peers/programs.js';
import { ARDUINO, DEVICE, library } from './workshop.js';

const BUILD = join(DEVICE, 'build/arduino');

/** What nobody has built for so long belongs to sources that are no more. Milliseconds. */
const STALE = 24 * 60 * 60_000;

const run = promisify(execFile);

/**
 * @typedef {object} Firmware
 * @property {string} elf
 * @property {string} log what the builder has said, warnings above all
 * @property {number} flash bytes that it takes
 * @property {number} ram bytes of its variables
 */

/** @type {Map<string, Promise<Firmware>>} */
const builds = new Map();

/**
 * Builds a sketch as the Arduino IDE does, once for all who ask.
 *
 * @param {string} sketch @param {string[]} switches
 * @returns {Promise<Firmware>}
 * @throws {Error} it does not compile: what the compiler says
 */
export function buildForMega(sketch, switches = []) {
  const name = [sketch, ...switches].join(' ');
  let firmware = builds.get(name);
  if (firmware === undefined) {
    firmware = build(sketch, switches);
    builds.set(name, firmware);
  }
  return firmware;
}

/** @param {string} sketch @param {string[]} switches @returns {Promise<Firmware>} */
async function build(sketch, switches) {
  const [tools, packed] = [await findTools('avr'), await library()];
  if (tools === undefined || packed === undefined)
    throw new Error('no tools for AVR, or no BearSSL: see above');

  const key = createHash('sha256')
    .update(switches.join(' '))
    .update(await readFile(sketch));
  for (const file of packed.files) key.update(await readFile(join(packed.folder, file)));
  const name = `${basename(sketch, '.ino')}-${key.digest('hex').slice(0, 16)}`;
  const folder = join(BUILD, 'mega', name);
  // Two test files want the same example, and begin together.
  const buildOnce = async () =>
    existsSync(folder) || buildInto(folder, tools['arduino-builder'], sketch, switches);
  if (!existsSync(folder)) await alone(`${folder}.lock`, buildOnce);
  await removeStale();

  const elf = join(folder, `${basename(sketch)}.elf`);
  const log = await readFile(join(folder, 'log'), 'utf8');
  const flash = Number(/^Sketch uses (\d+) bytes/m.exec(log)?.[1]);
  const ram = Number(/^Global variables use (\d+) bytes/m.exec(log)?.[1]);
  return { elf, log, flash, ram };
}

/** @param {string} folder @param {string} builder @param {string} sketch @param {string[]} switches */
async function buildInto(folder, builder, sketch, switches) {
  const draft = `${folder}.${process.pid}`;
  // Two processes may not be at one: the builder writes it in place.
  const core = join(BUILD, 'mega', `core.${process.pid}`);
  await Promise.all([draft, core].map((path) => mkdir(path, { recursive: true })));
  // Debian's avr-libc is older than the core, which misses a macro of it.
  const cpp = ['-DDECIMAL_DIG=__DECIMAL_DIG__', ...switches].join(' ');
  const hardware = join(ARDUINO_AVR, '../..');
  const options = [
    ...['-compile', '-hardware', '/usr/share/arduino-builder', '-hardware', hardware, '-tools', '/usr/bin'],
    ...['-libraries', BUILD, '-fqbn', 'arduino:avr:mega:cpu=atmega2560', '-ide-version', '10819'],
    ...['-build-path', draft, '-build-cache', core, '-warnings', 'all'],
    ...[`-prefs=compiler.cpp.extra_flags=${cpp}`, `-prefs=compiler.c.extra_flags=${switches.join(' ')}`],
    sketch,
  ];
  try {
    const script = 'log="$1"; shift; exec "$@" > "$log" 2>&1';
    await run('/bin/sh', ['-c', script, 'sh', join(draft, 'log'), builder, ...options], { timeout: 240_000 });
    await rename(draft, folder);
  } catch (error) {
    const log = await readFile(join(draft, 'log'), 'utf8').catch(() => '');
    await rm(draft, { recursive: true, force: true });
    if (!existsSync(folder)) throw new Error(log || error.message);
  }
}

async function removeStale() {
  const all = join(BUILD, 'mega');
  for (const name of await readdir(all)) {
    const { mtimeMs } = await stat(join(all, name)).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > STALE) await rm(join(all, name), { recursive: true, force: true });
  }
}

/** The program that simulates the board. @returns {Promise<string>} */
export async function bridge() {
  const source = join(ARDUINO, 'simavr_bridge.c');
  const key = createHash('sha256')
    .update(await readFile(source))
    .digest('hex')
    .slice(0, 16);
  const program = join(BUILD, `simavr_bridge-${key}`);
  if (existsSync(program)) return program;
  const draft = `${program}.${process.pid}`;
  await run('gcc', [
    '-std=gnu99',
    '-O2',
    '-Wall',
    '-Wextra',
    '-Werror',
    source,
    '-o',
    draft,
    '-lsimavr',
    '-lelf',
  ]);
  await rename(draft, program);
  return program;
}

/** What a board keeps in EEPROM when it has a seed, but no id yet. */
export function seeded() {
  return `5532${randomBytes(32).toString('hex')}000000000000`;
}

/** A board that runs. */
export class Mega extends Program {
  /**
   * @param {Pick<import('node:test').TestContext, 'after'>} t @param {string} simulator @param {Firmware} firmware
   * @param {number} port of a serial+tcp listener @param {string} [kept] in its EEPROM; without it the board is new
   */
  constructor(t, simulator, firmware, port, kept) {
    const args = [firmware.elf, String(port), ...(kept === undefined ? [] : [kept])];
    super(t, simulator, args, { lifetime: 150_000 });
  }

  /**
   * When the first byte went out, if it did: milliseconds of its own time, and 40 bytes of EEPROM.
   *
   * @returns {{ time: number, kept: string } | undefined}
   */
  get first() {
    const report = /^@first (\d+) ms, kept (\w+)$/m.exec(this.stdout);
    return report === null ? undefined : { time: Number(report[1]), kept: report[2] };
  }

  /** Switches it off. @returns what it took: milliseconds of its own time, and bytes of stack */
  async switchOff() {
    this.process.stdin.end();
    const { stdout } = await this.ended;
    const end = /^@end done, (\d+) ms, stack (\d+), (\d+) bytes out, (\d+) in$/m.exec(stdout);
    if (end === null) throw new Error(`the board has not come to its end:\n${stdout}`);
    return { time: Number(end[1]), stack: Number(end[2]) };
  }
}
