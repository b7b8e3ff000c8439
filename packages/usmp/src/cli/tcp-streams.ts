/**
 * Puts one direction of a captured TCP connection together again: order, repeats, overlaps, and what the capture has
 * not seen.
 *
 * @module
 */

import { copyOf } from '../core/bytes.js';

/** What comes out: bytes in order, or a piece that is missing for good. */
export type StreamPart =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'gap'; readonly bytes: number };

/** What a segment brings. */
export interface SegmentData {
  readonly seq: number;
  readonly payload: Uint8Array;
  /** Bytes behind the payload that were not captured. */
  readonly missing: number;
}

/** What one direction may hold that came too early, in bytes: more than most windows of small devices. */
export const MAX_HELD = 65_536;

/** The same for all directions together. */
export const MAX_HELD_IN_ALL = 16_777_216;

/** What a held segment costs beside its bytes, so that tiny ones count too. */
const SEGMENT_OVERHEAD = 256;

/** Counts what is held by all directions that share it. */
export interface Budget {
  held: number;
}

/** One direction. Sequence numbers are compared modulo 2^32, as TCP does. */
export class TCPDirection {
  readonly #budget: Budget;
  /** The number of the next byte; undefined until the first is known. */
  #next: number | undefined;
  /** In order of their numbers, all behind `#next`. */
  #early: SegmentData[] = [];
  #held = 0;
  #fin: number | undefined;

  /** @param initial the number of the first byte, where its SYN was seen */
  constructor(budget: Budget, initial?: number) {
    this.#budget = budget;
    this.#next = initial;
  }

  /** The sender's FIN has been reached. */
  get isOver(): boolean {
    return this.#fin !== undefined && this.#fin === this.#next;
  }

  /** Takes a segment. What comes out holds views of it. */
  *push(segment: SegmentData, fin = false): Generator<StreamPart, void> {
    const { seq, payload, missing } = segment;
    const length = payload.length + missing;
    if (this.#next === undefined) {
      if (length === 0 && !fin) return;
      this.#next = seq;
    }
    if (fin) this.#fin = (seq + length) >>> 0;
    if (length === 0) return;
    if (distance(this.#next, seq) <= 0) {
      yield* this.#deliver(segment);
      yield* this.#deliverEarly();
      return;
    }
    this.#hold(segment);
    while (this.#held > MAX_HELD || (this.#held > 0 && this.#budget.held > MAX_HELD_IN_ALL)) {
      yield* this.#giveUpGap();
    }
  }

  /** Nothing follows: what was held comes out, with gaps in it. */
  *end(): Generator<StreamPart, void> {
    while (this.#early.length > 0) yield* this.#giveUpGap();
  }

  /** Delivers what is new of a segment that begins at or before the next byte. */
  *#deliver({ seq, payload, missing }: SegmentData): Generator<StreamPart, void> {
    const known = distance(seq, this.#next!);
    const fresh = payload.length + missing - known;
    if (fresh <= 0) return;
    this.#next = (this.#next! + fresh) >>> 0;
    const bytes = payload.subarray(known);
    if (bytes.length > 0) yield { kind: 'bytes', bytes };
    if (fresh > bytes.length) yield { kind: 'gap', bytes: fresh - bytes.length };
  }

  *#deliverEarly(): Generator<StreamPart, void> {
    while (this.#early.length > 0 && distance(this.#next!, this.#early[0].seq) <= 0) {
      const segment = this.#early.shift()!;
      this.#account(-cost(segment));
      yield* this.#deliver(segment);
    }
  }

  *#giveUpGap(): Generator<StreamPart, void> {
    const bytes = distance(this.#next!, this.#early[0].seq);
    this.#next = this.#early[0].seq;
    yield { kind: 'gap', bytes };
    yield* this.#deliverEarly();
  }

  #hold({ seq, payload, missing }: SegmentData): void {
    let place = this.#early.length;
    while (place > 0 && distance(seq, this.#early[place - 1].seq) > 0) place--;
    const kept = { seq, payload: copyOf(payload), missing };
    this.#early.splice(place, 0, kept);
    this.#account(cost(kept));
  }

  #account(change: number): void {
    this.#held += change;
    this.#budget.held += change;
  }

  /** Forgets what is held. */
  drop(): void {
    this.#account(-this.#held);
    this.#early = [];
  }
}

function cost({ payload }: SegmentData): number {
  return payload.length + SEGMENT_OVERHEAD;
}

/** From one number forward to another; negative where that is behind it. */
function distance(from: number, to: number): number {
  return (to - from) | 0;
}
