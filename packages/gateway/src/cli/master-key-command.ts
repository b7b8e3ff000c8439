/**
 * `usmp-gateway master-key`: the key that seals the keys of devices.
 *
 * @module
 */

import type { Command } from 'commander';
import { LocalError } from './exit-codes.js';
import { gatewayCommand, onGateway, type Work } from './gateway-options.js';
import { plural } from './words.js';

export function addMasterKey(program: Command): void {
  const masterKey = program
    .command('master-key')
    .summary('change the key that seals the keys of devices')
    .description('Changes the key that seals the keys of devices in the database.');
  const rotate = gatewayCommand(
    masterKey,
    'rotate',
    'seal all keys of devices under a new master key',
  ).addHelpText(
    'after',
    `
The gateway must be stopped. Devices notice nothing: their own keys stay. A master key in the
environment (USMP_GATEWAY_MASTER_KEY) is replaced by the one in USMP_GATEWAY_MASTER_KEY_NEW.`,
  );
  onGateway(rotate, 'stored', async ({ api, out }: Work) => {
    if (api.place === 'elsewhere')
      throw new LocalError('the master key is rotated on the machine of the gateway, while that is stopped');
    if (api.rotateMasterKey === undefined)
      throw new LocalError(`${api.name} runs: stop it, rotate the master key, and start it again`);
    const { keys, remaining } = api.rotateMasterKey();
    out.answer(
      { keys, remaining: remaining ?? null },
      () =>
        `${plural(keys, 'key')} of devices sealed under the new master key\n${remaining === undefined ? '' : `Now ${remaining}.\n`}`,
    );
  });
}
