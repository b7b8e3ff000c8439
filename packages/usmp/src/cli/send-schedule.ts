/**
 * When which device of a fleet sends: evenly spread, and never in a burst to catch up.
 *
 * @module
 */

/** How late a message may be sent; what is due for longer is left out. Milliseconds. */
export const MAX_LAG = 250;

/** Turns that are due: those from `from` up to, but not including, `to`. Turn t is that of device t modulo devices. */
export interface DueTurns {
  readonly from: number;
  readonly to: number;
  /** Turns before `from` that nobody took in time. */
  readonly missed: number;
}

/** Turns of all devices, one behind the other: turn t is due t / (devices × rate) seconds after the beginning. */
export class SendSchedule {
  /** Milliseconds from one turn to the next. */
  readonly #spacing: number;
  readonly #total: number;
  readonly #duration: number;
  #next = 0;

  /**
   * @param rate messages a second of each device; 0 for none
   * @param seconds Infinity for no end
   */
  constructor(devices: number, rate: number, seconds: number) {
    this.#spacing = 1_000 / (devices * rate);
    this.#duration = seconds * 1_000;
    // Rounded first, for 10 × 0.1 × 3 is a little more than 3.
    this.#total = rate === 0 ? 0 : Math.ceil(Number((devices * rate * seconds).toFixed(6)));
  }

  /** Takes the turns that are due. @param elapsed milliseconds since the beginning */
  take(elapsed: number): DueTurns {
    const to = Math.max(this.#next, this.#dueBy(elapsed));
    const from = Math.max(this.#next, Math.min(to, this.#dueBy(elapsed - MAX_LAG)));
    const missed = from - this.#next;
    this.#next = to;
    return { from, to, missed };
  }

  /** Gives back turns that were taken and cannot be used now. */
  giveBack(from: number): void {
    this.#next = from;
  }

  /** Milliseconds after the beginning when something is to be done next: a turn, or the end. */
  get nextAt(): number {
    return this.#next < this.#total ? this.#next * this.#spacing : this.#duration;
  }

  isOver(elapsed: number): boolean {
    return elapsed >= this.#duration;
  }

  /** How many turns are due at a time. */
  #dueBy(elapsed: number): number {
    return elapsed < 0 ? 0 : Math.min(this.#total, Math.floor(elapsed / this.#spacing) + 1);
  }
}
