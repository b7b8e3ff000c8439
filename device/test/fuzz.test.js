/**
 * Fuzzing of the core in C (libFuzzer, AddressSanitizer, UndefinedBehaviorSanitizer): each target of `fuzz/` plays its corpus, then
 * goes on from there for a second; with USMP_LONG for 20 minutes shared among all, or for USMP_FUZZ_SECONDS each. What fails is kept
 * in `device/build/fuzz/crashes`; the message says how to repeat it. USMP_FUZZ_SEED repeats a run.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BUILD, buildTarget, canBuild, removeStale, TARGET_NAMES, TARGETS } from './fuzz/build.js';

const CORPUS = fileURLToPath(new URL('fuzz/corpus/', import.meta.url));
const CRASHES = join(BUILD, 'crashes');
const LONG = Boolean(process.env.USMP_LONG);
const AT_ONCE = 2;
/** Over the real cryptography, which is most of the time of a case, only where there is time. */
const NAMES = TARGET_NAMES.filter((name) => LONG || TARGETS[name].seam === 'toy');
const SECONDS = Number(
  process.env.USMP_FUZZ_SECONDS ?? (LONG ? Math.floor((20 * 60 * AT_ONCE) / NAMES.length) : 1),
);
const SEED = Number(process.env.USMP_FUZZ_SEED ?? (Date.now() % 1_000_000) + 1);

/** A script of a longer input is cut there; one that takes this many seconds has got stuck. */
const LIMITS = ['-max_len=512', '-timeout=10', '-rss_limit_mb=2048', '-print_final_stats=1'];

const work = await mkdtemp(join(tmpdir(), 'usmp-fuzz-'));
const skip = (await canBuild()) ? false : 'needs clang with libFuzzer (Debian: clang libclang-rt-14-dev)';

describe('fuzzing of the core in C', { skip, concurrency: AT_ONCE }, () => {
  for (const name of NAMES) {
    test(`${name}: the corpus, then whatever the fuzzer makes of it (${SECONDS} s, seed ${SEED})`, async (t) => {
      const program = await buildTarget(name);
      const seeds = await unpackCorpus(name);
      await mkdir(CRASHES, { recursive: true });
      await fuzz(name, program, ['-runs=0', seeds]);
      // What a long run has found helps the next long one; a short one begins the same way everywhere.
      const found = join(BUILD, 'found', name);
      await mkdir(found, { recursive: true });
      const corpora = LONG ? [found, seeds] : [seeds];
      if (!LONG) corpora.unshift(await emptyFolder(name));
      const output = await fuzz(name, program, [`-max_total_time=${SECONDS}`, `-seed=${SEED}`, ...corpora]);
      const runs = Number(/stat::number_of_executed_units:\s*(\d+)/.exec(output)?.[1]);
      t.diagnostic(`${runs} cases`);
      assert.ok(runs > 100, `there was time for more than ${runs}`);
    });
  }
  after(async () => {
    await rm(work, { recursive: true, force: true });
    await removeStale();
  });
});

/** What a short run finds is not kept. @param {string} name */
async function emptyFolder(name) {
  const folder = join(work, 'found', name);
  await mkdir(folder, { recursive: true });
  return folder;
}

/**
 * `seeds.txt` has an input a line, in hexadecimal; other files are inputs as they are. Targets that differ in their seam share them.
 *
 * @param {string} name
 * @returns {Promise<string>} a folder with one file for each
 */
async function unpackCorpus(name) {
  const from = join(CORPUS, name.replace(/-bearssl$/, ''));
  const to = join(work, 'seeds', name);
  await mkdir(to, { recursive: true });
  for (const file of await readdir(from)) {
    if (file !== 'seeds.txt') {
      await cp(join(from, file), join(to, file));
      continue;
    }
    const lines = (await readFile(join(from, file), 'utf8')).split('\n');
    const inputs = lines.filter((line) => /^[0-9a-f]+$/.test(line));
    for (const [index, line] of inputs.entries()) {
      await writeFile(join(to, `seed-${index}`), Buffer.from(line, 'hex'));
    }
  }
  return to;
}

/**
 * @param {string} name @param {string} program @param {string[]} args
 * @returns {Promise<string>} what it said
 */
function fuzz(name, program, args) {
  const prefix = `${join(CRASHES, name)}-`;
  const all = [...LIMITS, `-artifact_prefix=${prefix}`, ...args];
  const env = { ...process.env, ASAN_OPTIONS: 'quarantine_size_mb=8' };
  const options = { env, maxBuffer: 64 * 1024 * 1024, timeout: (SECONDS + 120) * 1000 };
  return new Promise((resolve, reject) => {
    execFile(program, all, options, (error, _stdout, stderr) => {
      if (error === null) resolve(stderr);
      else reject(new Error(failure(name, program, prefix, stderr || error.message)));
    });
  });
}

/** What was broken, and how to see it again. @param {string} name @param {string} program @param {string} prefix @param {string} output */
function failure(name, program, prefix, output) {
  const reason =
    /^(?:BROKEN|.*runtime error|==\d+==\s*ERROR).*$/m.exec(output)?.[0] ??
    output.split('\n').slice(-20).join('\n');
  const at = output.lastIndexOf(prefix);
  const input = at < 0 ? undefined : output.slice(at).split(/\s/, 1)[0];
  return [
    `${name}: ${reason}`,
    ...(output.match(/^ +#\d+ .*(?:core|crypto)\/src.*$/gm)?.slice(0, 8) ?? []),
    input === undefined ? 'no input was kept' : `repeat: USMP_TRACE=1 ${program} ${input}`,
    `when it is mended, keep the input in device/test/fuzz/corpus/${name.replace(/-bearssl$/, '')}/`,
  ].join('\n');
}
