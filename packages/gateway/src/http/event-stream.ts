/**
 * Server-sent events: what happened since the last one a reader has seen, from the database, and then live, without a gap
 * or a double between the two.
 *
 * @module
 */

import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventType, GatewayEvent } from '../model.js';
import { eventAnswer } from './answers.js';
import type { EventsView } from './context.js';

export interface StreamOptions {
  /** The last event the reader has seen; undefined: only what happens from now on. */
  readonly after: number | undefined;
  /** All, unless given. */
  readonly types: readonly EventType[] | undefined;
  readonly deviceId: string | undefined;
  /** Asked at each heartbeat; the stream ends when it is not. */
  readonly stillValid: () => boolean;
}

export interface StreamLimits {
  readonly streams: number;
  /** Bytes that may wait for a slow reader. */
  readonly backlog: number;
  /** Milliseconds. */
  readonly heartbeat: number;
}

const LIMITS: StreamLimits = { streams: 100, backlog: 1024 * 1024, heartbeat: 15_000 };

/** Events read from the database in one turn of the event loop. */
const PAGE = 500;

/** How soon a browser comes back after a stream has ended. Milliseconds. */
const RETRY = 2_000;

/** All open event streams. */
export class EventStreams {
  readonly #events: EventsView;
  readonly #limits: StreamLimits;
  readonly #changed: (open: number) => void;
  readonly #streams = new Set<Stream>();
  #heartbeat: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param changed told how many are open */
  constructor(events: EventsView, changed: (open: number) => void, limits: Partial<StreamLimits> = {}) {
    this.#events = events;
    this.#changed = changed;
    this.#limits = { ...LIMITS, ...limits };
  }

  /** Open streams. */
  get size(): number {
    return this.#streams.size;
  }

  get full(): boolean {
    return this.#closed || this.#streams.size >= this.#limits.streams;
  }

  /** Streams into an answer whose headers have been written, until the reader goes away, or `close`. */
  open(answer: ServerResponse, options: StreamOptions): void {
    const stream = new Stream(answer, this.#events, options, this.#limits.backlog);
    this.#streams.add(stream);
    this.#changed(this.#streams.size);
    this.#heartbeat ??= setInterval(() => this.#beat(), this.#limits.heartbeat).unref();
    answer.once('close', () => {
      stream.stop();
      this.#streams.delete(stream);
      this.#changed(this.#streams.size);
    });
    stream.run();
  }

  /** Ends all of them and takes no more. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#heartbeat);
    for (const stream of this.#streams) stream.end();
  }

  #beat(): void {
    for (const stream of this.#streams) stream.beat();
  }
}

class Stream {
  readonly #answer: ServerResponse;
  readonly #events: EventsView;
  readonly #options: StreamOptions;
  readonly #backlog: number;
  readonly #types: ReadonlySet<EventType> | undefined;
  #unsubscribe: (() => void) | undefined;
  #stopped = false;
  /** Of the last event that was written or left out. */
  #lastId = 0;

  constructor(answer: ServerResponse, events: EventsView, options: StreamOptions, backlog: number) {
    this.#answer = answer;
    this.#events = events;
    this.#options = options;
    this.#backlog = backlog;
    this.#types = options.types === undefined ? undefined : new Set(options.types);
  }

  run(): void {
    const { after } = this.#options;
    this.#write(`retry: ${RETRY}\n\n`);
    if (after === undefined) return this.#goLive();
    // What an older copy of the database, or another one, has numbered cannot be resumed.
    if (after > this.#events.lastPublishedId) {
      this.#tellGap(after);
      return this.#goLive();
    }
    this.#lastId = after;
    this.#catchUp().catch((error: unknown) => {
      this.#answer.destroy(error instanceof Error ? error : undefined);
    });
  }

  beat(): void {
    if (!this.#options.stillValid()) return this.end();
    this.#write(':\n\n');
  }

  end(): void {
    this.stop();
    this.#answer.end();
  }

  stop(): void {
    this.#stopped = true;
    this.#unsubscribe?.();
  }

  async #catchUp(): Promise<void> {
    for (let first = true; !this.#stopped; first = false) {
      const after = this.#lastId;
      const { events, gap } = this.#events.since(after, PAGE);
      if (gap && first) this.#tellGap(after);
      for (const event of events) this.#tell(event);
      // In the turn in which the database had no more: what is committed later is told live.
      if (events.length < PAGE) return this.#goLive();
      // A slow reader goes on with the database, at its own pace.
      if (this.#answer.writableNeedDrain) await this.#drained();
      else await nextTurn();
    }
  }

  #goLive(): void {
    if (this.#stopped) return;
    this.#unsubscribe = this.#events.subscribe((event) => {
      this.#tell(event);
      // Who reads more slowly than things happen comes back and resumes; until then it costs nothing.
      if (this.#answer.writableLength > this.#backlog) this.#answer.destroy();
    });
  }

  #tell(event: GatewayEvent): void {
    if (event.id <= this.#lastId) return;
    this.#lastId = event.id;
    const { deviceId } = this.#options;
    if (this.#types?.has(event.type) === false) return;
    if (deviceId !== undefined && event.deviceId !== deviceId) return;
    this.#write(`id: ${event.id}\nevent: ${event.type}\ndata: ${textOf(event)}\n\n`);
  }

  /** Without an id, so that who comes back after it asks for the same again. */
  #tellGap(after: number): void {
    this.#write(`event: gap\ndata: ${JSON.stringify({ after })}\n\n`);
  }

  #write(text: string): void {
    if (!this.#stopped) this.#answer.write(text);
  }

  #drained(): Promise<void> {
    const answer = this.#answer;
    return new Promise((resolve) => {
      const done = () => {
        answer.removeListener('drain', done).removeListener('close', done);
        resolve();
      };
      answer.once('drain', done).once('close', done);
    });
  }
}

/** Written once for all streams. */
const texts = new WeakMap<GatewayEvent, string>();

function textOf(event: GatewayEvent): string {
  let text = texts.get(event);
  if (text === undefined) {
    text = JSON.stringify(eventAnswer(event));
    texts.set(event, text);
  }
  return text;
}
