/**
 * Python environments for the tests against the released peer and for the vector generator, in the folder `.peers`.
 * `node scripts/peers.js` prepares all of them; the exported functions one each, when it is asked for.
 *
 * An environment is installed under a name of its own and renamed when it is complete. So what has its final name is
 * whole, however often a run is interrupted and however many run at once.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canInstallPackages, execute, installPackages, isProgram, MINUTE } from './debian.js';

export const PEER_VERSIONS = ['1.2.2', '1.0.0'];

const REPOSITORY = fileURLToPath(new URL('../', import.meta.url));
const PEERS = join(REPOSITORY, '.peers');
const VECTOR_REQUIREMENTS = join(REPOSITORY, 'spec/vectors/gen/requirements.txt');
const IDF_REQUIREMENTS = join(REPOSITORY, 'device/test/esp-idf/requirements.txt');

/** In a finished environment: what was installed. */
const STAMP = 'installed.txt';

/** Longer than any installation takes: a draft of that age was left by an interrupted one. */
const ABANDONED = 60 * MINUTE;

const WINDOWS = process.platform === 'win32';

/** The releases of Python that the peers accept. The second line fails where Debian has left `venv` out. */
const CHECK_PYTHON = `
import sys
import ensurepip, venv
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
`;

/** The pip that Python brings along for environments: to run it as it is takes seconds less than to install it in each. */
const FIND_PIP = `
import ensurepip, glob, os, sysconfig
folders = [os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"), sysconfig.get_config_var("WHEEL_PKG_DIR")]
wheels = [glob.glob(os.path.join(glob.escape(folder), "pip-*.whl")) for folder in folders if folder]
print(next((found[0] for found in wheels if found), ""))
`;

const PYTHON_NAMES = ['python3', 'python3.13', 'python3.12', 'python3.11', ...(WINDOWS ? ['python'] : [])];
const PYTHON_WANTED = 'Python 3.11 to 3.13 with venv';
const APT_PACKAGES = ['python3', 'python3-venv'];

/**
 * The Python that has the released peer.
 *
 * @param {string} version of the PyPI package `usmp`
 * @returns {Promise<string | undefined>} absolute path; undefined where it cannot be had, which is said on stderr
 */
export function peerPython(version) {
  return environment(`usmp-${version}`, {
    variable: `USMP_PEER_PYTHON_${version.replaceAll('.', '_')}`,
    requirements: async () => `usmp==${version}\n`,
  });
}

/**
 * The Python that runs the vector generator.
 *
 * @param {string} file what it needs, in the format of pip
 * @returns {Promise<string | undefined>} absolute path; undefined where it cannot be had, which is said on stderr
 */
export function vectorsPython(file = VECTOR_REQUIREMENTS) {
  return environment('vectors', {
    variable: 'USMP_VECTORS_PYTHON',
    requirements: () => readFile(file, 'utf8'),
  });
}

/**
 * The Python that has Espressif's packer of components and checker of Kconfig files.
 *
 * @returns {Promise<string | undefined>} absolute path; undefined where it cannot be had, which is said on stderr
 */
export function idfPython() {
  return environment('idf', {
    variable: 'USMP_IDF_PYTHON',
    requirements: () => readFile(IDF_REQUIREMENTS, 'utf8'),
    // Nothing is looked for beside it, and only what is imported is compiled: half the time.
    options: ['--no-deps', '--no-compile'],
  });
}

/**
 * @typedef {object} Source
 * @property {string} variable of the environment, which may name another Python
 * @property {() => Promise<string>} requirements in the format of pip
 * @property {readonly string[]} [options] of pip
 */

/** @type {Map<string, Promise<string | undefined>>} */
const environments = new Map();

/** @param {string} name @param {Source} source */
function environment(name, source) {
  let python = environments.get(name);
  if (python === undefined) {
    python = findOrInstall(name, source).catch((error) => {
      console.error(
        `\n*** ${name} is missing: ${error.message}\n*** Install what is missing and run "node scripts/peers.js", ` +
          `or let ${source.variable} name a Python that has it.\n`,
      );
      return undefined;
    });
    environments.set(name, python);
  }
  return python;
}

