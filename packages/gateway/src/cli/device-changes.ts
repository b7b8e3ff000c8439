/**
 * `usmp-gateway device rename|tag|note|enable|disable|remove`.
 *
 * @module
 */

import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { DeviceFacts } from './answers.js';
import { type ApiClient, apiPath } from './api-client.js';
import { UsageError } from './exit-codes.js';
import { gatewayCommand, onGateway, type Work, withInput } from './gateway-options.js';
import { aboutDevice, findDevice } from './named-device.js';

export function addDeviceChanges(device: Command): void {
  const change = (command: string, summary: string, action: Change) =>
    onGateway(gatewayCommand(device, command, summary), 'stored', action);
  change('rename <device> <name>', 'give a device another name', async ({ api, out }, name, next) => {
    const changed = await patch(api, name, { name: next });
    out.answer(changed, () => `${changed.id} is called ${changed.name} now\n`);
  });
  change('note <device> <text>', 'replace the note of a device', async ({ api, out }, name, note) => {
    const changed = await patch(api, name, { note });
    out.answer(changed, () => `${changed.name} has ${changed.note === '' ? 'no note' : 'a new note'}\n`);
  });
  change('enable <device>', 'let a device in again', async ({ api, out }, name) => {
    const changed = await patch(api, name, { enabled: true });
    out.answer(changed, () => `${changed.name} is enabled\n`);
  });
  change(
    'disable <device>',
    'turn a device away until it is enabled again; its keys stay',
    async ({ api, out }, name) => {
      const changed = await patch(api, name, { enabled: false });
      out.answer(changed, () => `${changed.name} is disabled: its session ends, and it does not get in\n`);
    },
  );
  addTag(device);
  const remove = gatewayCommand(
    device,
    'remove <device>',
    'remove a device, its keys, and what waits for it',
  );
  onGateway(remove.option('--yes', 'do not ask'), 'stored', removeDevice);
}

type Change = (work: Work, device: string, value: string) => Promise<void>;

function patch(api: ApiClient, name: string, body: object): Promise<DeviceFacts> {
  return aboutDevice(api, name, () => api.patch<DeviceFacts>(apiPath`/devices/${name}`, body));
}

function addTag(device: Command): void {
  const tag = gatewayCommand(
    device,
    'tag <device> <changes...>',
    'add tags (+kitchen) and remove some (-hall)',
  )
    // "-hall" is no option here.
    .allowUnknownOption()
    .helpOption('--help', 'display help for command')
    .addHelpText('after', '\nExample:\n  npx usmp-gateway device tag lamp +kitchen -hall');
  withInput(
    tag,
    'stored',
    checkChanges,
    async ({ api, out }: Work, _, name: string, changes: readonly string[]) => {
      const tags = new Set((await findDevice(api, name)).tags);
      for (const change of changes) {
        if (change.startsWith('+')) tags.add(change.slice(1));
        else tags.delete(change.slice(1));
      }
      const changed = await patch(api, name, { tags: [...tags] });
      out.answer(
        changed,
        () =>
          `${changed.name} has ${changed.tags.length === 0 ? 'no tags' : `the tags ${changed.tags.join(' ')}`}\n`,
      );
    },
  );
}

function checkChanges(_flags: object, _out: unknown, _name: string, changes: readonly string[]): void {
  for (const change of changes)
    if (!/^(\+|-(?!-)).+/.test(change))
      throw new UsageError(`${change}: write +TAG to add a tag, -TAG to remove it`);
}

async function removeDevice({ api, out, flags }: Work<{ readonly yes?: true }>, name: string): Promise<void> {
  const device = await findDevice(api, name);
  if (!flags.yes && !(await isSure(device))) {
    out.answer({ removed: false }, () => 'nothing is removed\n');
    return;
  }
  await api.delete(apiPath`/devices/${device.id}`);
  out.answer({ removed: true }, () => `${device.name} is removed\n`);
}

async function isSure({ name, id }: DeviceFacts): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new UsageError(`to remove ${name} for good give --yes: there is no terminal to ask at`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const label = name === id ? id : `${name} (${id})`;
  const answer = await terminal.question(`Remove ${label}, its keys, and what waits for it? [y/N] `);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}
