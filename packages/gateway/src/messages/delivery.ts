/**
 * Brings messages from the outboxes to the sessions, in order, a few under way at a time, and finds out what arrived.
 *
 * A message is stored as `sent` before it is given to a session, in the same turn of the event loop: after a crash none
 * that was given away looks as if it were not.
 *
 * @module
 */

import type { USMPSession } from 'usmp';
import type { Message } from '../model.js';
import type { CommitQueue } from '../storage/commit-queue.js';
import { type Flight, Lane } from './lane.js';
import type { Carrier, Outbox, Reservation } from './outbox.js';
import type { Place } from './outbox-rows.js';
import { Pings } from './pings.js';

/** Messages that are marked in one transaction: a fleet that comes back must not hold up the rest. */
const PASS = 500;

export interface DeliveryOptions {
  readonly queue: CommitQueue;
  readonly outbox: Outbox;
  readonly now?: () => number;
  /** A round trip was measured. Milliseconds. */
  readonly roundTrip?: (milliseconds: number) => void;
}

/** What one transaction has marked for a session. */
interface Load {
  readonly lane: Lane;
  readonly messages: readonly Message[];
  readonly expired: readonly Place[];
  /** More may wait behind them. */
  readonly more: boolean;
}

export class Delivery implements Carrier {
  readonly #queue: CommitQueue;
  readonly #outbox: Outbox;
  readonly #now: () => number;
  readonly #pings: Pings;
  readonly #lanes = new Map<string, Lane>();
  readonly #wanted = new Set<Lane>();
  /** Devices of which is being found out what the last session has brought: nothing leaves meanwhile. */
  readonly #settling = new Map<string, number>();
  #passing = false;
  #stopped = false;
  #whenIdle: (() => void)[] = [];

