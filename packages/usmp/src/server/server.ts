/**
 * The server: joins listeners, handshakes and sessions.
 *
 * @module
 */

import { channel } from 'node:diagnostics_channel';
import type { ConnectionEvent } from '../core/connection.js';
import { ArgumentError, ConnectionClosedError, type ErrorCode, type USMPError } from '../core/errors.js';
import { BACKOFF_MEMORY, BACKOFF_PAIRS } from '../core/limits.js';
import { addStats, type ConnectionStats, emptyStats } from '../core/stats.js';
import { nodeCrypto } from '../crypto/node.js';
import { Deadlines } from '../deadlines.js';
import { normalizeDeviceId } from '../device-id.js';
import { Emitter } from '../events.js';
import { type KeyBytes, type KeyRing, makeKeyRing, type PSK } from '../keys.js';
import { checkNumber } from '../options.js';
import { Peer } from '../peer.js';
import type { USMPSession } from '../session.js';
import { SessionDriver, type SessionObserver } from '../session-driver.js';
import { Slots } from '../slots.js';
import { NO_ADDRESS } from '../transports/address.js';
import type { AttachOptions, UpgradeSource } from '../transports/attach-options.js';
import type { ConnectionType } from '../transports/registry.js';
import type { Framing, Link, Stray } from '../transports/transport.js';
import { Waiters, type WaitOptions } from '../waiting.js';
import { Backoff } from './admission.js';
import { Doors } from './doors.js';
import { type Gatekeeper, HalfOpen, type Verdict } from './half-open.js';
import { readOptions, type ServerConfig, type USMPServerOptions } from './options.js';
import { explain, type Refusal, RefusalLog, type RefusalReason, reasonOf } from './refusal.js';

/** What `server.on` can listen to. */
export type USMPServerEvents = {
  /** A listener accepts connections; `url` has the real port. */
  listening: [url: string];
  /** A device has authenticated. Comes before `onSession`. */
  connect: [session: USMPSession];
  /** A session is over; the error's code tells why: `bye`, `closed`, `idle_timeout`, `replaced`, … */
  disconnect: [session: USMPSession, error: USMPError];
  /** A handshake failed. */
  refused: [refusal: Refusal];
};

/** Counters of a server since it was made. */
export interface USMPServerStats extends Readonly<ConnectionStats> {
  /** Open sessions. */
  readonly sessions: number;
  /** Handshakes under way. */
  readonly halfOpen: number;
  /** Handshakes that became sessions. */
  readonly accepted: number;
  /** Handshakes that failed, by reason. */
  readonly refused: Readonly<Partial<Record<RefusalReason, number>>>;
}

const channels = {
  connect: channel('usmp:server:connect'),
  disconnect: channel('usmp:server:disconnect'),
  refused: channel('usmp:server:refused'),
};

/** Refusals that are held against the pair of address and device id. */
const FAILURES: readonly RefusalReason[] = ['wrong-key', 'unknown-device', 'revoked'];

interface LiveSession {
  readonly driver: SessionDriver;
  /** The one that the device has proved. */
  readonly key: Uint8Array;
  readonly address: string;
}

/**
 * Accepts devices.
 *
 * @example
 * ```ts
 * const server = new USMPServer({ host: '127.0.0.1', port: 9000, psk: 'your-psk-here-16+' });
 * server.onSession(async (session) => {
 *   for await (const message of session) await session.send(message);
 * });
 * await server.serve();
 * ```
 */
export class USMPServer {
  readonly #config: ServerConfig;
  readonly #refusalLog: RefusalLog;
  readonly #deadlines = new Deadlines();
  readonly #halfOpen: Slots<HalfOpen>;
  readonly #backoff: Backoff;
  readonly #emitter = new Emitter<USMPServerEvents>();
  readonly #gatekeeper: Gatekeeper;
  readonly #observer: SessionObserver;

