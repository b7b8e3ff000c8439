/**
 * One peer: what connections over streams and over datagrams have in common. They tie handshake, records and messages
 * together, and keep the deadlines. They never touch a socket, a timer or a clock. Hand one bytes (`handleInput`), the
 * time (`handleTimeout`) and commands; then drain it in this order: `pollEvent` until undefined, `pollTransmit` until
 * undefined, `pollTimeout`.
 *
 * Times are milliseconds of one monotonic clock. No input of the network makes a method throw: what a peer does
 * wrong becomes a `closed` event, or nothing. Commands throw when the caller uses them wrongly.
 *
 * @module
 */

import type { CryptoProvider } from './crypto.js';
import {
  ConnectionClosedError,
  FrameError,
  NotConnectedError,
  PayloadError,
  SequenceError,
  USMPError,
  USMPTimeoutError,
} from './errors.js';
import { FrameType, frameTypeName } from './frame.js';
import { type ClientCredentials, Handshake, type HandshakeState, type Secrets } from './handshake.js';
import { swapKeys } from './key-schedule.js';
import { MAX_PINGS_TRACKED, MAX_PONGS_OWED } from './limits.js';
import type { Reassembler } from './message.js';
import { REKEY_SALT_LENGTH, type RecordLayer } from './record.js';
import { type ConnectionStats, emptyStats } from './stats.js';

/** What all connections of a server, or those of a client, have in common. */
export interface ConnectionSettings {
  readonly crypto: CryptoProvider;
  /** For the whole handshake (spec/protocol.md §3.5). */
  readonly handshakeTimeout: number;
  /** PING after this long without sending, or without hearing (§6.2); 0 for never. */
  readonly keepaliveInterval: number;
  /** That PING is missed when nothing at all was heard for this long after it; without it none is ever missed. */
  readonly keepaliveTimeout?: number;
  /** Missed PINGs in a row that are tolerated; each is followed by another at once. */
  readonly keepaliveMisses?: number;
  /** Give up after this long without hearing anything (§6.2); 0 for never. */
  readonly idleTimeout: number;
  /** Server: a random key of at least 16 bytes that stands in for the keys of unknown devices (§3.5). */
  readonly decoyKey?: Uint8Array;
  /** Is told all keys of all sessions. Only for looking into traffic: whoever has them can read everything. */
  readonly keyLog?: (entry: KeyLogEntry) => void;
}

/** The keys of a session from the handshake (epoch 0), or from one of its changes of keys, on. */
export interface KeyLogEntry {
  readonly deviceId: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly epoch: number;
  /** `k_c2s || k_s2c` (§3.3). */
  readonly keys: Uint8Array;
}

/** What a connection has to tell. */
export type ConnectionEvent =
  /** Server: which keys has this device? Answer with `provideKeys`. */
  | { readonly type: 'keys-wanted'; readonly deviceId: Uint8Array }
  /** Both sides are authenticated. */
  | {
      readonly type: 'open';
      readonly deviceId: Uint8Array;
      readonly sessionId: Uint8Array;
      readonly keyIndex: number;
    }
  | { readonly type: 'message'; readonly data: Uint8Array }
  /** The peer has acknowledged all of the message that `send` gave this number. */
  | { readonly type: 'acknowledged'; readonly message: number }
  /** The answer to a PING; `rtt` in milliseconds. */
  | { readonly type: 'pong'; readonly ping: number; readonly rtt: number }
  /** New keys are in use both ways; `initiator` when this side asked for it. */
  | { readonly type: 'rekeyed'; readonly initiator: boolean }
  /** A change of keys that was asked for has become unsafe before it could begin (§9.5). */
  | { readonly type: 'rekey-refused'; readonly error: USMPError }
  /** The last event; with `bye` when BYE of ours, and what was sent before it, wait in `pollTransmit`. */
  | { readonly type: 'closed'; readonly error: USMPError; readonly bye: boolean };

/** How a session that is over goes on answering a peer that has not heard so: this frame by that UTACK. */
export interface Farewell {
  readonly bye: Uint8Array;
  readonly utack: Uint8Array;
}

/** What to do about `rekey` where a released peer would lose frames (§9.5). */
export interface RekeyOptions {
  /** The peer is known to be a new one: change the keys however many frames it got. */
  readonly force?: boolean;
}

export const EMPTY: Uint8Array = new Uint8Array(0);

/** One end of a conversation, from the first byte to the last. */
export abstract class Connection {
  protected readonly settings: ConnectionSettings;
  readonly stats: ConnectionStats = emptyStats();

