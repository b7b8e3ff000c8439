/**
 * Reads a session all the time, so that a message shows when it arrives and not when a reply is due.
 *
 * @module
 */

import { type USMPSession, USMPTimeoutError } from '../index.js';

/** The messages that a session receives, and who waits for the next of them. */
export class Inbox {
  /** Resolves with the reason when the session is over and everything that came before has been read. */
  readonly ended: Promise<unknown>;
  #onArrival: (() => void) | undefined;

  constructor(session: USMPSession, onMessage: (data: Uint8Array) => void) {
    this.ended = this.#read(session, onMessage).catch((error) => error);
  }

  /**
   * Waits for the next message; one call at a time.
   *
   * @param timeout milliseconds
   * @throws {USMPTimeoutError} `receive_timeout`
   * @throws {USMPError} the session ended first
   */
  async expectReply(timeout: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const arrived = new Promise<void>((resolve, reject) => {
      this.#onArrival = resolve;
      const error = new USMPTimeoutError('receive_timeout', `no reply within ${timeout / 1_000} s`);
      timer = setTimeout(() => reject(error), timeout);
    });
    try {
      const error = await Promise.race([arrived, this.ended]);
      if (error !== undefined) throw error;
    } finally {
      clearTimeout(timer);
      this.#onArrival = undefined;
    }
  }

  async #read(session: USMPSession, onMessage: (data: Uint8Array) => void): Promise<never> {
    for (;;) {
      onMessage(await session.recv());
      this.#onArrival?.();
    }
  }
}
