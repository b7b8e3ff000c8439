/** Builds of the component over the shim of ESP-IDF's API, runs of them, and servers for them. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { USMPServer } from '../../../packages/usmp/dist/index.js';

const run = promisify(execFile);

export const DEVICE = fileURLToPath(new URL('../../', import.meta.url));
export const COMPONENT = join(DEVICE, 'esp-idf');
const HERE = join(DEVICE, 'test/esp-idf');
const SHIM = join(HERE, 'shim');

export const KEY = 'a key for tests, 16+';

/** As ESP-IDF compiles components, and stricter. The two are off in ESP-IDF too. */
const FLAGS = [
  ...['-std=gnu17', '-O1', '-g', '-Wall', '-Wextra', '-Werror', '-Wshadow', '-Wconversion'],
  ...['-Wno-unused-parameter', '-Wno-sign-compare', '-DUSMP_CONFIG_FILE="usmp_idf_config.h"'],
];

export const ADDRESS_SANITIZER = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
/** The optimiser has its say, in warnings, where memory is watched. */
export const THREAD_SANITIZER = ['-fsanitize=thread', '-O0'];

/** How long a program may run. Milliseconds. */
const LIFETIME = 60_000;

/** What menuconfig says by default, for the target linux; a test holds it against Kconfig. */
export const DEFAULTS = {
  IDF_TARGET_LINUX: 1,
  USMP_KEY_SOURCE_NVS: 1,
  USMP_NVS_NAMESPACE: '"usmp"',
  USMP_NVS_KEY: '"psk"',
  USMP_TCP: 1,
  USMP_UDP: 1,
  USMP_MAX_MESSAGE: 452,
  USMP_QUEUE_SIZE: 2048,
  USMP_SEND_QUEUE: 1,
  USMP_MAX_UNDER_WAY: 4,
  USMP_MAX_HELD: 1,
  USMP_KEEPALIVE_INTERVAL: 30_000,
  USMP_KEEPALIVE_TIMEOUT: 20_000,
  USMP_CONNECT_TIMEOUT: 10_000,
  USMP_RETRY_BASE: 500,
  USMP_RETRY_CAP: 60_000,
  USMP_TASK_STACK: 262_144,
  USMP_TASK_PRIORITY: 1,
  USMP_TASK_CORE: -1,
  USMP_CRYPTO_CHOICE_AUTO: 1,
  USMP_LOG_LEVEL_INFO: 1,
  USMP_LOG_LEVEL: 3,
};

/** What differs on chips, where the host's sockets stand for lwIP. */
export const CHIP = { IDF_TARGET_LINUX: undefined, USMP_UART: 1 };

const EXAMPLE = { EXAMPLE_URL: '"tcp://127.0.0.1:1"', EXAMPLE_INTERVAL: 1 };

/** @param {string} folder @param {RegExp} names */
async function filesOf(folder, names) {
  const all = await readdir(folder);
  return all
    .filter((name) => names.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/**
 * The sources of a component, and its include paths: those that its CMakeLists.txt names.
 *
 * @param {string} component where it is
 * @param {string} protocol where core and crypto are
 */
export async function partsOf(component, protocol) {
  return {
    sources: [
      ...(await filesOf(join(component, 'src'), /\.c$/)),
      join(protocol, 'core/usmp.c'),
      ...['memory', 'mbedtls', 'psa'].map((name) => join(protocol, `crypto/src/${name}.c`)),
    ],
    includes: [join(component, 'include'), join(protocol, 'core/include'), join(protocol, 'crypto/include')],
  };
}

/**
 * Writes `sdkconfig.h` and gives the options that every file is compiled with.
 *
 * @param {string} folder
 * @param {readonly string[]} includes
 * @param {Record<string, string | number | undefined>} config
 */
export async function optionsFor(folder, includes, config) {
  const lines = Object.entries({ ...DEFAULTS, ...EXAMPLE, ...config })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `#define CONFIG_${name} ${value}\n`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'sdkconfig.h'), lines.join(''));
  return [...FLAGS, ...[folder, SHIM, ...includes].map((path) => `-I${path}`)];
}

/**
 * @typedef {object} Build
 * @property {string} name
 * @property {Record<string, string | number | undefined>} [config] beside the defaults
 * @property {readonly string[]} [flags]
 * @property {Record<string, string>} mains folders of sources with `app_main`, by the name of the program
 * @property {string} [component] elsewhere than in the repository
 */

