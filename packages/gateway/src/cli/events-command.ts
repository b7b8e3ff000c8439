/**
 * `usmp-gateway events`: what has happened, and what happens.
 *
 * @module
 */

import { setTimeout as delay } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { GatewayError } from '../errors.js';
import { EVENT_TYPES } from '../model.js';
import type { EventFacts, Page, StatusFacts } from './answers.js';
import type { ApiClient, ApiRequest } from './api-client.js';
import { eventLine } from './event-lines.js';
import { serverEvents } from './event-source.js';
import { UnreachableError } from './exit-codes.js';
import { findGateway } from './find-gateway.js';
import { gatewayCommand, onGateway, type Work } from './gateway-options.js';
import { aboutDevice, DeviceNames } from './named-device.js';
import { count, idNumber } from './option-values.js';
import { stopSignal } from './stop-signal.js';

interface EventFlags {
  readonly follow?: true;
  readonly after?: number;
  readonly types?: string;
  readonly device?: string;
  readonly limit: number;
}

interface EventPage extends Page {
  readonly events: readonly EventFacts[];
  readonly next: number | null;
}

const MAX_PAGE = 1_000;

/** How soon to come back after a stream has ended. Milliseconds. */
const RETRY = 1_000;

export function addEvents(program: Command): void {
  const events = gatewayCommand(program, 'events', 'print what has happened, or with --follow what happens')
    .option('--follow', 'go on until Ctrl-C; comes back when the gateway was restarted')
    .option('--after <id>', 'begin behind this event', idNumber)
    .option('--types <types>', `only these, with commas between them: ${EVENT_TYPES.join(', ')}`, typesIn)
    .option('--device <device>', 'only of this device')
    .option('--limit <number>', 'without --follow: how many', count, 100);
  onGateway(
    events,
    ({ follow }: EventFlags) => (follow ? 'running' : 'stored'),
    (work: Work<EventFlags>) => (work.flags.follow ? follow(work) : print(work)),
  );
}

function typesIn(text: string): string {
  const known: readonly string[] = EVENT_TYPES;
  const unknown = text.split(',').find((type) => !known.includes(type));
  if (unknown === undefined) return text;
  throw new InvalidArgumentError(`${unknown} is none: must be of ${EVENT_TYPES.join(', ')}.`);
}

async function print({ api, out, flags }: Work<EventFlags>): Promise<void> {
  const read = () =>
    flags.after === undefined ? latest(api, flags) : readAfter(api, flags, flags.after, flags.limit);
  const events = flags.device === undefined ? await read() : await aboutDevice(api, flags.device, read);
  const names = new DeviceNames(() => api);
  if (!out.json) await names.load(events.map(({ device }) => device));
  const lines = await Promise.all(
    events.map(async (event) => (out.json ? '' : eventLine(event, await names.of(event.device)))),
  );
  out.answer({ events }, () => (lines.length === 0 ? 'no events\n' : `${lines.join('\n')}\n`));
}

/** The API reads from the oldest on: looks back further and further until there are enough. */
async function latest(api: ApiClient, flags: EventFlags): Promise<readonly EventFacts[]> {
  const { lastEvent } = await api.get<StatusFacts>('/status');
  for (let back = flags.limit; ; back *= 8) {
    const after = Math.max(0, lastEvent - back);
    const events = await readAfter(api, flags, after, Number.POSITIVE_INFINITY);
    if (events.length >= flags.limit || after === 0) return events.slice(-flags.limit);
  }
}

async function readAfter(
  api: ApiClient,
  { types, device }: EventFlags,
  from: number,
  limit: number,
): Promise<readonly EventFacts[]> {
  const events: EventFacts[] = [];
  for (let after: number | null = from; after !== null && events.length < limit; ) {
    const page: EventPage = await api.get('/events/log', {
      types,
      device,
      after,
      limit: Math.min(limit - events.length, MAX_PAGE),
    });
    events.push(...page.events);
    after = page.next;
  }
  return events;
}

/** Until Ctrl-C. */
async function follow({ api, out, flags }: Work<EventFlags>): Promise<void> {
  const stop = stopSignal();
  let current = api;
  let last = flags.after;
  let isAway = false;
  const names = new DeviceNames(() => current);
  const query: ApiRequest['query'] = { types: flags.types, device: flags.device };
  const tell = async (event: EventFacts) => {
    const name = out.json ? '' : await names.of(event.device);
    out.line(event, () => eventLine(event, name));
  };
  while (!stop.aborted) {
    try {
      // A gateway that was restarted has another address and token for this machine.
      if (isAway) current = await findGateway(flags, 'running', () => {});
      const headers: Record<string, string> = last === undefined ? {} : { 'last-event-id': String(last) };
      const read = () => current.stream('/events', { query, headers, stop });
      const stream =
        flags.device === undefined ? await read() : await aboutDevice(current, flags.device, read);
      if (isAway) out.notice('the gateway is back');
      isAway = false;
      for await (const { id, type, data } of serverEvents(stream)) {
        if (type === 'gap') out.notice('some events in between are not kept any more');
        else await tell(JSON.parse(data));
        if (id !== undefined) last = Number(id);
      }
    } catch (error) {
      if (stop.aborted) return;
      // That is for whoever called; everything else may pass.
      if (error instanceof GatewayError && error.code !== 'unavailable') throw error;
      if (!(error instanceof UnreachableError || error instanceof TypeError || error instanceof GatewayError))
        throw error;
    }
    if (stop.aborted) return;
    if (!isAway) out.notice('the gateway has ended the stream: trying to come back');
    isAway = true;
    await delay(RETRY, undefined, { signal: stop }).catch(() => {});
  }
}
