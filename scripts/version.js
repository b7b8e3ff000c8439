/**
 * One version number for everything that is released together.
 *
 *   node scripts/version.js          says which files carry it, and fails where one differs
 *   node scripts/version.js 2.1.0    writes it into all of them, or into none where one has no place for it
 *
 * Packages of the repository name it for themselves, and where they depend on each other.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const REPOSITORY = new URL('../', import.meta.url);
/** As npm takes it: no part of it is empty, and no number begins with 0. */
const PART = String.raw`(?:0|[1-9]\d*)`;
const LABEL = String.raw`(?:${PART}|\d*[a-z][0-9a-z]*)(?![0-9a-z])`;
const NUMBER = String.raw`${PART}\.${PART}\.${PART}(?:-${LABEL}(?:\.${LABEL})*)?`;

/**
 * @typedef {object} Place
 * @property {string} file
 * @property {string} before a pattern
 * @property {string} after a pattern
 * @property {number} times how often the number stands there
 */

/** @param {string} file */
function read(file) {
  return readFileSync(new URL(file, REPOSITORY), 'utf8');
}

/** The packages of the repository, by folder. */
const packages = readdirSync(new URL('packages/', REPOSITORY), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => ({ folder: `packages/${name}`, file: `packages/${name}/package.json` }))
  .flatMap((one) => {
    try {
      return [{ ...one, json: JSON.parse(read(one.file)) }];
    } catch (error) {
      if (error.code === 'ENOENT') return [];
      throw error;
    }
  });
const names = packages.map(({ json }) => json.name.replaceAll(/[^\w-]/g, '\\$&')).join('|');

/** Of a package of npm on another: "^2.0.0" as well. "*" fits always. */
const DEPENDENCY = `"(?:${names})": "[~^]?`;

/** @param {any} json a package.json, or a package in package-lock.json */
function dependenciesOf(json) {
  const kinds = ['dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies'];
  return kinds
    .flatMap((kind) => Object.entries(json[kind] ?? {}))
    .filter(([name, range]) => packages.some(({ json: one }) => one.name === name) && range !== '*').length;
}

/** @returns {Place[]} */
function placesOfPackages() {
  const own = packages.map(({ file, json }) => ({
    file,
    before: `(?:^  "version": "|^ {4}${DEPENDENCY})`,
    after: '"',
    times: 1 + dependenciesOf(json),
  }));
  const lock = JSON.parse(read('package-lock.json')).packages;
  const locked = packages.map(({ folder }) => dependenciesOf(lock[folder] ?? {}));
  const version = `"(?:packages/[^/"]+|)": \\{\\s+(?:"name": "[^"]+",\\s+)?"version": "`;
  return [
    ...own,
    {
      file: 'package-lock.json',
      // The head of the file, the root, the packages, and what they want of each other.
      before: `(?:^  "version": "|${version}|^ {8}${DEPENDENCY})`,
      after: '"',
      times: 2 + packages.length + locked.reduce((sum, count) => sum + count, 0),
    },
  ];
}

/** @type {Place[]} */
const PLACES = [
  { file: 'package.json', before: '^  "version": "', after: '"', times: 1 },
  ...placesOfPackages(),
  { file: 'packages/gateway/openapi.json', before: '^ {4}"version": "', after: '"', times: 1 },
  { file: 'device/core/include/usmp/usmp.h', before: '^#define USMP_VERSION_STRING "', after: '"', times: 1 },
  { file: 'device/arduino/library.properties', before: '^version=', after: '$', times: 1 },
  { file: 'device/arduino/README.md', before: 'USMP-', after: '\\.zip', times: 1 },
  { file: 'device/esp-idf/idf_component.yml', before: '^version: "', after: '"', times: 1 },
  { file: 'device/esp-idf/pack.js', before: '/usmp_', after: '\\.tgz', times: 1 },
];

const [wanted, ...more] = process.argv.slice(2);
if (more.length > 0) {
  console.error(`one version number, and not also "${more.join(' ')}"`);
  process.exit(2);
}
if (wanted !== undefined && !new RegExp(`^${NUMBER}$`).test(wanted)) {
  console.error(`"${wanted}" is not a version number: give one like 2.1.0 or 2.1.0-beta.1`);
  process.exit(2);
}

const places = PLACES.map((place) => {
  const text = read(place.file);
  const pattern = new RegExp(`(${place.before})(${NUMBER})(?=${place.after})`, 'gm');
  return { ...place, text, pattern, found: [...text.matchAll(pattern)].map(([, , number]) => number) };
});

let wrong = 0;
for (const { file, found, times } of places) {
  if (found.length === times) continue;
  console.error(`${file}: ${found.length} version numbers instead of ${times}`);
  wrong++;
}
if (wanted === undefined) check();
else if (wrong === 0) write(wanted);
process.exitCode = wrong > 0 ? 1 : 0;

/** What most of them say is the version: so it is named what differs. */
function check() {
  const all = places.flatMap(({ found }) => found);
  const count = (/** @type {string} */ number) => all.filter((one) => one === number).length;
  const expected = all.reduce((best, one) => (count(one) > count(best) ? one : best), all[0]);
  for (const { file, found } of places) {
    const fits = found.every((number) => number === expected);
    if (!fits) wrong++;
    console[fits ? 'log' : 'error'](`${file}: ${found.join(', ')}${fits ? '' : `, not ${expected}`}`);
  }
}

/** @param {string} number */
function write(number) {
  for (const { file, text, pattern, found } of places) {
    writeFileSync(fileURLToPath(new URL(file, REPOSITORY)), text.replace(pattern, `$1${number}`));
    console.log(`${file}: ${[...new Set(found)].join(', ')} to ${number}`);
  }
}
