/**
 * What one simulated device has sent, and what has come of it.
 *
 * @module
 */

import { Histogram } from './percentiles.js';
import type { TestMessages } from './probe-message.js';

/** What has become of the messages of all devices. */
export class EchoTally {
  sent = 0;
  /** Came back unchanged and in time. */
  echoed = 0;
  /** Did not. */
  lost = 0;
  /** Those of `lost` that came back after all. */
  late = 0;
  /** Received, and nothing that was sent in this form. */
  wrong = 0;
  /** Came back once more. */
  doubled = 0;
  /** Came back behind a later one. */
  outOfOrder = 0;
  /** Were under way when their session broke, which devices that stay connected survive: nobody can know of them. */
  interrupted = 0;
  /** Was due, and not sent because the device could not keep up with its rate. */
  skipped = 0;
  readonly roundTrips = new Histogram();

  /** Messages whose echo may still come. */
  get outstanding(): number {
    return this.sent - this.echoed - this.lost - this.interrupted;
  }
}

/** How far the numbers of outstanding messages of one device reach at most: 8 KiB, reached only when it is needed. */
export const MAX_WINDOW = 1_024;

const SMALLEST_WINDOW = 16;

/** What is remembered of a message in place of the time when it was sent. */
const ANSWERED = 0;
const GIVEN_UP = -1;

/** The messages of one device. Times are milliseconds above 0. */
export class EchoCheck {
  readonly #deviceId: Uint8Array;
  readonly #messages: TestMessages;
  readonly #tally: EchoTally;
  readonly #timeout: number;
  /** By number modulo the length, a power of two: when it was sent, or what came of it. */
  #sentAt = new Float64Array(SMALLEST_WINDOW);
  /** All before this are answered or given up. */
  #oldest = 0;
  #next = 0;
  #latestEcho = -1;
  /** Given up since the last echo: lost, or signs that the session has broken already. */
  #lostSinceEcho = 0;

  /** @param timeout until an echo counts as lost */
  constructor(deviceId: Uint8Array, messages: TestMessages, tally: EchoTally, timeout: number) {
    this.#deviceId = deviceId;
    this.#messages = messages;
    this.#tally = tally;
    this.#timeout = timeout;
  }

  /** The next message, which is to be sent now; undefined, and counted as left out, when too many are outstanding. */
  next(now: number): Uint8Array | undefined {
    this.giveUpLate(now);
    if (!this.#makeRoom()) {
      this.skip();
      return undefined;
    }
    const number = this.#next++;
    this.#sentAt[this.#place(number)] = now;
    this.#tally.sent++;
    return this.#messages.compose(this.#deviceId, number);
  }

  /** A message was due and is left out. */
  skip(): void {
    this.#tally.skipped++;
  }

  /** A message has arrived. */
  take(message: Uint8Array, now: number): void {
    this.giveUpLate(now);
    const tally = this.#tally;
    const number = this.#messages.numberOf(this.#deviceId, message);
    if (number === undefined || number >= this.#next) {
      tally.wrong++;
      return;
    }
    // What is no longer remembered was answered or given up long ago.
    const known = number >= this.#next - this.#sentAt.length;
    const sentAt = known ? this.#sentAt[this.#place(number)] : ANSWERED;
    if (sentAt === ANSWERED) tally.doubled++;
    else if (sentAt === GIVEN_UP) tally.late++;
    else {
      tally.echoed++;
      this.#lostSinceEcho = 0;
      tally.roundTrips.record(now - sentAt);
      if (number < this.#latestEcho) tally.outOfOrder++;
      else this.#latestEcho = number;
    }
    if (known) this.#sentAt[this.#place(number)] = ANSWERED;
    this.#advance();
  }

  /** Counts as lost what has been outstanding for too long. */
  giveUpLate(now: number): void {
    while (this.#oldest < this.#next && now - this.#sentAt[this.#place(this.#oldest)] > this.#timeout) {
      this.#giveUpOldest();
    }
  }

  /** Counts as lost all that is outstanding. */
  giveUpAll(): void {
    this.giveUpLate(Number.POSITIVE_INFINITY);
  }

  /** The session has broken, perhaps a while ago: what no echo came after has an end that nobody knows. */
  interrupt(): void {
    this.#tally.lost -= this.#lostSinceEcho;
    this.#tally.interrupted += this.#lostSinceEcho;
    this.#lostSinceEcho = 0;
    while (this.#oldest < this.#next) {
      this.#sentAt[this.#place(this.#oldest)] = ANSWERED;
      this.#tally.interrupted++;
      this.#advance();
    }
  }

  /** Whether one more can be remembered. One that others have overtaken for long is given up for it. */
  #makeRoom(): boolean {
    const window = this.#sentAt.length;
    if (this.#next - this.#oldest < window) return true;
    if (window < MAX_WINDOW) this.#grow();
    else if (this.#oldest < this.#latestEcho) this.#giveUpOldest();
    else return false;
    return true;
  }

  #grow(): void {
    const before = this.#sentAt;
    this.#sentAt = new Float64Array(2 * before.length);
    for (let number = this.#oldest; number < this.#next; number++) {
      this.#sentAt[this.#place(number)] = before[number & (before.length - 1)];
    }
  }

  #giveUpOldest(): void {
    this.#sentAt[this.#place(this.#oldest)] = GIVEN_UP;
    this.#tally.lost++;
    this.#lostSinceEcho++;
    this.#advance();
  }

  #advance(): void {
    while (this.#oldest < this.#next && this.#sentAt[this.#place(this.#oldest)] <= ANSWERED) this.#oldest++;
  }

  #place(number: number): number {
    return number & (this.#sentAt.length - 1);
  }
}
