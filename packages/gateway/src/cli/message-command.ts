/**
 * `usmp-gateway message`: the history, and what waits.
 *
 * @module
 */

import { type Command, Option } from 'commander';
import { MESSAGE_STATES } from '../model.js';
import type { MessageFacts, Page } from './answers.js';
import { apiPath } from './api-client.js';
import { gatewayCommand, onGateway, type Work } from './gateway-options.js';
import { bodyLine } from './message-text.js';
import { aboutDevice, DeviceNames } from './named-device.js';
import { idNumber } from './option-values.js';
import { addPageOptions, type PageFlags, readPages } from './pages.js';
import { exactAndRelative, plural, relative, relativeAndExact } from './words.js';

interface ListFlags extends PageFlags {
  readonly direction?: string;
  readonly state?: string;
  readonly search?: string;
  readonly before?: number;
}

interface MessagePage extends Page {
  readonly messages: readonly MessageFacts[];
}

export function addMessage(program: Command): void {
  const message = program
    .command('message')
    .summary('look at messages, cancel those that wait')
    .description('Looks at messages to and from devices, and cancels those that wait.');
  const list = gatewayCommand(message, 'list [device]', 'list messages, the newest first')
    .addOption(new Option('--direction <way>', 'from devices, or to them').choices(['in', 'out']))
    .addOption(new Option('--state <state>', 'only those in this state').choices(MESSAGE_STATES))
    .option('--search <text>', 'part of the message')
    .option('--before <id>', 'only older ones', idNumber);
  onGateway(addPageOptions(list), 'stored', listMessages);

  const show = gatewayCommand(message, 'show', 'show all that is known of a message').argument(
    '<id>',
    '',
    idNumber,
  );
  onGateway(show, 'stored', async ({ api, out }: Work, id: number) => {
    const shown = await api.get<MessageFacts>(apiPath`/messages/${id}`);
    const name = await new DeviceNames(() => api).of(shown.device);
    out.answer(shown, () => out.facts(factsOf(shown, name)));
  });

  const cancel = gatewayCommand(message, 'cancel', 'cancel a message that still waits').argument(
    '<id>',
    '',
    idNumber,
  );
  onGateway(cancel, 'stored', async ({ api, out }: Work, id: number) => {
    const cancelled = await api.delete<MessageFacts>(apiPath`/messages/${id}`);
    out.answer(cancelled, () => `message ${id} is cancelled\n`);
  });
}

async function listMessages({ api, out, flags }: Work<ListFlags>, device?: string): Promise<void> {
  const { direction, state, search, before } = flags;
  const query = { device, direction, state, search, before };
  const read = () => readPages<MessagePage>(api, '/messages', 'messages', flags, query, 'before');
  const page = device === undefined ? await read() : await aboutDevice(api, device, read);
  const names = new DeviceNames(() => api);
  if (!out.json) await names.load(page.messages.map((message) => message.device));
  const rows = await Promise.all(
    page.messages.map(async (message) => [
      String(message.id),
      relative(message.at),
      message.direction === 'in' ? 'from' : 'to',
      await (out.json ? message.device : names.of(message.device)),
      message.state,
      bodyLine(message),
    ]),
  );
  out.answer(page, () => out.table(['ID', 'WHEN', '', 'DEVICE', 'STATE', 'MESSAGE'], rows, 'no messages'));
  if (page.next !== null && !out.json)
    out.notice(`the newest ${rows.length.toLocaleString('en')}: --all lists all`);
}

function factsOf(message: MessageFacts, name: string): [string, string | undefined][] {
  const when = (at: string | null) => (at === null ? undefined : relativeAndExact(at));
  return [
    ['id', String(message.id)],
    [
      message.direction === 'in' ? 'from' : 'to',
      name === message.device ? name : `${name} (${message.device})`,
    ],
    ['state', message.state],
    ['at', when(message.at)],
    ['sent', when(message.sentAt)],
    ['done', when(message.doneAt)],
    [
      'expires',
      message.direction === 'out' && message.doneAt === null && message.expiresAt !== null
        ? exactAndRelative(message.expiresAt)
        : undefined,
    ],
    ['redelivered', message.redeliver ? 'if its session breaks before it is confirmed' : undefined],
    ['session', message.session ?? undefined],
    ['size', plural(message.size, 'byte')],
    ['message', bodyLine(message)],
  ];
}
