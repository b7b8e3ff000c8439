/**
 * Reliability over datagrams (spec/protocol.md §9.1, §9.4): which frames are under way and when to send them again,
 * and on the other side the order in which they are delivered. No cryptography: what comes in here has authenticated.
 *
 * @module
 */

import type { FrameType } from './frame.js';
import {
  DELIVERY_TIMEOUT,
  FIRST_RTO,
  GAP_TIMEOUT,
  LOSS_THRESHOLD,
  MAX_BYTES_UNDER_WAY,
  MAX_FRAMES_UNDER_WAY,
  MAX_KEPT_RTO,
  MAX_RTO,
  MIN_RTO,
  REPLAY_WINDOW,
} from './limits.js';
import { SlidingWindow, type Standing } from './replay.js';

/** The round trip and what it says about the patience to have (RFC 6298, with the bounds of §9.1). */
export class RoundTrip {
  #smoothed: number | undefined;
  #variation = 0;
  #rto = FIRST_RTO;
  #backOff = 0;

  /** Smoothed, in milliseconds; undefined before the first measurement. */
  get smoothed(): number | undefined {
    return this.#smoothed;
  }

  /** Takes a measurement, which must not be of a repeated frame (Karn's rule). */
  measure(milliseconds: number): void {
    if (this.#smoothed === undefined) {
      this.#smoothed = milliseconds;
      this.#variation = milliseconds / 2;
    } else {
      const error = milliseconds - this.#smoothed;
      this.#variation += (Math.abs(error) - this.#variation) / 4;
      this.#smoothed += error / 8;
    }
    this.#rto = clamp(this.#smoothed + 4 * this.#variation, MIN_RTO, MAX_RTO);
    this.#backOff = 0;
  }

