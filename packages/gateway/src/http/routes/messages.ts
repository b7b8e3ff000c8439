/** Messages to and from devices: sending, what waits, what has been. */

import { z } from 'zod';
import { GatewayError } from '../../errors.js';
import { MESSAGE_STATES, type MessageFormat } from '../../model.js';
import { messageAnswer } from '../answers.js';
import type { AppContext } from '../context.js';
import { type Operation, operation } from '../operation.js';
import { DEFAULT_PAGE, integer, limit, MAX_ID, named, text } from '../schema-kit.js';
import { MessageAnswer, OutgoingBody } from '../schemas.js';
import { DeviceParams, defined, MAX_TEXT } from './device-parts.js';

const DIRECTIONS = ['in', 'out'] as const;

const MessageList = named(
  'MessageList',
  'A page of messages. It may have fewer than asked for although there are more: `next` tells.',
  z.strictObject({
    messages: z.array(MessageAnswer),
    next: z.number().int().nullable().describe('Where the next page goes on; null when there is none.'),
  }),
);

const Outgoing = named(
  'SentMessage',
  'A message as it was taken.',
  z.strictObject({ message: MessageAnswer }),
);

const MessageParams = z.strictObject({ id: integer(1, MAX_ID) });

/** Which messages of the history to answer. */
const filters = {
  direction: z.enum(DIRECTIONS).optional().describe('`in` from devices, `out` to them.'),
  state: z.enum(MESSAGE_STATES).optional(),
  search: text(MAX_TEXT).optional().describe('Part of the text of a message.'),
  before: integer(1, MAX_ID).optional().describe('Only messages with a lower id; `next` of the page before.'),
  after: integer(0, MAX_ID).optional().describe('Only messages with a higher id, the oldest first.'),
  limit,
};

const send = operation({
  id: 'sendMessage',
  method: 'POST',
  path: '/api/v1/devices/{id}/messages',
  tag: 'messages',
  summary: 'Send a message to a device',
  description:
    'The answer means that it is stored and survives a crash. It is sent at once where there is a session, else it waits. With the same `Idempotency-Key` a request that is repeated sends nothing twice.',
  access: 'send',
  params: DeviceParams,
  headers: z.object({
    'idempotency-key': z
      .string()
      .regex(/^[\x21-\x7e]{1,128}$/, { error: 'expected 1 to 128 printable ASCII characters without spaces' })
      .optional(),
  }),
  body: OutgoingBody,
  answers: { 202: { description: 'It is stored.', schema: Outgoing } },
  errors: ['not_found', 'conflict', 'too_large', 'outbox_full', 'unavailable', 'storage_full'],
  async handle({ context, params, headers, body }) {
    const { id } = context.devices.require(params.id);
    const { payload, format } = payloadOf(body);
    const requestId = headers['idempotency-key'];
    const expiresAt =
      body.expiresIn === undefined ? undefined : Date.now() + Math.round(body.expiresIn * 1_000);
    const options = defined({ expiresAt, redeliver: body.redeliver, requestId });
    const message = await context.outbox.submit(id, payload, { format, ...options });
    return { message: messageAnswer(message) };
  },
});

const listOfDevice = operation({
  id: 'listDeviceMessages',
  method: 'GET',
  path: '/api/v1/devices/{id}/messages',
  tag: 'messages',
  summary: 'Messages of one device, the newest first',
  access: 'read',
  params: DeviceParams,
  query: z.strictObject(filters),
  answers: { 200: { description: 'A page of them.', schema: MessageList } },
  errors: ['not_found'],
  handle: ({ context, params, query }) => page(context, { ...query, deviceId: deviceOf(context, params.id) }),
});

const list = operation({
  id: 'listMessages',
  method: 'GET',
  path: '/api/v1/messages',
  tag: 'messages',
  summary: 'Messages of all devices, the newest first',
  access: 'read',
  query: z.strictObject({ device: text(MAX_TEXT).optional().describe('Id or name.'), ...filters }),
  answers: { 200: { description: 'A page of them.', schema: MessageList } },
  errors: ['not_found'],
  handle({ context, query: { device, ...query } }) {
    const deviceId = device === undefined ? undefined : deviceOf(context, device);
    return page(context, { ...query, deviceId });
  },
});

