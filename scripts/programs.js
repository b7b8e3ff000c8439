/**
 * Programs that tests need beside Node and Python. `node scripts/programs.js` prepares all of them.
 */
import { canInstallPackages, installPackages, isProgram } from './debian.js';
import { isExecutable, onPath } from './on-path.js';

/** The packages of Debian that have them. */
const PACKAGES = { socat: ['socat'], chromium: ['chromium'] };

/** @type {Map<string, Promise<string | undefined>>} */
const programs = new Map();

/**
 * A program of this machine, installed if need be and allowed.
 *
 * @param {keyof typeof PACKAGES} name
 * @returns {Promise<string | undefined>} absolute path; undefined where it cannot be had, which is said on stderr
 */
export function findProgram(name) {
  let program = programs.get(name);
  if (program === undefined) {
    program = findOrInstall(name).catch((error) => {
      console.error(
        `\n*** ${name} is missing: ${error.message}\n*** Install it (Debian, Ubuntu: apt-get install ` +
          `${PACKAGES[name].join(' ')}), or let ${variableOf(name)} name it.\n`,
      );
      return undefined;
    });
    programs.set(name, program);
  }
  return program;
}

/** @param {keyof typeof PACKAGES} name */
async function findOrInstall(name) {
  const named = process.env[variableOf(name)];
  if (named) {
    if (!isExecutable(named)) throw new Error(`${variableOf(name)} names ${named}, which cannot be run`);
    return named;
  }
  const found = onPath(name);
  if (found !== undefined) return found;
  if (!canInstallPackages()) throw new Error('it is not on the PATH');
  console.error(`No ${name} on the PATH: installing ${PACKAGES[name].join(' and ')}`);
  await installPackages(PACKAGES[name]);
  const installed = onPath(name);
  if (installed === undefined) throw new Error('its package does not have it');
  return installed;
}

/** @param {string} name */
function variableOf(name) {
  return `USMP_TEST_${name.toUpperCase()}`;
}

if (isProgram(import.meta.url)) {
  let missing = 0;
  for (const name of Object.keys(PACKAGES)) if ((await findProgram(name)) === undefined) missing++;
  if (missing > 0 && process.env.CI === 'true') process.exitCode = 1;
}
