/**
 * The sessions with devices: who comes in, what they send, and how they end.
 *
 * @module
 */

import { isUtf8 } from 'node:buffer';
import {
  type Logger,
  USMPError,
  USMPServer,
  type USMPServerOptions,
  type USMPServerStats,
  type USMPSession,
} from 'usmp';
import { GatewayError } from '../errors.js';
import type { EventLog } from '../events/event-log.js';
import { Delivery } from '../messages/delivery.js';
import type { History } from '../messages/history.js';
import type { Outbox } from '../messages/outbox.js';
import type { Message, SessionFacts } from '../model.js';
import type { CommitQueue } from '../storage/commit-queue.js';
import { isSame, KeyRing } from './key-ring.js';
import { LiveSession } from './live-session.js';
import { Refusals } from './refusals.js';
import type { FleetRegistry, RefusalSink } from './registry.js';

export interface FleetConfig {
  readonly listen: readonly string[];
  readonly sessions: {
    readonly max: number;
    readonly maxPerAddress: number | undefined;
    readonly idleTimeout: number;
    readonly handshakeTimeout: number | undefined;
  };
  readonly history: { readonly enabled: boolean };
}

/** What others count. */
export interface FleetObserver {
  /** A session has opened, so long after its keys were asked for. Milliseconds. */
  handshake?(milliseconds: number, transport: string): void;
  /** Somebody was turned away. */
  refused?(reason: string): void;
  /** A round trip was measured. Milliseconds. */
  roundTrip?(milliseconds: number): void;
}

export interface FleetOptions {
  /** As it is now. All but `history` is read once. */
  readonly config: () => FleetConfig;
  readonly devices: FleetRegistry;
  readonly refused: RefusalSink;
  readonly outbox: Outbox;
  readonly history: History;
  readonly events: EventLog;
  readonly queue: CommitQueue;
  readonly logger: Logger;
  readonly observer?: FleetObserver;
  readonly now?: () => number;
}

/** Counters of live sessions are stored this often. Milliseconds. */
const COUNTERS_EVERY = 60_000;

/** Work that comes round is done in slices. Milliseconds. */
const TICK = 1_000;

/** Of the time for closing, what is kept for BYE and the last bytes. */
const FAREWELL_SHARE = 0.5;
const LONGEST_FAREWELL = 2_000;

