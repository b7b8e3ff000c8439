/**
 * `usmp-gateway refused`: who was turned away.
 *
 * @module
 */

import type { Command } from 'commander';
import type { KeyedDevice, Page, RefusedFacts } from './answers.js';
import { apiPath } from './api-client.js';
import { gatewayCommand, onGateway, type Work, withInput } from './gateway-options.js';
import { addKeyOptions, giveKey, type KeyFlags, readKey } from './key-output.js';
import { idNumber } from './option-values.js';
import { addPageOptions, type PageFlags, readPages } from './pages.js';
import { oneLine, relative } from './words.js';

interface RefusedPage extends Page {
  readonly refused: readonly RefusedFacts[];
  readonly total: number;
}

interface AdmitFlags extends KeyFlags {
  readonly name?: string;
}

export function addRefused(program: Command): void {
  const refused = program
    .command('refused')
    .summary('see who was turned away and why, let devices in')
    .description('Shows who was turned away and why, and lets unknown devices in.');
  onGateway(
    addPageOptions(gatewayCommand(refused, 'list', 'list who was turned away, the latest first')),
    'stored',
    list,
  );

  const admit = gatewayCommand(refused, 'admit', 'register a device that was turned away as unknown')
    .argument('<id>', 'number in refused list', idNumber)
    .option('--name <name>', 'how people call it (default: its id)');
  withInput(addKeyOptions(admit), 'stored', readKey, (work: Work<AdmitFlags>, given, id: number) => {
    const { name } = work.flags;
    const ask = (key: object) =>
      work.api.post<KeyedDevice>(apiPath`/refused/${id}/admit`, { body: { name, ...key } });
    return giveKey(work, given, ask, (device) => `${device.name} is registered.`);
  });

  const remove = gatewayCommand(refused, 'remove', 'forget one of them').argument(
    '<id>',
    'number in the list',
    idNumber,
  );
  onGateway(remove, 'stored', async ({ api, out }: Work, id: number) => {
    await api.delete(apiPath`/refused/${id}`);
    out.answer({ removed: true }, () => `${id} is forgotten\n`);
  });

  onGateway(gatewayCommand(refused, 'clear', 'forget all of them'), 'stored', async ({ api, out }: Work) => {
    await api.delete('/refused');
    out.answer({ removed: true }, () => 'the list is empty\n');
  });
}

async function list({ api, out, flags }: Work<PageFlags>): Promise<void> {
  const page = await readPages<RefusedPage>(api, '/refused', 'refused', flags);
  const rows = page.refused.map((entry) => [
    String(entry.id),
    relative(entry.lastAt),
    String(entry.count),
    entry.device ?? '-',
    `${entry.transport} ${oneLine(entry.address)}`,
    entry.reason,
    oneLine(entry.message),
  ]);
  const heads = ['ID', 'LAST', 'TIMES', 'DEVICE', 'FROM', 'REASON', 'WHAT HAPPENED'];
  out.answer(page, () => out.table(heads, rows, 'nobody was turned away'));
  if (page.next !== null && !out.json)
    out.notice(
      `${rows.length} of ${page.total.toLocaleString('en')} ${page.total === 1 ? 'entry' : 'entries'}: --all lists all`,
    );
}
