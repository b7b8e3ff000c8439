/**
 * Reads a file or a pipe in pieces of the size that a format asks for, and holds no more of it than that.
 *
 * @module
 */

import type { Readable } from 'node:stream';

/** The bytes of a stream, one after the other. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array(0);
  #offset = 0;

  constructor(stream: Readable) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** Bytes taken so far. */
  get offset(): number {
    return this.#offset;
  }

  /** The next bytes without taking them; fewer than `count` where the stream ends. Valid until the next call. */
  async peek(count: number): Promise<Uint8Array> {
    if (this.#held.length < count) {
      const pieces = [this.#held];
      for (let length = this.#held.length; length < count; length += pieces.at(-1)!.length) {
        const next = await this.#chunks.next();
        if (next.done) break;
        pieces.push(next.value);
      }
      this.#held = pieces[0].length === 0 && pieces.length === 2 ? pieces[1] : Buffer.concat(pieces);
    }
    return this.#held.subarray(0, count);
  }

  /** Takes the next bytes; fewer than `count` where the stream ends. Valid until the next call. */
  async take(count: number): Promise<Uint8Array> {
    const taken = await this.peek(count);
    this.#held = this.#held.subarray(taken.length);
    this.#offset += taken.length;
    return taken;
  }

  /** Leaves out bytes without holding them. Returns how many there were. */
  async skip(count: number): Promise<number> {
    let left = count;
    while (left > 0) {
      const taken = await this.take(Math.min(left, Math.max(this.#held.length, 1)));
      if (taken.length === 0) break;
      left -= taken.length;
    }
    return count - left;
  }
}
