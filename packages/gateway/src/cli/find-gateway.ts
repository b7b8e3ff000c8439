/**
 * Which gateway a command talks to: one that is named by its URL, the one that runs on the data folder, or, when none
 * does, the data folder itself.
 *
 * @module
 */

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/config.js';
import { formatEndpoint, isLoopback } from '../config/endpoint.js';
import { type LoadedConfig, loadConfig } from '../config/load.js';
import { readRunFile } from '../run-file.js';
import { DATABASE_FILE } from '../storage/storage.js';
import { ApiClient, errorIn } from './api-client.js';
import { UnreachableError, UsageError } from './exit-codes.js';
import type { GatewayFlags } from './gateway-options.js';
import { HTTPCarrier, NobodyThereError } from './http-carrier.js';
import { whenUnlocked } from './lock-patience.js';
import { exposureOf, readSecretFile } from './secret-file.js';

/** Holds the token for `--url`. */
export const TOKEN_VARIABLE = 'USMP_GATEWAY_TOKEN';

/**
 * What a command works on. `running`: sessions and the like, which a stopped gateway has none of; `stored`: what is in the
 * data folder; `adds`: it makes the data folder where there is none.
 */
export type Needs = 'running' | 'stored' | 'adds';

/** How long a gateway on this machine may take to say that it lives. Milliseconds. */
const PROBE_TIMEOUT = 5_000;

/** @param notice is told what is no error */
export async function findGateway(
  flags: GatewayFlags,
  needs: Needs,
  notice: (message: string) => void,
): Promise<ApiClient> {
  if (flags.url !== undefined) return elsewhere(flags.url, flags.tokenFile, notice);
  if (flags.tokenFile !== undefined)
    throw new UsageError('--token-file is for --url: a gateway on this machine needs none');
  const { config, warnings } = load(flags);
  for (const warning of warnings) notice(`warning: ${warning}`);
  // It has the data folder before it listens, and after it has said goodbye.
  return whenUnlocked(async () => (await findRunning(config)) ?? stopped(config, needs, notice));
}

/** As the gateway reads it from the same flags and environment. */
function load({ data, config }: GatewayFlags): LoadedConfig {
  // No option of the gateway, and not to be taken for a misspelled one.
  const { [TOKEN_VARIABLE]: _, ...env } = process.env;
  return loadConfig({ file: config, env, flags: { data } });
}

function elsewhere(
  text: string,
  tokenFile: string | undefined,
  notice: (message: string) => void,
): ApiClient {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new UsageError(`--url ${text} is no address: write it like https://gateway.example:8080`);
  // Not quoted: it may be a secret.
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw new UsageError('--url holds more than scheme, host, port and path: leave the rest out');
  if (url.protocol === 'http:' && !isLoopback(url.hostname.replace(/^\[|\]$/g, '')))
    notice(`warning: ${url.origin} is not encrypted: the token, and new keys, can be read on the way`);
  const address = url.href.replace(/\/+$/, '');
  return new ApiClient('elsewhere', address, address, new HTTPCarrier(address, tokenOf(tokenFile, notice)));
}

function tokenOf(file: string | undefined, notice: (message: string) => void): string {
  if (file !== undefined) {
    const exposure = exposureOf(file);
    if (exposure !== undefined) notice(`warning: ${exposure}`);
  }
  const token = file === undefined ? process.env[TOKEN_VARIABLE] : readSecretFile(file);
  if (token === undefined || token === '')
    throw new UsageError(`no token: set ${TOKEN_VARIABLE}, or give --token-file FILE`);
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new UsageError(
      `${file ?? TOKEN_VARIABLE} does not hold a token: make one with usmp-gateway token add`,
    );
  return token;
}

/** Undefined when none runs, whatever a gateway that was killed has left behind. */
async function findRunning(config: Config): Promise<ApiClient | undefined> {
  const run = readRunFile(config.data);
  if (run === undefined) return undefined;
  const name = `the gateway on ${config.data} (process ${run.pid})`;
  try {
    const probe = new HTTPCarrier(run.url, run.token, PROBE_TIMEOUT);
    const { status, text } = await probe.send({
      method: 'GET',
      path: '/api/v1/status',
      headers: {},
      body: undefined,
    });
    // Somebody else has the port now.
    if (status === 401 || (status !== 200 && errorIn(text) === undefined)) return undefined;
  } catch (error) {
    if (error instanceof NobodyThereError) return undefined;
    throw new UnreachableError(`${name} does not answer: look at its log`);
  }
  return new ApiClient('here', name, run.api, new HTTPCarrier(run.url, run.token));
}

async function stopped(config: Config, needs: Needs, notice: (message: string) => void): Promise<ApiClient> {
  const folder = config.data;
  const exists = hasDatabase(folder);
  if (needs === 'running')
    throw new UnreachableError(`no gateway runs on ${folder}: start it with usmp-gateway start`);
  if (!exists && needs === 'stored')
    throw new UnreachableError(
      `there is no gateway in ${folder}: name its folder by --data, or its configuration by --config, or start one with usmp-gateway start`,
    );
  // Only now: it is most of what there is to load.
  const isFolder = existsSync(folder);
  const { StoppedCarrier } = await import('./stopped-carrier.js');
  const carrier = await StoppedCarrier.open(config, notice);
  if (!exists) notice(`made ${isFolder ? 'a database in' : 'the data folder'} ${folder}`);
  return new ApiClient('stopped', `the gateway on ${folder}`, apiURL(config) ?? DEFAULT_API_URL, carrier);
}

/**
 * Whether there is a database.
 *
 * @throws {UnreachableError} it is somebody else's
 */
function hasDatabase(folder: string): boolean {
  try {
    const { uid } = statSync(join(folder, DATABASE_FILE));
    // What root makes in there, its owner cannot use.
    if (process.getuid?.() === 0 && uid !== 0)
      throw new UnreachableError(
        `${folder} belongs to the user with the number ${uid}: run this as that user, or give --url`,
      );
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    if (code === 'EACCES')
      throw new UnreachableError(
        `${folder} cannot be read: run this as the user who runs the gateway, or give --url`,
      );
    throw error;
  }
}

const DEFAULT_API_URL = 'http://127.0.0.1:8080';

/** Where programs on this machine reach it; undefined when the port is any free one. */
function apiURL({ http }: Config): string | undefined {
  if (http.url !== undefined) return http.url;
  if (http.port === 0) return undefined;
  const host = http.host === '0.0.0.0' ? '127.0.0.1' : http.host === '::' ? '::1' : http.host;
  const scheme = http.tls === undefined ? 'http' : 'https';
  return `${scheme}://${formatEndpoint({ host, port: http.port })}`;
}
