/**
 * Session records of version 2 (spec/protocol.md §4, §7): sealing and opening of frames, sequence numbers, and the
 * change of keys under traffic.
 *
 * @module
 */

import { readUint32, writeUint32 } from './bytes.js';
import type { Aead, CryptoProvider } from './crypto.js';
import { CryptoError, PayloadError, SequenceError } from './errors.js';
import { CHECKED_HEADER_LENGTH, type Frame, type FrameType, writeChecksum, writeHeader } from './frame.js';
import { deriveRekeyKeys, joinKeys, rxKey, swapKeys, type TrafficKeys, txKey } from './key-schedule.js';
import { HEADER_LENGTH, MAX_SEQUENCE, NONCE_LENGTH, SEAL_OVERHEAD } from './limits.js';
import { StrictOrder } from './replay.js';

/** Length of the salt that REKEY carries (§7.1). */
export const REKEY_SALT_LENGTH = 32;

/** Bytes that a frame adds to its plaintext. */
export const RECORD_OVERHEAD = HEADER_LENGTH + SEAL_OVERHEAD;

/** Both directions of one session. */
export class RecordLayer {
  readonly #crypto: CryptoProvider;
  readonly #sessionId: Uint8Array;
  #keys: TrafficKeys;
  #tx: Sealer;
  #rx: Opener;
  /** While a REKEY of our own is not complete: the keys before it, which the peer may still use (§7.2). */
  #before: { keys: TrafficKeys; rx: Opener } | undefined;
  #rekeyComplete = true;

  constructor(crypto: CryptoProvider, sessionId: Uint8Array, keys: TrafficKeys) {
    this.#crypto = crypto;
    this.#sessionId = sessionId;
    this.#keys = keys;
    this.#tx = new Sealer(crypto, keys);
    this.#rx = new Opener(crypto, keys);
  }

  /** Frames that may still be sealed under the present key. */
  get sealable(): number {
    return MAX_SEQUENCE + 1 - this.#tx.seq;
  }

  /** False from a REKEY on until a frame under the new receive key has been opened (§7.4). */
  get rekeyComplete(): boolean {
    return this.#rekeyComplete;
  }

