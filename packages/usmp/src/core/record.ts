/**
 * Session records of version 2 (spec/protocol.md §4, §7): sealing and opening of frames, sequence numbers, and the
 * change of keys under traffic.
 *
 * @module
 */

import { copyOf, readUint32, writeUint32 } from './bytes.js';
import type { Aead, CryptoProvider } from './crypto.js';
import { CryptoError, PayloadError, SequenceError } from './errors.js';
import { CHECKED_HEADER_LENGTH, type Frame, type FrameType, writeChecksum, writeHeader } from './frame.js';
import { deriveRekeyKeys, joinKeys, rxKey, swapKeys, type TrafficKeys, txKey } from './key-schedule.js';
import {
  ACKNOWLEDGEMENT_MAC_LENGTH,
  HEADER_LENGTH,
  MAX_SEQUENCE,
  NONCE_LENGTH,
  SEAL_OVERHEAD,
} from './limits.js';
import type { ReplayFilter } from './replay.js';

/** Length of the salt that REKEY carries (§7.1). */
export const REKEY_SALT_LENGTH = 32;

/** Bytes that a frame adds to its plaintext. */
export const RECORD_OVERHEAD = HEADER_LENGTH + SEAL_OVERHEAD;

/** A frame that authenticated, before it counts as received. */
export interface OpenedRecord {
  readonly plaintext: Uint8Array;
  /** It was received before. */
  readonly repeat: boolean;
  /** It came under the receive key before the last REKEY. */
  readonly underOldKey: boolean;
}

/** Both directions of one session. `Filter` says in which order frames are taken. */
export class RecordLayer<Filter extends ReplayFilter = ReplayFilter> {
  readonly #crypto: CryptoProvider;
  readonly #sessionId: Uint8Array;
  readonly #Filter: new () => Filter;
  #keys: TrafficKeys;
  #tx: Sealer;
  #rx: Opener<Filter>;
  /** The keys before a REKEY, as long as the peer may still use them (§7.2) or ask again for an answer (§9.5). */
  #before: { keys: TrafficKeys; rx: Opener<Filter>; repeatsOnly: boolean } | undefined;
  #rekeyComplete = true;
  /** Over datagrams: the sending key under which our REKEY went, until that is acknowledged. */
  #rekeyMacKey: Uint8Array | undefined;
  #highestSent = -1;

  constructor(crypto: CryptoProvider, sessionId: Uint8Array, keys: TrafficKeys, filter: new () => Filter) {
    this.#crypto = crypto;
    this.#sessionId = sessionId;
    this.#keys = keys;
    this.#Filter = filter;
    this.#tx = new Sealer(crypto, keys);
    this.#rx = new Opener(crypto, keys, filter);
  }

  /** Frames that may still be sealed under the present key. */
  get sealable(): number {
    return MAX_SEQUENCE + 1 - this.#tx.seq;
  }

  /** The number of the next frame. */
  get nextSequence(): number {
    return this.#tx.seq;
  }

  /** The highest number sealed under any key; −1 before the first. */
  get highestSent(): number {
    return this.#highestSent;
  }

  /** False from a REKEY on until a frame under the new receive key has been opened (§7.4). */
  get rekeyComplete(): boolean {
    return this.#rekeyComplete;
  }

  /** The keys in use, `k_tx || k_rx`. */
  get keys(): TrafficKeys {
    return this.#keys;
  }

  /** The filter of the present receive key. */
  get filter(): Filter {
    return this.#rx.filter;
  }

  /** The filter of the receive key before, as long as new frames under it are taken. */
  get oldFilter(): Filter | undefined {
    return this.#before?.repeatsOnly ? undefined : this.#before?.rx.filter;
  }

