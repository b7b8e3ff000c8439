/**
 * The numbers of the fleet, of the last hour and of now.
 *
 * @module
 */

import { signal } from '@preact/signals';
import { get } from '../api/client.js';
import type { Sample, Stats } from '../api/types.js';

/** What is shown. Milliseconds. */
export const SPAN = 3_600_000;

export interface FleetStats {
  readonly latest: Stats;
  /** Of the last hour, oldest first. */
  readonly samples: readonly Sample[];
  /** Messages a second since the stats before; undefined: there were none. */
  readonly rates: { readonly in: number; readonly out: number } | undefined;
}

export const stats = signal<FleetStats | undefined>(undefined);

export async function loadStats(): Promise<void> {
  const before = stats.peek();
  const since = before?.samples.at(-1)?.at;
  const answer = await get<Stats>('api/v1/stats', { after: since });
  stats.value = merge(before, answer);
}

/** Adds what is new. A gateway that was restarted begins to count anew, and its samples go on after a gap. */
export function merge(before: FleetStats | undefined, answer: Stats): FleetStats {
  const first = Date.parse(answer.at) - SPAN;
  const known = before?.samples ?? [];
  const last = known.at(-1)?.at ?? '';
  const added = answer.samples.filter(({ at }) => at > last);
  const samples = [...known, ...added].filter(({ at }) => Date.parse(at) >= first);
  return {
    latest: answer,
    samples,
    rates: ratesOf(before?.latest, answer) ?? ratesOfSample(samples, answer.interval),
  };
}

function ratesOf(before: Stats | undefined, { at, totals }: Stats): FleetStats['rates'] {
  if (before === undefined) return undefined;
  const seconds = (Date.parse(at) - Date.parse(before.at)) / 1_000;
  const messages = {
    in: totals.messagesIn - before.totals.messagesIn,
    out: totals.messagesOut - before.totals.messagesOut,
  };
  if (seconds < 1 || seconds > 60 || messages.in < 0 || messages.out < 0) return undefined;
  return { in: messages.in / seconds, out: messages.out / seconds };
}

function ratesOfSample(samples: readonly Sample[], interval: number): FleetStats['rates'] {
  const last = samples.at(-1);
  return last && { in: last.messagesIn / interval, out: last.messagesOut / interval };
}