  /**
   * Frames have timed out. Until a measurement, others wait longer too, within a limit: where the round trip has grown
   * beyond the time-out, every frame would be repeated, and none could be measured.
   */
  backOff(): void {
    if (this.#rto * 2 ** this.#backOff < MAX_KEPT_RTO) this.#backOff++;
  }

  /** How long to wait for the answer to a frame that has been repeated `attempts` times. */
  timeout(attempts: number, longest: number = MAX_RTO): number {
    const kept = Math.min(MAX_KEPT_RTO, this.#rto * 2 ** this.#backOff);
    return Math.min(longest, Math.max(this.#rto * 2 ** attempts, kept));
  }
}

/** A frame that has been sent and not been acknowledged. */
export interface FrameUnderWay {
  readonly type: FrameType;
  readonly seq: number;
  readonly bytes: Uint8Array;
  /** Flies alone: nothing else is under way beside it. */
  readonly alone: boolean;
  /** The message that is complete with it, where somebody wants to know. */
  readonly completes: number | undefined;
}

interface Transmission extends FrameUnderWay {
  readonly firstSentAt: number;
  /** When the next time-out is. */
  dueAt: number;
  /** Counts all transmissions of all frames, so that they can be compared. */
  order: number;
  /** Time-outs so far. */
  attempts: number;
  repeated: boolean;
  /** Its time-out came while others were sent again: its turn is when one of these is acknowledged. */
  postponed: boolean;
  /** Frames sent after this one that have been acknowledged since. */
  overtaken: number;
}

/** The sending side: a window of frames under way, which opens while acknowledgements come back. */
export class SendWindow {
  readonly roundTrip: RoundTrip;
  /** Frames stand in the order of their numbers. */
  readonly #underWay: Transmission[] = [];
  #bytes = 0;
  #order = 0;
  #size = 1;
  #earliest = Number.POSITIVE_INFINITY;

  constructor(roundTrip: RoundTrip) {
    this.roundTrip = roundTrip;
  }

  /** Whether everything has been acknowledged. */
  get empty(): boolean {
    return this.#underWay.length === 0;
  }

  /** Bytes of frames under way. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Frames that may be under way at present. */
  get size(): number {
    return this.#size;
  }

  /** Whether the only frame under way is one of this type, which flies alone. */
  awaitsOnly(type: FrameType): boolean {
    const oldest = this.#underWay[0];
    return oldest?.alone === true && oldest.type === type;
  }

  /** Whether a frame of `bytes` with the number `seq` may be sent now. */
  admits(seq: number, bytes: number, alone: boolean): boolean {
    const oldest = this.#underWay[0];
    if (oldest === undefined) return true;
    return (
      !alone &&
      !oldest.alone &&
      this.#underWay.length < this.#size &&
      this.#bytes + bytes <= MAX_BYTES_UNDER_WAY &&
      seq - oldest.seq < REPLAY_WINDOW
    );
  }

  /** Takes a frame that is being sent. Numbers must rise. */
  add(frame: FrameUnderWay, now: number): void {
    const { type, seq, bytes, alone, completes } = frame;
    this.#bytes += bytes.length;
    const dueAt = now + this.roundTrip.timeout(0);
    if (dueAt < this.#earliest) this.#earliest = dueAt;
    this.#underWay.push({
      type,
      seq,
      bytes,
      alone,
      completes,
      firstSentAt: now,
      dueAt,
      order: ++this.#order,
      attempts: 0,
      repeated: false,
      postponed: false,
      overtaken: 0,
    });
  }

  /** The frame that a UTACK would acknowledge. */
  find(type: number, seq: number): FrameUnderWay | undefined {
    const frame = this.#underWay[this.#indexOf(seq)];
    return frame?.type === type ? frame : undefined;
  }

  /**
   * Takes the UTACK of a frame that `find` has found.
   *
   * @returns frames that must be lost, as others sent after them have arrived: to be sent again now
   */
  acknowledge(seq: number, now: number): FrameUnderWay[] {
    const index = this.#indexOf(seq);
    const frame = this.#underWay[index];
    if (index === 0) this.#underWay.shift();
    else this.#underWay.splice(index, 1);
    this.#bytes -= frame.bytes.length;
    if (!frame.repeated) this.roundTrip.measure(now - frame.firstSentAt);
    if (this.#size < MAX_FRAMES_UNDER_WAY) this.#size++;
    const lost = this.#findLost(frame.order, now);
    return this.#resume(lost, now);
  }

  /** A later frame of the peer has shown that everything arrived. */
  acknowledgeAll(): void {
    this.#underWay.length = 0;
    this.#bytes = 0;
  }

  /** When `handleTimeout` must be called at the latest; it may turn out to be early. */
  pollTimeout(): number {
    return this.#underWay.length === 0 ? Number.POSITIVE_INFINITY : this.#earliest;
  }

  /**
   * Finds what has to be sent again.
   *
   * @returns undefined when a frame has waited for its UTACK too long
   */
  handleTimeout(now: number): FrameUnderWay[] | undefined {
    const due: FrameUnderWay[] = [];
    const atOnce = this.#size;
    if (this.#underWay.some((frame) => now >= frame.dueAt)) this.roundTrip.backOff();
    this.#earliest = Number.POSITIVE_INFINITY;
    for (const frame of this.#underWay) {
      if (now >= frame.dueAt) {
        if (now >= frame.firstSentAt + DELIVERY_TIMEOUT) return undefined;
        // More than the window at once would only be lost again.
        const postponed = due.length === atOnce;
        if (!postponed) {
          frame.attempts++;
          due.push(frame);
        }
        this.#repeat(frame, now);
        frame.postponed = postponed;
      }
      this.#earliest = Math.min(this.#earliest, frame.dueAt);
    }
    if (due.length > 0) this.#size = Math.max(1, this.#size >> 1);
    return due;
  }

  /** Losses show by frames that were sent later and have arrived; those that were merely overtaken cost a repeat. */
  #findLost(order: number, now: number): FrameUnderWay[] {
    let lost: FrameUnderWay[] = NONE;
    for (const frame of this.#underWay) {
      if (frame.postponed || frame.order > order || ++frame.overtaken < LOSS_THRESHOLD) continue;
      this.#repeat(frame, now);
      if (lost === NONE) lost = [];
      lost.push(frame);
    }
    return lost;
  }

  /** The line works again: one that was postponed in the place of the one acknowledged, and one as the window opens. */
  #resume(lost: FrameUnderWay[], now: number): FrameUnderWay[] {
    let resumed = lost;
    for (const frame of this.#underWay) {
      if (!frame.postponed) continue;
      if (resumed.length >= lost.length + 2) break;
      this.#repeat(frame, now);
      resumed = [...resumed, frame];
    }
    return resumed;
  }

  #repeat(frame: Transmission, now: number): void {
    frame.postponed = false;
    frame.order = ++this.#order;
    frame.dueAt = Math.min(
      now + this.roundTrip.timeout(frame.attempts),
      frame.firstSentAt + DELIVERY_TIMEOUT,
    );
    if (frame.dueAt < this.#earliest) this.#earliest = frame.dueAt;
    frame.repeated = true;
    frame.overtaken = 0;
  }

  /** Mostly the first is wanted. */
  #indexOf(seq: number): number {
    for (let index = 0; index < this.#underWay.length; index++) {
      if (this.#underWay[index].seq === seq) return index;
    }
    return -1;
  }
}

const NONE: FrameUnderWay[] = [];

/** A frame as the receiver holds it until its turn. */
export interface ReceivedFrame {
  readonly type: FrameType;
  readonly plaintext: Uint8Array;
}

interface HeldFrame extends ReceivedFrame {
  readonly arrivedAt: number;
}

/**
 * The receiving side of one key: each number once, in order, and not for ever behind a gap. It holds at most a window
 * of frames.
 */
export class ReceiveWindow extends SlidingWindow {
  #next = 0;
  #held: Map<number, HeldFrame> | undefined;
  #gapUntil: number | undefined;

  override judge(seq: number): Standing {
    const standing = super.judge(seq);
    return standing === 'new' && seq < this.#next ? 'refused' : standing;
  }

  /** Whether a frame that has just been confirmed is next in order; then it is taken as delivered. */
  isNext(seq: number): boolean {
    if (seq !== this.#next) return false;
    this.#next++;
    return true;
  }

  /** Keeps a frame that has come before its turn. */
  hold(seq: number, frame: ReceivedFrame, now: number): void {
    this.#held ??= new Map();
    this.#held.set(seq, { type: frame.type, plaintext: frame.plaintext, arrivedAt: now });
    this.#gapUntil = Math.min(this.gapUntil, now + GAP_TIMEOUT);
  }

  /** Whether frames wait for an earlier one. */
  get holds(): boolean {
    return this.#held !== undefined;
  }

  /** When the gap in front of the frames held is to be given up. */
  get gapUntil(): number {
    return this.#gapUntil ?? Number.POSITIVE_INFINITY;
  }

  /** The next frame in order; undefined when none is held or a gap is in front of it. */
  shift(): ReceivedFrame | undefined {
    const held = this.#held;
    const frame = held?.get(this.#next);
    if (frame === undefined) return undefined;
    held!.delete(this.#next++);
    if (held!.size === 0) {
      this.#held = undefined;
      this.#gapUntil = undefined;
    } else if (frame.arrivedAt + GAP_TIMEOUT <= this.gapUntil) {
      this.#gapUntil = earliest(held!) + GAP_TIMEOUT;
    }
    return frame;
  }

  /** Whether the window has passed a gap. */
  get overrun(): boolean {
    return this.#next < this.start;
  }

  /**
   * Gives up numbers: all that are missing in front of the first frame held, but none from `limit` on.
   *
   * @returns how many
   */
  skipGap(limit = Number.POSITIVE_INFINITY): number {
    let first = limit;
    for (const seq of this.#held?.keys() ?? []) if (seq < first) first = seq;
    const skipped = first - this.#next;
    this.#next = first;
    return skipped;
  }
}

function earliest(held: Map<number, HeldFrame>): number {
  let arrivedAt = Number.POSITIVE_INFINITY;
  for (const frame of held.values()) arrivedAt = Math.min(arrivedAt, frame.arrivedAt);
  return arrivedAt;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
