/** What several routes do with devices. */

import { z } from 'zod';
import type { Device } from '../../model.js';
import type { DeviceWithKey } from '../../registry/devices.js';
import { parseKey } from '../../registry/key-text.js';
import { deviceAnswer } from '../answers.js';
import type { AppContext } from '../context.js';
import { text } from '../schema-kit.js';
import type { DeviceAnswer, KeyedDeviceAnswer } from '../schemas.js';

/** Longest id, name, search or cursor in a URL; what is longer is none. */
export const MAX_TEXT = 300;

/** Which device an operation is about. */
export const DeviceParams = z.strictObject({
  id: text(MAX_TEXT).describe('Id of the device, or its name.'),
});

/** What is answered of a device that was registered now. */
export function announce(
  context: AppContext,
  { device, key }: DeviceWithKey,
  keyWasGiven: boolean,
): z.input<typeof KeyedDeviceAnswer> {
  context.events.append('device-added', device.id, { name: device.name });
  return keyedAnswer(context, { device, key }, keyWasGiven);
}

/** The key only where whoever asks does not have it. */
export function keyedAnswer(
  context: AppContext,
  { device, key }: DeviceWithKey,
  keyWasGiven: boolean,
): z.input<typeof KeyedDeviceAnswer> {
  return { device: answerOf(context, device), key: keyWasGiven ? null : key, urls: [...context.urls()] };
}

/** The bytes of a key that may be in a body. */
export function keyOf(body: { readonly key?: string | undefined }): Uint8Array | undefined {
  return body.key === undefined ? undefined : parseKey(body.key);
}

export function answerOf(context: AppContext, device: Device): z.input<typeof DeviceAnswer> {
  return deviceAnswer(device, context.fleet.session(device.id));
}

type Defined<Values> = { [Name in keyof Values]: Exclude<Values[Name], undefined> };

/** Without what is undefined. */
export function defined<Values extends object>(values: Values): Partial<Defined<Values>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<
    Defined<Values>
  >;
}