  /**
   * Writes a whole frame of `plaintext.length + RECORD_OVERHEAD` bytes to `out` at `offset`. The sequence number is
   * used up whatever becomes of the frame (§4.2).
   *
   * @throws {SequenceError} none is left
   */
  seal(type: FrameType, plaintext: Uint8Array, out: Uint8Array, offset: number): void {
    const tx = this.#tx;
    if (tx.seq > MAX_SEQUENCE) throw new SequenceError('sequence_spent');
    const seq = tx.seq++;
    const length = plaintext.length + SEAL_OVERHEAD;
    writeHeader(out, offset, type, seq, length);
    const payload = offset + HEADER_LENGTH;
    writeNonce(out, payload, seq, this.#sessionId);
    writeNonce(NONCE, 0, seq, this.#sessionId);
    copy(out, offset, AAD, CHECKED_HEADER_LENGTH);
    tx.aead.seal(NONCE, AAD, plaintext, out, payload + NONCE_LENGTH);
    writeChecksum(out, offset, length);
  }

  /**
   * The plaintext of a frame.
   *
   * @throws {PayloadError | SequenceError | CryptoError} it is not the frame that must come next; over a stream that
   * ends the session (§4.3)
   */
  open(frame: Frame): Uint8Array {
    const { bytes, seq } = frame;
    if (bytes.length < RECORD_OVERHEAD) {
      const length = bytes.length - HEADER_LENGTH;
      throw new PayloadError(
        'bad_length',
        `an encrypted payload of ${length} bytes, at least ${SEAL_OVERHEAD}`,
      );
    }
    // Where both keys await number 0, both are tried (§7.2).
    const old = this.#before?.rx.order.accepts(seq) ? this.#before.rx : undefined;
    const current = this.#rx.order.accepts(seq) ? this.#rx : undefined;
    if (old === undefined && current === undefined) throw sequenceError(seq, this.#before?.rx ?? this.#rx);
    if (!this.#hasNonceOf(bytes, seq)) throw new CryptoError('bad_nonce');

    writeNonce(NONCE, 0, seq, this.#sessionId);
    copy(bytes, 0, AAD, CHECKED_HEADER_LENGTH);
    const sealed = bytes.subarray(HEADER_LENGTH + NONCE_LENGTH);
    let plaintext = old?.aead.open(NONCE, AAD, sealed);
    if (plaintext !== undefined) {
      old!.order.confirm(seq);
      return plaintext;
    }
    plaintext = current?.aead.open(NONCE, AAD, sealed);
    if (plaintext === undefined) throw new CryptoError('bad_tag');
    current!.order.confirm(seq);
    if (!this.#rekeyComplete) this.#completeRekey();
    return plaintext;
  }

  /**
   * Switches as the initiator, right after the REKEY frame with this salt has been sealed (§7.2). Frames that the
   * peer sealed before it saw REKEY stay readable.
   */
  rekeyAsInitiator(salt: Uint8Array): void {
    const old = this.#keys;
    this.#before = { keys: old, rx: this.#rx };
    this.#switch(deriveRekeyKeys(this.#crypto, old, salt, this.#sessionId));
  }

  /** Switches on a REKEY of the peer that has just been opened; where it crosses one of ours, by §7.3. */
  rekeyAsResponder(salt: Uint8Array): void {
    const crossed = this.#before;
    const old = crossed?.keys ?? this.#keys;
    const initiatorsOld = swapKeys(old);
    const peersKeys = deriveRekeyKeys(this.#crypto, initiatorsOld, salt, this.#sessionId);
    initiatorsOld.fill(0);
    old.fill(0);
    if (crossed === undefined) {
      this.#switch(swapKeys(peersKeys));
    } else {
      // We go on sending under our own REKEY and receive under the peer's.
      const ours = this.#keys;
      this.#keys = joinKeys(txKey(ours), txKey(peersKeys));
      this.#tx.prepare();
      this.#rx = new Opener(this.#crypto, this.#keys);
      this.#before = undefined;
      ours.fill(0);
    }
    peersKeys.fill(0);
  }

  /** Overwrites the keys. Nothing can be sealed or opened after that. */
  wipe(): void {
    this.#keys.fill(0);
    this.#before?.keys.fill(0);
    this.#before = undefined;
    this.#tx.seq = MAX_SEQUENCE + 1;
  }

  #switch(keys: TrafficKeys): void {
    this.#keys = keys;
    this.#tx = new Sealer(this.#crypto, keys);
    this.#rx = new Opener(this.#crypto, keys);
    this.#rekeyComplete = false;
  }

  #completeRekey(): void {
    this.#rekeyComplete = true;
    this.#before?.keys.fill(0);
    this.#before = undefined;
  }

  /** Compares the nonce in front of a payload with `seq || session_id[0..8)` (§4.1). */
  #hasNonceOf(frame: Uint8Array, seq: number): boolean {
    if (readUint32(frame, HEADER_LENGTH) !== seq) return false;
    for (let i = 4; i < NONCE_LENGTH; i++)
      if (frame[HEADER_LENGTH + i] !== this.#sessionId[i - 4]) return false;
    return true;
  }
}

/** Scratch memory, filled anew for each frame: sealing and opening are synchronous and never nest. */
const NONCE = new Uint8Array(NONCE_LENGTH);
const AAD = new Uint8Array(CHECKED_HEADER_LENGTH);

/** The key for sending, and its numbers. The cipher is prepared when it is first needed. */
class Sealer {
  readonly #crypto: CryptoProvider;
  readonly #keys: TrafficKeys;
  #aead: Aead | undefined;
  seq = 0;

  constructor(crypto: CryptoProvider, keys: TrafficKeys) {
    this.#crypto = crypto;
    this.#keys = keys;
  }

  get aead(): Aead {
    return this.#aead ?? this.prepare();
  }

  /** Needed before the bytes of the key are overwritten. */
  prepare(): Aead {
    this.#aead ??= this.#crypto.aes256gcm(txKey(this.#keys));
    return this.#aead;
  }
}

/** The key for receiving, and the order that it accepts. */
class Opener {
  readonly #crypto: CryptoProvider;
  readonly #keys: TrafficKeys;
  #aead: Aead | undefined;
  readonly order = new StrictOrder();

  constructor(crypto: CryptoProvider, keys: TrafficKeys) {
    this.#crypto = crypto;
    this.#keys = keys;
  }

  get aead(): Aead {
    this.#aead ??= this.#crypto.aes256gcm(rxKey(this.#keys));
    return this.#aead;
  }
}

function writeNonce(out: Uint8Array, offset: number, seq: number, sessionId: Uint8Array): void {
  writeUint32(out, offset, seq);
  for (let i = 0; i < NONCE_LENGTH - 4; i++) out[offset + 4 + i] = sessionId[i];
}

/** Copies a few bytes; cheaper than a view and `set` at this size. */
function copy(from: Uint8Array, start: number, to: Uint8Array, length: number): void {
  for (let i = 0; i < length; i++) to[i] = from[start + i];
}

function sequenceError(seq: number, expected: Opener): SequenceError {
  if (seq > MAX_SEQUENCE) return new SequenceError('sequence_spent');
  return new SequenceError('bad_sequence', `sequence number ${seq}, expected ${expected.order.expected}`);
}