/**
 * All sessions of the gateway.
 *
 * @example
 * ```ts
 * const fleet = new Fleet({ config: () => config, devices, refused, outbox, history, events, queue, logger });
 * await fleet.listen();
 * ```
 */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #now: () => number;
  readonly #server: USMPServer;
  readonly #keys: KeyRing;
  readonly #delivery: Delivery;
  readonly #refusals: Refusals;
  readonly #live = new Map<string, LiveSession>();
  /** Sessions that are over and whose last messages are still being read. */
  readonly #ending = new Map<string, LiveSession>();
  #toEnforce: Set<string> | undefined;
  #ticker: NodeJS.Timeout | undefined;
  /** Sessions whose counters are to be stored in this round. */
  #round: LiveSession[] = [];
  #slice = 1;

  constructor(options: FleetOptions) {
    const { devices, refused, events, queue, outbox, observer } = options;
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#keys = new KeyRing(
      (id) => devices.keysOf(id),
      (id) => this.#live.get(id)?.keys,
    );
    this.#refusals = new Refusals(devices, refused, events);
    this.#delivery = new Delivery({
      queue,
      outbox,
      now: this.#now,
      roundTrip: (milliseconds) => observer?.roundTrip?.(milliseconds),
    });
    this.#server = new USMPServer(serverOptions(options, this.#keys));
    this.#server.on('connect', (session) => this.#connected(session));
    this.#server.on('disconnect', (session, error) => this.#disconnected(session, error));
    this.#server.on('refused', (refusal) => {
      const reason = this.#refusals.note(refusal);
      observer?.refused?.(reason);
    });
    this.#server.onSession((session) => this.#read(session));
  }

  /** Where devices connect, with the real ports. */
  get urls(): readonly string[] {
    return this.#server.urls;
  }

  get stats(): USMPServerStats {
    return this.#server.stats;
  }

  /** Mean round trip of the devices that are online, milliseconds; undefined: nothing was measured. */
  get roundTrip(): number | undefined {
    let sum = 0;
    let count = 0;
    for (const { session } of this.#live.values()) {
      const { rtt } = session;
      if (rtt === undefined) continue;
      sum += rtt;
      count++;
    }
    return count === 0 ? undefined : sum / count;
  }

  /** Bytes received from devices and not yet read. */
  get receiveQueueBytes(): number {
    let bytes = 0;
    for (const { session } of this.#live.values()) bytes += session.stats.receiveQueueBytes;
    return bytes;
  }

  /** Messages given to sessions and not confirmed. */
  get underWay(): number {
    return this.#delivery.underWay;
  }

  /** @throws {TransportError} `address_in_use`, `unreachable`: it listens nowhere then */
  async listen(): Promise<void> {
    await this.#server.listen();
    this.#ticker = setInterval(() => this.#tick(), TICK).unref();
  }

  sessions(): readonly SessionFacts[] {
    return [...this.#live.values()].map((live) => live.facts());
  }

  session(deviceId: string): SessionFacts | undefined {
    return this.#live.get(deviceId)?.facts();
  }

  isOnline(deviceId: string): boolean {
    return this.#live.has(deviceId);
  }

  /** Ends the session of a device, which may come back at once. False: it has none. */
  disconnect(deviceId: string): boolean {
    const live = this.#live.get(deviceId);
    if (live === undefined) return false;
    void live.session.close();
    return true;
  }

  /**
   * Ends the session of a device when its key is not valid any more, and turns away handshakes under way with such a key.
   * It happens in the next turn of the event loop, for all that were named in this one.
   */
  enforce(deviceId: string): void {
    if (this.#toEnforce !== undefined) {
      this.#toEnforce.add(deviceId);
      return;
    }
    this.#toEnforce = new Set([deviceId]);
    setImmediate(() => this.#enforceNow());
  }

  /**
   * Measures a round trip, in milliseconds.
   *
   * @throws {GatewayError} `not_found`: the device has no session; `unavailable`: it did not answer
   */
  async ping(deviceId: string): Promise<number> {
    const live = this.#live.get(deviceId);
    if (live === undefined) throw new GatewayError('not_found', `${deviceId} is not online`);
    try {
      const roundTrip = await live.session.ping();
      this.#options.observer?.roundTrip?.(roundTrip);
      return roundTrip;
    } catch (error) {
      if (!(error instanceof USMPError)) throw error;
      throw new GatewayError('unavailable', `${deviceId} did not answer: ${error.message}`, { cause: error });
    }
  }

  /**
   * Hands out no more messages, waits for confirmations, says BYE to all and stores what is left. Done after `timeout`
   * milliseconds at the latest.
   */
  async close(timeout: number): Promise<void> {
    const begun = performance.now();
    const farewell = Math.min(timeout * FAREWELL_SHARE, LONGEST_FAREWELL);
    await withDeadline(this.#delivery.drain(), timeout - farewell);
    clearInterval(this.#ticker);
    await this.#server.close({ timeout: Math.max(0, timeout - (performance.now() - begun)) });
    // Whoever is still held up by the storage cannot be waited for.
    for (const live of [...this.#live.values(), ...this.#ending.values()]) this.#tellEnd(live);
    const { queue } = this.#options;
    // What is stored has more to tell, such as the event of a confirmation.
    for (queue.flush(); queue.length > 0 && queue.failure === undefined; ) queue.flush();
  }

  // ── Sessions ───────────────────────────────────────────────────────────────────────────────────────────────────

  #connected(session: USMPSession): void {
    const { devices, events, queue, observer } = this.#options;
    const { deviceId, keyIndex, transport, peer } = session;
    const at = this.#now();
    const lookedUp = this.#keys.take(deviceId);
    if (lookedUp !== undefined) observer?.handshake?.(performance.now() - lookedUp.at, transport);
    // Its end is told before the beginning of the next, whatever it still has to read.
    const before = this.#ending.get(deviceId);
    if (before !== undefined) this.#tellEnd(before);
    this.#live.set(deviceId, new LiveSession(session, this.#delivery.open(session), lookedUp?.keys, at));
    let rotated = false;
    // Devices come and go while the disk is full; the next session tells the same.
    if (!queue.overfull)
      queue.push(
        () => {
          devices.connected(deviceId, { at, address: peer, transport });
          // The keys may have changed since: the place of the key that was used is the one it has now.
          const place = placeOf(lookedUp?.keys?.[keyIndex], this.#keysOf(deviceId));
          rotated = place >= 0 && devices.keyUsed(deviceId, place).rotated;
        },
        () => {
          if (!rotated) return;
          events.append('key-rotated', deviceId, { done: true });
          // A handshake under the old key may be under way.
          this.enforce(deviceId);
        },
      );
    events.append('connected', deviceId, { session: session.id, transport, peer, keyIndex });
  }

  #disconnected(session: USMPSession, error: USMPError): void {
    const live = this.#live.get(session.deviceId);
    if (live?.session !== session) return;
    live.ended = error;
    this.#live.delete(live.deviceId);
    this.#delivery.close(live.lane, error.code === 'revoked' && this.#isRemoved(live.deviceId));
    this.#ending.set(live.deviceId, live);
    if (!live.isRead) this.#tellEnd(live);
  }

  /** None where they cannot be read: in the commit of many writes that must not undo the others. */
  #keysOf(deviceId: string): readonly Uint8Array[] {
    try {
      return this.#options.devices.keysOf(deviceId);
    } catch {
      return [];
    }
  }

  #isRemoved(deviceId: string): boolean {
    try {
      return this.#options.devices.statusOf(deviceId) === 'unknown';
    } catch {
      // The database cannot be read: what it may not have to keep, it keeps.
      return false;
    }
  }

  /** Takes what a device sends, until the last of it, also after the end of its session. */
  async #read(session: USMPSession): Promise<void> {
    const live = this.#live.get(session.deviceId)!;
    const { queue } = this.#options;
    try {
      for await (const payload of session) {
        this.#received(live, payload);
        // Not reading makes the device wait, once its transport is full.
        if (queue.full) await queue.drained();
      }
    } finally {
      live.isRead = false;
      if (live.ended !== undefined) this.#tellEnd(live);
    }
  }

  #received({ lane }: LiveSession, payload: Uint8Array): void {
    const { queue, history, events, config } = this.#options;
    const message: Message = {
      id: queue.nextId(),
      deviceId: lane.deviceId,
      direction: 'in',
      at: this.#now(),
      state: 'received',
      payload,
      format: isUtf8(payload) ? 'text' : 'base64',
      sentAt: undefined,
      doneAt: undefined,
      expiresAt: undefined,
      redeliver: false,
      sessionId: lane.sessionId,
    };
    const isStored = config().history.enabled;
    queue.push(
      () => {
        if (isStored) history.insertIn(message);
      },
      () => events.publishMessage(message),
    );
  }

  /** Once, behind the last of its messages where that is possible. */
  #tellEnd(live: LiveSession): void {
    if (live.told) return;
    live.told = true;
    const { deviceId, session, since, ended } = live;
    if (this.#ending.get(deviceId) === live) this.#ending.delete(deviceId);
    const { messagesReceived, messagesSent, messagesUnconfirmed } = session.stats;
    this.#options.events.append('disconnected', deviceId, {
      session: session.id,
      reason: ended?.code ?? 'shutdown',
      message: ended?.message ?? 'the gateway stops',
      seconds: Math.max(0, Math.round((this.#now() - since) / 1_000)),
      messagesIn: messagesReceived,
      messagesOut: messagesSent,
      unconfirmed: messagesUnconfirmed,
    });
    this.#storeCounters(live);
  }

  // ── What comes round ───────────────────────────────────────────────────────────────────────────────────────────

  #tick(): void {
    try {
      for (const deviceId of this.#options.devices.expireKeys()) this.enforce(deviceId);
    } catch {
      // The storage fails: the look-up of keys does not take those whose time is over, the rest waits.
    }
    if (this.#round.length === 0) {
      this.#round = [...this.#live.values()];
      this.#slice = Math.ceil((this.#round.length * TICK) / COUNTERS_EVERY);
    }
    for (const live of this.#round.splice(-this.#slice)) if (!live.told) this.#storeCounters(live);
  }

  #storeCounters(live: LiveSession): void {
    const { queue, devices } = this.#options;
    // While the storage fails they add up in the session, and not in the queue.
    if (queue.overfull || (queue.full && !live.told)) return;
    const delta = live.takeCounters() ?? NOTHING;
    const at = this.#now();
    queue.push(() => devices.addCounters(live.deviceId, delta, at));
  }

  #enforceNow(): void {
    const { lookUp, done } = this.#keys.recheck(this.#toEnforce!);
    this.#toEnforce = undefined;
    // It asks for all keys before it returns its promise.
    void this.#server.setKeys(lookUp);
    done();
  }
}

const NOTHING = { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };

function serverOptions({ config, logger }: FleetOptions, keys: KeyRing): USMPServerOptions {
  const { listen, sessions } = config();
  const { max, maxPerAddress, idleTimeout, handshakeTimeout } = sessions;
  return {
    listen,
    psk: keys.lookUp,
    maxSessions: max,
    ...(maxPerAddress !== undefined && { maxSessionsPerAddress: maxPerAddress }),
    idleTimeout,
    ...(handshakeTimeout !== undefined && { handshakeTimeout }),
    logger,
  };
}

function placeOf(key: Uint8Array | undefined, keys: readonly Uint8Array[]): number {
  return key === undefined ? -1 : keys.findIndex((other) => isSame(key, other));
}

async function withDeadline(work: Promise<void>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, milliseconds));
  });
  await Promise.race([work, deadline]);
  clearTimeout(timer);
}
