/** Devices that were turned away. */

import { z } from 'zod';
import { GatewayError } from '../../errors.js';
import { refusedAnswer } from '../answers.js';
import { type Operation, operation } from '../operation.js';
import { DEFAULT_PAGE, integer, limit, MAX_ID, named, text } from '../schema-kit.js';
import { AdmissionBody, KeyedDeviceAnswer, RefusedAnswer } from '../schemas.js';
import { announce, defined, keyOf, MAX_TEXT } from './device-parts.js';

const EntryParams = z.strictObject({ id: integer(1, MAX_ID) });

const list = operation({
  id: 'listRefused',
  method: 'GET',
  path: '/api/v1/refused',
  tag: 'refused',
  summary: 'Who was turned away and why, the latest first',
  access: 'read',
  query: z.strictObject({ after: text(MAX_TEXT).optional().describe('`next` of the page before.'), limit }),
  answers: {
    200: {
      description: 'A page of them.',
      schema: named(
        'RefusedList',
        'A page of refused devices.',
        z.strictObject({
          refused: z.array(RefusedAnswer),
          next: z.string().nullable().describe('`after` of the next page; null when there is none.'),
          total: z.number().int().min(0),
        }),
      ),
    },
  },
  handle({ context, query: { after, limit: size = DEFAULT_PAGE } }) {
    const page = context.refused.list(after === undefined ? { limit: size } : { after, limit: size });
    return { refused: page.entries.map(refusedAnswer), next: page.next ?? null, total: page.total };
  },
});

const admit = operation({
  id: 'admitRefused',
  method: 'POST',
  path: '/api/v1/refused/{id}/admit',
  tag: 'refused',
  summary: 'Register a device that was turned away as unknown',
  access: 'admin',
  params: EntryParams,
  body: AdmissionBody.optional(),
  answers: { 201: { description: 'The device, and its new key this once.', schema: KeyedDeviceAnswer } },
  errors: ['not_found', 'conflict', 'unavailable', 'storage_full'],
  handle({ context, params, body = {} }) {
    const admitted = context.admit(params.id, defined({ ...body, key: keyOf(body) }));
    return announce(context, admitted, body.key !== undefined);
  },
});

const remove = operation({
  id: 'removeRefused',
  method: 'DELETE',
  path: '/api/v1/refused/{id}',
  tag: 'refused',
  summary: 'Forget one of them',
  access: 'admin',
  params: EntryParams,
  answers: { 204: { description: 'It is forgotten.' } },
  errors: ['not_found', 'unavailable', 'storage_full'],
  handle({ context, params, reply }) {
    if (!context.refused.remove(params.id))
      throw new GatewayError('not_found', `there is no refused device with the number ${params.id}`);
    reply.code(204);
  },
});

const clear = operation({
  id: 'clearRefused',
  method: 'DELETE',
  path: '/api/v1/refused',
  tag: 'refused',
  summary: 'Forget all of them',
  access: 'admin',
  answers: { 204: { description: 'They are forgotten.' } },
  errors: ['unavailable', 'storage_full'],
  handle({ context, reply }) {
    context.refused.clear();
    reply.code(204);
  },
});

export const refusedOperations: readonly Operation[] = [list, admit, remove, clear];
