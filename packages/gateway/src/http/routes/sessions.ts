/** Sessions that are open now. */

import { z } from 'zod';
import { GatewayError } from '../../errors.js';
import { sessionAnswer } from '../answers.js';
import type { AppContext } from '../context.js';
import { type Operation, operation } from '../operation.js';
import { DEFAULT_PAGE, limit, named, text } from '../schema-kit.js';
import { SessionAnswer } from '../schemas.js';
import { MAX_TEXT } from './device-parts.js';

const SessionParams = z.strictObject({
  deviceId: text(MAX_TEXT).describe('Id of the device, or its name.'),
});

const SessionList = named(
  'SessionList',
  'A page of sessions, by device id.',
  z.strictObject({
    sessions: z.array(SessionAnswer),
    next: z.string().nullable().describe('`after` of the next page; null when there is none.'),
    total: z.number().int().min(0),
  }),
);

const list = operation({
  id: 'listSessions',
  method: 'GET',
  path: '/api/v1/sessions',
  tag: 'sessions',
  summary: 'Open sessions',
  access: 'read',
  query: z.strictObject({ after: text(MAX_TEXT).optional().describe('`next` of the page before.'), limit }),
  answers: { 200: { description: 'A page of them.', schema: SessionList } },
  handle({ context, query: { after = '', limit: size = DEFAULT_PAGE } }) {
    const sessions = [...context.fleet.sessions()].sort((a, b) => (a.deviceId < b.deviceId ? -1 : 1));
    const rest = sessions.filter(({ deviceId }) => deviceId > after);
    const page = rest.slice(0, size);
    return {
      sessions: page.map(sessionAnswer),
      next: rest.length > size ? page.at(-1)!.deviceId : null,
      total: sessions.length,
    };
  },
});

const end = operation({
  id: 'endSession',
  method: 'DELETE',
  path: '/api/v1/sessions/{deviceId}',
  tag: 'sessions',
  summary: 'End the session of a device',
  description: 'It may come back at once: disable the device, or revoke its keys, to keep it out.',
  access: 'admin',
  params: SessionParams,
  answers: { 204: { description: 'It is ending.' } },
  errors: ['not_found'],
  handle({ context, params, reply }) {
    context.fleet.disconnect(onlineDevice(context, params.deviceId));
    reply.code(204);
  },
});

const ping = operation({
  id: 'pingDevice',
  method: 'POST',
  path: '/api/v1/sessions/{deviceId}/ping',
  tag: 'sessions',
  summary: 'Measure the round trip to a device',
  access: 'send',
  params: SessionParams,
  answers: {
    200: {
      description: 'Milliseconds.',
      schema: named('RoundTrip', 'Milliseconds.', z.strictObject({ rtt: z.number().min(0) })),
    },
  },
  errors: ['not_found', 'unavailable'],
  async handle({ context, params }) {
    const id = onlineDevice(context, params.deviceId);
    try {
      return { rtt: await context.fleet.ping(id) };
    } catch (error) {
      if (error instanceof GatewayError) throw error;
      throw new GatewayError('unavailable', 'the device did not answer', { cause: error });
    }
  },
});

function onlineDevice(context: AppContext, idOrName: string): string {
  const { id, name } = context.devices.require(idOrName);
  if (context.fleet.isOnline(id)) return id;
  throw new GatewayError('not_found', `${name} has no session at present`);
}

export const sessionOperations: readonly Operation[] = [list, end, ping];