const get = operation({
  id: 'getMessage',
  method: 'GET',
  path: '/api/v1/messages/{id}',
  tag: 'messages',
  summary: 'One message',
  access: 'read',
  params: MessageParams,
  answers: { 200: { description: 'The message.', schema: MessageAnswer } },
  errors: ['not_found'],
  handle({ context, params }) {
    const message = context.history.get(params.id);
    if (message === undefined)
      throw new GatewayError('not_found', `no message ${params.id}: it may be older than the history`);
    return messageAnswer(message);
  },
});

const cancel = operation({
  id: 'cancelMessage',
  method: 'DELETE',
  path: '/api/v1/messages/{id}',
  tag: 'messages',
  summary: 'Cancel a message that still waits',
  access: 'send',
  params: MessageParams,
  answers: { 200: { description: 'It is `refused` and will not be sent.', schema: MessageAnswer } },
  errors: ['not_found', 'conflict', 'unavailable', 'storage_full'],
  handle: async ({ context, params }) => messageAnswer(await context.outbox.cancel(params.id)),
});

const outbox = operation({
  id: 'listOutbox',
  method: 'GET',
  path: '/api/v1/devices/{id}/outbox',
  tag: 'messages',
  summary: 'What waits for a device, in the order in which it is sent',
  access: 'read',
  params: DeviceParams,
  query: z.strictObject({ limit }),
  answers: {
    200: {
      description: 'The first of it.',
      schema: named(
        'Outbox',
        'Messages that wait for a device; `total` may be more than are shown.',
        z.strictObject({ messages: z.array(MessageAnswer), total: z.number().int().min(0) }),
      ),
    },
  },
  errors: ['not_found'],
  handle({ context, params, query: { limit: size = DEFAULT_PAGE } }) {
    const { id } = context.devices.require(params.id);
    const waiting = context.outbox.list(id, size);
    return { messages: waiting.map(messageAnswer), total: context.outbox.queued(id) };
  },
});

const clear = operation({
  id: 'clearOutbox',
  method: 'DELETE',
  path: '/api/v1/devices/{id}/outbox',
  tag: 'messages',
  summary: 'Cancel all that waits for a device',
  access: 'send',
  params: DeviceParams,
  answers: {
    200: {
      description: 'How many messages that were.',
      schema: named('Cancelled', 'How many.', z.strictObject({ cancelled: z.number().int().min(0) })),
    },
  },
  errors: ['not_found', 'unavailable', 'storage_full'],
  async handle({ context, params }) {
    const { id } = context.devices.require(params.id);
    return { cancelled: await context.outbox.clear(id) };
  },
});

/** UTF-8 has none; JSON text may name one. */
const LONE_SURROGATE = /\p{Cs}/u;

type Outgoing = z.output<typeof OutgoingBody>;

/** @throws {GatewayError} `invalid` unless there is exactly one */
function payloadOf(body: Outgoing): { payload: Uint8Array; format: MessageFormat } {
  const given = (['text', 'base64', 'json'] as const).filter((name) => Object.hasOwn(body, name));
  const format = given[0];
  if (format === undefined || given.length > 1)
    throw new GatewayError('invalid', 'give exactly one of text, base64 and json', {
      field: given[1] ?? 'text',
    });
  if (format === 'base64') return { format, payload: Buffer.from(body.base64!, 'base64') };
  const written = format === 'text' ? body.text! : jsonText(body.json);
  if (LONE_SURROGATE.test(written))
    throw new GatewayError('invalid', `${format}: half of a surrogate pair is no text`, { field: format });
  return { format, payload: Buffer.from(written) };
}

function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value, sameNumber);
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    // Only what was parsed from text comes here, which nothing can be wrong with but its depth.
    throw new GatewayError('invalid', 'json is nested too deeply', { field: 'json' });
  }
}

/** One that has not come through parsing as it was written would arrive as another one. */
function sameNumber(_name: string, value: unknown): unknown {
  if (typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER)
    throw new GatewayError(
      'invalid',
      'json has a number above 2^53 - 1, which would be changed: send it as text',
      {
        field: 'json',
      },
    );
  return value;
}

type HistoryQuery = Parameters<AppContext['history']['list']>[0];

function page(context: AppContext, query: { [Name in keyof HistoryQuery]: HistoryQuery[Name] | undefined }) {
  const { messages, next } = context.history.list(defined({ ...query, limit: query.limit ?? DEFAULT_PAGE }));
  return { messages: messages.map(messageAnswer), next: next ?? null };
}

/** @throws {GatewayError} `not_found` */
function deviceOf(context: AppContext, idOrName: string): string {
  return context.devices.require(idOrName).id;
}

export const messageOperations: readonly Operation[] = [send, listOfDevice, list, get, cancel, outbox, clear];