/** @param {string} name @param {Source} source */
async function findOrInstall(name, { variable, requirements, options = [] }) {
  const named = process.env[variable];
  if (named) {
    if (!existsSync(named)) throw new Error(`${variable} names ${named}, which is not there`);
    return resolve(named);
  }
  const home = join(PEERS, name);
  const wanted = await requirements();
  if (await isComplete(home, wanted)) return pythonOf(home);

  const base = await basePython();
  await mkdir(PEERS, { recursive: true });
  await removeAbandoned();
  console.error(`Installing ${name} into ${home}`);
  const draft = await mkdtemp(`${home}.`);
  try {
    await install(base, draft, wanted, options);
    await publish(draft, home, wanted);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return pythonOf(home);
}

/** @param {string} home */
function pythonOf(home) {
  return join(home, WINDOWS ? 'Scripts/python.exe' : 'bin/python');
}

/**
 * Whether `wanted` is installed in `home`, and the Python that it was made from is still there.
 *
 * @param {string} home @param {string} wanted
 */
async function isComplete(home, wanted) {
  const installed = await readFile(join(home, STAMP), 'utf8').catch(() => undefined);
  return installed === wanted && existsSync(pythonOf(home));
}

/** @param {string} base @param {string} draft @param {string} wanted @param {readonly string[]} options */
async function install(base, draft, wanted, options) {
  const requirements = join(draft, 'requirements.txt');
  const wheel = await execute(base, ['-c', FIND_PIP], MINUTE / 2);
  await execute(base, ['-m', 'venv', ...(wheel === '' ? [] : ['--without-pip']), draft], 3 * MINUTE);
  await writeFile(requirements, wanted);
  const pip = wheel === '' ? ['-m', 'pip'] : [join(wheel, 'pip')];
  const quiet = ['--quiet', '--no-input', '--disable-pip-version-check'];
  await execute(pythonOf(draft), [...pip, 'install', ...quiet, ...options, '-r', requirements], 6 * MINUTE);
  await writeFile(join(draft, STAMP), wanted);
}

/**
 * Gives a complete draft its name, unless another process was faster.
 *
 * @param {string} draft @param {string} home @param {string} wanted
 */
async function publish(draft, home, wanted) {
  if (!(await isComplete(home, wanted))) await rm(home, { recursive: true, force: true });
  try {
    await rename(draft, home);
  } catch (error) {
    if (!(await isComplete(home, wanted))) throw error;
  }
}

async function removeAbandoned() {
  for (const entry of await readdir(PEERS)) {
    if (!/\.\w{6}$/.test(entry)) continue;
    const draft = join(PEERS, entry);
    const age = await stat(draft).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > ABANDONED) await rm(draft, { recursive: true, force: true });
  }
}

/** @type {Promise<string> | undefined} */
let base;

/** A Python of this machine that environments can be made from. */
function basePython() {
  base ??= findPython().then(async (python) => python ?? installPython());
  return base;
}

/** Tries all on the PATH: the first of a name may be the shim of a version manager that has none to offer. */
async function findPython() {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const name of PYTHON_NAMES) {
    for (const folder of folders) {
      const python = join(folder, WINDOWS ? `${name}.exe` : name);
      if (!existsSync(python)) continue;
      try {
        await execute(python, ['-c', CHECK_PYTHON], MINUTE / 2);
        return python;
      } catch {}
    }
  }
  return undefined;
}

/** By the package manager, where that needs no password and no question. */
async function installPython() {
  const missing = `no ${PYTHON_WANTED} on the PATH (Debian, Ubuntu: apt-get install ${APT_PACKAGES.join(' ')})`;
  if (!canInstallPackages()) throw new Error(missing);
  console.error(`No ${PYTHON_WANTED} on the PATH: installing ${APT_PACKAGES.join(' and ')}`);
  await installPackages(APT_PACKAGES);
  const python = await findPython();
  if (python === undefined) throw new Error(missing);
  return python;
}

if (isProgram(import.meta.url)) {
  let missing = 0;
  // First what is asked for first.
  if ((await vectorsPython()) === undefined) missing++;
  for (const version of PEER_VERSIONS) if ((await peerPython(version)) === undefined) missing++;
  if ((await idfPython()) === undefined) missing++;
  if (missing > 0 && process.env.CI === 'true') process.exitCode = 1;
}
