/**
 * Messages whose echo shows whether anything happened to them on the way.
 *
 * ```
 * 0   device id   6
 * 6   number      4, big-endian, from 0 for each device
 * 10  filling     follows from the ten bytes before
 * ```
 *
 * @module
 */

/** Bytes of a device id. */
const ID_LENGTH = 6;
const FILLING_AT = ID_LENGTH + 4;

/** The least size: six bytes of filling, so that no damage can pass for another message by chance. */
export const MIN_TEST_MESSAGE = FILLING_AT + 6;

/** Composes and recognizes the messages of one size. The bytes it gives away are good until the next call. */
export class TestMessages {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  /** @param size from {@link MIN_TEST_MESSAGE} on */
  constructor(size: number) {
    // Filled by whole words.
    this.#view = new DataView(new ArrayBuffer(FILLING_AT + 4 * Math.ceil((size - FILLING_AT) / 4)));
    this.#bytes = new Uint8Array(this.#view.buffer, 0, size);
  }

  /** Message `number` of a device. */
  compose(deviceId: Uint8Array, number: number): Uint8Array {
    this.#bytes.set(deviceId);
    this.#view.setUint32(ID_LENGTH, number);
    let state = 0;
    for (const word of [this.#view.getUint32(0), this.#view.getUint16(4), number])
      state = scatter(state ^ word);
    for (let at = FILLING_AT; at < this.#view.byteLength; at += 4) {
      // A step of a full period, so that no word of a message equals another by construction.
      state = (state + 0x9e3779b9) >>> 0;
      this.#view.setUint32(at, scatter(state));
    }
    return this.#bytes;
  }

  /** The number of a message of this device that is exactly as it was sent; undefined for anything else. */
  numberOf(deviceId: Uint8Array, message: Uint8Array): number | undefined {
    if (message.length !== this.#bytes.length) return undefined;
    const number = new DataView(message.buffer, message.byteOffset).getUint32(ID_LENGTH);
    return Buffer.compare(this.compose(deviceId, number), message) === 0 ? number : undefined;
  }
}

/** Spreads every bit of a 32-bit word over all of them, one to one. */
function scatter(word: number): number {
  let mixed = word;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