  protected phase: 'handshake' | 'open' | 'closed' = 'handshake';
  protected handshake: Handshake | undefined;
  protected record: RecordLayer | undefined;
  protected reassembler: Reassembler | undefined;
  /** Messages sent that the peer is known to have. */
  protected messagesConfirmed = 0;
  protected pongsOwed = 0;
  protected rekeyWanted = false;
  protected lastSent: number;
  protected lastHeard: number;
  readonly #isClient: boolean;
  #events: ConnectionEvent[] | undefined;
  #handshakeDeadline: number;
  #lastPing: number;
  /** When a sign of life was asked for, and when the last one had come by then: a newer one is the answer. */
  #probedAt = Number.NEGATIVE_INFINITY;
  #heardBeforeProbe = Number.NaN;
  #missed = 0;
  #pingCount = 0;
  #pings: { id: number; sentAt: number; messages: number }[] | undefined;
  /** From then on a PONG may be that of an earlier PING, and says nothing of what has arrived. */
  #pingsForgotten = false;
  #rekeyIsOurs = false;
  #keyLog: Omit<KeyLogEntry, 'keys'> | undefined;

  /** A client's connection with its credentials, which speaks first; a server's without. */
  constructor(settings: ConnectionSettings, now: number, client?: ClientCredentials) {
    this.settings = settings;
    this.#isClient = client !== undefined;
    this.#handshakeDeadline = now + settings.handshakeTimeout;
    this.lastSent = this.lastHeard = this.#lastPing = now;
    this.handshake = new Handshake(settings.crypto, client);
  }

  get state(): 'handshake' | 'open' | 'closed' {
    return this.phase;
  }

  /** What the handshake waits for; `done` after it. */
  get handshakeState(): HandshakeState {
    return this.handshake?.state ?? 'done';
  }

  /** At a server from HELLO until the session is open. */
  get claimedDeviceId(): Uint8Array | undefined {
    return this.handshake?.deviceId;
  }

  /** Bytes waiting in `pollTransmit`; over datagrams also those that the peer has not acknowledged yet. */
  abstract get pendingTransmit(): number;

  /** The last messages sent that the peer is not known to have, also after the end. */
  get messagesUnconfirmed(): number {
    return this.stats.messagesSent - this.messagesConfirmed;
  }

  /** Whether `pollTransmit` has anything to give now. */
  abstract get wantsTransmit(): boolean;

  /** The round trip in milliseconds, where the transport itself measures it. */
  get roundTrip(): number | undefined {
    return undefined;
  }

  /** Closed, but still busy bringing its BYE to the peer. */
  get lingers(): boolean {
    return false;
  }

  /** Over datagrams, after BYE of the peer: how it is to be answered once more where its UTACK got lost. */
  get farewell(): Farewell | undefined {
    return undefined;
  }

  // ── Input ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes bytes of the stream, cut anywhere, or one datagram. */
  abstract handleInput(bytes: Uint8Array, now: number): void;

  /** The transport has ended: no more bytes will come. `error` tells why, where the transport knows. */
  handleEnd(error?: USMPError): void {
    if (this.phase !== 'closed') this.fail(error ?? this.errorForEnd());
  }

