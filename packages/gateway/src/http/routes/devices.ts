/** Registered devices. What their keys are about is in device-keys.ts. */

import { z } from 'zod';
import type { DevicePatch, DeviceQuery } from '../../registry/devices.js';
import type { AppContext } from '../context.js';
import { type Operation, operation } from '../operation.js';
import { flag, limit, named, text } from '../schema-kit.js';
import { DeviceAnswer, DevicePatchBody, KeyedDeviceAnswer, NewDeviceBody } from '../schemas.js';
import { announce, answerOf, DeviceParams, defined, keyOf, MAX_TEXT } from './device-parts.js';

const SORTS = ['name', 'id', 'createdAt', 'seenAt'] as const;
const STATES = ['online', 'offline', 'refused', 'disabled'] as const;

type DeviceFilter = Pick<DeviceQuery, 'enabled' | 'ids' | 'exceptIds'>;

const DeviceList = named(
  'DeviceList',
  'A page of devices.',
  z.strictObject({
    devices: z.array(DeviceAnswer),
    next: z.string().nullable().describe('`after` of the next page; null when there is none.'),
    total: z.number().int().min(0).describe('How many there are on all pages.'),
  }),
);

const ImportAnswer = named(
  'ImportResult',
  'What an import has done.',
  z.strictObject({ added: z.number().int().min(0), updated: z.number().int().min(0) }),
);

const list = operation({
  id: 'listDevices',
  method: 'GET',
  path: '/api/v1/devices',
  tag: 'devices',
  summary: 'Registered devices',
  access: 'read',
  query: z.strictObject({
    search: text(MAX_TEXT).optional().describe('Part of the id, the name or the note.'),
    tag: text(MAX_TEXT).optional(),
    enabled: flag.optional(),
    online: z.literal('true').optional().describe('Only those with a session.'),
    state: z
      .enum(STATES)
      .optional()
      .describe(
        '`refused`: without a session, and in the list of refused ones; `offline` has those as well.',
      ),
    sort: z.enum(SORTS).optional().describe('`name` by default.'),
    descending: flag.optional(),
    after: text(MAX_TEXT).optional().describe('`next` of the page before.'),
    limit,
  }),
  answers: { 200: { description: 'A page of them.', schema: DeviceList } },
  handle({ context, query: { online, state, ...query } }) {
    const page = context.devices.list(defined({ ...query, ...filterOf(context, online ? 'online' : state) }));
    return {
      devices: page.devices.map((device) => answerOf(context, device)),
      next: page.next ?? null,
      total: page.total,
    };
  },
});

/** What only the sessions know, as ids. */
function filterOf(context: AppContext, state: (typeof STATES)[number] | undefined): DeviceFilter {
  if (state === undefined) return {};
  if (state === 'disabled') return { enabled: false };
  const online = context.fleet.sessions().map(({ deviceId }) => deviceId);
  if (state === 'online') return { ids: online };
  if (state === 'offline') return { exceptIds: online };
  return { ids: context.refused.deviceIds(), exceptIds: online };
}

const add = operation({
  id: 'addDevice',
  method: 'POST',
  path: '/api/v1/devices',
  tag: 'devices',
  summary: 'Register a device',
  access: 'admin',
  body: NewDeviceBody,
  answers: { 201: { description: 'The device, and its new key this once.', schema: KeyedDeviceAnswer } },
  errors: ['conflict', 'unavailable', 'storage_full'],
  handle({ context, body }) {
    const added = context.devices.add(defined({ ...body, key: keyOf(body) }));
    return announce(context, added, body.key !== undefined);
  },
});

const get = operation({
  id: 'getDevice',
  method: 'GET',
  path: '/api/v1/devices/{id}',
  tag: 'devices',
  summary: 'One device',
  access: 'read',
  params: DeviceParams,
  answers: { 200: { description: 'The device.', schema: DeviceAnswer } },
  errors: ['not_found'],
  handle: ({ context, params }) => answerOf(context, context.devices.require(params.id)),
});

const update = operation({
  id: 'updateDevice',
  method: 'PATCH',
  path: '/api/v1/devices/{id}',
  tag: 'devices',
  summary: 'Rename, tag, annotate, enable or disable a device',
  description: 'Disabling ends its session within a second.',
  access: 'admin',
  params: DeviceParams,
  body: DevicePatchBody,
  answers: { 200: { description: 'The device as it is now.', schema: DeviceAnswer } },
  errors: ['not_found', 'conflict', 'unavailable', 'storage_full'],
  handle({ context, params, body }) {
    const { id } = context.devices.require(params.id);
    const patch: DevicePatch = defined(body);
    const device = context.devices.update(id, patch);
    context.events.append('device-changed', id, { changed: Object.keys(patch), name: device.name });
    if (patch.enabled === false) context.fleet.enforce(id);
    return answerOf(context, device);
  },
});

const remove = operation({
  id: 'removeDevice',
  method: 'DELETE',
  path: '/api/v1/devices/{id}',
  tag: 'devices',
  summary: 'Remove a device, its keys, and what waits for it',
  access: 'admin',
  params: DeviceParams,
  answers: { 204: { description: 'It is gone; its session ends within a second.' } },
  errors: ['not_found', 'unavailable', 'storage_full'],
  async handle({ context, params, reply }) {
    const { id, name } = context.devices.require(params.id);
    // Before, so that nothing waits for a device that is added again under this id after a crash.
    await context.outbox.clear(id);
    context.devices.remove(id);
    context.events.append('device-removed', id, { name });
    context.fleet.enforce(id);
    // What came in between.
    context.outbox.refuseAll(id);
    reply.code(204);
  },
});

const exported = operation({
  id: 'exportDevices',
  method: 'GET',
  path: '/api/v1/devices/export',
  tag: 'devices',
  summary: 'All devices as CSV',
  description: 'With `keys=true` it has all keys in clear text.',
  access: 'admin',
  query: z.strictObject({ keys: flag.optional() }),
  answers: { 200: { description: 'CSV with a header line.', schema: z.string(), type: 'text/csv' } },
  handle({ context, query, request, caller, reply }) {
    const keys = query.keys === true;
    if (keys) request.log.warn({ caller: caller!.name, address: request.ip }, 'all keys are exported');
    reply.type('text/csv; charset=utf-8');
    reply.header('content-disposition', 'attachment; filename="devices.csv"');
    return context.devices.exportCsv({ keys });
  },
});

const imported = operation({
  id: 'importDevices',
  method: 'POST',
  path: '/api/v1/devices/import',
  tag: 'devices',
  summary: 'Add and change devices from CSV, all or none',
  access: 'admin',
  body: z.string(),
  bodyType: 'text/csv',
  answers: { 200: { description: 'How many lines have done what.', schema: ImportAnswer } },
  errors: ['unavailable', 'storage_full'],
  handle({ context, body }) {
    const result = context.devices.importCsv(body);
    context.events.append('device-changed', undefined, { imported: result });
    // Some may have been disabled, or have other keys.
    for (const { deviceId } of context.fleet.sessions()) context.fleet.enforce(deviceId);
    return { added: result.added, updated: result.updated };
  },
});

export const deviceOperations: readonly Operation[] = [list, add, imported, exported, get, update, remove];
