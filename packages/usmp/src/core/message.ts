/**
 * Messages in frames (spec/protocol.md §5): up to three DATA_FRAG, then DATA.
 *
 * @module
 */

import { concat } from './bytes.js';
import { PayloadError } from './errors.js';
import { MAX_FRAMES, MAX_MESSAGE, MAX_PLAINTEXT } from './limits.js';

/**
 * Into how many frames a message goes; an empty one is one empty frame.
 *
 * @throws {PayloadError} it has more than 1,808 bytes
 */
export function frameCount(length: number): number {
  if (length > MAX_MESSAGE) {
    throw new PayloadError(
      'message_too_large',
      `a message of ${length} bytes, at most ${MAX_MESSAGE}: send it in parts`,
    );
  }
  return Math.max(1, Math.ceil(length / MAX_PLAINTEXT));
}

/** Puts the messages of one direction together. Frames must come in order. */
export class Reassembler {
  #parts: Uint8Array[] | undefined;

  /** Whether a message is under way. */
  get partial(): boolean {
    return this.#parts !== undefined;
  }

  /**
   * Takes a part that is not the last.
   *
   * @throws {PayloadError} the message would need more than 4 frames
   */
  addPart(plaintext: Uint8Array): void {
    this.#parts ??= [];
    this.#parts.push(plaintext);
    if (this.#parts.length >= MAX_FRAMES) throw new PayloadError('message_too_long');
  }

  /** Forgets the parts so far. Returns whether there were any. */
  drop(): boolean {
    const partial = this.partial;
    this.#parts = undefined;
    return partial;
  }

  /** Takes the last, or only, part and returns the message. */
  finish(plaintext: Uint8Array): Uint8Array {
    if (this.#parts === undefined) return plaintext;
    const message = concat(...this.#parts, plaintext);
    this.#parts = undefined;
    return message;
  }
}
