/**
 * `usmp-gateway device rotate|drop-old-key|revoke`.
 *
 * @module
 */

import type { Command } from 'commander';
import type { DeviceFacts, KeyedDevice } from './answers.js';
import { apiPath } from './api-client.js';
import { gatewayCommand, onGateway, type Work, withInput } from './gateway-options.js';
import { addKeyOptions, giveKey, type KeyFlags, readKey } from './key-output.js';
import { aboutDevice } from './named-device.js';
import { timeToCome } from './option-values.js';
import { exactAndRelative } from './words.js';

interface RotateFlags extends KeyFlags {
  readonly until?: string;
}

export function addDeviceKeys(device: Command): void {
  const rotate = gatewayCommand(
    device,
    'rotate <device>',
    'give a device a new key; the old one is valid until the new one is used',
  ).option(
    '--until <time>',
    'the old key ends then at the latest: a date, or a duration like 7d',
    timeToCome,
  );
  withInput(addKeyOptions(rotate), 'stored', readKey, (work: Work<RotateFlags>, given, name: string) => {
    const { api, flags } = work;
    return giveKey(
      work,
      given,
      (key) =>
        aboutDevice(api, name, () =>
          api.post<KeyedDevice>(apiPath`/devices/${name}/rotate`, {
            body: { oldUntil: flags.until, ...key },
          }),
        ),
      rotated,
      false,
    );
  });

  const drop = gatewayCommand(device, 'drop-old-key <device>', 'end the old key of a rotation at once');
  onGateway(drop, 'stored', async ({ api, out }: Work, name: string) => {
    const dropped = await aboutDevice(api, name, () =>
      api.delete<DeviceFacts>(apiPath`/devices/${name}/keys/old`),
    );
    out.answer(dropped, () => `${dropped.name} gets in with its new key alone\n`);
  });

  const revoke = gatewayCommand(
    device,
    'revoke <device>',
    'end all keys of a device, and its session; it stays registered',
  );
  onGateway(revoke, 'stored', async ({ api, out }: Work, name: string) => {
    const revoked = await aboutDevice(api, name, () =>
      api.post<DeviceFacts>(apiPath`/devices/${name}/revoke`),
    );
    out.answer(
      revoked,
      () => `${revoked.name} has no key any more, and its session ends: device rotate gives it a new one\n`,
    );
  });
}

function rotated({ name, keys }: DeviceFacts): string {
  const old = keys[1];
  if (old === undefined) return `${name} has a new key.`;
  const end = old.expiresAt === null ? '' : `, and no longer than ${exactAndRelative(old.expiresAt)}`;
  return `${name} has a new key. The old one is valid until the device uses the new one${end}.`;
}
