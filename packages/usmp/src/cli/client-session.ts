/**
 * What `connect` and `ping` have in common: a session with a server, from the options to BYE.
 *
 * @module
 */

import type { Command } from 'commander';
import { type RefusalReason, USMPClient, USMPError, type USMPSession } from '../index.js';
import { events } from './json-events.js';
import { type KeyLogOptions, keyLogOf } from './key-log-file.js';
import { addKeyOptions, type KeyOptions, resolveKey } from './key-options.js';
import { numberFrom } from './option-values.js';
import { stopSignal } from './stop-signal.js';

export interface ClientOptions extends KeyOptions, KeyLogOptions {
  readonly deviceId?: string;
  /** Seconds. */
  readonly timeout: number;
  readonly json?: true;
}

/** A session that is to be used until `stop` is aborted. */
export interface OpenSession {
  readonly session: USMPSession;
  readonly stop: AbortSignal;
}

const SHORTEST_TIMEOUT = 0.001;

/** Adds the options of {@link ClientOptions}. */
export function addClientOptions(command: Command): Command {
  return addKeyOptions(command)
    .option('--device-id <id>', 'six bytes like aa:bb:cc:dd:ee:ff (default: random)')
    .option('--timeout <s>', 'wait this long for a reply', numberFrom(SHORTEST_TIMEOUT, 'seconds'), 5)
    .option('--json', 'print events as JSON, one a line');
}

/** Connects, hands the session to `use`, and says BYE in the end: also after Ctrl-C, which is no error. */
export async function withSession(
  url: string,
  options: ClientOptions,
  use: (open: OpenSession) => Promise<void>,
): Promise<void> {
  const { deviceId } = options;
  const warn = (message: string) => process.stderr.write(`usmp: ${message}\n`);
  const client = new USMPClient({
    url,
    psk: resolveKey(options, warn),
    ...(deviceId !== undefined && { deviceId }),
    ...keyLogOf(options, warn),
  });
  const stop = stopSignal();
  stop.addEventListener('abort', () => client.disconnect());
  const session = await open(client, url, options, stop);
  if (session === undefined) return;
  if (options.json) events.connected(session);
  try {
    await use({ session, stop });
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    await session.close();
    if (options.json) events.disconnected(session, session.error!);
  }
}

/** A new session; undefined when there is no more need for one. */
async function open(
  client: USMPClient,
  url: string,
  { json }: ClientOptions,
  stop: AbortSignal,
): Promise<USMPSession | undefined> {
  try {
    return await client.connect({ signal: stop });
  } catch (error) {
    if (stop.aborted) return undefined;
    const reason = error instanceof USMPError ? refusalOf(error) : undefined;
    if (json && reason !== undefined) {
      const { host, pathname } = new URL(url);
      events.refused({ deviceId: client.deviceId, peer: host || pathname, reason });
    }
    throw error;
  }
}

/** As much as a client can know of the server's reason; undefined where nobody refused. */
function refusalOf(error: USMPError): RefusalReason | undefined {
  switch (error.code) {
    case 'unreachable':
    case 'connect_timeout':
      return undefined;
    case 'refused':
    case 'rogue_server':
      return 'wrong-key';
    case 'turned_away':
      return 'busy';
    case 'handshake_timeout':
      return 'timeout';
    case 'version_1':
      return 'version-1';
    default:
      return 'bad-frame';
  }
}
