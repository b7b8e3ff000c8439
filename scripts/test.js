/**
 * Runs every check of the project and closes with one line: `N passed, N failed, N skipped`.
 *
 *   node scripts/test.js                     what `npm test` does
 *   node scripts/test.js --long              longer fuzzing, more random cases, larger volumes
 *   node scripts/test.js core/frame server   only test files whose path contains one of the words
 *
 * What cannot be had on this machine is skipped loudly; under CI=true a skip is a failure.
 */

import { spawnSync } from 'node:child_process';
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

/** Branches of the sans-IO core that tests must reach, in percent. */
const CORE_BRANCHES = 95;

process.chdir(root);
if (long) process.env.USMP_LONG = '1';

const built = command('build', 'npx', ['--no-install', 'tsc', '-b', 'packages/usmp']);
if (built && words.length > 0) await runTests(testFiles(words));
else if (built) {
  command('format and lint', 'npx', ['--no-install', 'biome', 'check', '.']);
  command('benchmarks parse', process.execPath, ['--check', 'bench/run.js']);
  // Before the tests, which ask for them one file at a time. What is missing shows as skips there.
  for (const script of ['scripts/peers.js', 'scripts/programs.js'])
    spawnSync(process.execPath, [script], { stdio: 'inherit' });
  await coverage(testFiles(['core/']));
  await runTests(testFiles([]).filter((file) => !file.includes('/core/')));
  command('mutations', process.execPath, ['scripts/mutations.js']);
}

const skipFails = process.env.CI === 'true' && totals.skipped > 0;
if (skipFails) console.error(`\n${totals.skipped} skipped tests count as failed under CI=true`);
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed > 0 || skipFails ? 1 : 0);

/** A check that is a program of its own; counts as one test. */
function command(name, file, args, env = process.env) {
  console.log(`\n── ${name} ──`);
  const { status, error } = spawnSync(file, args, { stdio: 'inherit', env });
  if (error) console.error(error.message);
  const passed = status === 0;
  totals[passed ? 'passed' : 'failed']++;
  console.log(`${passed ? '✔' : '✖'} ${name}`);
  return passed;
}

function testFiles(parts) {
  const folder = join(root, 'packages/usmp/dist-test');
  const sources = new Set(sourceFiles(join(root, 'packages/usmp/test')));
  return (
    sourceFiles(folder)
      .filter((file) => file.endsWith('.test.js'))
      // A test whose source has gone leaves its compiled file behind.
      .filter((file) =>
        sources.has(join(root, 'packages/usmp/test', relative(folder, file)).replace(/\.js$/, '.ts')),
      )
      .filter((file) => parts.length === 0 || parts.some((part) => relative(folder, file).includes(part)))
      .sort()
  );
}

function sourceFiles(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Runs the tests of the core with V8's coverage on, and demands enough of it. */
async function coverage(files) {
  const folder = mkdtempSync(join(tmpdir(), 'usmp-coverage-'));
  process.env.NODE_V8_COVERAGE = folder;
  await runTests(files);
  delete process.env.NODE_V8_COVERAGE;
  command('coverage of core/', 'npx', [
    ...['--no-install', 'c8', 'report', '--temp-directory', folder, '--reporter', 'text'],
    ...['--include', 'packages/usmp/src/core/**', '--exclude-after-remap'],
    ...['--check-coverage', '--branches', String(CORE_BRANCHES), '--lines', '95', '--functions', '95'],
  ]);
  rmSync(folder, { recursive: true });
}

async function runTests(files) {
  if (files.length === 0) {
    console.error('no test file matches');
    totals.failed++;
    return;
  }
  const stream = run({ files, concurrency: availableParallelism(), timeout: 300_000 });
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
