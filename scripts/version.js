/**
 * One version number for everything that is released together.
 *
 *   node scripts/version.js          says which files carry it, and fails where one differs
 *   node scripts/version.js 2.1.0    writes it into all of them
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const REPOSITORY = new URL('../', import.meta.url);
const NUMBER = String.raw`\d+\.\d+\.\d+(?:-[0-9a-z.]+)?`;

/** Where it stands: `before`, the number, `after`, as often as `times` says. */
const PLACES = [
  { file: 'package.json', before: '^  "version": "', after: '"', times: 1 },
  { file: 'packages/usmp/package.json', before: '^  "version": "', after: '"', times: 1 },
  {
    file: 'package-lock.json',
    // The file's own head, and the packages of the repository.
    before: '(?:"name": "usmp-workspace",|"packages/usmp": \\{(?:\\s+"name": "usmp",)?)\\s+"version": "',
    after: '"',
    times: 3,
  },
  { file: 'device/core/include/usmp/usmp.h', before: '^#define USMP_VERSION_STRING "', after: '"', times: 1 },
  { file: 'device/arduino/library.properties', before: '^version=', after: '$', times: 1 },
  { file: 'device/arduino/README.md', before: 'USMP-', after: '\\.zip', times: 1 },
  { file: 'device/esp-idf/idf_component.yml', before: '^version: "', after: '"', times: 1 },
];

const wanted = process.argv[2];
if (wanted !== undefined && !new RegExp(`^${NUMBER}$`).test(wanted)) {
  console.error(`"${wanted}" is not a version number: give one like 2.1.0 or 2.1.0-beta.1`);
  process.exit(2);
}

let expected = wanted;
let wrong = 0;
for (const { file, before, after, times } of PLACES) {
  const path = fileURLToPath(new URL(file, REPOSITORY));
  const text = readFileSync(path, 'utf8');
  const pattern = new RegExp(`(${before})(${NUMBER})(?=${after})`, 'gm');
  const found = [...text.matchAll(pattern)].map(([, , number]) => number);
  if (found.length !== times) {
    console.error(`${file}: ${found.length} version numbers instead of ${times}`);
    wrong++;
    continue;
  }
  if (wanted !== undefined) {
    writeFileSync(path, text.replace(pattern, `$1${wanted}`));
    console.log(`${file}: ${found[0]} to ${wanted}`);
    continue;
  }
  expected ??= found[0];
  const fits = found.every((number) => number === expected);
  if (!fits) wrong++;
  console[fits ? 'log' : 'error'](`${file}: ${found.join(', ')}${fits ? '' : `, not ${expected}`}`);
}
process.exitCode = wrong > 0 ? 1 : 0;