  /**
   * Writes a whole frame of `plaintext.length + RECORD_OVERHEAD` bytes to `out` at `offset`. The sequence number is
   * used up whatever becomes of the frame (§4.2).
   *
   * @returns the sequence number
   * @throws {SequenceError} none is left
   */
  seal(type: FrameType, plaintext: Uint8Array, out: Uint8Array, offset: number): number {
    const tx = this.#tx;
    if (tx.seq > MAX_SEQUENCE) throw new SequenceError('sequence_spent');
    const seq = tx.seq++;
    if (seq > this.#highestSent) this.#highestSent = seq;
    const length = plaintext.length + SEAL_OVERHEAD;
    writeHeader(out, offset, type, seq, length);
    const payload = offset + HEADER_LENGTH;
    writeNonce(out, payload, seq, this.#sessionId);
    writeNonce(NONCE, 0, seq, this.#sessionId);
    copy(out, offset, AAD, CHECKED_HEADER_LENGTH);
    tx.aead.seal(NONCE, AAD, plaintext, out, payload + NONCE_LENGTH);
    writeChecksum(out, offset, length);
    return seq;
  }

  /**
   * The plaintext of a frame of a stream.
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
    const old = this.#before?.rx.filter.judge(seq) === 'new' ? this.#before.rx : undefined;
    const current = this.#rx.filter.judge(seq) === 'new' ? this.#rx : undefined;
    if (old === undefined && current === undefined)
      throw sequenceError(seq, (this.#before?.rx ?? this.#rx).filter);
    if (!this.#hasNonceOf(bytes, seq)) throw new CryptoError('bad_nonce');

    let plaintext = old && this.#decrypt(old, bytes, seq);
    if (plaintext !== undefined) {
      old!.filter.confirm(seq);
      return plaintext;
    }
    plaintext = current && this.#decrypt(current, bytes, seq);
    if (plaintext === undefined) throw new CryptoError('bad_tag');
    current!.filter.confirm(seq);
    if (!this.#rekeyComplete) this.#completeRekey();
    return plaintext;
  }

  /**
   * Opens a frame that came as a datagram, also one that was received before (§9.4). It does not count as received
   * until `confirm`.
   *
   * @returns undefined when it does not authenticate or its number is refused
   */
  authenticate(frame: Frame): OpenedRecord | undefined {
    const { bytes, seq } = frame;
    if (bytes.length < RECORD_OVERHEAD || !this.#hasNonceOf(bytes, seq)) return undefined;
    const standing = this.#rx.filter.judge(seq);
    if (standing !== 'refused') {
      const plaintext = this.#decrypt(this.#rx, bytes, seq);
      if (plaintext !== undefined) return { plaintext, repeat: standing === 'repeat', underOldKey: false };
    }
    const before = this.#before;
    if (before === undefined) return undefined;
    const oldStanding = before.rx.filter.judge(seq);
    if (oldStanding === 'refused' || (oldStanding === 'new' && before.repeatsOnly)) return undefined;
    const plaintext = this.#decrypt(before.rx, bytes, seq);
    return plaintext && { plaintext, repeat: oldStanding === 'repeat', underOldKey: true };
  }

  /** Counts a frame that `authenticate` has opened as received. */
  confirm(seq: number, { underOldKey }: OpenedRecord): void {
    (underOldKey ? this.#before!.rx : this.#rx).filter.confirm(seq);
    if (!underOldKey && !this.#rekeyComplete) this.#completeRekey();
  }

  /** MAC of a UTACK for a frame of the peer (§9.1). */
  acknowledgementMac(header: Uint8Array, underOldKey: boolean): Uint8Array {
    return this.#mac(rxKey(underOldKey ? this.#before!.keys : this.#keys), header);
  }

  /** Whether a MAC is that of a UTACK for a frame of ours; for REKEY itself the key before it serves too (§9.5). */
  verifyAcknowledgement(header: Uint8Array, mac: Uint8Array, ofRekey: boolean): boolean {
    if (this.#crypto.equal(this.#mac(txKey(this.#keys), header), mac)) return true;
    if (!ofRekey || this.#rekeyMacKey === undefined) return false;
    return this.#crypto.equal(this.#mac(this.#rekeyMacKey, header), mac);
  }

  /** Our REKEY has arrived. */
  rekeyAcknowledged(): void {
    this.#rekeyMacKey?.fill(0);
    this.#rekeyMacKey = undefined;
  }

  /**
   * Switches as the initiator, right after the REKEY frame with this salt has been sealed (§7.2). Frames that the
   * peer sealed before it saw REKEY stay readable.
   *
   * @param isAcknowledged over datagrams: the old sending key is kept for the UTACK, until `rekeyAcknowledged`
   */
  rekeyAsInitiator(salt: Uint8Array, isAcknowledged = false): void {
    const old = this.#keys;
    if (isAcknowledged) this.#rekeyMacKey = copyOf(txKey(old));
    this.#before = { keys: old, rx: this.#rx, repeatsOnly: false };
    this.#switch(deriveRekeyKeys(this.#crypto, old, salt, this.#sessionId));
  }

  /**
   * Switches on a REKEY of the peer that has just been opened; where it crosses one of ours, by §7.3.
   *
   * @param answersRepeats over datagrams: keep the old receive key for repeats until a frame under the new one opens
   */
  rekeyAsResponder(salt: Uint8Array, answersRepeats = false): void {
    const crossed = this.#before;
    const old = crossed?.keys ?? this.#keys;
    const oldRx = crossed?.rx ?? this.#rx;
    const initiatorsOld = swapKeys(old);
    const peersKeys = deriveRekeyKeys(this.#crypto, initiatorsOld, salt, this.#sessionId);
    initiatorsOld.fill(0);
    if (crossed === undefined) {
      this.#switch(swapKeys(peersKeys));
    } else {
      // We go on sending under our own REKEY and receive under the peer's.
      const ours = this.#keys;
      this.#keys = joinKeys(txKey(ours), txKey(peersKeys));
      this.#tx.prepare();
      this.#rx = new Opener(this.#crypto, this.#keys, this.#Filter);
      ours.fill(0);
    }
    peersKeys.fill(0);
    this.#before = { keys: old, rx: oldRx, repeatsOnly: true };
    if (!answersRepeats) this.#forgetBefore();
  }

  /** Overwrites the keys. Nothing can be sealed or opened after that. */
  wipe(): void {
    this.#keys.fill(0);
    this.#forgetBefore();
    this.rekeyAcknowledged();
    this.#tx.seq = MAX_SEQUENCE + 1;
  }

  #switch(keys: TrafficKeys): void {
    this.#keys = keys;
    this.#tx = new Sealer(this.#crypto, keys);
    this.#rx = new Opener(this.#crypto, keys, this.#Filter);
    this.#rekeyComplete = false;
  }

  #completeRekey(): void {
    this.#rekeyComplete = true;
    this.#forgetBefore();
  }

  #forgetBefore(): void {
    this.#before?.keys.fill(0);
    this.#before = undefined;
  }

  #decrypt(rx: Opener<Filter>, frame: Uint8Array, seq: number): Uint8Array | undefined {
    writeNonce(NONCE, 0, seq, this.#sessionId);
    copy(frame, 0, AAD, CHECKED_HEADER_LENGTH);
    return rx.aead.open(NONCE, AAD, frame.subarray(HEADER_LENGTH + NONCE_LENGTH));
  }

  #mac(key: Uint8Array, header: Uint8Array): Uint8Array {
    return this.#crypto.hmacSha256(key, header).subarray(0, ACKNOWLEDGEMENT_MAC_LENGTH);
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
class Opener<Filter extends ReplayFilter> {
  readonly #crypto: CryptoProvider;
  readonly #keys: TrafficKeys;
  #aead: Aead | undefined;
  readonly filter: Filter;

  constructor(crypto: CryptoProvider, keys: TrafficKeys, filter: new () => Filter) {
    this.#crypto = crypto;
    this.#keys = keys;
    this.filter = new filter();
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

function sequenceError(seq: number, { expected }: ReplayFilter): SequenceError {
  if (seq > MAX_SEQUENCE) return new SequenceError('sequence_spent');
  return new SequenceError('bad_sequence', `sequence number ${seq}, expected ${expected}`);
}
