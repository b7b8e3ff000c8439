/**
 * Packs the component: the archive that `compote component upload` would send, or that a project can unpack into its folder
 * `components`.
 *
 *   node device/esp-idf/pack.js            makes device/build/esp-idf/usmp_2.0.0.tgz
 *   node device/esp-idf/pack.js FOLDER     makes it there
 *
 * `compote component pack --name usmp` in this folder makes the same archive, where a checkout has symbolic links. This way needs
 * none: the component is put together as files first. compote is taken from the PATH, where ESP-IDF's environment has it, or as
 * the Python that USMP_IDF_PYTHON names.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const COMPONENT = fileURLToPath(new URL('.', import.meta.url));
const DEVICE = join(COMPONENT, '..');

/** What the component consists of, and from where it is taken. `idf_component.yml` names what belongs to the links among them. */
const PARTS = {
  'CMakeLists.txt': COMPONENT,
  Kconfig: COMPONENT,
  'README.md': COMPONENT,
  'idf_component.yml': COMPONENT,
  examples: COMPONENT,
  include: COMPONENT,
  src: COMPONENT,
  usmp: COMPONENT,
  core: DEVICE,
  crypto: DEVICE,
  LICENSE: join(DEVICE, '..'),
};

/** Of a build in place: not sources. */
const MADE = /[\\/](?:build|managed_components|dependencies\.lock|sdkconfig(?:\.old)?)(?:[\\/]|$)/;
/** Cryptography that ESP-IDF does not have. */
const FOREIGN = /[\\/]crypto[\\/]src[\\/](?:bearssl|random_posix)\.c$/;

const to = resolve(process.argv[2] ?? join(DEVICE, 'build/esp-idf'));
const stage = join(to, 'usmp');

rmSync(stage, { recursive: true, force: true });
mkdirSync(stage, { recursive: true });
for (const [name, from] of Object.entries(PARTS)) {
  const source = join(from, name);
  const inside = (/** @type {string} */ file) => file.slice(source.length);
  const wanted = (/** @type {string} */ file) => !MADE.test(inside(file)) && !FOREIGN.test(file);
  cpSync(source, join(stage, name), { recursive: true, dereference: true, filter: wanted });
}
try {
  const python = process.env.USMP_IDF_PYTHON;
  const args = ['component', 'pack', '--name', 'usmp', '--project-dir', stage, '--dest-dir', to];
  if (python === undefined) execFileSync('compote', args, { stdio: 'inherit' });
  else execFileSync(python, ['-m', 'idf_component_manager', ...args], { stdio: 'inherit' });
} catch (error) {
  const missing = /** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT';
  if (missing)
    console.error(
      'no compote on the PATH: pip install idf-component-manager, or let USMP_IDF_PYTHON name a Python that has it',
    );
  process.exitCode = 1;
}
