/**
 * The whole gateway: storage, registry, sessions with devices, HTTP API, and the order in which they start and stop.
 *
 * @module
 */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { TransportError } from 'usmp';
import { AgeClock } from './age-clock.js';
import type { Config } from './config/config.js';
import { formatEndpoint } from './config/endpoint.js';
import { changesOf } from './config/reload.js';
import { GatewayError } from './errors.js';
import { EventLog } from './events/event-log.js';
import { Fleet } from './fleet/fleet.js';
import { type AppContext, createApp, reloadCertificate } from './http/app.js';
import { libraryLogger } from './logging/logger.js';
import { History } from './messages/history.js';
import { Outbox } from './messages/outbox.js';
import { Retention } from './messages/retention.js';
import { Metrics } from './metrics/metrics.js';
import type { Role } from './model.js';
import { admitRefused } from './registry/admission.js';
import { Devices } from './registry/devices.js';
import { KeyVault } from './registry/key-vault.js';
import { Logins } from './registry/logins.js';
import { MasterKey } from './registry/master-key.js';
import { withOwnToken } from './registry/own-token.js';
import { RefusedList } from './registry/refused.js';
import { Tokens } from './registry/tokens.js';
import { removeRunFile, writeRunFile } from './run-file.js';
import { CommitQueue } from './storage/commit-queue.js';
import { Storage } from './storage/storage.js';

export interface GatewayOptions {
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  /** Of the package. */
  readonly version: string;
}

/** Of the time for stopping, what is left for answers under way and for the last transaction. */
const CLOSING_SHARE = 0.2;

/**
 * A running gateway.
 *
 * @example
 * ```ts
 * const gateway = await Gateway.start({ config, env: process.env, logger, version: '2.0.0' });
 * console.log(gateway.urls, gateway.apiURL);
 * await gateway.stop();
 * ```
 */
export class Gateway {
  readonly #logger: Logger;
  readonly #storage: Storage;
  readonly #clock: AgeClock;
  readonly #queue: CommitQueue;
  readonly #devices: Devices;
  readonly #refused: RefusedList;
  readonly #logins: Logins;
  readonly #history: History;
  readonly #events: EventLog;
  readonly #outbox: Outbox;
  readonly #retention: Retention;
  readonly #metrics: Metrics;
  readonly #fleet: Fleet;
  readonly #context: AppContext;
  readonly #ownToken: string;
  #config: Config;
  #app: FastifyInstance | undefined;
  #control: Server | undefined;
  #state: 'starting' | 'ready' | 'stopping' = 'starting';
  #stopped: Promise<void> | undefined;

