/** One connection of the load generator, whatever it speaks. */

/** @typedef {import('node:net').Socket} Socket */

/**
 * Messages are queued and leave in one write on `flush`, so that a whole window costs the generator one system call.
 * @abstract
 */
export class Peer {
  /** @type {(message: Buffer) => void} */
  onMessage = () => {};
  /** Called once after all messages of one read. */
  onBatch = () => {};

  /** @type {Buffer[]} */
  #queued = [];
  #ending = false;

  /** @param {Socket} socket */
  constructor(socket) {
    this.socket = socket;
    /** @type {Error | undefined} */
    let failure;
    /** Resolves when a connection that `close` has ended is gone; rejects when it ends in any other way. */
    this.closed = new Promise((resolve, reject) => {
      socket.on('error', (error) => {
        failure = error;
      });
      socket.on('close', () => {
        if (this.#ending && !failure) resolve(undefined);
        else reject(failure ?? new Error('the server closed the connection'));
      });
    });
    // Who waits for the session to open or to end hears of it; an idle one is looked at afterwards.
    this.closed.catch(() => {});
    socket.on('data', (chunk) => this.#take(chunk));
  }

  /** @param {Buffer} message */
  queue(message) {
    this.encode(message, this.#queued);
  }

  flush() {
    if (this.#queued.length === 0) return;
    this.socket.write(this.#queued.length === 1 ? this.#queued[0] : Buffer.concat(this.#queued));
    this.#queued.length = 0;
  }

  /** Says goodbye, closes, and waits until the server has closed as well. */
  async close() {
    this.#ending = true;
    this.socket.end(this.farewell());
    await this.closed;
  }

  /**
   * Appends the bytes of one message to `out`; must not keep `message`.
   * @param {Buffer} _message @param {Buffer[]} _out
   */
  encode(_message, _out) {
    throw new Error('abstract');
  }

  /** @param {Buffer} _chunk */
  decode(_chunk) {
    throw new Error('abstract');
  }

  /** @returns {Buffer} the last bytes of a connection */
  farewell() {
    return Buffer.alloc(0);
  }

  /** @param {Buffer} chunk */
  #take(chunk) {
    try {
      this.decode(chunk);
      this.onBatch();
    } catch (error) {
      this.socket.destroy(/** @type {Error} */ (error));
    }
  }
}

/**
 * Every connection has a loopback address of its own, so that limits per address play no part.
 * @param {number} index 0..62,499
 */
export function localAddress(index) {
  return `127.1.${1 + Math.floor(index / 250)}.${1 + (index % 250)}`;
}