export const SCENARIOS = HERE;

/**
 * Programs around the component, which is compiled once for all of them.
 *
 * @param {string} gcc @param {string} folder for what it makes @param {Build} build
 * @returns {Promise<Record<string, string>>} their paths, by name
 */
export async function build(gcc, folder, { name, config = {}, flags = [], mains, component }) {
  const { sources, includes } = await partsOf(component ?? COMPONENT, component ?? DEVICE);
  const options = [...(await optionsFor(join(folder, name), includes, config)), ...flags];
  /** @param {string} into @param {readonly string[]} files */
  const compile = async (into, files) => {
    const cwd = join(folder, name, into);
    await mkdir(cwd, { recursive: true });
    await run(gcc, [...options, '-c', ...files], { cwd, timeout: 3 * LIFETIME });
    return filesOf(cwd, /\.o$/);
  };
  const shared = [
    ...(await compile('component', sources)),
    ...(await compile('shim', await filesOf(SHIM, /\.c$/))),
  ];
  /** @type {Record<string, string>} */
  const programs = {};
  for (const [title, main] of Object.entries(mains)) {
    const objects = await compile(title, await filesOf(main, /\.c$/));
    programs[title] = join(folder, name, title, 'program');
    const libraries = ['-lmbedcrypto', '-lpthread'];
    await run(gcc, [...flags, ...objects, ...shared, ...libraries, '-o', programs[title]]);
  }
  return programs;
}

/** A program that runs. */
export class Running {
  output = '';
  #child;

  /**
   * @param {import('node:test').TestContext} t ends it
   * @param {string} program
   * @param {Record<string, string>} env
   */
  constructor(t, program, env) {
    const TSAN_OPTIONS = 'halt_on_error=1 exitcode=66 atexit_sleep_ms=0';
    this.#child = spawn(program, { env: { ...process.env, TSAN_OPTIONS, ...env }, timeout: LIFETIME });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.on('data', (chunk) => (this.output += chunk));
    this.ended = once(this.#child, 'close');
    t.after(() => {
      this.#child.kill('SIGKILL');
      return this.ended;
    });
  }

  /** @param {RegExp} pattern of what it prints */
  async sees(pattern) {
    const deadline = Date.now() + LIFETIME / 2;
    for (;;) {
      const found = pattern.exec(this.output);
      if (found !== null) return found;
      assert.ok(Date.now() < deadline && this.#child.exitCode === null, `no ${pattern} in:\n${this.output}`);
      await Promise.race([once(this.#child.stdout, 'data'), once(this.#child.stderr, 'data'), this.ended]);
    }
  }

  async succeeds() {
    const [code, signal] = await this.ended;
    assert.equal(signal ?? code, 0, this.output);
    assert.match(this.output, /^done$/m);
    return this.output;
  }
}

/**
 * Runs a scenario to its end.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} program @param {string} scenario @param {string} url of the server
 * @param {Record<string, string>} [env]
 */
export function scenario(t, program, scenario, url, env = {}) {
  return new Running(t, program, { USMP_SCENARIO: scenario, ...environmentFor(url), ...env });
}

/** A UART that leads to a server is a TCP connection here. @param {string} url */
function environmentFor(url) {
  if (!url.startsWith('serial+tcp:')) return { USMP_URL: url };
  return { USMP_SHIM_UART: new URL(url.replace('serial+tcp:', 'http:')).port };
}

/**
 * A server that sends back what it gets.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} listen
 */
export async function serve(t, listen) {
  /** @type {string[]} */
  const received = [];
  const server = new USMPServer({ listen, psk: KEY });
  server.onSession(async (session) => {
    for await (const message of session) {
      received.push(new TextDecoder().decode(message));
      await session.send(message);
    }
  });
  await server.listen();
  const close = () => server.close({ timeout: 0 });
  t.after(close);
  return { url: server.urls[0], received, server, close };
}

/** Somebody who accepts connections and says nothing. @param {import('node:test').TestContext} t */
export async function serveSilence(t) {
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `tcp://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;
}

/** A URL where nobody listens. */
export async function unreachable() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return `tcp://127.0.0.1:${port}`;
}

/** A folder that is removed in the end. */
export async function temporaryFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'usmp-idf-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
