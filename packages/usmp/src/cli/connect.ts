/**
 * `usmp connect`: a device on the command line.
 *
 * @module
 */

import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { MAX_MESSAGE, type USMPSession } from '../index.js';
import { addClientOptions, type ClientOptions, type OpenSession, withSession } from './client-session.js';
import { converse } from './conversation.js';
import { EXIT_CODES_HELP, UsageError } from './exit-codes.js';
import { Inbox } from './inbox.js';
import { events } from './json-events.js';
import { readBytes } from './key-file.js';
import { addKeyLogOption } from './key-log-file.js';
import { KEY_HELP } from './key-options.js';
import { show, showInLine } from './message-text.js';
import { collect, numberFrom } from './option-values.js';
import { measureRoundTrip, printStats } from './session-stats.js';
import { URL_HELP } from './url-help.js';

interface ConnectOptions extends ClientOptions {
  readonly send?: readonly string[];
  readonly file?: string;
  readonly interval: number;
  /** False with `--no-reply`. */
  readonly reply: boolean;
  readonly stats?: true;
}

const utf8 = new TextEncoder();

export function addConnect(program: Command): void {
  const command = program
    .command('connect')
    .summary('connect to a server as a device does')
    .description(
      'Sends messages and waits for one reply to each. Without --send and --file the messages are the lines of standard input.',
    )
    .argument('<url>', 'such as tcp://127.0.0.1:9000');
  addKeyLogOption(addClientOptions(command))
    .option('--send <text>', 'message to send; repeatable', collect)
    .option('--file <file>', `send the content of a file as one message, up to ${MAX_MESSAGE} bytes`)
    .option('--interval <ms>', 'wait between messages', numberFrom(0, 'milliseconds'), 0)
    .option('--no-reply', 'wait for no replies')
    .option('--stats', 'in the end print round trip, messages, bytes and losses, on stderr')
    .addHelpText(
      'after',
      `${URL_HELP}
${KEY_HELP}
${EXIT_CODES_HELP}

Example:
  npx usmp connect tcp://127.0.0.1:9000 --psk-file key.txt --send hello`,
    )
    .action(connect);
}

async function connect(url: string, options: ConnectOptions): Promise<void> {
  const messages = messagesOf(options);
  await withSession(url, options, async (open) => {
    try {
      if (messages === undefined && isInteractive(options)) await converse(open, options);
      else await exchange(open, messages, options);
      if (options.stats) await measureRoundTrip(open.session, options.timeout * 1_000);
    } finally {
      if (options.stats) {
        // What is lost on the way is known for all messages only when the session is over.
        await open.session.close();
        printStats(open.session, options);
      }
    }
  });
}

/** The messages that the options give, undefined where standard input does. */
function messagesOf({ send, file }: ConnectOptions): Uint8Array[] | undefined {
  if (send === undefined && file === undefined) return undefined;
  const texts = (send ?? []).map((text) => checkSize(utf8.encode(text), '--send'));
  return file === undefined ? texts : [...texts, checkSize(readBytes(file), file)];
}

function checkSize(message: Uint8Array, where: string): Uint8Array {
  if (message.length <= MAX_MESSAGE) return message;
  throw new UsageError(
    `${where}: ${message.length} bytes, but a message has at most ${MAX_MESSAGE}: send it in parts`,
  );
}

function isInteractive({ json }: ConnectOptions): boolean {
  return process.stdin.isTTY && process.stdout.isTTY && !json;
}

/** Sends one message after the other, each when the reply to the one before is there. */
async function exchange(
  { session, stop }: OpenSession,
  messages: Iterable<Uint8Array> | undefined,
  { json, reply, timeout, interval }: ConnectOptions,
): Promise<void> {
  const inbox = new Inbox(session, (data) => {
    if (json) events.message(session, 'in', data);
    else process.stdout.write(`${process.stdout.isTTY ? showInLine(data) : show(data)}\n`);
  });
  let wait = 0;
  for await (const message of messages ?? linesOfStdin(session, inbox)) {
    if (wait > 0) await delay(wait, undefined, { signal: stop });
    wait = interval;
    await session.send(message);
    if (json) events.message(session, 'out', message);
    if (reply) await inbox.expectReply(timeout * 1_000);
  }
}

/** Ends with standard input. Throws when the session ends first. */
async function* linesOfStdin(session: USMPSession, inbox: Inbox): AsyncGenerator<Uint8Array> {
  const lines = createInterface({ input: process.stdin, terminal: false });
  let complete = false;
  process.stdin.once('end', () => {
    complete = true;
  });
  inbox.ended.then(() => lines.close());
  for await (const line of lines) yield utf8.encode(line);
  if (!complete) throw session.error;
}
