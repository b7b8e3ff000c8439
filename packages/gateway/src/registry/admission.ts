/**
 * Lets an unknown device in that was refused.
 *
 * @module
 */

import { GatewayError } from '../errors.js';
import type { Storage } from '../storage/storage.js';
import type { Devices, DeviceWithKey, NewDevice } from './devices.js';
import type { RefusedList } from './refused.js';

/**
 * Makes a registered device of an entry of the list of refused ones, and removes what the list has of it.
 *
 * @param facts `key` is the one that the device has; without it a new one is made, which the device has to be given
 * @throws {GatewayError} `not_found`: no such entry; `invalid`; `conflict`: the id or the name is taken
 */
export function admitRefused(
  storage: Storage,
  devices: Devices,
  refused: RefusedList,
  entryId: number,
  facts: Omit<NewDevice, 'id'> = {},
): DeviceWithKey {
  return storage.transaction(() => {
    const entry = refused.get(entryId);
    if (entry === undefined)
      throw new GatewayError('not_found', `there is no refused device with the number ${entryId}`);
    const { deviceId } = entry;
    if (deviceId === undefined)
      throw new GatewayError('invalid', 'whoever was refused here did not say which device it is');
    const admitted = devices.add({ ...facts, id: deviceId });
    refused.forget(deviceId);
    return admitted;
  });
}