  constructor(options: DeliveryOptions) {
    this.#queue = options.queue;
    this.#outbox = options.outbox;
    this.#now = options.now ?? Date.now;
    this.#pings = new Pings({
      roundTrip: options.roundTrip ?? (() => {}),
      answered: (lane, covered) => this.#confirm(lane, lane.flights.splice(0, covered)),
    });
    this.#outbox.connect(this);
  }

  /** A session has begun. The one before, of the same device, must have been closed. */
  open(session: USMPSession): Lane {
    const lane = new Lane(session);
    this.#lanes.set(lane.deviceId, lane);
    this.wake(lane.deviceId);
    return lane;
  }

  /**
   * A session is over. What it has not confirmed stays `sent`, or waits again.
   *
   * @param removed its device is none any more: nothing waits again
   */
  close(lane: Lane, removed: boolean): void {
    if (!lane.open) return;
    lane.open = false;
    if (this.#lanes.get(lane.deviceId) === lane) this.#lanes.delete(lane.deviceId);
    this.#wanted.delete(lane);
    this.#pings.forget(lane);
    if (!lane.acknowledges) {
      // A PONG that came with the end is told later than the end.
      this.#confirm(lane, lane.flights.splice(0, lane.newlyConfirmed()));
    } else if (lane.flights.length > 0) {
      // So are acknowledgements; which ones, only their promises say.
      return this.#settle(lane, removed);
    }
    this.#finish(lane, removed);
  }

  /** Messages given to a session and not confirmed, of all devices. */
  get underWay(): number {
    let count = 0;
    for (const { flights } of this.#lanes.values()) count += flights.length;
    return count;
  }

  /** Lets nothing leave any more. Resolves when all that is under way is confirmed, or its session over. */
  drain(): Promise<void> {
    this.#stopped = true;
    return this.underWay === 0 ? Promise.resolve() : new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  reserve(deviceId: string): Reservation | undefined {
    const lane = this.#lanes.get(deviceId);
    if (lane === undefined || this.#isHeld(deviceId) || lane.free <= 0) return undefined;
    lane.reserved++;
    return {
      sessionId: lane.sessionId,
      get usable() {
        return lane.open && !lane.session.closed;
      },
      release: () => {
        lane.reserved--;
      },
      deliver: (message) => {
        lane.reserved--;
        this.#deliver(lane, message);
      },
    };
  }

  wake(deviceId: string): void {
    const lane = this.#lanes.get(deviceId);
    if (lane === undefined || lane.free <= 0 || this.#isHeld(deviceId)) return;
    if (this.#outbox.queued(deviceId) === 0) return;
    this.#wanted.add(lane);
    this.#pass();
  }

  #isHeld(deviceId: string): boolean {
    return this.#stopped || this.#settling.has(deviceId);
  }

  // ── From the outboxes to the sessions ──────────────────────────────────────────────────────────────────────────

  /** A write like any other: what was pushed before, such as messages that wait again, is stored before it looks. */
  #pass(): void {
    if (this.#passing) return;
    this.#passing = true;
    let loads: Load[] = [];
    this.#queue.push(
      () => {
        loads = this.#take();
      },
      () => {
        this.#passing = false;
        for (const load of loads) this.#give(load);
        if (this.#wanted.size > 0) this.#pass();
      },
    );
    this.#queue.hurry();
  }

  #take(): Load[] {
    const loads: Load[] = [];
    const at = this.#now();
    let room = PASS;
    for (const lane of this.#wanted) {
      if (room <= 0) break;
      if (!lane.open || lane.session.closed || this.#isHeld(lane.deviceId)) {
        // Whatever ends that wakes it again.
        loads.push({ lane, messages: [], expired: [], more: false });
        continue;
      }
      const limit = Math.min(lane.free, room);
      const waiting = this.#outbox.rows.queued(lane.deviceId, limit);
      const expired = waiting.filter((message) => this.#outbox.isOver(message));
      const messages = waiting.filter((message) => !expired.includes(message));
      for (const { id } of messages) this.#outbox.rows.sent(id, at, lane.sessionId);
      if (expired.length > 0)
        this.#outbox.rows.expired(
          expired.map(({ id }) => id),
          at,
        );
      loads.push({ lane, messages, expired, more: waiting.length === limit });
      room -= Math.max(1, waiting.length);
    }
    return loads;
  }

  #give({ lane, messages, expired, more }: Load): void {
    this.#outbox.unqueued(messages, 'sent');
    this.#outbox.unqueued(expired, 'expired');
    for (const message of messages) this.#deliver(lane, message);
    if (!more || lane.free <= 0 || !lane.open) this.#wanted.delete(lane);
  }

  #deliver(lane: Lane, message: Message): void {
    const { id, deviceId, payload, redeliver } = message;
    // One before it has used up the session: this one was never given to it.
    if (!lane.open || lane.session.closed) return this.#outbox.requeue([{ id, deviceId }]);
    const flight: Flight = { id, redeliver };
    lane.flights.push(flight);
    if (!lane.acknowledges) this.#pings.want(lane);
    const sending = lane.session.send(payload, lane.acknowledges ? { acknowledged: true } : undefined);
    // That it fails is the end of the session, and is told as that.
    if (!lane.acknowledges) sending.catch(() => {});
    else
      sending.then(
        () => this.#acknowledged(lane, flight),
        () => {},
      );
  }

  // ── What arrived ───────────────────────────────────────────────────────────────────────────────────────────────

  #acknowledged(lane: Lane, flight: Flight): void {
    const index = lane.flights.indexOf(flight);
    if (index >= 0) this.#confirm(lane, lane.flights.splice(index, 1));
  }

  #confirm(lane: Lane, flights: readonly Flight[]): void {
    if (flights.length === 0) return;
    const { deviceId } = lane;
    lane.confirmed += flights.length;
    this.#outbox.confirmed(flights.map(({ id }) => ({ id, deviceId })));
    this.wake(deviceId);
    this.#checkIdle();
  }

  /** Waits until the promises of acknowledgements have told what they know. */
  #settle(lane: Lane, removed: boolean): void {
    const { deviceId } = lane;
    this.#settling.set(deviceId, (this.#settling.get(deviceId) ?? 0) + 1);
    setImmediate(() => {
      const left = this.#settling.get(deviceId)! - 1;
      if (left > 0) this.#settling.set(deviceId, left);
      else this.#settling.delete(deviceId);
      this.#finish(lane, removed);
      this.wake(deviceId);
    });
  }

  #finish(lane: Lane, removed: boolean): void {
    const { deviceId } = lane;
    const flights = lane.flights.splice(0);
    if (!removed)
      this.#outbox.requeue(flights.filter(({ redeliver }) => redeliver).map(({ id }) => ({ id, deviceId })));
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#whenIdle.length > 0 && this.underWay === 0)
      for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}
