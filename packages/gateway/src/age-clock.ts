/**
 * The clock by which things grow old. It does not follow a jump of the wall clock at once: what was deleted for its age
 * does not come back when the wall clock does.
 *
 * @module
 */

import { uptime } from 'node:os';
import type { Logger } from 'pino';

/** What is set by more has jumped; NTP corrects less than this without a jump. Milliseconds. */
const TOLERANCE = 60_000;

/** How long a clock that was set forward is not believed. Milliseconds. */
const DOUBT = 600_000;

const LOOK_EVERY = 1_000;

export interface AgeClockOptions {
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  /** A jump is to be believed: it is once `done` was called. */
  readonly believe: (jump: Jump, done: () => void) => void;
  /** For tests. Milliseconds, all of them. */
  readonly wall?: () => number;
  /** Goes on evenly while the machine is awake. */
  readonly awake?: () => number;
  /** The same, also while it sleeps. */
  readonly sinceBoot?: () => number;
}

export interface Jump {
  /** Milliseconds. */
  readonly by: number;
  /** What time it was, without it. */
  readonly from: number;
}

interface Times {
  readonly wall: number;
  readonly awake: number;
  readonly sinceBoot: number;
}

/**
 * After a jump forward it goes on for ten minutes as if there were none, and takes the new time then. A jump back it takes
 * at once: nothing is lost by that.
 */
export class AgeClock {
  readonly #options: AgeClockOptions;
  readonly #wall: () => number;
  readonly #awake: () => number;
  readonly #sinceBoot: () => number;
  /** When the wall clock was last believed. */
  #believed: Times;
  #doubt: { readonly by: number; readonly since: number } | undefined;
  #believing = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AgeClockOptions) {
    this.#options = options;
    this.#wall = options.wall ?? Date.now;
    this.#awake = options.awake ?? (() => performance.now());
    this.#sinceBoot = options.sinceBoot ?? (() => uptime() * 1_000);
    this.#believed = this.#times();
  }

  /** Milliseconds since 1970. */
  readonly now = (): number => {
    const wall = this.#wall();
    return wall - Math.max(0, this.#jump(wall));
  };

  /** Looks at the wall clock from now on. */
  start(): void {
    this.#timer ??= setInterval(() => this.look(), LOOK_EVERY).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Finds out whether the wall clock has jumped. It is called every second. */
  look(): void {
    const { logger } = this.#options;
    const wall = this.#wall();
    const by = this.#jump(wall);
    if (by > 0) return this.#forward({ by, from: wall - by });
    if (by < 0)
      logger.warn(
        `the clock was set back by ${inWords(-by)}: if that is wrong, set it right; what waits, and what is kept for a time, is kept longer by as much`,
      );
    else if (this.#doubt !== undefined)
      logger.info('the clock is back: nothing has expired or was deleted by its jump');
    this.#believe();
  }

  #forward(jump: Jump): void {
    const { logger, believe } = this.#options;
    const now = this.#awake();
    if (this.#doubt === undefined || Math.abs(this.#doubt.by - jump.by) > TOLERANCE) {
      this.#doubt = { by: jump.by, since: now };
      logger.warn(
        `the clock was set forward by ${inWords(jump.by)}: if that is wrong, set it right within ${inWords(DOUBT)}; until then nothing expires and nothing is deleted by the new time`,
      );
      return;
    }
    if (now - this.#doubt.since < DOUBT || this.#believing) return;
    this.#believing = true;
    believe(jump, () => {
      this.#believing = false;
      this.#believe();
      logger.warn(
        'the new time is taken: messages that wait have as much time left as before; history, events and old keys go by the new time',
      );
    });
  }

  #believe(): void {
    this.#believed = this.#times();
    this.#doubt = undefined;
  }

  #times(): Times {
    return { wall: this.#wall(), awake: this.#awake(), sinceBoot: this.#sinceBoot() };
  }

  /** By how many milliseconds the wall clock is ahead of where it would have come to; 0 within the tolerance. */
  #jump(wall: number): number {
    const passed = wall - this.#believed.wall;
    if (Math.abs(passed - (this.#awake() - this.#believed.awake)) <= TOLERANCE) return 0;
    // The machine may have slept. That takes longer to find out.
    const by = passed - (this.#sinceBoot() - this.#believed.sinceBoot);
    return Math.abs(by) <= TOLERANCE ? 0 : Math.round(by);
  }
}

function inWords(milliseconds: number): string {
  const minutes = Math.round(milliseconds / 60_000);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}
