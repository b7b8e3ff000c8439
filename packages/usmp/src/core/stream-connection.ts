/**
 * A connection over a reliable stream: frames arrive whole and in order, or the session ends (spec/protocol.md §4.3).
 *
 * @module
 */

import { Connection, type ConnectionSettings, EMPTY, unexpected } from './connection.js';
import {
  ArgumentError,
  AuthError,
  ConnectionClosedError,
  HandshakeError,
  SequenceError,
  type USMPError,
} from './errors.js';
import { type Frame, FrameDecoder, FrameType, isHandshakeType } from './frame.js';
import type { ClientCredentials, Secrets } from './handshake.js';
import { MAX_PLAINTEXT } from './limits.js';
import { frameCount, Reassembler } from './message.js';
import { RECORD_OVERHEAD, RecordLayer } from './record.js';
import { StrictOrder } from './replay.js';

/** Room for a few small frames; most turns need no more. */
const FIRST_BLOCK = 256;

/** One end of a conversation over a stream. */
export class StreamConnection extends Connection {
  readonly #decoder = new FrameDecoder();
  #out: Uint8Array | undefined;
  #outLength = 0;

  constructor(settings: ConnectionSettings, now: number, client?: ClientCredentials) {
    super(settings, now, client);
    if (client !== undefined) this.append(this.handshake!.hello());
  }

  get pendingTransmit(): number {
    return this.#outLength;
  }

  get wantsTransmit(): boolean {
    return this.#outLength > 0 || (this.pongsOwed > 0 && this.phase === 'open');
  }

  /** Takes bytes of the stream, cut anywhere. Handles all whole frames in them. */
  handleInput(bytes: Uint8Array, now: number): void {
    if (this.phase === 'closed') return;
    try {
      this.#decoder.push(bytes);
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
        if (this.record === undefined) this.handleHandshakeFrame(frame, now);
        else this.handleSessionFrame(frame, now);
        if (this.state === 'closed') return;
      }
    } catch (error) {
      this.abandon(error, now);
    }
  }

  /** @throws {ArgumentError} an acknowledgement is wanted: streams have none */
  send(message: Uint8Array, now: number, wantsAcknowledgement = false): number {
    if (wantsAcknowledgement) {
      throw new ArgumentError(
        'invalid_argument',
        'acknowledged is for UDP: on other transports call ping() after send(), the peer answers it in order',
      );
    }
    const frames = frameCount(message.length);
    this.require(frames, now);
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
    this.stats.bytesSent += message.length;
    return ++this.stats.messagesSent;
  }

  close(now: number, error: USMPError = new ConnectionClosedError('closed')): void {
    const bye = this.phase === 'open' && this.record!.sealable > 0;
    if (bye) this.#seal(FrameType.BYE, EMPTY, now);
    this.fail(error, bye);
  }

  /** All bytes to send now, for one write; the caller owns them. */
  pollTransmit(now: number): Uint8Array | undefined {
    while (this.pongsOwed > 0 && this.phase === 'open') {
      this.pongsOwed--;
      if (this.record!.sealable > 1) this.#seal(FrameType.PONG, EMPTY, now);
      else this.close(now, new SequenceError('sequence_spent'));
    }
    if (this.#out === undefined) return undefined;
    const bytes = this.#out.subarray(0, this.#outLength);
    this.discardOutput();
    return bytes;
  }

  protected handleHandshakeFrame(frame: Frame, now: number): void {
    const handshake = this.handshake!;
    const asksForKeys = handshake.state === 'HELLO';
    const reply = handshake.handleFrame(frame);
    if (asksForKeys) this.emit({ type: 'keys-wanted', deviceId: handshake.deviceId! });
    this.advanceHandshake(reply, now);
  }

  protected advanceHandshake(reply: Uint8Array | undefined, now: number): void {
    if (reply !== undefined) this.append(reply);
    this.openIfDone(now);
  }

  protected makeRecordLayer({ sessionId, keys }: Secrets): RecordLayer {
    return new RecordLayer(this.settings.crypto, sessionId, keys, StrictOrder);
  }

  protected errorForEnd(): USMPError {
    if (this.phase === 'open') return new ConnectionClosedError('connection_lost');
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

  protected handleSessionFrame(frame: Frame, now: number): void {
    const { type } = frame;
    if (isHandshakeType(type)) throw unexpected(type, 'in an open session');
    const record = this.record!;
    const rekeying = !record.rekeyComplete;
    const plaintext = record.open(frame);
    this.lastHeard = now;
    this.stats.framesReceived++;
    if (rekeying && record.rekeyComplete) this.onRekeyed(now);

    if (type === FrameType.DATA) {
      return this.onMessage(this.reassembler === undefined ? plaintext : this.reassembler.finish(plaintext));
    }
    if (type === FrameType.DATA_FRAG) {
      this.reassembler ??= new Reassembler();
      return this.reassembler.addPart(plaintext);
    }
    this.checkControl(type, plaintext);
    if (type === FrameType.BYE) return this.fail(new ConnectionClosedError('bye'));
    if (this.reassembler?.partial) throw unexpected(type, 'between the parts of a message');
    if (type === FrameType.REKEY) this.onRekey(plaintext);
    else this.onPingPong(type, now);
  }

  /** What stands before a PING in the stream has arrived before it. */
  protected override onPong(messages: number): void {
    this.messagesConfirmed = messages;
  }

  protected sendControl(type: FrameType, now: number): void {
    this.#seal(type, EMPTY, now);
  }

  protected sendRekey(salt: Uint8Array, now: number): void {
    this.#seal(FrameType.REKEY, salt, now);
  }

  /** What waits in `pollTransmit` is dropped, unless BYE of ours is the last of it. */
  protected override fail(error: unknown, bye = false): void {
    if (this.phase === 'closed') return;
    super.fail(error, bye);
    this.record?.wipe();
    if (!bye) this.discardOutput();
  }

  /** Drops what waits in `pollTransmit`. */
  protected discardOutput(): void {
    this.#out = undefined;
    this.#outLength = 0;
  }

  #seal(type: FrameType, plaintext: Uint8Array, now: number): void {
    const size = plaintext.length + RECORD_OVERHEAD;
    const out = this.#reserve(size);
    this.record!.seal(type, plaintext, out, this.#outLength);
    this.#outLength += size;
    this.lastSent = now;
    this.stats.framesSent++;
  }

  /** Sends bytes as they are. */
  protected append(bytes: Uint8Array): void {
    this.#reserve(bytes.length).set(bytes, this.#outLength);
    this.#outLength += bytes.length;
  }

  /** The block of outgoing bytes, grown by doubling to hold `size` more. */
  #reserve(size: number): Uint8Array {
    const needed = this.#outLength + size;
    const block = this.#out;
    if (block !== undefined && block.length >= needed) return block;
    const grown = this.settings.crypto.allocate(Math.max(needed, (block?.length ?? FIRST_BLOCK / 2) * 2));
    if (block !== undefined) grown.set(block.subarray(0, this.#outLength));
    this.#out = grown;
    return grown;
  }
}
