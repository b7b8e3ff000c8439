/**
 * One peer: ties handshake, records and messages together, and keeps the deadlines. It never touches a socket, a
 * timer or a clock. Hand it bytes (`handleInput`), the time (`handleTimeout`) and commands; then drain it in this
 * order: `pollEvent` until undefined, `pollTransmit`, `pollTimeout`.
 *
 * Times are milliseconds of one monotonic clock. No input of the network makes a method throw: what a peer does
 * wrong becomes a `closed` event. Commands throw when the caller uses them wrongly.
 *
 * @module
 */

import type { CryptoProvider } from './crypto.js';
import {
  AuthError,
  ConnectionClosedError,
  FrameError,
  HandshakeError,
  NotConnectedError,
  PayloadError,
  SequenceError,
  USMPError,
  USMPTimeoutError,
} from './errors.js';
import { type Frame, FrameDecoder, FrameType, frameTypeName, isHandshakeType } from './frame.js';
import { type ClientCredentials, Handshake, type HandshakeState } from './handshake.js';
import { MAX_PINGS_TRACKED, MAX_PLAINTEXT, MAX_PONGS_OWED } from './limits.js';
import { frameCount, Reassembler } from './message.js';
import { RECORD_OVERHEAD, REKEY_SALT_LENGTH, RecordLayer } from './record.js';
import { type ConnectionStats, emptyStats } from './stats.js';

/** What all connections of a server, or those of a client, have in common. */
export interface ConnectionSettings {
  readonly crypto: CryptoProvider;
  /** For the whole handshake (spec/protocol.md §3.5). */
  readonly handshakeTimeout: number;
  /** PING after this long without sending (§6.2); 0 for never. */
  readonly keepaliveInterval: number;
  /** Give up after this long without hearing anything (§6.2); 0 for never. */
  readonly idleTimeout: number;
  /** Server: a random key of at least 16 bytes that stands in for the keys of unknown devices (§3.5). */
  readonly decoyKey?: Uint8Array;
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
  /** The answer to a PING; `rtt` in milliseconds. */
  | { readonly type: 'pong'; readonly ping: number; readonly rtt: number }
  /** New keys are in use both ways; `initiator` when this side asked for it. */
  | { readonly type: 'rekeyed'; readonly initiator: boolean }
  /** The last event; with `bye` when BYE of ours, and what was sent before it, wait in `pollTransmit`. */
  | { readonly type: 'closed'; readonly error: USMPError; readonly bye: boolean };

const EMPTY = new Uint8Array(0);

/** Room for a few small frames; most turns need no more. */
const FIRST_BLOCK = 256;

/** One end of a conversation, from the first byte to the last. */
export class Connection {
  readonly #settings: ConnectionSettings;
  readonly #decoder = new FrameDecoder();
  readonly stats: ConnectionStats = emptyStats();

  #state: 'handshake' | 'open' | 'closed' = 'handshake';
  #handshake: Handshake | undefined;
  #record: RecordLayer | undefined;
  #reassembler: Reassembler | undefined;

  #events: ConnectionEvent[] = [];
  #out: Uint8Array | undefined;
  #outLength = 0;

  #handshakeDeadline: number;
  #lastSent: number;
  #lastHeard: number;
  #lastPing: number;
  #pingCount = 0;
  #pings: { id: number; sentAt: number }[] | undefined;
  #pongsOwed = 0;
  #rekeyWanted = false;
  #rekeyIsOurs = false;

  /** A client's connection with its credentials, which speaks first; a server's without. */
  constructor(settings: ConnectionSettings, now: number, client?: ClientCredentials) {
    this.#settings = settings;
    this.#handshakeDeadline = now + settings.handshakeTimeout;
    this.#lastSent = this.#lastHeard = this.#lastPing = now;
    this.#handshake = new Handshake(settings.crypto, client);
    if (client !== undefined) this.#append(this.#handshake.hello());
  }

  get state(): 'handshake' | 'open' | 'closed' {
    return this.#state;
  }

  /** What the handshake waits for; `done` after it. */
  get handshakeState(): HandshakeState {
    return this.#handshake?.state ?? 'done';
  }

