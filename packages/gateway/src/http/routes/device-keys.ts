/** Keys of devices: a new one, the end of the old one, the end of all. */

import { GatewayError } from '../../errors.js';
import { type Operation, operation } from '../operation.js';
import { DeviceAnswer, KeyedDeviceAnswer, RotationBody } from '../schemas.js';
import { answerOf, DeviceParams, defined, keyedAnswer, keyOf } from './device-parts.js';

const rotate = operation({
  id: 'rotateKey',
  method: 'POST',
  path: '/api/v1/devices/{id}/rotate',
  tag: 'keys',
  summary: 'Give a device a new key',
  description:
    'The new key is valid at once. The old one stays valid until the device has used the new one, or until `oldUntil`; a session under it goes on.',
  access: 'admin',
  params: DeviceParams,
  body: RotationBody.optional(),
  answers: { 200: { description: 'The device, and its new key this once.', schema: KeyedDeviceAnswer } },
  errors: ['not_found', 'unavailable', 'storage_full'],
  handle({ context, params, body }) {
    const { id } = context.devices.require(params.id);
    const key = body === undefined ? undefined : keyOf(body);
    const oldUntil = body?.oldUntil === undefined ? undefined : Date.parse(body.oldUntil);
    if (oldUntil !== undefined && oldUntil <= Date.now())
      throw new GatewayError('invalid', 'oldUntil must be a time to come', { field: 'oldUntil' });
    const rotated = context.devices.rotate(id, defined({ key, oldUntil }));
    context.events.append('key-rotated', id, {
      done: false,
      fingerprint: rotated.device.keys[0]?.fingerprint ?? null,
      oldUntil: body?.oldUntil ?? null,
    });
    // A session under a key before the old one ends now.
    context.fleet.enforce(id);
    return keyedAnswer(context, rotated, key !== undefined);
  },
});

const dropOld = operation({
  id: 'dropOldKey',
  method: 'DELETE',
  path: '/api/v1/devices/{id}/keys/old',
  tag: 'keys',
  summary: 'End the old key of a rotation at once',
  description: 'A session under it ends within a second.',
  access: 'admin',
  params: DeviceParams,
  answers: { 200: { description: 'The device as it is now.', schema: DeviceAnswer } },
  errors: ['not_found', 'unavailable', 'storage_full'],
  handle({ context, params }) {
    const { id, keys } = context.devices.require(params.id);
    const device = context.devices.dropOldKey(id);
    if (device.keys.length < keys.length) context.events.append('key-revoked', id, { old: true });
    context.fleet.enforce(id);
    return answerOf(context, device);
  },
});

const revoke = operation({
  id: 'revokeKeys',
  method: 'POST',
  path: '/api/v1/devices/{id}/revoke',
  tag: 'keys',
  summary: 'End all keys of a device',
  description: 'Its session ends within a second. It stays registered; `rotate` gives it a new key.',
  access: 'admin',
  params: DeviceParams,
  answers: { 200: { description: 'The device as it is now.', schema: DeviceAnswer } },
  errors: ['not_found', 'unavailable', 'storage_full'],
  handle({ context, params }) {
    const { id } = context.devices.require(params.id);
    const device = context.devices.revoke(id);
    context.events.append('key-revoked', id, { old: false });
    context.fleet.enforce(id);
    return answerOf(context, device);
  },
});

export const keyOperations: readonly Operation[] = [rotate, dropOld, revoke];
