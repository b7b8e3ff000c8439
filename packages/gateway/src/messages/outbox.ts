/**
 * Messages to devices: taken, counted, expired, cancelled. How they leave is in delivery.ts.
 *
 * @module
 */

import { MAX_MESSAGE } from 'usmp';
import type { Jump } from '../age-clock.js';
import { GatewayError } from '../errors.js';
import type { EventLog } from '../events/event-log.js';
import type { Message, MessageFormat, MessageState } from '../model.js';
import type { CommitQueue } from '../storage/commit-queue.js';
import type { Storage } from '../storage/storage.js';
import { Expiry } from './expiry.js';
import type { History } from './history.js';
import { OutboxRows, type Place } from './outbox-rows.js';

export interface OutboxSettings {
  /** That wait for one device. */
  readonly maxMessages: number;
  /** Of a message that has none of its own. Milliseconds. */
  readonly expiry: number;
  /** Whether a message that says nothing about it is redelivered. */
  readonly redeliver: boolean;
}

export interface OutboxOptions {
  readonly storage: Storage;
  readonly queue: CommitQueue;
  readonly history: History;
  readonly events: EventLog;
  /** As they are now. */
  readonly settings: () => OutboxSettings;
  readonly now?: () => number;
  /** The clock that expiry goes by, which may follow that of `now` later. */
  readonly ageNow?: () => number;
  /** Told each state that a message to a device comes into. */
  readonly stateChanged?: (state: MessageState) => void;
}

export interface SubmitOptions {
  readonly format: MessageFormat;
  readonly expiresAt?: number;
  readonly redeliver?: boolean;
  /** The caller's own id of the message: with the same one for the same device, it is the same message. */
  readonly requestId?: string;
}

/** A place under way to a device, kept for one message until that is stored. */
export interface Reservation {
  readonly sessionId: string;
  /** Whether the session is still the one that would carry it. */
  readonly usable: boolean;
  /** Gives the place up. */
  release(): void;
  /** Hands the message over, in the turn in which it was stored as `sent`. */
  deliver(message: Message): void;
}

/** Whoever brings messages to devices. */
export interface Carrier {
  /** A place for a message that may leave at once; undefined: it has to wait. */
  reserve(deviceId: string): Reservation | undefined;
  /** Messages wait for this device. */
  wake(deviceId: string): void;
}

/**
 * The outboxes of all devices. Messages leave in the order of their ids, which is that in which they were taken; that
 * holds across sessions and restarts.
 *
 * Expiry goes by the clock of ages. While the wall clock is ahead of that, messages taken meanwhile have their times by the
 * wall clock; when it is set back, messages expire later by as much.
 */
export class Outbox {
  readonly rows: OutboxRows;
  readonly #queue: CommitQueue;
  readonly #history: History;
  readonly #events: EventLog;
  readonly #settings: () => OutboxSettings;
  readonly #now: () => number;
  readonly #ageNow: () => number;
  readonly #stateChanged: (state: MessageState) => void;
  readonly #expiry: Expiry;
  /** Messages that wait, by device, with those whose commit is under way. */
  readonly #queued = new Map<string, number>();
  #total = 0;
  /** Devices whose last message could not leave as it was to: those behind it must not overtake it. */
  readonly #heldBack = new Set<string>();
  /** Messages with a request id whose commit is under way. */
  readonly #underWay = new Map<string, Promise<Message>>();
  #carrier: Carrier | undefined;
  #confirming: Place[] | undefined;