  /** At a server from HELLO until the session is open. */
  get claimedDeviceId(): Uint8Array | undefined {
    return this.#handshake?.deviceId;
  }

  /** Bytes waiting in `pollTransmit`. */
  get pendingTransmit(): number {
    return this.#outLength;
  }

  /** Whether `pollTransmit` has anything to give. */
  get wantsTransmit(): boolean {
    return this.#outLength > 0 || (this.#pongsOwed > 0 && this.#state === 'open');
  }

  // ── Input ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes bytes of the stream, cut anywhere. Handles all whole frames in them. */
  handleInput(bytes: Uint8Array, now: number): void {
    if (this.#state === 'closed') return;
    try {
      this.#decoder.push(bytes);
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
        if (this.#record === undefined) this.#handleHandshakeFrame(frame, now);
        else this.#handleSessionFrame(frame, now);
        if (this.state === 'closed') return;
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The transport has ended: no more bytes will come. */
  handleEnd(): void {
    if (this.#state === 'closed') return;
    this.#fail(this.#errorForEnd());
  }

  /** Acts on every deadline that has passed. Calling early does nothing. */
  handleTimeout(now: number): void {
    if (this.#state === 'handshake' && now >= this.#handshakeDeadline) {
      this.#fail(
        new USMPTimeoutError('handshake_timeout', `handshake timed out waiting for ${this.handshakeState}`),
      );
    } else if (this.#state === 'open') {
      if (now >= this.#idleAt()) this.#fail(new ConnectionClosedError('idle_timeout'));
      else if (now >= this.#keepaliveAt()) this.#keepAlive(now);
    }
  }

  /** Counts as a sign of life, for a driver that has stopped reading on purpose. */
  postponeIdle(now: number): void {
    this.#lastHeard = now;
  }

  // ── Commands ───────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Server: answers `keys-wanted`.
   *
   * @param keys the device's valid keys, new one first; none for a device that must not come in
   */
  provideKeys(keys: readonly Uint8Array[], now: number): void {
    if (this.#state !== 'handshake') return;
    try {
      const reply = this.#handshake!.provideKeys(keys, this.#settings.decoyKey!);
      if (reply !== undefined) this.#append(reply);
      this.#openIfDone(now);
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * Sends a message of up to 1,808 bytes.
   *
   * @throws {PayloadError} it is larger
   * @throws {SequenceError} the sequence numbers are used up; the connection closes
   * @throws {NotConnectedError} the connection is not open
   */
  send(message: Uint8Array, now: number): void {
    const frames = frameCount(message.length);
    this.#require(frames);
    if (frames === 1) {
      this.#seal(FrameType.DATA, message, now);
    } else {
      this.#reserve(message.length + frames * RECORD_OVERHEAD);
      let start = 0;
      for (let left = frames; left > 1; left--, start += MAX_PLAINTEXT) {
        this.#seal(FrameType.DATA_FRAG, message.subarray(start, start + MAX_PLAINTEXT), now);
      }
      this.#seal(FrameType.DATA, message.subarray(start), now);
    }
    this.stats.messagesSent++;
    this.stats.bytesSent += message.length;
  }

  /** Sends PING. Returns the number that the `pong` event will carry. Throws as `send`. */
  ping(now: number): number {
    this.#require(1);
    this.#seal(FrameType.PING, EMPTY, now);
    this.#lastPing = now;
    this.#pings ??= [];
    if (this.#pings.length === MAX_PINGS_TRACKED) this.#pings.shift();
    const id = ++this.#pingCount;
    this.#pings.push({ id, sentAt: now });
    return id;
  }

  /**
   * Changes the keys of both directions (§7); a `rekeyed` event tells when that is complete. While a change is under
   * way, one of ours serves this call too, and one of the peer's is waited for. Throws as `send`.
   */
  rekey(now: number): void {
    this.#require(2);
    if (this.#record!.rekeyComplete) this.#startRekey(now);
    else if (!this.#rekeyIsOurs) this.#rekeyWanted = true;
  }

  /** Sends BYE and closes. Without effect on a closed connection. */
  close(now: number, error: USMPError = new ConnectionClosedError('closed')): void {
    const bye = this.#state === 'open' && this.#record!.sealable > 0;
    if (bye) this.#seal(FrameType.BYE, EMPTY, now);
    this.#fail(error, bye);
  }

  // ── Output ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The next thing to tell, in order. */
  pollEvent(): ConnectionEvent | undefined {
    return this.#events.shift();
  }

  /** All bytes to send now, for one write; the caller owns them. */
  pollTransmit(now: number): Uint8Array | undefined {
    while (this.#pongsOwed > 0 && this.#state === 'open') {
      this.#pongsOwed--;
      if (this.#record!.sealable > 1) this.#seal(FrameType.PONG, EMPTY, now);
      else this.close(now, new SequenceError('sequence_spent'));
    }
    if (this.#out === undefined) return undefined;
    const bytes = this.#out.subarray(0, this.#outLength);
    this.#out = undefined;
    this.#outLength = 0;
    return bytes;
  }

  /** When `handleTimeout` must be called at the latest; Infinity for never. */
  pollTimeout(): number {
    if (this.#state === 'handshake') return this.#handshakeDeadline;
    if (this.#state === 'closed') return Number.POSITIVE_INFINITY;
    return Math.min(this.#idleAt(), this.#keepaliveAt());
  }

  // ── Handshake ──────────────────────────────────────────────────────────────────────────────────────────────────

  #handleHandshakeFrame(frame: Frame, now: number): void {
    const handshake = this.#handshake!;
    const asksForKeys = handshake.state === 'HELLO';
    const reply = handshake.handleFrame(frame);
    if (reply !== undefined) this.#append(reply);
    if (asksForKeys) this.#events.push({ type: 'keys-wanted', deviceId: handshake.deviceId! });
    this.#openIfDone(now);
  }

  #openIfDone(now: number): void {
    const secrets = this.#handshake!.secrets;
    if (secrets === undefined) return;
    const { deviceId, sessionId, keyIndex } = secrets;
    this.#record = new RecordLayer(this.#settings.crypto, sessionId, secrets.keys);
    this.#handshake = undefined;
    this.#state = 'open';
    this.#lastSent = this.#lastHeard = this.#lastPing = now;
    this.#events.push({ type: 'open', deviceId, sessionId, keyIndex });
  }

  #errorForEnd(): USMPError {
    if (this.#state === 'open') return new ConnectionClosedError('connection_lost');
    switch (this.handshakeState) {
      case 'CHALLENGE':
        return new HandshakeError('turned_away');
      case 'SESSION_OK':
        return new AuthError('refused');
      default:
        return new ConnectionClosedError(
          'connection_lost',
          `connection lost waiting for ${this.handshakeState}`,
        );
    }
  }

  // ── Session ────────────────────────────────────────────────────────────────────────────────────────────────────

  #handleSessionFrame(frame: Frame, now: number): void {
    if (isHandshakeType(frame.type)) throw unexpected(frame.type, 'in an open session');
    const record = this.#record!;
    const rekeying = !record.rekeyComplete;
    const plaintext = record.open(frame);
    this.#lastHeard = now;
    this.stats.framesReceived++;
    if (rekeying && record.rekeyComplete) this.#onRekeyed(now);

    switch (frame.type) {
      case FrameType.DATA:
        return this.#onMessage(
          this.#reassembler === undefined ? plaintext : this.#reassembler.finish(plaintext),
        );
      case FrameType.DATA_FRAG:
        this.#reassembler ??= new Reassembler();
        return this.#reassembler.addPart(plaintext);
      case FrameType.REKEY:
        return this.#onRekey(plaintext);
      default:
        if (plaintext.length > 0)
          throw new PayloadError('bad_length', `${frameTypeName(frame.type)} must be empty`);
        return this.#onControl(frame.type, now);
    }
  }

  #onMessage(data: Uint8Array): void {
    this.stats.messagesReceived++;
    this.stats.bytesReceived += data.length;
    this.#events.push({ type: 'message', data });
  }

  #onControl(type: FrameType, now: number): void {
    if (type === FrameType.BYE) return this.#fail(new ConnectionClosedError('bye'));
    if (this.#reassembler?.partial) throw unexpected(type, 'between the parts of a message');
    if (type === FrameType.PING) {
      this.#pongsOwed = Math.min(this.#pongsOwed + 1, MAX_PONGS_OWED);
    } else {
      const ping = this.#pings?.shift();
      if (ping !== undefined) this.#events.push({ type: 'pong', ping: ping.id, rtt: now - ping.sentAt });
    }
  }

  /** A message of the peer may go on under its new key (§7.2), but no REKEY of the peer stands inside it (§5). */
  #onRekey(salt: Uint8Array): void {
    if (salt.length !== REKEY_SALT_LENGTH) {
      throw new PayloadError(
        'bad_length',
        `REKEY with a salt of ${salt.length} bytes, must be ${REKEY_SALT_LENGTH}`,
      );
    }
    if (this.#reassembler?.partial) throw unexpected(FrameType.REKEY, 'between the parts of a message');
    this.#record!.rekeyAsResponder(salt);
    salt.fill(0);
  }

  /** The PING behind it lets the peer's PONG complete the change even where no data flows. */
  #startRekey(now: number): void {
    const salt = this.#settings.crypto.randomBytes(REKEY_SALT_LENGTH);
    this.#rekeyWanted = false;
    this.#rekeyIsOurs = true;
    this.#seal(FrameType.REKEY, salt, now);
    this.#record!.rekeyAsInitiator(salt);
    salt.fill(0);
    this.ping(now);
  }

  #onRekeyed(now: number): void {
    this.#events.push({ type: 'rekeyed', initiator: this.#rekeyIsOurs });
    this.#rekeyIsOurs = false;
    if (this.#rekeyWanted && this.#record!.sealable > 2) this.#startRekey(now);
  }

  // ── Common ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #idleAt(): number {
    const { idleTimeout } = this.#settings;
    return idleTimeout > 0 ? this.#lastHeard + idleTimeout : Number.POSITIVE_INFINITY;
  }

  #keepAlive(now: number): void {
    if (this.#record!.sealable > 1) this.ping(now);
    else this.close(now, new SequenceError('sequence_spent'));
  }

  /** After a while without sending, and after a while without hearing, so that a one-way stream is answered too. */
  #keepaliveAt(): number {
    const { keepaliveInterval } = this.#settings;
    if (keepaliveInterval <= 0) return Number.POSITIVE_INFINITY;
    return Math.min(this.#lastSent, Math.max(this.#lastHeard, this.#lastPing)) + keepaliveInterval;
  }

  /** Makes sure that `frames` can be sealed and one number is left for BYE. */
  #require(frames: number): void {
    if (this.#state !== 'open') throw new NotConnectedError('not_connected', 'the session is not open');
    if (this.#record!.sealable > frames) return;
    const spent = new SequenceError('sequence_spent');
    this.close(this.#lastSent, spent);
    throw spent;
  }

  #seal(type: FrameType, plaintext: Uint8Array, now: number): void {
    const size = plaintext.length + RECORD_OVERHEAD;
    const out = this.#reserve(size);
    this.#record!.seal(type, plaintext, out, this.#outLength);
    this.#outLength += size;
    this.#lastSent = now;
    this.stats.framesSent++;
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length).set(bytes, this.#outLength);
    this.#outLength += bytes.length;
  }

  /** The block of outgoing bytes, grown by doubling to hold `size` more. */
  #reserve(size: number): Uint8Array {
    const needed = this.#outLength + size;
    const block = this.#out;
    if (block !== undefined && block.length >= needed) return block;
    const grown = this.#settings.crypto.allocate(Math.max(needed, (block?.length ?? FIRST_BLOCK / 2) * 2));
    if (block !== undefined) grown.set(block.subarray(0, this.#outLength));
    this.#out = grown;
    return grown;
  }

  #fail(error: unknown, bye = false): void {
    if (this.#state === 'closed') return;
    if (!(error instanceof USMPError)) throw error;
    this.#state = 'closed';
    this.#handshake?.wipe();
    this.#record?.wipe();
    this.#events.push({ type: 'closed', error, bye });
  }
}

function unexpected(type: FrameType, where: string): FrameError {
  return new FrameError('unexpected_frame', `${frameTypeName(type)} ${where}`);
}