  #keyRing: KeyRing;
  readonly #revoked = new Set<string>();
  readonly #peers = new Set<Peer>();
  readonly #sessions = new Map<string, LiveSession>();
  readonly #perAddress = new Map<string, number>();
  #running = 0;
  readonly #handlersDone = new Waiters<void>();
  readonly #doors: Doors;
  #state: 'new' | 'listening' | 'closing' | 'closed' = 'new';
  #handler: ((session: USMPSession) => unknown) | undefined;
  #whenClosed: Promise<void> | undefined;
  readonly #closeRequested: Promise<void>;
  #requestClose!: () => void;

  readonly #totals = emptyStats();
  #accepted = 0;
  readonly #refused: Partial<Record<RefusalReason, number>> = {};

  /**
   * Checks the options; nothing listens yet.
   *
   * @throws {ArgumentError} an option cannot be used; the message says which and why
   */
  constructor(options: USMPServerOptions) {
    const config = readOptions(options);
    this.#config = config;
    this.#keyRing = config.keyRing;
    this.#halfOpen = new Slots(config.maxHalfOpen, config.maxHalfOpenPerAddress);
    this.#backoff = new Backoff(config.backoff, BACKOFF_PAIRS, BACKOFF_MEMORY);
    this.#refusalLog = new RefusalLog(config.logger);
    this.#gatekeeper = {
      backoff: (address, deviceId) => this.#backoff.wait(address, deviceId, this.#deadlines.now()),
      judge: (deviceId) => this.#judge(deviceId),
      admitted: (halfOpen, event, verdict) => this.#admit(halfOpen, event, verdict),
      dropped: (halfOpen, refusal) => this.#drop(halfOpen, refusal),
      gone: (peer) => this.#peers.delete(peer),
    };
    this.#observer = {
      sessionEnded: (driver, error) => this.#sessionEnded(driver.session, error),
      sessionGone: (driver) => this.#peers.delete(driver.peer),
    };
    this.#doors = new Doors({
      accept: (link, framing, Connection) => this.#accept(link, framing, Connection),
      refuse: (stray, error) => this.#refuseStray(stray, error),
    });
    this.#closeRequested = new Promise((resolve) => {
      this.#requestClose = resolve;
    });
  }

  /** Where devices can connect; with the real ports, once `listen` has resolved. */
  get urls(): readonly string[] {
    return this.#doors.urls;
  }

  /** Open sessions, by device id. */
  get sessions(): ReadonlyMap<string, USMPSession> {
    return new Map([...this.#sessions].map(([id, live]) => [id, live.driver.session]));
  }

  /** Counters since the server was made. */
  get stats(): USMPServerStats {
    const totals = { ...this.#totals };
    for (const { driver } of this.#sessions.values()) addStats(totals, driver.peer.connection.stats);
    return {
      ...totals,
      sessions: this.#sessions.size,
      halfOpen: this.#halfOpen.size,
      accepted: this.#accepted,
      refused: { ...this.#refused },
    };
  }

  /**
   * Says what to do with each new session. When the handler returns, the session is closed; when it throws, that is
   * logged and the session is closed.
   */
  onSession(handler: (session: USMPSession) => unknown): void {
    if (typeof handler !== 'function') {
      throw new ArgumentError('invalid_argument', 'onSession takes a function that gets the session');
    }
    this.#handler = handler;
  }

  /** Calls `listener` at every event of that name. Returns the function that removes it. */
  on<Name extends keyof USMPServerEvents>(
    name: Name,
    listener: (...args: USMPServerEvents[Name]) => void,
  ): () => void {
    return this.#emitter.on(name, listener);
  }

  /**
   * Takes WebSockets of an HTTP or HTTPS server of the application, whether this server listens elsewhere or not, until
   * it is closed or the function is called that this returns. Sessions that are open then go on. The HTTP server stays
   * the application's: it is neither started nor closed here.
   *
   * @example
   * ```ts
   * const web = http.createServer(app);
   * server.attach(web, { path: '/usmp', origins: ['https://app.example'] });
   * web.listen(8080);
   * ```
   * @throws {ArgumentError} an option that cannot be used, a path that is taken, no `onSession` handler, or the server
   * is closed
   */
  attach(httpServer: UpgradeSource, options: AttachOptions = {}): () => void {
    this.#requireHandler('attaching');
    if (this.#state === 'closing' || this.#state === 'closed')
      throw new ArgumentError(
        'invalid_argument',
        `the server is ${this.#state}: make a new one to attach it`,
      );
    return this.#doors.attach(httpServer, options);
  }

  /**
   * Starts listening, on all addresses or on none.
   *
   * @throws {TransportError} `address_in_use`, `unreachable`
   * @throws {ArgumentError} `already_listening`, no `onSession` handler, or nowhere to listen and nothing attached
   */
  async listen(): Promise<void> {
    this.#requireHandler('listening');
    if (this.#config.urls.length === 0 && !this.#doors.attached) {
      throw new ArgumentError(
        'invalid_argument',
        'listen is empty: give at least one URL, or attach the server to an HTTP server first',
      );
    }
    if (this.#state !== 'new') {
      throw new ArgumentError(
        'already_listening',
        `the server is ${this.#state}: make a new one to listen again`,
      );
    }
    this.#state = 'listening';
    try {
      await this.#doors.open(this.#config.urls);
    } catch (error) {
      await this.close({ timeout: 0 });
      throw error;
    }
    if (this.#state !== 'listening') throw ended('shutdown');
    for (const url of this.#doors.urls) {
      this.#config.logger?.debug(`listening on ${url}`);
      this.#emitter.emit('listening', url);
    }
  }

  /**
   * Listens until `close()`, until the signal is aborted, or until SIGINT or SIGTERM, then closes in good order.
   * Throws as `listen`.
   */
  async serve(options: Pick<WaitOptions, 'signal'> = {}): Promise<void> {
    const { signal } = options;
    if (signal?.aborted) throw signal.reason;
    const stop = () => this.#requestClose();
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
    signal?.addEventListener('abort', stop);
    try {
      if (this.#state === 'new') await this.listen().catch(unlessShutDown);
      await this.#closeRequested;
      await this.close();
    } finally {
      process.removeListener('SIGINT', stop);
      process.removeListener('SIGTERM', stop);
      signal?.removeEventListener('abort', stop);
    }
  }

  /**
   * Takes no more devices, sends BYE to all, and waits until the last bytes are out and the handlers are done. What
   * is not done in time is cut off.
   *
   * @param options.timeout milliseconds; default 5,000
   */
  async close(options: { readonly timeout?: number } = {}): Promise<void> {
    const { timeout = 5_000 } = options;
    checkNumber('timeout', timeout);
    this.#requestClose();
    this.#whenClosed ??= this.#shutDown(timeout);
    return this.#whenClosed;
  }

  /** Ends the sessions of a device at once and refuses it from now on, until `unrevoke`. */
  revoke(deviceId: string): void {
    const id = normalizeDeviceId(deviceId);
    this.#revoked.add(id);
    this.#sessions.get(id)?.driver.close(ended('revoked'));
  }

  /** Lets a device in again. */
  unrevoke(deviceId: string): void {
    this.#revoked.delete(normalizeDeviceId(deviceId));
  }

  /**
   * Takes new keys. Sessions whose key is no longer among those of their device end at once, with the reason
   * `revoked`; all others go on. Resolves when that is done.
   *
   * @throws {ArgumentError} the keys cannot be used; the old ones stay
   */
  async setKeys(psk: PSK): Promise<void> {
    const keyRing = makeKeyRing(psk);
    this.#keyRing = keyRing;
    await Promise.all([...this.#sessions.keys()].map((deviceId) => this.#checkKey(deviceId, keyRing)));
  }

  #requireHandler(before: string): void {
    if (this.#handler !== undefined) return;
    throw new ArgumentError(
      'invalid_argument',
      `no session handler: call server.onSession(…) before ${before}`,
    );
  }

  // ── From a link to a session ───────────────────────────────────────────────────────────────────────────────────

  #accept(link: Link, framing: Framing, Connection: ConnectionType): void {
    if (this.#state === 'closing' || this.#state === 'closed') return link.destroy();
    const now = this.#deadlines.now();
    const halfOpen = new HalfOpen(this.#gatekeeper, link.address);
    const connection = new Connection(this.#config.settings[framing], now);
    const peer = new Peer(link, connection, this.#deadlines, halfOpen);
    halfOpen.peer = peer;
    this.#peers.add(peer);
    this.#halfOpen.add(halfOpen);
    const full = this.#fullFor(link.address);
    if (full !== undefined) halfOpen.turnAway('busy', full);
  }

  /** Why no session more is possible, undefined when one is. */
  #fullFor(address: string): string | undefined {
    if (this.#sessions.size >= this.#config.maxSessions)
      return `all ${this.#config.maxSessions} sessions are taken`;
    const here = address === NO_ADDRESS ? 0 : (this.#perAddress.get(address) ?? 0);
    return here >= this.#config.maxSessionsPerAddress ? `${here} sessions from one address` : undefined;
  }

  #judge(deviceId: string): Verdict | Promise<Verdict> {
    if (this.#revoked.has(deviceId)) return { keys: [], reason: 'revoked' };
    const keyRing = this.#keyRing;
    const verdict = (keys: KeyBytes): Verdict =>
      keys.length > 0 ? { keys, keyRing } : { keys, reason: 'unknown-device' };
    try {
      const keys = keyRing(deviceId);
      return keys instanceof Promise ? keys.then(verdict, lookupFailed) : verdict(keys);
    } catch (error) {
      return lookupFailed(error);
    }
  }

  #admit(halfOpen: HalfOpen, event: Extract<ConnectionEvent, { type: 'open' }>, verdict: Verdict): void {
    const { peer, address } = halfOpen;
    this.#halfOpen.delete(halfOpen);
    const { sessionId, keyIndex } = event;
    const opened = { deviceId: halfOpen.deviceId!, sessionId, keyIndex };
    const driver = new SessionDriver(peer, opened, this.#config.sessionLimits, this.#observer);
    const { session } = driver;
    this.#backoff.succeeded(address, session.deviceId);
    const key = verdict.keys[session.keyIndex];
    if (this.#isWithdrawn(session.deviceId, key, verdict)) return void driver.close(ended('revoked'));
    this.#sessions.get(session.deviceId)?.driver.close(ended('replaced'));
    if (this.#fullFor(address) !== undefined) return void driver.close(ended('busy'));

    this.#sessions.set(session.deviceId, { driver, key, address });
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    this.#accepted++;
    this.#config.logger?.info(`connected ${session.deviceId} from ${session.peer}`);
    if (channels.connect.hasSubscribers) channels.connect.publish({ server: this, session });
    this.#emitter.emit('connect', session);
    this.#run(session);
    if (verdict.keyRing !== this.#keyRing) this.#checkKey(session.deviceId, this.#keyRing);
  }

  /** Whether a key was taken back while the handshake under it was on its way, as far as that can be told at once. */
  #isWithdrawn(deviceId: string, key: Uint8Array, verdict: Verdict): boolean {
    if (this.#revoked.has(deviceId)) return true;
    if (verdict.keyRing === this.#keyRing) return false;
    const now = this.#judge(deviceId);
    return !(now instanceof Promise) && !isAmong(key, now.keys);
  }

  /** Not an async function: what waits for a handler waits in every idle session. */
  #run(session: USMPSession): void {
    this.#running++;
    new Promise((resolve) => resolve(this.#handler!(session))).then(
      () => this.#stop(session),
      (error) => this.#stop(session, error),
    );
  }

  async #stop(session: USMPSession, error?: unknown): Promise<void> {
    // That the session ended is no news to anybody; it was told as `disconnect`.
    if (error !== undefined && error !== session.error)
      this.#config.logger?.error(`session handler failed for ${session.deviceId}`, error);
    await session.close();
    if (--this.#running === 0) this.#handlersDone.resolveAll();
  }

  #drop(halfOpen: HalfOpen, refusal: Refusal | undefined): void {
    this.#halfOpen.delete(halfOpen);
    if (refusal !== undefined) this.#refuse(refusal);
  }

  #refuseStray({ transport, peer, address }: Stray, error: USMPError): void {
    const reason = reasonOf(error) ?? 'bad-frame';
    const message = explain(reason, error);
    this.#refuse({ transport, peer, address, reason, deviceId: undefined, message, error });
  }

  #refuse(refusal: Refusal): void {
    const { reason, deviceId, address } = refusal;
    const now = this.#deadlines.now();
    if (deviceId !== undefined && FAILURES.includes(reason)) this.#backoff.failed(address, deviceId, now);
    this.#refused[reason] = (this.#refused[reason] ?? 0) + 1;
    this.#refusalLog.write(refusal, now);
    if (channels.refused.hasSubscribers) channels.refused.publish({ server: this, refusal });
    this.#emitter.emit('refused', refusal);
  }

  #sessionEnded(session: USMPSession, error: USMPError): void {
    const live = this.#sessions.get(session.deviceId);
    // A session that was turned away for lack of room was never among them.
    if (live?.driver.session !== session) return;
    this.#sessions.delete(session.deviceId);
    const left = this.#perAddress.get(live.address)! - 1;
    if (left > 0) this.#perAddress.set(live.address, left);
    else this.#perAddress.delete(live.address);
    addStats(this.#totals, live.driver.peer.connection.stats);
    this.#config.logger?.info(`disconnected ${session.deviceId}: ${error.message}`);
    if (channels.disconnect.hasSubscribers) channels.disconnect.publish({ server: this, session, error });
    this.#emitter.emit('disconnect', session, error);
  }

  async #checkKey(deviceId: string, keyRing: KeyRing): Promise<void> {
    const live = this.#sessions.get(deviceId);
    if (live === undefined) return;
    let valid: KeyBytes = [];
    try {
      valid = await keyRing(deviceId);
    } catch (error) {
      this.#config.logger?.error(`key look-up failed for ${deviceId}`, error);
    }
    // Keys that have been replaced meanwhile decide nothing any more.
    if (keyRing !== this.#keyRing) return;
    if (!isAmong(live.key, valid)) live.driver.close(ended('revoked'));
  }

  async #shutDown(timeout: number): Promise<void> {
    this.#state = 'closing';
    await this.#doors.shut();
    for (const halfOpen of [...this.#halfOpen.entries()]) halfOpen.abandon();
    for (const { driver } of [...this.#sessions.values()]) driver.close(ended('shutdown'));
    // A handler is done when its session's link is gone as well.
    if (this.#running > 0) await this.#handlersDone.wait({ timeout }, 'closed').catch(() => {});
    for (const peer of [...this.#peers]) peer.link.destroy();
    for (const error of await this.#doors.gone())
      this.#config.logger?.error('a listener did not close', error);
    this.#state = 'closed';
  }
}

function unlessShutDown(error: unknown): void {
  if (!(error instanceof ConnectionClosedError)) throw error;
}

function isAmong(key: Uint8Array, keys: KeyBytes): boolean {
  return keys.some((valid) => nodeCrypto.equal(valid, key));
}

function ended(code: ErrorCode): ConnectionClosedError {
  return new ConnectionClosedError(code);
}

function lookupFailed(error: unknown): Verdict {
  const message = `the key look-up failed: ${error instanceof Error ? error.message : String(error)}`;
  return { keys: [], reason: 'unknown-device', message };
}
