/** What happens: live, and page by page. */

import type { OutgoingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { GatewayError } from '../../errors.js';
import { EVENT_TYPES, type EventType, type GatewayEvent } from '../../model.js';
import { eventAnswer } from '../answers.js';
import type { AppContext } from '../context.js';
import { type Operation, operation } from '../operation.js';
import { commaList, DEFAULT_PAGE, integer, limit, MAX_ID, named, text } from '../schema-kit.js';
import { EventAnswer } from '../schemas.js';
import { MAX_TEXT } from './device-parts.js';

/** Events read for one page at most; with a filter it may have fewer than asked for. */
const MAX_SCAN = 10_000;
const SCAN_STEP = 1_000;

const filters = {
  types: commaList(EVENT_TYPES).optional().describe('Only events of these types.'),
  device: text(MAX_TEXT).optional().describe('Only events of this device: id or name.'),
};

const after = integer(0, MAX_ID).optional();
const before = integer(1, MAX_ID).optional();

const stream = operation({
  id: 'streamEvents',
  method: 'GET',
  path: '/api/v1/events',
  tag: 'events',
  summary: 'Live events (server-sent events)',
  description:
    'Each has `id`, `event` (its type) and `data` (an Event as JSON). With `Last-Event-ID`, or `after`, it begins behind that event, without a gap or a double; when some are not kept any more an event `gap` says so first. A comment every 15 s keeps the line open. Who reads too slowly is cut off at 1 MiB and may resume.',
  access: 'read',
  query: z.strictObject({ ...filters, after: after.describe('As `Last-Event-ID`, which has precedence.') }),
  headers: z.object({ 'last-event-id': after.describe('Id of the last event that was seen.') }),
  answers: {
    200: { description: 'Events, until one side hangs up.', schema: z.string(), type: 'text/event-stream' },
  },
  errors: ['not_found', 'unavailable'],
  handle({ context, services, query, headers, caller, reply }) {
    const deviceId = query.device === undefined ? undefined : deviceOf(context, query.device);
    if (services.streams.full)
      throw new GatewayError('unavailable', 'too many event streams are open: close one, or come back later');
    reply.hijack();
    const answer = reply.raw;
    answer.writeHead(200, {
      // What hooks have set: the strict headers.
      ...(reply.getHeaders() as OutgoingHttpHeaders),
      'content-type': 'text/event-stream; charset=utf-8',
      'x-accel-buffering': 'no',
      // Else the connection would stay when the stream ends, and hold up the end of the gateway.
      connection: 'close',
    });
    services.streams.open(answer, {
      after: headers['last-event-id'] ?? query.after,
      types: query.types,
      deviceId,
      stillValid: caller!.stillValid,
    });
  },
});

const log = operation({
  id: 'listEvents',
  method: 'GET',
  path: '/api/v1/events/log',
  tag: 'events',
  summary: 'Events that are stored, the oldest first, or the latest first',
  access: 'read',
  query: z.strictObject({
    ...filters,
    after: after.describe('`next` of the page before.'),
    before: before.describe(
      'Instead of `after`: the latest before this id first, with `next` as `before` of the next page.',
    ),
    limit,
  }),
  answers: {
    200: {
      description: 'A page of them; with a filter it may be empty while `next` is a number.',
      schema: named(
        'EventPage',
        'A page of events.',
        z.strictObject({
          events: z.array(EventAnswer),
          next: z
            .number()
            .int()
            .nullable()
            .describe('`after` (or `before`) of the next page; null when there is none yet.'),
          gap: z.boolean().describe('Whether some after `after` are not kept any more.'),
        }),
      ),
    },
  },
  errors: ['not_found'],
  handle({ context, query }) {
    const deviceId = query.device === undefined ? undefined : deviceOf(context, query.device);
    const wanted = (event: GatewayEvent) =>
      isAmong(event.type, query.types) && (deviceId === undefined || event.deviceId === deviceId);
    const size = query.limit ?? DEFAULT_PAGE;
    if (query.after !== undefined && query.before !== undefined)
      throw new GatewayError('invalid', 'give after or before, not both', { field: 'before' });
    const found =
      query.before === undefined
        ? scan(context, query.after ?? 0, size, wanted)
        : scanBack(context, query.before, size, wanted, isAmong('message', query.types));
    return { ...found, events: found.events.map(eventAnswer) };
  },
});

/** Reads on until there are enough, or no more, or it has become too much work for one answer. */
function scan(context: AppContext, from: number, size: number, wanted: (event: GatewayEvent) => boolean) {
  const events: GatewayEvent[] = [];
  let gap = false;
  for (let last = from, scanned = 0; ; ) {
    const page = context.events.since(last, SCAN_STEP);
    if (last === from) gap = page.gap;
    for (const event of page.events) {
      if (events.length === size) return { events, next: last, gap };
      last = event.id;
      if (wanted(event)) events.push(event);
    }
    if (page.events.length < SCAN_STEP) return { events, next: null, gap };
    scanned += page.events.length;
    if (scanned >= MAX_SCAN) return { events, next: last, gap };
  }
}

/** The same towards the beginning. */
function scanBack(
  context: AppContext,
  from: number,
  size: number,
  wanted: (event: GatewayEvent) => boolean,
  messages: boolean,
) {
  const events: GatewayEvent[] = [];
  for (let first = from, scanned = 0; ; ) {
    const page = context.events.before(first, SCAN_STEP, messages);
    for (const event of page) {
      if (events.length === size) return { events, next: first, gap: false };
      first = event.id;
      if (wanted(event)) events.push(event);
    }
    if (page.length < SCAN_STEP) return { events, next: null, gap: false };
    scanned += page.length;
    if (scanned >= MAX_SCAN) return { events, next: first, gap: false };
  }
}

function isAmong(type: EventType, types: readonly EventType[] | undefined): boolean {
  return types === undefined || types.includes(type);
}

/** @throws {GatewayError} `not_found` */
function deviceOf(context: AppContext, idOrName: string): string {
  return context.devices.require(idOrName).id;
}

export const eventOperations: readonly Operation[] = [stream, log];
