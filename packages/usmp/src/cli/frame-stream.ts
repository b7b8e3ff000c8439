/**
 * Cuts one direction of a byte stream into frames for people to look at. The core's decoder stops at the first wrong
 * byte for good; here it must be said what was wrong and where, and a stream that is heard from its middle on, or with
 * a piece missing, must be found into again.
 *
 * @module
 */

import { copyOf } from '../core/bytes.js';
import { checksumFits, type Frame, PREFIX } from '../core/frame.js';
import { firstFrame, looksLikeFrame } from './frame-facts.js';

/** What comes out of a stream. `at` counts bytes from where it was first heard. */
export type Piece =
  | { readonly kind: 'frame'; readonly at: number; readonly frame: Frame }
  /** Bytes that are no frame. What follows is not looked at. */
  | { readonly kind: 'refused'; readonly at: number; readonly bytes: Uint8Array; readonly error: unknown }
  /** Bytes passed over until a frame was found. */
  | { readonly kind: 'skipped'; readonly at: number; readonly bytes: number }
  /** The stream ends in the middle of a frame. */
  | { readonly kind: 'unfinished'; readonly at: number; readonly bytes: Uint8Array };

type State =
  /** Between two frames, or in one. */
  | 'in-step'
  /** Somewhere. */
  | 'searching'
  /** Something was wrong. */
  | 'over';

/** One direction of a stream. Holds at most one unfinished frame. */
export class FrameStream {
  #state: State;
  /** Not looked at yet: begins with a frame, or may do so. */
  #held: Uint8Array = new Uint8Array(0);
  /** Where `#held` begins. */
  #at = 0;
  #passedOver = 0;
  #found = false;

  /** @param fromStart false where it is heard from its middle on */
  constructor(fromStart: boolean) {
    this.#state = fromStart ? 'in-step' : 'searching';
  }

  /**
   * Whether this is USMP: true once it began like it, or a frame was found in it; false when it began otherwise;
   * undefined as long as that is open.
   */
  get isUSMP(): boolean | undefined {
    if (this.#found) return true;
    return this.#state === 'over' ? false : undefined;
  }

  /** Something was wrong: nothing comes out any more. */
  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Takes the next bytes. What comes out holds views of them. */
  *push(bytes: Uint8Array): Generator<Piece, void> {
    if (this.#state === 'over') return;
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    while (this.#held.length > 0) {
      const piece = this.#state === 'searching' ? this.#search() : this.#next();
      if (piece === undefined) break;
      yield piece;
    }
    // Of its own, so that it does not keep a whole read alive, nor change with it.
    this.#held = copyOf(this.#held);
  }

  /** A piece of the stream was not captured. Gives back what it has cut through. */
  *lose(count: number): Generator<Piece, void> {
    if (this.#state === 'over') return;
    yield* this.end();
    this.#at += count;
    this.#state = 'searching';
  }

  /** Nothing follows. */
  *end(): Generator<Piece, void> {
    if (this.#state === 'searching') this.#passOver(this.#held.length);
    const [at, bytes] = [this.#at, this.#held];
    this.#take(bytes.length);
    if (bytes.length > 0) yield { kind: 'unfinished', at, bytes };
    if (this.#passedOver > 0) yield this.#skipped();
  }

  #next(): Piece | undefined {
    if (looksLikeFrame(this.#held)) this.#found = true;
    const at = this.#at;
    try {
      const frame = firstFrame(this.#held);
      if (frame === undefined) return undefined;
      this.#take(frame.bytes.length);
      return { kind: 'frame', at, frame };
    } catch (error) {
      const bytes = this.#held;
      this.#take(bytes.length);
      this.#state = 'over';
      return { kind: 'refused', at, bytes, error };
    }
  }

  /** Looks for a whole frame with a right checksum: anything less is found in any stream of random bytes. */
  #search(): Piece | undefined {
    for (;;) {
      const start = this.#held.indexOf(PREFIX[0]);
      this.#passOver(start === -1 ? this.#held.length : start);
      if (this.#held.length === 0) return undefined;
      try {
        const frame = firstFrame(this.#held);
        if (frame === undefined) return undefined;
        if (checksumFits(frame.bytes)) break;
      } catch {
        // Not here.
      }
      this.#passOver(1);
    }
    this.#state = 'in-step';
    this.#found = true;
    return this.#passedOver > 0 ? this.#skipped() : this.#next();
  }

  #skipped(): Piece {
    const bytes = this.#passedOver;
    this.#passedOver = 0;
    return { kind: 'skipped', at: this.#at - bytes, bytes };
  }

  #passOver(count: number): void {
    this.#passedOver += count;
    this.#take(count);
  }

  #take(count: number): void {
    this.#held = this.#held.subarray(count);
    this.#at += count;
  }
}
