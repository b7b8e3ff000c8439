/**
 * `usmp-gateway device export|import`: all devices as CSV.
 *
 * @module
 */

import type { Command } from 'commander';
import { UsageError } from './exit-codes.js';
import { gatewayCommand, onGateway, type Work, withInput } from './gateway-options.js';
import { readInput, readStdin, SecretFile } from './secret-file.js';
import { plural } from './words.js';

interface ExportFlags {
  readonly keys?: true;
  readonly out?: string;
}

/** @param parent `device`, and the program itself, where they are looked for as well */
export function addDeviceTables(parent: Command): void {
  const exported = gatewayCommand(parent, 'export', 'print all devices as CSV')
    .option('--keys', 'with their keys, in clear text')
    .option('--out <file>', 'write them to a new file that only you can read');
  onGateway(exported, 'stored', exportDevices);
  const imported = gatewayCommand(
    parent,
    'import <file>',
    'add and change devices from CSV, all or none; - for standard input',
  ).addHelpText(
    'after',
    `
The first line names the columns: id, name, note, tags, enabled, key; id or name is enough.
Tags are separated by spaces. device export writes the same format.`,
  );
  withInput(imported, 'adds', readTable, importDevices);
}

async function exportDevices({ api, out, flags }: Work<ExportFlags>): Promise<void> {
  const file = flags.out === undefined ? undefined : new SecretFile(flags.out);
  let csv: string;
  try {
    csv = await api.text('/devices/export', { keys: flags.keys });
  } catch (error) {
    file?.discard();
    throw error;
  }
  file?.write(csv);
  if (file === undefined) out.answer({ csv }, () => csv);
  else out.answer({ file: file.path }, () => `wrote ${file.path}\n`);
}

/** @throws {UsageError} */
async function readTable(_flags: object, _out: unknown, file: string): Promise<string> {
  const bytes = file === '-' ? await readStdin() : readInput(file);
  try {
    // With the mark that spreadsheets put at the start: what reads the table knows it.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UsageError(`${file === '-' ? 'standard input' : file} is not UTF-8: save it as that`);
  }
}

async function importDevices({ api, out }: Work, csv: string): Promise<void> {
  const result = await api.post<{ added: number; updated: number }>('/devices/import', { csv });
  out.answer(
    result,
    () => `${plural(result.added, 'device')} added, ${result.updated.toLocaleString('en')} changed\n`,
  );
}
