/**
 * PINGs behind messages: their PONGs tell that the messages have arrived.
 *
 * @module
 */

import type { Lane } from './lane.js';

/** Between two PINGs of a session: released peers close after more than 8 control frames in a second. Milliseconds. */
const INTERVAL = 250;

/** How often those that have to wait are looked through. Milliseconds. */
const TICK = 50;

export interface PingsOptions {
  readonly roundTrip: (milliseconds: number) => void;
  /** The peer has the first `covered` flights. */
  readonly answered: (lane: Lane, covered: number) => void;
}

/** At most one PING of a session is under way, and all that is sent in a turn of the event loop has the same one. */
export class Pings {
  readonly #options: PingsOptions;
  readonly #now = new Set<Lane>();
  readonly #later = new Set<Lane>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PingsOptions) {
    this.#options = options;
  }

  /** Something is about to be sent that is to be confirmed. */
  want(lane: Lane): void {
    if (lane.pinging || this.#now.has(lane) || this.#later.has(lane)) return;
    // Ahead of the session's own flush at the end of the turn, so that it is one write with the messages.
    if (this.#now.size === 0) process.nextTick(() => this.#pingNow());
    this.#now.add(lane);
  }

  forget(lane: Lane): void {
    this.#now.delete(lane);
    this.#later.delete(lane);
  }

  #pingNow(): void {
    const now = performance.now();
    for (const lane of this.#now)
      if (now - lane.pingedAt >= INTERVAL) this.#ping(lane, now);
      else this.#wait(lane);
    this.#now.clear();
  }

  #wait(lane: Lane): void {
    this.#later.add(lane);
    this.#timer ??= setTimeout(() => this.#tick(), TICK).unref();
  }

  #tick(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const lane of this.#later) {
      if (now - lane.pingedAt < INTERVAL) continue;
      this.#later.delete(lane);
      this.#ping(lane, now);
    }
    if (this.#later.size > 0) this.#timer = setTimeout(() => this.#tick(), TICK).unref();
  }

  /** Without a timeout: a peer that is gone is noticed by the session, which ends. */
  #ping(lane: Lane, now: number): void {
    const covered = lane.flights.length;
    if (covered === 0 || !lane.open) return;
    lane.pinging = true;
    lane.pingedAt = now;
    lane.session.ping({ timeout: Number.POSITIVE_INFINITY }).then(
      (roundTrip) => {
        lane.pinging = false;
        this.#options.roundTrip(roundTrip);
        // What the end of the session has told before was taken away with it.
        if (!lane.open) return;
        this.#options.answered(lane, covered);
        if (lane.flights.length > 0) this.want(lane);
      },
      () => {
        lane.pinging = false;
      },
    );
  }
}
