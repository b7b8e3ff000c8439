/**
 * Runs programs, as many at once as there are processors, and remembers what they said in `device/build/checks`: what has the same
 * command and the same files is not run again.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { DEVICE, HEADERS } from './sources.js';

export const BUILD = join(DEVICE, 'build/checks');

/** What a program that hangs may take. */
const TIMEOUT = 5 * 60_000;

/**
 * @typedef {object} Result
 * @property {number} status the exit code, or -1 where it was killed
 * @property {string} output of both kinds
 */

/** @type {string | undefined} */
let headers;

/**
 * @param {string} program @param {readonly string[]} args
 * @param {readonly string[]} files that the result depends on beside all headers of core and seam
 * @returns {Promise<Result>}
 */
export function run(program, args, files) {
  return remember([program, ...args].join('\0'), files, () => runAlways(program, args));
}

/**
 * @param {string} what in words that differ for whatever may come out differently
 * @param {readonly string[]} files
 * @param {() => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export async function remember(what, files, work) {
  headers ??= HEADERS.map((file) => readFileSync(file, 'utf8')).join('\0');
  const hash = createHash('sha256').update(`${what}\0${headers}`);
  for (const file of files) hash.update(readFileSync(file));
  const path = join(BUILD, `${hash.digest('hex').slice(0, 32)}.json`);
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // Not run yet.
  }
  const result = await work();
  mkdirSync(BUILD, { recursive: true });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(result));
  renameSync(draft, path);
  return result;
}

/** Without a memory. @param {string} program @param {readonly string[]} args */
export function runAlways(program, args) {
  return inTurn(() => execute(program, args));
}

/**
 * @param {string} program @param {readonly string[]} args
 * @returns {Promise<Result>}
 */
function execute(program, args) {
  const options = { cwd: DEVICE, timeout: TIMEOUT, maxBuffer: 64 * 1024 * 1024 };
  return new Promise((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ status, output: stdout + stderr });
    });
  });
}

let free = availableParallelism();
/** @type {(() => void)[]} */
const waiting = [];

/** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
async function inTurn(work) {
  if (free === 0) await new Promise((resolve) => waiting.push(() => resolve(undefined)));
  else free--;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  }
}
