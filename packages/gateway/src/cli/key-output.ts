/**
 * Commands after which a device has another key: where the key comes from, and how it is shown, once.
 *
 * @module
 */

import { type Command, Option } from 'commander';
import { connectLine, keyAsArduino, keyAsNvsCsv, keyAsQR } from '../registry/key-formats.js';
import { parseKey } from '../registry/key-text.js';
import type { DeviceFacts, KeyedDevice } from './answers.js';
import { LocalError, UsageError } from './exit-codes.js';
import { sameGateway, type Work } from './gateway-options.js';
import type { Output } from './output.js';
import { exposureOf, readSecretFile, readSecretFromStdin, SecretFile } from './secret-file.js';
import { facts } from './table.js';
import { quoted } from './words.js';

const FORMATS = ['text', 'qr', 'arduino', 'esp-idf', 'all'] as const;
type KeyFormat = (typeof FORMATS)[number];

export interface KeyFlags {
  readonly keyFile?: string;
  readonly keyStdin?: true;
  readonly format?: KeyFormat;
  readonly out?: string;
}

/** A device, the key it has now, and what the command was told about the key. */
interface Issued {
  readonly device: DeviceFacts;
  readonly key: string;
  /** Made by the gateway, and not given. */
  readonly isNew: boolean;
  readonly urls: readonly string[];
}

export function addKeyOptions(command: Command): Command {
  return command
    .addOption(new Option('--key-file <file>', 'file with the key that the device has').conflicts('keyStdin'))
    .option('--key-stdin', 'the same from standard input')
    .addOption(new Option('--format <format>', 'how to show the key (default: text)').choices(FORMATS))
    .option('--out <file>', 'write the key, in that format, to a new file that only you can read');
}

/**
 * The key that was given; undefined where the gateway is to make one.
 *
 * @throws {UsageError}, {GatewayError} `invalid`
 */
export async function readKey(flags: KeyFlags, out: Output): Promise<string | undefined> {
  const { keyFile, keyStdin, format } = flags;
  if (out.json && format !== undefined && flags.out === undefined)
    throw new UsageError('--format is for people, --json for programs: leave one out, or give --out FILE');
  if (keyStdin) return checked(await readSecretFromStdin(), 'standard input');
  if (keyFile === undefined) return undefined;
  const key = checked(readSecretFile(keyFile), keyFile);
  const exposure = exposureOf(keyFile);
  if (exposure !== undefined) out.notice(`warning: ${exposure}`);
  return key;
}

/**
 * Has a device given a key, and shows what came of it.
 *
 * @param given what `readKey` has read
 * @param ask sends the request, with the key where one was given
 * @param told what has happened, for people
 * @param isFirst whether it is a device that nobody has used so far
 */
export async function giveKey(
  work: Work<KeyFlags>,
  given: string | undefined,
  ask: (body: { readonly key?: string }) => Promise<KeyedDevice>,
  told: (device: DeviceFacts) => string,
  isFirst = true,
): Promise<void> {
  const { flags, out } = work;
  const file = flags.out === undefined ? undefined : new SecretFile(flags.out);
  let answer: KeyedDevice;
  try {
    answer = await ask(given === undefined ? {} : { key: given });
  } catch (error) {
    file?.discard();
    throw error;
  }
  const { device, key, urls } = answer;
  const issued: Issued = { device, urls, key: key ?? given!, isNew: key !== null };
  if (file !== undefined) writeKey(file, issued, flags.format);
  out.answer(file === undefined ? answer : { ...answer, key: null, file: file.path }, () =>
    textOf(issued, work, told(device), isFirst),
  );
}

/** The gateway checks it, too; but only here is it known where the key stands. */
function checked(key: string, where: string): string {
  parseKey(key, where);
  return key;
}

function writeKey(file: SecretFile, issued: Issued, format: KeyFormat = 'text'): void {
  try {
    file.write(format === 'text' ? `${issued.key}\n` : formatted(issued, format));
  } catch (error) {
    if (!issued.isNew) throw error;
    throw new LocalError(
      `${(error as Error).message}; the new key of ${issued.device.name} is lost: rotate it again`,
    );
  }
}

function textOf(issued: Issued, { flags, api }: Work<KeyFlags>, told: string, isFirst: boolean): string {
  const { device } = issued;
  const format = flags.format ?? 'text';
  const toFile = flags.out !== undefined;
  // Fit to be written to a file by the shell.
  if (!toFile && (format === 'arduino' || format === 'esp-idf')) return formatted(issued, format);
  const summary = facts(
    [
      ['id', device.id],
      ['name', device.name],
      ['tags', device.tags.length > 0 ? device.tags.join(' ') : undefined],
      ['key', keyLine(issued, flags)],
    ],
    '  ',
  );
  const parts = [`${told}\n\n${summary}`];
  if (!toFile && (format === 'qr' || format === 'all'))
    parts.push(`As a QR code:\n\n${keyAsQR(issued.key)}\n`);
  if (!toFile && format === 'all') {
    parts.push(`For the Arduino library:\n\n${formatted(issued, 'arduino')}`);
    parts.push(`For ESP-IDF, an NVS partition:\n\n${formatted(issued, 'esp-idf')}`);
  }
  const connect = connectCommand(issued, flags);
  if (connect !== undefined) parts.push(`Connect a simulated device:\n\n  ${connect}\n`);
  if (isFirst) parts.push(`Send it a message:\n\n${sendCommands(device, api.url, sameGateway(flags))}`);
  if (api.place === 'stopped')
    parts.push(`The gateway is stopped. Start it:\n\n  npx usmp-gateway start${sameGateway(flags)}\n`);
  return parts.join('\n');
}

function keyLine({ key, isNew }: Issued, { out }: KeyFlags): string {
  if (out !== undefined) return `in ${out}`;
  return isNew ? `${key}\nshown this once: put it into the device` : 'as given';
}

function formatted({ device, key, urls }: Issued, format: KeyFormat): string {
  switch (format) {
    case 'text':
      return `${key}\n`;
    case 'qr':
      return `${keyAsQR(key)}\n`;
    case 'arduino':
      return keyAsArduino(device, key, urls);
    case 'esp-idf':
      return keyAsNvsCsv(parseKey(key));
    case 'all':
      return ['text', 'qr', 'arduino', 'esp-idf']
        .map((name) => formatted({ device, key, urls, isNew: true }, name as KeyFormat))
        .join('\n');
  }
}

/** Undefined where the key would have to be repeated that was not to be seen. */
function connectCommand({ device, key, urls, isNew }: Issued, flags: KeyFlags): string | undefined {
  const keyFile =
    flags.keyFile ?? (flags.format === undefined || flags.format === 'text' ? flags.out : undefined);
  if (keyFile === undefined)
    return isNew && flags.out === undefined ? connectLine(device, key, urls) : undefined;
  const [, command] = /^USMP_PSK=\S+ (.*)$/.exec(connectLine(device, 'x', urls)) ?? [];
  return `${command} --psk-file ${quoted(keyFile)}`;
}

/** Complete, so that they can be pasted. */
function sendCommands(device: DeviceFacts, url: string, options: string): string {
  const name = /^[\w.-]+$/.test(device.name) ? device.name : device.id;
  return `  TOKEN=$(npx usmp-gateway token add --name me --role send --quiet${options})
  curl -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"text":"hello"}' ${quoted(`${url}/api/v1/devices/${name}/messages`)}
`;
}
