/**
 * Packages of Debian that tests need, by the package manager of the system, where that needs no password and no question.
 * The system's package sources are left as they are.
 */
import { execFile } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const MINUTE = 60_000;

const run = promisify(execFile);

/** Whether this is a Debian, and we may install on it. */
export function canInstallPackages() {
  return process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
}

/** @param {readonly string[]} packages */
export async function installPackages(packages) {
  const installation = ['install', '-y', '--no-install-recommends', ...packages];
  try {
    await aptGet(installation);
  } catch {
    // The package lists may be missing or old.
    await aptGet(['update']);
    await aptGet(installation);
  }
}

/** Waits for another process that is installing. @param {string[]} args */
function aptGet(args) {
  const waiting = ['-o', 'DPkg::Lock::Timeout=300'];
  return execute('apt-get', [...waiting, ...args], 8 * MINUTE, { DEBIAN_FRONTEND: 'noninteractive' });
}

/**
 * Runs a program to its end, and gives what it wrote, which becomes part of the error otherwise.
 *
 * @param {string} program @param {string[]} args @param {number} timeout in milliseconds
 * @param {NodeJS.ProcessEnv} env beside that of this process
 */
export async function execute(program, args, timeout, env = {}) {
  // The paths of another Python must not leak into this one.
  const { PYTHONPATH: _path, PYTHONHOME: _home, ...inherited } = process.env;
  try {
    const { stdout } = await run(program, args, {
      timeout,
      killSignal: 'SIGKILL',
      maxBuffer: 16 * 1024 * 1024,
      env: { ...inherited, ...env },
    });
    return stdout.trim();
  } catch (error) {
    const reason = error.killed
      ? `no end after ${timeout / 1_000} s`
      : (error.stderr || error.stdout || error.message).trim();
    throw new Error(`${program} ${args.join(' ')}: ${reason}`);
  }
}

/** Whether a module is the program that runs. @param {string} url its `import.meta.url` */
export function isProgram(url) {
  return process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(url);
}