  private constructor(options: GatewayOptions, storage: Storage) {
    const { config, env, logger, version } = options;
    this.#config = config;
    this.#logger = logger;
    this.#storage = storage;
    const vault = new KeyVault(MasterKey.load(storage, env, (message) => logger.warn(message)));
    this.#clock = new AgeClock({
      logger,
      believe: (jump, done) => this.#outbox.postpone(jump, done),
    });
    this.#devices = new Devices(storage, vault, this.#clock.now);
    this.#refused = new RefusedList(storage, config.refused.keep);
    this.#queue = new CommitQueue(
      storage,
      {
        storageFailed: (error) => {
          // Damage was told of when it was met with.
          if (error.message !== storage.damage?.message) this.#storageFailed(error);
        },
        storageRecovered: () => this.#storageRecovered(),
        writeFailed: (error) => logger.error({ err: error }, 'a write failed and was given up'),
      },
      config.storage.sync === 'always',
    );
    this.#history = new History(storage);
    this.#events = new EventLog(this.#queue, storage);
    storage.onDamage((damage) => this.#storageFailed(damage));
    this.#metrics = new Metrics(version);
    this.#outbox = new Outbox({
      storage,
      queue: this.#queue,
      history: this.#history,
      events: this.#events,
      settings: () => this.#config.outbox,
      ageNow: this.#clock.now,
      stateChanged: (state) => this.#metrics.messageState(state),
    });
    this.#retention = new Retention({
      storage,
      limits: () => this.#config,
      now: this.#clock.now,
      failed: (error) => {
        // What is known of is not told every five seconds.
        if (this.#storageProblem === undefined) logger.warn({ err: error }, 'old messages were not deleted');
      },
    });
    this.#fleet = this.#makeFleet();
    this.#logins = new Logins(storage);
    const { token, view } = withOwnToken(new Tokens(storage));
    this.#ownToken = token;
    this.#context = this.#makeContext(view, version);
    this.#watch();
  }

  /**
   * Opens the data folder, takes up where the last run has ended, and listens.
   *
   * @throws {GatewayError} with what is in the way and what to do; nothing listens then, and the folder is free
   */
  static async start(options: GatewayOptions): Promise<Gateway> {
    const storage = Storage.open(options.config.data);
    let gateway: Gateway;
    try {
      gateway = new Gateway(options, storage);
    } catch (error) {
      storage.close();
      throw error;
    }
    try {
      await gateway.#listen();
      return gateway;
    } catch (error) {
      await gateway.stop();
      throw error;
    }
  }

  /** Where devices connect, with the real ports. */
  get urls(): readonly string[] {
    return this.#fleet.urls;
  }

  /** Where people and programs reach it: that of the configuration, or the real one. */
  get baseURL(): string {
    const { url, host, tls } = this.#config.http;
    if (url !== undefined) return url;
    const { port } = this.#app!.server.address() as AddressInfo;
    const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
    return `${tls === undefined ? 'http' : 'https'}://${formatEndpoint({ host: reachable, port })}`;
  }

  /** Registered devices. */
  get deviceCount(): number {
    return this.#devices.count();
  }

  /** A link that logs a browser in, once, within ten minutes. */
  loginLink(role: Role): string {
    return `${this.baseURL}/login?ticket=${this.#logins.createTicket(role)}`;
  }

  /** Takes what a new configuration changes, as far as that is possible without ending a session, and logs the rest. */
  reload(config: Config): void {
    const { applied, needRestart } = changesOf(this.#config, config);
    this.#config = withLiveOptions(this.#config, config);
    this.#logger.level = config.log.level;
    this.#refused.setKeep(config.refused.keep);
    if (this.#app !== undefined) reloadCertificate(this.#app, this.#context);
    this.#logger.info({ applied }, 'configuration read again');
    if (needRestart.length > 0)
      this.#logger.warn({ options: needRestart }, 'these changes wait for the next start');
  }

  /**
   * Takes no more devices, waits for confirmations of what is under way, says BYE, stores everything, and lets go of the
   * data folder; in `shutdown.deadline` of the configuration. Outboxes stay for the next start.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #listen(): Promise<void> {
    const app = await createApp(this.#context);
    this.#app = app;
    const { host, port } = this.#config.http;
    try {
      await app.listen({ host, port });
    } catch (error) {
      throw listenError(error as NodeJS.ErrnoException, formatEndpoint({ host, port }));
    }
    try {
      await this.#fleet.listen();
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      throw new GatewayError('unavailable', `${error.message}: see listen in the configuration`, {
        cause: error,
      });
    }
    await this.#openControl(app);
    this.#clock.start();
    this.#retention.start();
    this.#state = 'ready';
    this.#events.append('gateway-started', undefined, { version: this.#context.version, urls: this.urls });
  }

  /** The same API once more, for commands on this machine: without TLS, at a port that only they know. */
  async #openControl(app: FastifyInstance): Promise<void> {
    const control = createServer((request, response) => {
      app.unlimited.add(request);
      app.routing(request, response);
    });
    this.#control = control;
    // A connection that is closed just when a program uses it again is an error to that.
    control.keepAliveTimeout = app.server.keepAliveTimeout;
    await new Promise<void>((resolve, reject) => {
      control.once('error', reject);
      control.listen(0, '127.0.0.1', resolve);
    });
    const { port } = control.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}`;
    writeRunFile(this.#config.data, { pid: process.pid, url, api: this.baseURL, token: this.#ownToken });
  }

  async #stop(): Promise<void> {
    const { deadline } = this.#config.shutdown;
    this.#state = 'stopping';
    removeRunFile(this.#config.data);
    this.#events.append('gateway-stopping', undefined, {});
    await this.#fleet.close(deadline * (1 - CLOSING_SHARE));
    this.#clock.close();
    this.#retention.close();
    this.#outbox.close();
    this.#control?.closeIdleConnections();
    this.#control?.close();
    // Who holds a connection open without a request must not hold this up.
    const cut = setTimeout(() => {
      this.#app?.server.closeAllConnections();
      this.#control?.closeAllConnections();
    }, deadline * CLOSING_SHARE);
    await this.#app?.close();
    clearTimeout(cut);
    this.#control?.closeAllConnections();
    this.#queue.close();
    if (this.#queue.length > 0)
      this.#logger.error(`${this.#queue.length} writes could not be stored: ${this.#queue.failure?.message}`);
    this.#refused.close();
    this.#metrics.close();
    this.#storage.close();
  }

  #makeFleet(): Fleet {
    const metrics = this.#metrics;
    return new Fleet({
      config: () => this.#config,
      devices: this.#devices,
      refused: this.#refused,
      outbox: this.#outbox,
      history: this.#history,
      events: this.#events,
      queue: this.#queue,
      logger: libraryLogger(this.#logger),
      observer: {
        handshake: (milliseconds) => metrics.handshake(milliseconds / 1_000),
        roundTrip: (milliseconds) => metrics.roundTrip(milliseconds / 1_000),
      },
    });
  }

  #makeContext(tokens: AppContext['tokens'], version: string): AppContext {
    return {
      config: () => this.#config,
      devices: this.#devices,
      refused: this.#refused,
      admit: (entryId, facts) => admitRefused(this.#storage, this.#devices, this.#refused, entryId, facts),
      tokens,
      logins: this.#logins,
      fleet: this.#fleet,
      outbox: this.#outbox,
      history: this.#history,
      events: this.#events,
      metrics: this.#metrics,
      readiness: () => this.#readiness(),
      logger: this.#logger,
      urls: () => this.urls,
      version,
    };
  }

  #watch(): void {
    this.#metrics.watch({
      server: () => this.#fleet.stats,
      devices: () => this.#devices.count(),
      outboxQueued: () => this.#outbox.total,
      commitQueue: () => this.#queue.length,
      eventsDropped: () => this.#events.dropped,
      receiveQueueBytes: () => this.#fleet.receiveQueueBytes,
      storageOk: () => this.#storageProblem === undefined,
      roundTrip: () => this.#fleet.roundTrip,
      storageBytes: () => this.#storage.usedBytes,
    });
  }

  #readiness(): { readonly ready: boolean; readonly reasons: readonly string[] } {
    const reasons: string[] = [];
    if (this.#state === 'starting') reasons.push('starting');
    if (this.#state === 'stopping') reasons.push('stopping');
    const problem = this.#storageProblem;
    if (problem !== undefined) reasons.push(problem.message);
    return { ready: reasons.length === 0, reasons };
  }

  get #storageProblem(): GatewayError | undefined {
    return this.#storage.damage ?? this.#queue.failure;
  }

  #storageFailed(error: GatewayError): void {
    this.#logger.error({ err: error.cause }, error.message);
    this.#events.append('storage-failed', undefined, { message: error.message });
  }

  #storageRecovered(): void {
    this.#logger.info('the storage works again');
    this.#events.append('storage-recovered', undefined, {});
  }
}

/** What cannot change while it runs stays as it was. */
function withLiveOptions(before: Config, after: Config): Config {
  const { outbox, history, events, refused, shutdown } = after;
  const http = { ...before.http, url: after.http.url, rateLimit: after.http.rateLimit };
  const log = { ...before.log, level: after.log.level };
  return { ...before, http, log, outbox, history, events, refused, shutdown };
}

function listenError(error: NodeJS.ErrnoException, where: string): GatewayError {
  const { code = '', message } = error;
  const remedies: Record<string, string> = {
    EADDRINUSE:
      'somebody listens there already: stop that, or give another http.listen (--http-listen 127.0.0.1:8081)',
    EACCES: 'this port is for root alone: give one above 1023 to http.listen',
    EADDRNOTAVAIL: 'this machine has no such address: correct http.listen',
  };
  return new GatewayError('unavailable', `cannot listen on ${where}: ${remedies[code] ?? message}`, {
    cause: error,
  });
}
