/**
 * `usmp-gateway device`: add, list, show. What changes a device is in device-changes.ts, its keys in device-keys.ts.
 *
 * @module
 */

import { type Command, Option } from 'commander';
import type { DeviceFacts, KeyedDevice, Page } from './answers.js';
import { addDeviceChanges } from './device-changes.js';
import { addDeviceKeys } from './device-keys.js';
import { addDeviceTables } from './device-tables.js';
import { gatewayCommand, onGateway, type Work, withInput } from './gateway-options.js';
import { addKeyOptions, giveKey, type KeyFlags, readKey } from './key-output.js';
import { findDevice } from './named-device.js';
import { collect } from './option-values.js';
import { addPageOptions, type PageFlags, readPages } from './pages.js';
import { exactAndRelative, oneLine, plural, relative, relativeAndExact } from './words.js';

interface AddFlags extends KeyFlags {
  readonly name?: string;
  readonly id?: string;
  readonly tag?: readonly string[];
  readonly note?: string;
}

interface ListFlags extends PageFlags {
  readonly search?: string;
  readonly tag?: string;
  readonly online?: true;
  readonly disabled?: true;
  readonly sort?: keyof typeof SORTS;
  readonly descending?: true;
}

interface DevicePage extends Page {
  readonly devices: readonly DeviceFacts[];
  readonly total: number;
}

const SORTS = { name: 'name', id: 'id', created: 'createdAt', seen: 'seenAt' } as const;

export function addDevice(program: Command): void {
  const device = program
    .command('device')
    .summary('register devices, list and change them')
    .description('Registers devices, lists and changes them. A device is named by its name or its id.');
  addAdd(device);
  addList(device);
  onGateway(gatewayCommand(device, 'show <device>', 'show all that is known of a device'), 'stored', show);
  addDeviceChanges(device);
  addDeviceKeys(device);
  addDeviceTables(device);
}

function addAdd(device: Command): void {
  const add = gatewayCommand(device, 'add', 'register a device and show its new key, once')
    .option('--name <name>', 'how people call it (default: its id)')
    .option('--id <id>', 'six bytes like aa:bb:cc:dd:ee:ff (default: random)')
    .option('--tag <tag>', 'repeatable', collect)
    .option('--note <text>', 'anything else');
  withInput(addKeyOptions(add), 'adds', readKey, (work: Work<AddFlags>, given) => {
    const { name, id, tag: tags, note } = work.flags;
    return giveKey(
      work,
      given,
      (key) => work.api.post<KeyedDevice>('/devices', { body: { name, id, tags, note, ...key } }),
      (added) => `${added.name} is registered.`,
    );
  });
}

function addList(device: Command): void {
  const list = gatewayCommand(device, 'list', 'list devices')
    .option('--search <text>', 'part of the name, the id, a tag or the note')
    .option('--tag <tag>', 'only those with this tag')
    .option('--online', 'only those with a session')
    .option('--disabled', 'only those that are disabled')
    .addOption(new Option('--sort <by>', 'order (default: name)').choices(Object.keys(SORTS)))
    .option('--descending', 'in reverse');
  onGateway(addPageOptions(list), 'stored', async ({ api, out, flags }: Work<ListFlags>) => {
    const { search, tag, online, disabled, sort, descending } = flags;
    const page = await readPages<DevicePage>(api, '/devices', 'devices', flags, {
      search,
      tag,
      online,
      enabled: disabled ? false : undefined,
      sort: sort && SORTS[sort],
      descending,
    });
    const rows = page.devices.map((each) => [
      each.name,
      each.id,
      stateOf(each),
      relative(each.lastSeenAt),
      each.lastAddress ?? '-',
      each.tags.join(' '),
    ]);
    const isAny = search !== undefined || tag !== undefined || online || disabled;
    const none = isAny ? 'no such devices' : 'no devices yet: usmp-gateway device add --name NAME adds one';
    out.answer(page, () => out.table(['NAME', 'ID', 'STATE', 'SEEN', 'ADDRESS', 'TAGS'], rows, none));
    if (page.next !== null && !out.json)
      out.notice(`${rows.length} of ${plural(page.total, 'device')}: --all lists all`);
  });
}

async function show({ api, out }: Work, name: string): Promise<void> {
  const device = await findDevice(api, name);
  out.answer(device, () => out.facts(factsOf(device)));
}

/** In one word. */
export function stateOf({ enabled, keys, online }: DeviceFacts): string {
  if (!enabled) return 'disabled';
  if (keys.length === 0) return 'no key';
  return online ? 'online' : 'offline';
}

function factsOf(device: DeviceFacts): [string, string | undefined][] {
  const { session, counters, lastAddress, lastTransport } = device;
  const rtt = session?.rtt == null ? '' : `, round trip ${session.rtt.toFixed(1)} ms`;
  return [
    ['name', device.name],
    ['id', device.id],
    ['state', stateOf(device)],
    ['tags', device.tags.join(' ') || undefined],
    ['note', device.note.split('\n').map(oneLine).join('\n') || undefined],
    [
      'session',
      session
        ? `${session.transport} from ${session.peer}, since ${relativeAndExact(session.since)}${rtt}`
        : undefined,
    ],
    ['seen', relativeAndExact(device.lastSeenAt)],
    [
      'address',
      lastAddress === null ? undefined : `${lastAddress}${lastTransport ? ` (${lastTransport})` : ''}`,
    ],
    ['sessions', String(counters.sessions)],
    [
      'messages',
      `${counters.messagesIn} in (${plural(counters.bytesIn, 'byte')}), ${counters.messagesOut} out (${plural(counters.bytesOut, 'byte')})`,
    ],
    ['keys', device.keys.map(keyFacts).join('\n') || 'none: usmp-gateway device rotate gives it one'],
    ['added', relativeAndExact(device.createdAt)],
  ];
}

function keyFacts(
  { fingerprint, createdAt, usedAt, expiresAt }: DeviceFacts['keys'][number],
  index: number,
): string {
  const use = usedAt === null ? 'never used' : `used ${relative(usedAt)}`;
  const end = expiresAt === null ? 'until the new one is used' : `until ${exactAndRelative(expiresAt)}`;
  return `${fingerprint}  made ${relative(createdAt)}, ${use}${index === 1 ? `; old one, valid ${end}` : ''}`;
}
