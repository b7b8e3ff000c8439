/**
 * Programs that tests need beside Node and Python. `node scripts/programs.js` prepares all of them.
 */
import { canInstallPackages, installPackages, isProgram } from './debian.js';
import { isExecutable, onPath } from './on-path.js';

/**
 * What they are called, the best one first; on Debian, packages have the same names. Chromium's headless shell is the same engine
 * without a desktop: half of the work for the processor.
 */
const NAMES = { socat: ['socat'], chromium: ['chromium-headless-shell', 'chromium'] };

/** @type {Map<string, Promise<string | undefined>>} */
const programs = new Map();

/**
 * A program of this machine, installed if need be and allowed.
 *
 * @param {keyof typeof NAMES} name
 * @returns {Promise<string | undefined>} absolute path; undefined where it cannot be had, which is said on stderr
 */
export function findProgram(name) {
  let program = programs.get(name);
  if (program === undefined) {
    program = findOrInstall(name).catch((error) => {
      console.error(
        `\n*** ${name} is missing: ${error.message}\n*** Install it (Debian, Ubuntu: apt-get install ` +
          `${NAMES[name][0]}), or let ${variableOf(name)} name it.\n`,
      );
      return undefined;
    });
    programs.set(name, program);
  }
  return program;
}

/** @param {keyof typeof NAMES} name */
async function findOrInstall(name) {
  const named = process.env[variableOf(name)];
  if (named) {
    if (!isExecutable(named)) throw new Error(`${variableOf(name)} names ${named}, which cannot be run`);
    return named;
  }
  const found = findAny(NAMES[name]);
  if (found !== undefined) return found;
  if (!canInstallPackages()) throw new Error('it is not on the PATH');
  console.error(`No ${name} on the PATH: installing ${NAMES[name][0]}`);
  await installAny(NAMES[name]);
  const installed = findAny(NAMES[name]);
  if (installed === undefined) throw new Error('its package does not have it');
  return installed;
}

/** @param {readonly string[]} names */
function findAny(names) {
  return names.map(onPath).find((path) => path !== undefined);
}

/** The first package that there is: not all distributions have each. @param {readonly string[]} names */
async function installAny([name, ...others]) {
  try {
    await installPackages([name]);
  } catch (error) {
    if (others.length === 0) throw error;
    await installAny(others);
  }
}

/** @param {string} name */
function variableOf(name) {
  return `USMP_TEST_${name.toUpperCase()}`;
}

if (isProgram(import.meta.url)) {
  let missing = 0;
  for (const name of Object.keys(NAMES)) if ((await findProgram(name)) === undefined) missing++;
  if (missing > 0 && process.env.CI === 'true') process.exitCode = 1;
}
