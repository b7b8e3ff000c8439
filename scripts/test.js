/**
 * Runs every check of the project and closes with one line: `N passed, N failed, N skipped`.
 *
 *   node scripts/test.js                     what `npm test` does
 *   node scripts/test.js --long              longer fuzzing, more random cases, larger volumes
 *   node scripts/test.js core/frame server   only test files whose path contains one of the words; device/ for the core in C,
 *                                            gateway/ for the gateway
 *
 * What cannot be had on this machine is skipped loudly; under CI=true a skip is a failure.
 */

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const words = process.argv.slice(2).filter((word) => word !== '--long');
const long = process.argv.includes('--long');
const totals = { passed: 0, failed: 0, skipped: 0 };

const PACKAGES = ['usmp', 'gateway'];

/** Test files that need nothing but Node: they run while the rest is being prepared. Parts of their paths. */
const EARLY = [
  'cli',
  'config',
  'dashboard',
  'events',
  'fleet',
  'http',
  'messages',
  'metrics',
  'registry',
  'storage',
].map((part) => `gateway/dist-test/${part}/`);

/** Test files that wait more than they work, for time-outs and slow peers: a few of them always run beside those that work. */
const WAITING = [
  ...['gateway/dist-test/operation/', 'device/test/arduino-mega', 'dist-test/datagrams/', 'cli/simulate'],
  ...['interop/pypi-udp', 'transports/compliance', 'transports/foreign', 'transports/serial.test'],
  ...['hostile/udp-clients', 'hostile/udp-slow'],
];

/** Those that take longest begin first, so that none of them is alone in the end. */
const FIRST = ['gateway/dist-test/browser/', 'device/test/', 'hostile/', 'transports/compliance.test'];

/** Branches of the sans-IO core that tests must reach, in percent. */
const CORE_BRANCHES = 95;

process.chdir(root);
if (long) process.env.USMP_LONG = '1';

const built = command('build', 'npm', ['run', '--silent', 'build']);
if (built && words.length > 0) await runTests([...deviceTestFiles(words), ...testFiles(words)]);
else if (built) {
  // Before the tests that ask for it one file at a time. What is missing shows as skips there. It takes a minute or two.
  const preparing = Promise.all([
    prepare(['scripts/peers.js']),
    prepare(['scripts/programs.js', 'scripts/toolchain.js']),
  ]);
  command('format and lint', 'npx', ['--no-install', 'biome', 'check', '.']);
  for (const bench of ['run', 'gateway'])
    command(`bench/${bench}.js parses`, process.execPath, ['--check', `bench/${bench}.js`]);
  const report = await coverage(testFiles(['core/']));
  const files = [...deviceTestFiles([]), ...testFiles([])].filter((file) => !file.includes('/core/'));
  const [early, others] = split(files, EARLY);
  const [waiting, working] = split(others, WAITING);
  await Promise.all([runTests(early), report()]);
  await preparing;
  await Promise.all([
    runTests(longestFirst(waiting), 2),
    runTests(longestFirst(working), availableParallelism() + 1),
    beside('mutations', ['scripts/mutations.js']).then(() =>
      beside('mutations of the core in C', ['device/test/mutations.js']),
    ),
  ]);
}

const skipFails = process.env.CI === 'true' && totals.skipped > 0;
if (skipFails) console.error(`\n${totals.skipped} skipped tests count as failed under CI=true`);
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed > 0 || skipFails ? 1 : 0);

/** A check that is a program of its own; counts as one test. */
function command(name, file, args) {
  console.log(`\n── ${name} ──`);
  const { status, error } = spawnSync(file, args, { stdio: 'inherit' });
  if (error) console.error(error.message);
  const passed = status === 0;
  totals[passed ? 'passed' : 'failed']++;
  console.log(`${passed ? '✔' : '✖'} ${name}`);
  return passed;
}

/** The same beside other work: what it prints comes in one piece, when it has ended. */
async function beside(name, args, file = process.execPath) {
  const { status, output } = await runProgram(file, args);
  console.log(`\n── ${name} ──\n${output}`);
  totals[status === 0 ? 'passed' : 'failed']++;
  console.log(`${status === 0 ? '✔' : '✖'} ${name}`);
}

/** Scripts that install, one after the other, as they may ask the same package manager. */
async function prepare(scripts) {
  for (const script of scripts) console.error((await runProgram(process.execPath, [script])).output);
}

function runProgram(file, args) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.on('close', (status) => resolve({ status, output }));
  });
}

/** Tests of the core in C, which are not compiled. */
function deviceTestFiles(parts) {
  const names = readdirSync(join(root, 'device/test')).filter((name) => name.endsWith('.test.js'));
  return names
    .map((name) => join(root, 'device/test', name))
    .filter((file) => parts.length === 0 || parts.some((part) => relative(root, file).includes(part)))
    .sort();
}

/** Compiled tests. Those of the gateway are found by gateway/ and their path, the others by their path. */
function testFiles(parts) {
  return PACKAGES.flatMap((name) => {
    const folder = join(root, 'packages', name, 'dist-test');
    const from = join(root, 'packages', name, 'test');
    const sources = new Set(sourceFiles(from));
    const prefix = name === 'usmp' ? '' : `${name}/`;
    return (
      sourceFiles(folder)
        .filter((file) => file.endsWith('.test.js'))
        // A test whose source has gone leaves its compiled file behind.
        .filter((file) => sources.has(join(from, relative(folder, file)).replace(/\.js$/, '.ts')))
        .filter(
          (file) =>
            parts.length === 0 || parts.some((part) => (prefix + relative(folder, file)).includes(part)),
        )
        .sort()
    );
  });
}

function sourceFiles(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Files with one of the parts in their paths, and the others. */
function split(files, parts) {
  const is = (file) => parts.some((part) => relative(root, file).includes(part));
  return [files.filter(is), files.filter((file) => !is(file))];
}

function longestFirst(files) {
  const rank = (file) => {
    const index = FIRST.findIndex((part) => relative(root, file).includes(part));
    return index < 0 ? FIRST.length : index;
  };
  return files.sort((one, other) => rank(one) - rank(other));
}

/** Runs the tests of the core with V8's coverage on. @returns what reads it, and demands enough of it */
async function coverage(files) {
  const folder = mkdtempSync(join(tmpdir(), 'usmp-coverage-'));
  process.env.NODE_V8_COVERAGE = folder;
  await runTests(files);
  delete process.env.NODE_V8_COVERAGE;
  const args = [
    ...['--no-install', 'c8', 'report', '--temp-directory', folder, '--reporter', 'text'],
    ...['--include', 'packages/usmp/src/core/**', '--exclude-after-remap'],
    ...['--check-coverage', '--branches', String(CORE_BRANCHES), '--lines', '95', '--functions', '95'],
  ];
  return async () => {
    await beside('coverage of core/', args, 'npx');
    rmSync(folder, { recursive: true });
  };
}

/** @param atOnce half of them wait at any time */
async function runTests(files, atOnce = availableParallelism() + 2) {
  if (files.length === 0) {
    console.error('no test file matches');
    totals.failed++;
    return;
  }
  const stream = run({ files, concurrency: atOnce, timeout: 600_000 });
  stream.on('test:pass', (test) => count(test, 'passed'));
  stream.on('test:fail', (test) => count(test, 'failed'));
  const report = stream.compose(spec);
  report.pipe(process.stdout, { end: false });
  await finished(report);
}

function count(test, outcome) {
  if (test.details?.type === 'suite') return;
  totals[test.skip === undefined ? outcome : 'skipped']++;
}