  /** Puts right what the last end of the process has left, and counts what waits. */
  constructor(options: OutboxOptions) {
    this.#queue = options.queue;
    this.#history = options.history;
    this.#events = options.events;
    this.#settings = options.settings;
    this.#now = options.now ?? Date.now;
    this.#ageNow = options.ageNow ?? this.#now;
    this.#stateChanged = options.stateChanged ?? (() => {});
    this.rows = new OutboxRows(options.storage);
    this.rows.recover(this.#now());
    for (const { device, count } of this.rows.counts()) this.#count(device, count);
    this.#expiry = new Expiry({
      queue: options.queue,
      rows: this.rows,
      now: this.#now,
      ageNow: this.#ageNow,
      expired: (places) => this.unqueued(places, 'expired'),
    });
  }

  /** Messages that wait for a device. */
  queued(deviceId: string): number {
    return this.#queued.get(deviceId) ?? 0;
  }

  /** Messages that wait, of all devices. */
  get total(): number {
    return this.#total;
  }

  /** The oldest messages that wait for a device, in order. */
  list(deviceId: string, limit = 100): readonly Message[] {
    return this.rows.queued(deviceId, limit);
  }

  /** Says who brings messages to devices; until then all wait. */
  connect(carrier: Carrier): void {
    this.#carrier = carrier;
    for (const deviceId of this.#queued.keys()) carrier.wake(deviceId);
  }

  /**
   * Takes a message; resolves when it is stored and survives a power cut. When the device is online it is on its way by
   * then. With a request id that a stored message of the device has, that one is returned; once retention has deleted
   * it, its request id means nothing any more.
   *
   * @param payload not to be changed afterwards
   * @throws {GatewayError} `too_large`; `invalid`: it expires in the past; `outbox_full`; `conflict`: the request id
   * belongs to another payload; `storage_full`, `unavailable`: it was not taken
   */
  async submit(deviceId: string, payload: Uint8Array, options: SubmitOptions): Promise<Message> {
    const { requestId } = options;
    if (payload.length > MAX_MESSAGE)
      throw new GatewayError(
        'too_large',
        `a message of ${payload.length} bytes, at most ${MAX_MESSAGE}: send it in parts`,
      );
    if (requestId === undefined) return this.#submitNew(deviceId, payload, options);
    const request = `${deviceId} ${requestId}`;
    const first = await (this.#underWay.get(request) ?? this.rows.byRequest(deviceId, requestId));
    if (first !== undefined) return sameMessage(first, payload, requestId);
    // Another may have come while this one looked.
    const rival = this.#underWay.get(request);
    if (rival !== undefined) return sameMessage(await rival, payload, requestId);
    const submitting = this.#submitNew(deviceId, payload, options);
    this.#underWay.set(request, submitting);
    try {
      return await submitting;
    } finally {
      this.#underWay.delete(request);
    }
  }

  /**
   * Takes back a message that waits: it becomes `refused`.
   *
   * @throws {GatewayError} `not_found`; `conflict`: it does not wait any more; `storage_full`, `unavailable`
   */
  async cancel(id: number): Promise<Message> {
    const places = await this.#queue.acknowledge(
      () => {
        const { deviceId, state, direction } = this.#history.get(id) ?? {};
        if (deviceId === undefined || direction !== 'out' || state !== 'queued') return [];
        this.rows.refused([id], this.#now());
        return [{ id, deviceId }];
      },
      (cancelled) => this.unqueued(cancelled, 'refused'),
    );
    const message = this.#history.get(id);
    if (message?.direction !== 'out')
      throw new GatewayError('not_found', `there is no message ${id} to a device`);
    if (places.length === 0)
      throw new GatewayError(
        'conflict',
        `message ${id} is ${message.state}: only queued ones can be cancelled`,
      );
    return message;
  }

  /** Takes back all messages that wait for a device. Resolves with how many. Throws as `cancel`. */
  async clear(deviceId: string): Promise<number> {
    const refuse = () => this.#refuseQueued(deviceId);
    return (await this.#queue.acknowledge(refuse, (places) => this.unqueued(places, 'refused'))).length;
  }

  /** The device was removed: what waits for it becomes `refused`. */
  refuseAll(deviceId: string): void {
    let places: Place[] = [];
    this.#queue.push(
      () => {
        places = this.#refuseQueued(deviceId);
      },
      () => this.unqueued(places, 'refused'),
    );
  }

  /** Expires what is due now. It happens by itself, within a second or so of the time. */
  expireDue(): void {
    this.#expiry.run();
  }

  /** What was taken before the wall clock has jumped forward gets as much time as it had left; `stored` is called then. */
  postpone({ by, from }: Jump, stored: () => void): void {
    this.#queue.push(() => this.rows.postpone(by, from), stored);
  }

  /** Stops the timer. */
  close(): void {
    this.#expiry.close();
  }

  // For whoever brings the messages:

  /** Whether the time of a message is over, by the clock that it has its time by. */
  isOver({ at, expiresAt }: Message): boolean {
    if (expiresAt === undefined) return false;
    const age = this.#ageNow();
    return expiresAt <= (at > age ? this.#now() : age);
  }

  /** These do not wait any more; to be called when that is stored. */
  unqueued(places: readonly Place[], state: 'sent' | 'expired' | 'refused'): void {
    for (const { deviceId } of places) this.#count(deviceId, -1);
    this.#tell(places, state);
  }

  /** A device has confirmed these. */
  confirmed(places: readonly Place[]): void {
    if (this.#confirming !== undefined) {
      this.#confirming.push(...places);
      return;
    }
    // All that is confirmed until the next commit is one write.
    const confirming = [...places];
    this.#confirming = confirming;
    this.#queue.push(
      () => {
        if (this.#confirming === confirming) this.#confirming = undefined;
        this.rows.confirmed(
          confirming.map(({ id }) => id),
          this.#now(),
        );
      },
      () => this.#tell(confirming, 'confirmed'),
    );
  }

  /** These are to leave once more, ahead of all that wait. */
  requeue(places: readonly Place[]): void {
    if (places.length === 0) return;
    for (const { deviceId } of places) this.#count(deviceId, 1);
    this.#queue.push(
      () => this.rows.requeue(places.map(({ id }) => id)),
      () => {
        this.#tell(places, 'queued');
        for (const { deviceId } of places) this.#carrier?.wake(deviceId);
        this.#expiry.mayBeEarlier(this.rows.nextExpiry());
      },
    );
  }

  async #submitNew(deviceId: string, payload: Uint8Array, options: SubmitOptions): Promise<Message> {
    const at = this.#now();
    const settings = this.#settings();
    const { expiresAt = at + settings.expiry, redeliver = settings.redeliver, format, requestId } = options;
    if (!(expiresAt > at))
      throw new GatewayError('invalid', 'it expires in the past', { field: 'expiresIn' });
    const queued = this.queued(deviceId);
    if (queued >= settings.maxMessages)
      throw new GatewayError(
        'outbox_full',
        `${queued} messages wait for ${deviceId}, no more fit: wait until it has been online, or cancel some`,
      );
    const place = queued === 0 ? this.#carrier?.reserve(deviceId) : undefined;
    if (place === undefined) this.#count(deviceId, 1);
    const waiting: Message = {
      id: this.#queue.nextId(),
      deviceId,
      direction: 'out',
      at,
      state: 'queued',
      payload,
      format,
      sentAt: undefined,
      doneAt: undefined,
      expiresAt,
      redeliver,
      sessionId: undefined,
    };
    try {
      return await this.#queue.acknowledge(
        () => this.#store(waiting, place, requestId),
        (message) => this.#stored(message, place),
      );
    } catch (error) {
      if (place === undefined) this.#count(deviceId, -1);
      else place.release();
      throw error;
    }
  }

  /** What may leave at once is stored as `sent`: another write for that would cost as much again. */
  #store(waiting: Message, place: Reservation | undefined, requestId: string | undefined): Message {
    const { deviceId, at } = waiting;
    let message = waiting;
    if (place !== undefined) {
      // The session may have ended since. Whoever comes behind must then wait as well.
      if (place.usable && !this.#heldBack.has(deviceId))
        message = { ...waiting, state: 'sent', sentAt: at, sessionId: place.sessionId };
      else this.#heldBack.add(deviceId);
    }
    this.#history.insertIn(message, requestId);
    return message;
  }

  #stored(message: Message, place: Reservation | undefined): void {
    const { deviceId, state } = message;
    this.#events.publishMessage(message);
    this.#stateChanged(state);
    if (state === 'sent') return place!.deliver(message);
    if (place !== undefined) {
      place.release();
      this.#count(deviceId, 1);
      this.#heldBack.delete(deviceId);
    }
    this.#expiry.mayBeEarlier(message.expiresAt);
    this.#carrier?.wake(deviceId);
  }

  #refuseQueued(deviceId: string): Place[] {
    const places = this.rows.queued(deviceId, Number.MAX_SAFE_INTEGER).map(({ id }) => ({ id, deviceId }));
    this.rows.refused(
      places.map(({ id }) => id),
      this.#now(),
    );
    return places;
  }

  #tell(places: readonly Place[], state: MessageState): void {
    if (places.length === 0) return;
    this.#events.appendAll(
      'message-state',
      places.map(({ id, deviceId }) => ({ deviceId, data: { message: id, state } })),
    );
    for (const _ of places) this.#stateChanged(state);
  }

  #count(deviceId: string, change: number): void {
    const count = this.queued(deviceId) + change;
    this.#total += change;
    if (count > 0) this.#queued.set(deviceId, count);
    else this.#queued.delete(deviceId);
  }
}

/** @throws {GatewayError} `conflict` */
function sameMessage(first: Message, payload: Uint8Array, requestId: string): Message {
  if (Buffer.from(first.payload).equals(payload)) return first;
  throw new GatewayError(
    'conflict',
    `the idempotency key ${JSON.stringify(requestId)} was used for another message of this device: use a new one for each message`,
  );
}
