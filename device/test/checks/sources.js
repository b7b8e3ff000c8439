/** What the checks look at, and how it is compiled for this machine. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const DEVICE = fileURLToPath(new URL('../..', import.meta.url));

/** Everything is compiled in. */
export const SWITCHES = ['-DUSMP_SERVER=1', '-DUSMP_MAX_MESSAGE=1808', '-DUSMP_MAX_UNDER_WAY=8'];

export const INCLUDES = ['core/include', 'crypto/include'].map((path) => `-I${join(DEVICE, path)}`);

/** BearSSL's headers as those of the system: their warnings are none of ours. */
export const BEARSSL = ['-DUSMP_CRYPTO_BEARSSL', '-isystem', '/usr/include/bearssl'];

/** @param {string} folder @param {string} ending */
function list(folder, ending) {
  const names = readdirSync(join(DEVICE, folder)).filter((name) => name.endsWith(ending));
  return names.sort().map((name) => join(DEVICE, folder, name));
}

export const CORE = list('core/src', '.c');
export const ONE_FILE = join(DEVICE, 'core/usmp.c');
export const SEAM = ['bearssl.c', 'memory.c'].map((name) => join(DEVICE, 'crypto/src', name));
export const RANDOM = join(DEVICE, 'crypto/src/random_posix.c');
export const HEADERS = [...list('core/include/usmp', '.h'), ...list('crypto/include/usmp', '.h')];

/** Headers of other backends than BearSSL, and the macro that brings them in. */
export const BACKENDS = { 'crypto_psa.h': '-DUSMP_CRYPTO_PSA', 'crypto_mbedtls.h': '-DUSMP_CRYPTO_MBEDTLS' };
