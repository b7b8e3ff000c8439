/**
 * What happened, stored and told to whoever listens, in the order of ids.
 *
 * @module
 */

import { COLUMNS, type MessageRow, messageOf } from '../messages/message-rows.js';
import { Totals } from '../messages/totals.js';
import type { EventType, GatewayEvent, Message } from '../model.js';
import type { CommitQueue } from '../storage/commit-queue.js';
import type { Storage } from '../storage/storage.js';
import { messageEvent } from './message-event.js';

/** An event to be. */
export interface NewEvent {
  readonly deviceId: string | undefined;
  /** Not to be changed afterwards. */
  readonly data: Readonly<Record<string, unknown>>;
}

interface EventRow {
  id: number;
  at: number;
  type: string;
  device: string | null;
  data: string;
}

type Listener = (event: GatewayEvent) => void;

/**
 * The log of events. Messages are events, too: they have ids of the same sequence and are stored once, as messages.
 *
 * The time of an event is that of the wall clock, its place is that of its id: when the clock is set back, later events
 * have earlier times, in the right order.
 */
export class EventLog {
  readonly #queue: CommitQueue;
  readonly #storage: Storage;
  readonly #totals: Totals;
  readonly #now: () => number;
  readonly #listenerFailed: (error: unknown) => void;
  #listeners: readonly Listener[] = [];
  #lastPublishedId: number;
  #dropped = 0;

  /** @param listenerFailed told what a listener has thrown; it goes on being told of events */
  constructor(
    queue: CommitQueue,
    storage: Storage,
    now: () => number = Date.now,
    listenerFailed: (error: unknown) => void = () => {},
  ) {
    this.#queue = queue;
    this.#storage = storage;
    this.#totals = Totals.of(storage);
    this.#now = now;
    this.#listenerFailed = listenerFailed;
    this.#lastPublishedId = queue.lastId;
  }

  /** The highest id that was told to listeners. */
  get lastPublishedId(): number {
    return this.#lastPublishedId;
  }

  /** Events that were given up while the storage failed. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Stores an event and publishes it then. */
  append(type: EventType, deviceId: string | undefined, data: Record<string, unknown>): void {
    this.appendAll(type, [{ deviceId, data }]);
  }

  /** The same for many, in one write. */
  appendAll(type: EventType, entries: readonly NewEvent[]): void {
    if (this.#queue.overfull) {
      this.#dropped += entries.length;
      return;
    }
    const at = this.#now();
    const events = entries.map(({ deviceId, data }): GatewayEvent => {
      return { id: this.#queue.nextId(), at, type, deviceId, data };
    });
    this.#queue.push(
      () => this.#insert(events),
      () => {
        for (const event of events) this.#publish(event.id, () => event);
      },
    );
  }

  /** Publishes a message; to be called after its commit, in the order of ids. */
  publishMessage(message: Message): void {
    this.#publish(message.id, () => messageEvent(message));
  }

  /** Calls `listener` with every event from now on. Returns the function that ends that. */
  subscribe(listener: Listener): () => void {
    // A function may be given twice; each ends its own.
    const own: Listener = (event) => listener(event);
    this.#listeners = [...this.#listeners, own];
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== own);
    };
  }

  /**
   * The first events after an id, from the database. Messages are told in the state in which they are now.
   *
   * @returns `gap`: of those after `id` some are gone, or `id` was never given out
   */
  since(id: number, limit: number): { events: GatewayEvent[]; gap: boolean } {
    // What is stored and not yet published comes to listeners in this very turn.
    const last = this.#lastPublishedId;
    const events = this.#storage
      .prepare<EventRow>(
        'SELECT id, at, type, device, data FROM events WHERE id > ? AND id <= ? ORDER BY id LIMIT ?',
      )
      .all(id, last, limit)
      .map(eventOf);
    // Events fill the page up to there: messages behind it belong to the next one.
    const end = events.length === limit && limit > 0 ? events.at(-1)!.id : last;
    const messages = this.#storage
      .prepare<MessageRow>(`SELECT ${COLUMNS} FROM messages WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`)
      .all(id, end, limit)
      .map((row) => messageEvent(messageOf(row)));
    const merged = [...events, ...messages].sort((a, b) => a.id - b.id).slice(0, limit);
    return { events: merged, gap: id < this.#totals.forgotten || id > this.#queue.lastId };
  }

  /**
   * The last events before an id, the latest first.
   *
   * @param messages whether messages are among them; without, they are not read
   */
  before(id: number, limit: number, messages: boolean): readonly GatewayEvent[] {
    const end = Math.min(id - 1, this.#lastPublishedId);
    const events = this.#storage
      .prepare<EventRow>(
        'SELECT id, at, type, device, data FROM events WHERE id <= ? ORDER BY id DESC LIMIT ?',
      )
      .all(end, limit)
      .map(eventOf);
    if (!messages) return events;
    const told = this.#storage
      .prepare<MessageRow>(`SELECT ${COLUMNS} FROM messages WHERE id <= ? ORDER BY id DESC LIMIT ?`)
      .all(end, limit)
      .map((row) => messageEvent(messageOf(row)));
    return [...events, ...told].sort((a, b) => b.id - a.id).slice(0, limit);
  }

  #insert(events: readonly GatewayEvent[]): void {
    // One statement for all of them: each costs 5 µs to begin.
    this.#storage
      .prepare(
        `INSERT INTO events (id, at, type, device, data)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?)`,
      )
      .run(
        JSON.stringify(
          events.map(({ id, at, type, deviceId, data }) => [
            id,
            at,
            type,
            deviceId ?? null,
            JSON.stringify(data),
          ]),
        ),
      );
    this.#totals.eventsAdded(events.length);
  }

  #publish(id: number, make: () => GatewayEvent): void {
    this.#lastPublishedId = id;
    const listeners = this.#listeners;
    if (listeners.length === 0) return;
    const event = make();
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#listenerFailed(error);
      }
    }
  }
}

function eventOf({ id, at, type, device, data }: EventRow): GatewayEvent {
  return { id, at, type: type as EventType, deviceId: device ?? undefined, data: JSON.parse(data) };
}
