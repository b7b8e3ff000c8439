/** Servers and clients of both languages for the matrix, and what they say to each other. */

import assert from 'node:assert/strict';
import { USMPClient, USMPServer } from '../../../packages/usmp/dist/index.js';
import { sendForEcho } from '../../../packages/usmp/dist-test/interop/traffic.js';
import { build, Program, run } from './programs.js';

export const KEY = 'a key for tests, 16+';
export const WRONG_KEY = 'not the key for tests';
export const DEVICE_ID = '02:00:00:00:00:2a';

/** Sizes around the limits of COBS groups, frames and messages. */
const SIZES = [0, 1, 4, 213, 214, 254, 255, 451, 452, 453, 904, 905, 1_356, 1_357, 1_807, 1_808];

/**
 * Whom one program is to meet; what is not said is as for everybody.
 *
 * @typedef {object} Choice
 * @property {'bearssl' | 'psa' | 'mbedtls'} [crypto]
 * @property {number} [maxMessage]
 */

/**
 * An echo server in TypeScript.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} listen
 * @param {import('../../../packages/usmp/dist/index.js').USMPServerOptions} [options]
 */
export async function serveTypeScript(t, listen, options = { psk: KEY }) {
  const server = new USMPServer({ listen, ...options });
  /** @type {import('../../../packages/usmp/dist/index.js').Refusal[]} */
  const refusals = [];
  /** @type {string[]} */
  const endings = [];
  server.on('refused', (refusal) => refusals.push(refusal));
  server.on('disconnect', (session, error) => endings.push((error ?? session.error).code));
  server.onSession(async (session) => {
    for await (const message of session) await session.send(message);
  });
  await server.listen();
  t.after(() => server.close({ timeout: 0 }));
  return { server, url: server.urls[0], refusals, endings };
}

/**
 * An echo server in C.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} listen
 * @param {Choice & { args?: readonly string[], psk?: string }} choice
 */
export async function serveC(t, listen, { crypto, maxMessage, args = [], psk = KEY } = {}) {
  const programs = await build(crypto, maxMessage);
  const server = new Program(t, programs.server, ['--listen', listen, '--psk', psk, '--echo', ...args]);
  const [, url] = await server.sees(/^listening (\S+)$/m);
  return { server, url };
}

/**
 * The client in C, run to its end.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} url
 * @param {readonly string[]} args
 * @param {Choice & { psk?: string, input?: string }} choice
 */
export async function runC(t, url, args, { crypto, maxMessage, psk = KEY, input } = {}) {
  const { client } = await build(crypto, maxMessage);
  return run(t, client, [url, '--psk', psk, ...args], { input });
}

/**
 * Messages of all sizes come back unchanged to the client in C, across a change of keys.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} url
 * @param {Choice & { args?: readonly string[], count?: number }} choice
 */
export async function checkEchoesOfC(t, url, { args = ['--rekey'], count = 60, ...choice } = {}) {
  const outcome = await runC(t, url, ['--ping', '--echo-check', String(count), ...args], choice);
  assert.equal(outcome.stderr, '');
  assert.match(outcome.stdout, new RegExp(`^round trip: \\d+ ms\\n${count} echoes of \\d+ bytes\\n$`));
  assert.equal(outcome.code, 0);
}

/**
 * The same for the client in TypeScript.
 *
 * @param {string} url
 * @param {{ maxMessage?: number, count?: number, window?: number, rekey?: boolean, deviceId?: string }} options
 */
export async function checkEchoesOfTypeScript(
  url,
  { maxMessage = 452, count = 40, window = 6, rekey = true, deviceId = DEVICE_ID } = {},
) {
  const sizes = SIZES.filter((size) => size <= maxMessage);
  const client = new USMPClient({ url, psk: KEY, deviceId });
  const session = await client.connect();
  try {
    const first = Math.floor(count / 2);
    assert.ok((await session.ping({ timeout: 10_000 })) >= 0);
    await sendForEcho(session, { count: first, sizes, window });
    await Promise.all([
      rekey ? session.rekey({ timeout: 10_000 }) : undefined,
      sendForEcho(session, { first, count: count - first, sizes, window }),
    ]);
  } finally {
    await session.close();
  }
}

/**
 * Whether the server in C has seen an orderly end.
 *
 * @param {Program} server
 */
export function seesBye(server, deviceId = DEVICE_ID) {
  return server.sees(new RegExp(`^disconnected ${deviceId} from .*: bye: `, 'm'), 'stderr');
}
