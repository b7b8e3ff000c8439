/**
 * A gateway that is not running, for the command line: the data folder is opened in this process, and served by the same
 * HTTP API to this process alone, so that all checks and answers are the same.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import type { USMPServerStats } from 'usmp';
import type { Config } from './config/config.js';
import { GatewayError } from './errors.js';
import { EventLog } from './events/event-log.js';
import { createApp } from './http/app.js';
import type { AppContext, FleetView } from './http/context.js';
import { makeLogger } from './logging/logger.js';
import { History } from './messages/history.js';
import { Outbox } from './messages/outbox.js';
import { Metrics } from './metrics/metrics.js';
import { admitRefused } from './registry/admission.js';
import { Devices } from './registry/devices.js';
import { KeyVault } from './registry/key-vault.js';
import { Logins } from './registry/logins.js';
import { MasterKey } from './registry/master-key.js';
import { type MasterKeyRotation, rotateMasterKey } from './registry/master-key-rotation.js';
import { withOwnToken } from './registry/own-token.js';
import { RefusedList } from './registry/refused.js';
import { Tokens } from './registry/tokens.js';
import { CommitQueue } from './storage/commit-queue.js';
import { Storage } from './storage/storage.js';

/** The rate limit is for strangers. */
const UNLIMITED = 1_000_000_000;

const STOPPED = 'the gateway is stopped';

/** A data folder that is open, until `close`. */
export interface OfflineGateway {
  readonly app: FastifyInstance;
  /** Of role `admin`, known to this process alone. */
  readonly token: string;
  /** Seals all device keys under a new master key. @throws {GatewayError} */
  rotateMasterKey(): MasterKeyRotation;
  /** Stores what waits, and lets go of the folder. */
  close(): Promise<void>;
}

/**
 * Opens a data folder; makes it where it is missing.
 *
 * @param notice told what the operator should know and that is no error
 * @throws {GatewayError} `conflict`: a gateway, or another command, has it; `unavailable`: it cannot be used
 */
export async function openOffline(
  config: Config,
  env: NodeJS.ProcessEnv,
  notice: (message: string) => void,
): Promise<OfflineGateway> {
  const storage = Storage.open(config.data);
  try {
    return await serve(storage, config, env, notice);
  } catch (error) {
    storage.close();
    throw error;
  }
}

async function serve(
  storage: Storage,
  config: Config,
  env: NodeJS.ProcessEnv,
  notice: (message: string) => void,
): Promise<OfflineGateway> {
  const vault = new KeyVault(MasterKey.load(storage, env, notice));
  const devices = new Devices(storage, vault);
  const refused = new RefusedList(storage, config.refused.keep);
  // What it would tell, the answer to the one request tells as well.
  const queue = new CommitQueue(storage, { storageFailed: () => {}, storageRecovered: () => {} });
  const history = new History(storage);
  const events = new EventLog(queue, storage);
  const outbox = new Outbox({ storage, queue, history, events, settings: () => config.outbox });
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const metrics = new Metrics(version);
  const { token, view } = withOwnToken(new Tokens(storage));
  const served = { ...config, http: { ...config.http, rateLimit: UNLIMITED, tls: undefined } };
  const context: AppContext = {
    config: () => served,
    devices,
    refused,
    admit: (entryId, facts) => admitRefused(storage, devices, refused, entryId, facts),
    tokens: view,
    logins: new Logins(storage),
    fleet: noFleet,
    outbox,
    history,
    events,
    metrics,
    readiness: () => ({ ready: false, reasons: [STOPPED] }),
    logger: makeLogger({ level: 'error', format: 'pretty' }),
    urls: () => config.listen,
    version,
  };
  const app = await createApp(context);
  return {
    app,
    token,
    rotateMasterKey: () => rotateMasterKey(storage, vault, env),
    async close() {
      await app.close();
      outbox.close();
      queue.close();
      refused.close();
      metrics.close();
      storage.close();
    },
  };
}

const noStats: USMPServerStats = {
  sessions: 0,
  halfOpen: 0,
  accepted: 0,
  refused: {},
  messagesSent: 0,
  messagesReceived: 0,
  bytesSent: 0,
  bytesReceived: 0,
  framesSent: 0,
  framesReceived: 0,
  framesRetransmitted: 0,
  framesRepeated: 0,
  datagramsDropped: 0,
  messagesLost: 0,
};

/** Nobody is connected to a gateway that does not run. */
const noFleet: FleetView = {
  sessions: () => [],
  session: () => undefined,
  isOnline: () => false,
  disconnect: () => false,
  enforce: () => {},
  ping: () => Promise.reject(new GatewayError('unavailable', STOPPED)),
  stats: noStats,
};