  /** Acts on every deadline that has passed. Calling early does nothing. */
  handleTimeout(now: number): void {
    if (this.phase === 'handshake' && now >= this.#handshakeDeadline) {
      this.fail(this.errorForTimeout());
    } else if (this.phase === 'open') {
      if (now >= this.#idleAt()) this.abandon(new ConnectionClosedError('idle_timeout'), now);
      else if (now >= this.#keepaliveAt()) this.#keepAlive(now);
    }
  }

  /** Counts as a sign of life, for a driver that has stopped reading on purpose. */
  postponeIdle(now: number): void {
    this.lastHeard = now;
  }

  /** Whether there is room for more messages. Matters where the driver cannot keep the peer from sending. */
  setReceiving(_receiving: boolean): void {}

  // ── Commands ───────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Server: answers `keys-wanted`.
   *
   * @param keys the device's valid keys, new one first; none for a device that must not come in
   */
  provideKeys(keys: readonly Uint8Array[], now: number): void {
    if (this.phase !== 'handshake') return;
    try {
      const reply = this.handshake!.provideKeys(keys, this.settings.decoyKey!);
      this.advanceHandshake(reply, now);
    } catch (error) {
      this.fail(error);
    }
  }

  /**
   * Sends a message of up to 1,808 bytes, which may be reused after the call.
   *
   * @param wantsAcknowledgement over datagrams: an `acknowledged` event is to tell when the peer has all of it
   * @returns the number that this event will carry
   * @throws {PayloadError} it is larger
   * @throws {SequenceError} the sequence numbers are used up; the connection closes
   * @throws {NotConnectedError} the connection is not open
   */
  abstract send(message: Uint8Array, now: number, wantsAcknowledgement?: boolean): number;

  /** Sends PING. Returns the number that the `pong` event will carry. Throws as `send`. */
  ping(now: number): number {
    this.require(1, now);
    this.sendControl(FrameType.PING, now);
    this.#lastPing = now;
    if (!this.#probeIsUnanswered) this.#probe(now);
    this.#pings ??= [];
    if (this.#pings.length === MAX_PINGS_TRACKED) {
      this.#pings.shift();
      this.#pingsForgotten = true;
    }
    const id = ++this.#pingCount;
    this.#pings.push({ id, sentAt: now, messages: this.stats.messagesSent });
    return id;
  }

  /**
   * Changes the keys of both directions (§7); a `rekeyed` event tells when that is complete. While a change is under
   * way, one of ours serves this call too, and one of the peer's is waited for. Throws as `send`.
   */
  rekey(now: number, _options?: RekeyOptions): void {
    this.require(2, now);
    if (this.#rekeyIsOurs) return;
    this.rekeyWanted = true;
    this.considerRekey(now);
  }

  /** Sends BYE and closes. Without effect on a closed connection. */
  abstract close(now: number, error?: USMPError): void;

  // ── Output ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The next thing to tell, in order. */
  pollEvent(): ConnectionEvent | undefined {
    const event = this.#events?.shift();
    if (this.#events?.length === 0) this.#events = undefined;
    return event;
  }

  /** The next bytes to send: all for one write, or one datagram; undefined when there is nothing. The caller owns them. */
  abstract pollTransmit(now: number): Uint8Array | undefined;

  /** When `handleTimeout` must be called at the latest; Infinity for never. */
  pollTimeout(): number {
    if (this.phase === 'handshake') return this.#handshakeDeadline;
    if (this.phase === 'closed') return Number.POSITIVE_INFINITY;
    return Math.min(this.#idleAt(), this.#keepaliveAt());
  }

  // ── Handshake ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends what the handshake answers, and opens the session when it is done. */
  protected abstract advanceHandshake(reply: Uint8Array | undefined, now: number): void;

  protected abstract makeRecordLayer(secrets: Secrets): RecordLayer;

  protected abstract errorForEnd(): USMPError;

  protected errorForTimeout(): USMPError {
    return new USMPTimeoutError(
      'handshake_timeout',
      `handshake timed out waiting for ${this.handshakeState}`,
    );
  }

  protected openIfDone(now: number): void {
    const secrets = this.handshake!.secrets;
    if (secrets === undefined) return;
    const { deviceId, sessionId, keyIndex } = secrets;
    this.record = this.makeRecordLayer(secrets);
    this.handshake = undefined;
    this.phase = 'open';
    this.#handshakeDeadline = Number.POSITIVE_INFINITY;
    this.lastSent = this.lastHeard = this.#lastPing = now;
    if (this.settings.keyLog !== undefined) {
      this.#keyLog = { deviceId, sessionId, epoch: 0 };
      this.logKeys();
    }
    this.emit({ type: 'open', deviceId, sessionId, keyIndex });
  }

  // ── Session ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends PING. */
  protected abstract sendControl(type: FrameType, now: number): void;

  /** Whether a PING was sent that has not left yet. */
  protected get pingWaits(): boolean {
    return false;
  }

  /** Seals REKEY with this salt under the old key. */
  protected abstract sendRekey(salt: Uint8Array, now: number): void;

  protected onMessage(data: Uint8Array): void {
    this.stats.messagesReceived++;
    this.stats.bytesReceived += data.length;
    this.emit({ type: 'message', data });
  }

  protected onPingPong(type: FrameType, now: number): void {
    if (type === FrameType.PING) {
      this.pongsOwed = Math.min(this.pongsOwed + 1, MAX_PONGS_OWED);
    } else {
      const ping = this.#pings?.shift();
      if (ping === undefined) return;
      if (!this.#pingsForgotten) this.onPong(ping.messages);
      this.emit({ type: 'pong', ping: ping.id, rtt: now - ping.sentAt });
    }
  }

  /** The answer to a PING that left after so many messages. */
  protected onPong(_messages: number): void {}

  /** A message of the peer may go on under its new key (§7.2), but no REKEY of the peer stands inside it (§5). */
  protected onRekey(salt: Uint8Array): void {
    this.rekeyAsResponder(salt);
    salt.fill(0);
    this.logKeys();
  }

  protected rekeyAsInitiator(salt: Uint8Array): void {
    this.record!.rekeyAsInitiator(salt);
  }

  protected rekeyAsResponder(salt: Uint8Array): void {
    this.record!.rekeyAsResponder(salt);
  }

  /** The PING behind it lets the peer's PONG complete the change even where no data flows. */
  protected startRekey(now: number): void {
    const salt = this.settings.crypto.randomBytes(REKEY_SALT_LENGTH);
    this.rekeyWanted = false;
    this.#rekeyIsOurs = true;
    this.sendRekey(salt, now);
    this.rekeyAsInitiator(salt);
    salt.fill(0);
    this.logKeys();
    this.ping(now);
  }

  protected onRekeyed(now: number): void {
    this.emit({ type: 'rekeyed', initiator: this.#rekeyIsOurs });
    this.#rekeyIsOurs = false;
    this.considerRekey(now);
  }

  /** Starts the change of keys that was asked for, unless one has to be completed first (§7.4). */
  protected considerRekey(now: number): void {
    const { rekeyComplete, sealable } = this.record!;
    if (this.rekeyWanted && rekeyComplete && sealable > 2) this.startRekey(now);
  }

  /** @throws {PayloadError} a control frame has a plaintext that its type does not allow (§6, §7.1) */
  protected checkControl(type: FrameType, plaintext: Uint8Array): void {
    if (type !== FrameType.REKEY && plaintext.length > 0) {
      throw new PayloadError('bad_length', `${frameTypeName(type)} must be empty`);
    }
    if (type === FrameType.REKEY && plaintext.length !== REKEY_SALT_LENGTH) {
      throw new PayloadError(
        'bad_length',
        `REKEY with a salt of ${plaintext.length} bytes, must be ${REKEY_SALT_LENGTH}`,
      );
    }
  }

  // ── Common ─────────────────────────────────────────────────────────────────────────────────────────────────────

  protected emit(event: ConnectionEvent): void {
    // An array of its own only while it is needed: most sessions are idle.
    if (this.#events === undefined) this.#events = [event];
    else this.#events.push(event);
  }

  /** Makes sure that `frames` can be sealed and one number is left for BYE. */
  protected require(frames: number, now: number): void {
    if (this.phase !== 'open') throw new NotConnectedError('not_connected', 'the session is not open');
    if (this.record!.sealable > frames) return;
    const spent = new SequenceError('sequence_spent');
    this.close(now, spent);
    throw spent;
  }

  /** Closes without a word, unless BYE is on its way. */
  protected fail(error: unknown, bye = false): void {
    if (this.phase === 'closed') return;
    if (!(error instanceof USMPError)) throw error;
    this.phase = 'closed';
    this.handshake?.wipe();
    this.emit({ type: 'closed', error, bye });
  }

  /** Closes because of what the peer did, or did not do. */
  protected abandon(error: unknown, _now: number): void {
    this.fail(error);
  }

  protected logKeys(): void {
    if (this.#keyLog === undefined) return;
    const { keys } = this.record!;
    this.settings.keyLog!({ ...this.#keyLog, keys: this.#isClient ? keys.slice() : swapKeys(keys) });
    this.#keyLog = { ...this.#keyLog, epoch: this.#keyLog.epoch + 1 };
  }

  #idleAt(): number {
    const { idleTimeout } = this.settings;
    return idleTimeout > 0 ? this.lastHeard + idleTimeout : Number.POSITIVE_INFINITY;
  }

  #keepAlive(now: number): void {
    this.#missed = this.#probeIsUnanswered ? this.#missed + 1 : 0;
    const { keepaliveMisses = 0 } = this.settings;
    if (this.#missed > keepaliveMisses && this.settings.keepaliveTimeout !== undefined) {
      return this.abandon(new ConnectionClosedError('idle_timeout'), now);
    }
    this.#probe(now);
    if (this.pingWaits) this.#lastPing = now;
    else if (this.record!.sealable > 1) this.ping(now);
    else this.close(now, new SequenceError('sequence_spent'));
  }

  /** A PING is due, or the answer to the last one. */
  #keepaliveAt(): number {
    const { keepaliveInterval, keepaliveTimeout } = this.settings;
    if (keepaliveInterval <= 0) return Number.POSITIVE_INFINITY;
    if (keepaliveTimeout !== undefined && this.#probeIsUnanswered) return this.#probedAt + keepaliveTimeout;
    // After a while without sending, and after a while without hearing, so that a one-way stream is answered too.
    return Math.max(this.#lastPing, Math.min(this.lastSent, this.lastHeard)) + keepaliveInterval;
  }

  /** From now on anything that is heard is an answer. */
  #probe(now: number): void {
    this.#probedAt = now;
    this.#heardBeforeProbe = this.lastHeard;
  }

  /** Nothing has been heard since the last PING that asked for a sign of life. */
  get #probeIsUnanswered(): boolean {
    return this.lastHeard === this.#heardBeforeProbe;
  }
}

/** A frame of this type has no place there. */
export function unexpected(type: FrameType, where: string): FrameError {
  return new FrameError('unexpected_frame', `${frameTypeName(type)} ${where}`);
}
