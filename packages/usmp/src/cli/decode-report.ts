/**
 * What `usmp decode` prints: a line for each frame, in words or as JSON.
 *
 * @module
 */

import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import type { Facts } from './frame-facts.js';
import { inWords } from './frame-words.js';
import { LineWriter } from './line-writer.js';

/** Where something was found. The names are those of `--json`. */
export interface Place {
  /** Of the input, from 1; undefined where it has only one. */
  readonly line?: number;
  /** Seconds since the first packet; undefined where the capture has no times. */
  readonly time?: number;
  readonly transport?: 'udp' | 'tcp';
  readonly src?: string;
  readonly dst?: string;
  /** Bytes of the stream in front of it. */
  readonly offset?: number;
}

/** What is no frame and no mistake of a peer. */
export type NoteKind =
  /** Bytes that the capture has not seen. */
  | 'gap'
  /** Bytes passed over until a frame began. */
  | 'skipped'
  /** The stream or the capture ends in the middle of a frame. */
  | 'unfinished'
  /** The rest of a stream is not looked at. */
  | 'stopped'
  /** A datagram in several IP packets. */
  | 'fragment';

/** Numbers of a capture. */
export interface PacketCounts {
  readonly packets: number;
  /** Of them, not USMP. */
  readonly other: number;
  readonly fragments: number;
  readonly unknownLinks: number;
}

/** After this many lines those who wait for the event loop get their turn, the output among them. */
const LINES_A_TURN = 1_000;

/** Prints and counts. */
export class Report {
  readonly #json: boolean;
  readonly #stop: AbortSignal;
  readonly #lines = new LineWriter(process.stdout);
  #printed = 0;
  frames = 0;
  utacks = 0;
  invalid = 0;

  /** @param stop nobody reads any more */
  constructor(json: boolean, stop: AbortSignal) {
    this.#json = json;
    this.#stop = stop;
  }

  show(facts: Facts, place: Place): void {
    if (facts.event === 'invalid') this.invalid++;
    else if (facts.event === 'utack') this.utacks++;
    else this.frames++;
    const { event, ...fields } = facts;
    if (this.#json) this.#print(JSON.stringify({ event, ...place, ...fields }));
    else this.#print(`${placeWords(place, event === 'invalid')}${inWords(facts)}`);
  }

  /** @param bytes what it is about */
  note(kind: NoteKind, bytes: number, message: string, place: Place): void {
    if (this.#json) this.#print(JSON.stringify({ event: 'note', ...place, kind, bytes, message }));
    else this.#print(`${placeWords(place, false)}(${message})`);
  }

  summary(counts: PacketCounts): void {
    const { frames, utacks, invalid } = this;
    if (this.#json) {
      this.#print(JSON.stringify({ event: 'summary', frames, utacks, invalid, ...counts }));
      return;
    }
    const parts = [
      `${plural(counts.packets, 'packet')}: ${plural(frames, 'frame')}`,
      plural(utacks, 'UTACK'),
    ];
    parts.push(`${invalid} invalid`, `${plural(counts.other, 'other packet')}`);
    if (counts.fragments > 0) parts.push(`${plural(counts.fragments, 'IP fragment')} left out`);
    if (counts.unknownLinks > 0) parts.push(`${counts.unknownLinks} of unknown link types`);
    this.#print(`--- ${parts.join(', ')}`);
  }

  /** Resolves when there is room for more: input may be endless, and its reader slow. */
  async ready(): Promise<void> {
    if (this.#printed >= LINES_A_TURN) {
      this.#printed = 0;
      await turn();
    }
    if (!process.stdout.writableNeedDrain || this.#stop.aborted) return;
    await once(process.stdout, 'drain', { signal: this.#stop }).catch(() => {});
  }

  #print(line: string): void {
    this.#printed++;
    this.#lines.write(line);
  }
}

/** In front of a line. */
function placeWords({ line, time, transport, src, dst, offset }: Place, invalid: boolean): string {
  let words = line === undefined ? '' : `${line}: `;
  if (transport !== undefined) words += `${time?.toFixed(6) ?? '-'} ${transport} ${src} → ${dst} `;
  return invalid && offset ? `${words}at byte ${offset}: ` : words;
}

/** Such as `1 frame` and `2 frames`. */
function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
