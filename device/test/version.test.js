/** One version number for all that is released together: scripts/version.js, on a copy of the files that carry it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));

/** Of the device; of npm the packages as they are. */
const FILES = [
  ...['package.json', 'package-lock.json', 'packages/usmp/package.json', 'packages/gateway/openapi.json'],
  ...['device/core/include/usmp/usmp.h', 'device/arduino/library.properties', 'device/arduino/README.md'],
  'device/esp-idf/idf_component.yml',
];

describe('the version', { concurrency: 2 }, () => {
  test('is one, in the packages of npm, the header in C, the Arduino library and the component', async () => {
    const { code, stdout, stderr } = await version(REPOSITORY);
    assert.equal(code, 0, stderr);
    for (const file of FILES) assert.match(stdout, new RegExp(`^${file}: `, 'm'));
  });

  test('is missed wherever there is another one, or none', async (t) => {
    const copy = await copyOf(t);
    // Stands for nothing else in these files.
    const number = '76.54.32';
    await version(copy, number);
    for (const file of filesOf((await version(copy)).stdout)) {
      const text = await readFile(join(copy, file), 'utf8');
      const places = text.split(number).length - 1;
      // Another one everywhere, none in one place of each file, as each look takes a process.
      for (let place = 0; place < (process.env.USMP_LONG ? 2 * places : places + 1); place++) {
        const other = place < places ? '76.54.33' : 'none';
        await writeFile(join(copy, file), replaceNth(text, number, place % places, other));
        const { code, stderr } = await version(copy);
        assert.equal(code, 1, `${file} may have ${other}`);
        assert(stderr.startsWith(`${file}: `), stderr);
      }
      await writeFile(join(copy, file), text);
    }
  });

  test('is written into all files by one command, and into none by a number that is none', async (t) => {
    const copy = await copyOf(t);
    const before = await numberOf(copy);
    const wrong = ['2.1', 'v2.1.0', '02.1.0', '2.1.0-', '2.1.0-..', '2.1.0-beta..1', '2.1.0-01', '2.1.0-RC1'];
    for (const number of wrong) assert.equal((await version(copy, number)).code, 2, number);
    assert.equal((await version(copy, '2.1.0', '2.2.0')).code, 2);
    assert.equal(await numberOf(copy), before);

    const { code, stderr } = await version(copy, '7.6.5-beta.4');
    assert.equal(code, 0, stderr);
    const { stdout } = await version(copy);
    for (const line of stdout.trim().split('\n')) assert.match(line, /: (7\.6\.5-beta\.4(, )?)+$/);
    await version(copy, before);
    for (const file of filesOf(stdout)) assert.equal(await differences(copy, file), '', file);
  });

  test('is that of a package that was added, and of what it wants of another', async (t) => {
    const copy = await copyOf(t);
    const number = await numberOf(copy);
    const added = {
      name: '@usmp/added',
      version: number,
      dependencies: { usmp: `^${number}`, left: '1.2.3' },
    };
    await cp(join(copy, 'packages/usmp'), join(copy, 'packages/added'), { recursive: true });
    await writeFile(join(copy, 'packages/added/package.json'), `${JSON.stringify(added, null, 2)}\n`);
    const lockFile = join(copy, 'package-lock.json');
    const lock = JSON.parse(await readFile(lockFile, 'utf8'));
    lock.packages['packages/added'] = added;
    await writeFile(lockFile, `${JSON.stringify(lock, null, 2)}\n`);

    assert.equal((await version(copy, '7.6.5')).code, 0);
    const { code, stdout, stderr } = await version(copy);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^packages\/added\/package\.json: 7\.6\.5, 7\.6\.5$/m);
    const written = JSON.parse(await readFile(lockFile, 'utf8')).packages['packages/added'];
    assert.deepEqual(written.dependencies, { usmp: '^7.6.5', left: '1.2.3' });
  });
});

/** @param {string} root @param {string[]} args */
function version(root, ...args) {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(root, 'scripts/version.js'), ...args], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
}

/** @param {string} stdout of a check @returns {string[]} */
function filesOf(stdout) {
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.slice(0, line.indexOf(': ')));
}

/** @param {string} root */
async function numberOf(root) {
  return JSON.parse(await readFile(join(root, 'package.json'), 'utf8')).version;
}

/** @param {import('node:test').TestContext} t @returns {Promise<string>} a folder with the script and its files */
async function copyOf(t) {
  const copy = await mkdtemp(join(tmpdir(), 'usmp-version-'));
  t.after(() => rm(copy, { recursive: true }));
  const files = ['scripts/version.js', ...filesOf((await version(REPOSITORY)).stdout)];
  for (const file of files) await cp(join(REPOSITORY, file), join(copy, file));
  return copy;
}

/** @param {string} text @param {string} number @param {number} place @param {string} other */
function replaceNth(text, number, place, other) {
  const parts = text.split(number);
  return `${parts.slice(0, place + 1).join(number)}${other}${parts.slice(place + 1).join(number)}`;
}

/** @param {string} copy @param {string} file */
async function differences(copy, file) {
  const [one, other] = [
    await readFile(join(copy, file), 'utf8'),
    await readFile(join(REPOSITORY, file), 'utf8'),
  ];
  return one === other ? '' : 'not as before';
}
