/**
 * `usmp serve`: a server for trying out, echoing, and talking to devices by hand.
 *
 * @module
 */

import { type Command, Option } from 'commander';
import { type Logger, type PSK, TransportError, USMPServer, type USMPSession } from '../index.js';
import { LocalError } from './exit-codes.js';
import { events } from './json-events.js';
import { exposureOf } from './key-file.js';
import { addKeyLogOption, type KeyLogOptions, keyLogOf } from './key-log-file.js';
import { addKeyOptions, KEY_HELP, type KeyOptions, resolveKey } from './key-options.js';
import { readKeys, watchKeys } from './keys-file.js';
import { LOG_LEVELS, type LogLevel, makeLog } from './log.js';
import { showInLine } from './message-text.js';
import { collect } from './option-values.js';
import { aborted, stopSignal } from './stop-signal.js';
import { openSwitchboard } from './switchboard.js';
import { URL_HELP } from './url-help.js';

interface ServeOptions extends KeyOptions, KeyLogOptions {
  readonly listen?: readonly string[];
  readonly keys?: string;
  readonly echo?: true;
  readonly json?: true;
  readonly logLevel: LogLevel;
}

const DEFAULT_LISTEN = 'tcp://0.0.0.0:9000';

export function addServe(program: Command): void {
  const command = program
    .command('serve')
    .summary('accept devices')
    .description(
      'Accepts devices and prints what they send. What is typed goes to all of them, or to one as "@ID text".',
    )
    .option(
      '--listen <url>',
      `where to listen, such as tcp://HOST:PORT; repeatable (default: "${DEFAULT_LISTEN}")`,
      collect,
    );
  addKeyLogOption(addKeyOptions(command))
    .option('--keys <file>', 'JSON object of device id to key or [new, old], "*" for all others')
    .option('--echo', 'send every message back instead of printing it')
    .option('--json', 'print events as JSON, one a line')
    .addOption(new Option('--log-level <level>', 'what to log on stderr').choices(LOG_LEVELS).default('info'))
    .addHelpText(
      'after',
      `${KEY_HELP}
The file of --keys is read again on SIGHUP and when it changes; a key that is gone ends its sessions.
SIGTERM and Ctrl-C say BYE to all devices; a second one ends at once.
${URL_HELP}
  wss:// is for clients: a program can attach its server to an HTTPS server

Example:
  npx usmp serve --listen tcp://0.0.0.0:9000 --psk-file key.txt --echo`,
    )
    .action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  const stop = stopSignal();
  const log = makeLog(options.logLevel);
  const server = new USMPServer({
    listen: options.listen ?? DEFAULT_LISTEN,
    psk: keysOf(options, log),
    logger: log,
    ...keyLogOf(options, log.warn),
  });
  report(server, options);
  await listen(server);
  const closers: (() => void)[] = [];
  if (options.keys !== undefined) closers.push(keepKeys(server, options.keys, log));
  if (!options.echo) closers.push(openSwitchboard(server, messageReporter(options), log));
  await aborted(stop);
  for (const close of closers) close();
  await server.close();
}

function keysOf(options: ServeOptions, log: Logger): PSK {
  const { keys } = options;
  if (keys === undefined) return resolveKey(options, log.warn);
  const exposure = exposureOf(keys);
  if (exposure !== undefined) log.warn(exposure);
  return readKeys(keys);
}

async function listen(server: USMPServer): Promise<void> {
  try {
    await server.listen();
  } catch (error) {
    // The same error that means "unreachable" to a client.
    if (error instanceof TransportError) throw new LocalError(error.message);
    throw error;
  }
}

/** Says how a message went in or out. */
type MessageReporter = (session: USMPSession, direction: 'in' | 'out', data: Uint8Array) => void;

function messageReporter({ json, echo }: ServeOptions): MessageReporter {
  if (json) return events.message;
  if (echo) return () => {};
  return (session, direction, data) => {
    if (direction === 'in') process.stdout.write(`${session.deviceId} ${showInLine(data)}\n`);
  };
}

/** What happens goes to stdout; without `--json` the log tells the rest. */
function report(server: USMPServer, options: ServeOptions): void {
  if (options.json) {
    server.on('listening', events.listening);
    server.on('connect', events.connected);
    server.on('disconnect', events.disconnected);
    server.on('refused', events.refused);
  } else {
    server.on('listening', (url) => process.stdout.write(`listening ${url}\n`));
  }
  const onMessage = messageReporter(options);
  server.onSession(async (session) => {
    for await (const message of session) {
      onMessage(session, 'in', message);
      if (!options.echo) continue;
      await session.send(message);
      onMessage(session, 'out', message);
    }
  });
}

/** Reads the keys again on SIGHUP and when the file changes. A file that is broken changes nothing. */
function keepKeys(server: USMPServer, file: string, log: Logger): () => void {
  const reload = async () => {
    try {
      const keys = readKeys(file);
      await server.setKeys(keys);
      log.info(`keys reloaded from ${file}: ${keys.size} entries`);
    } catch (error) {
      log.error('the keys stay as they were', error);
    }
  };
  const unwatch = watchKeys(file, reload);
  process.on('SIGHUP', reload);
  return () => {
    unwatch();
    process.removeListener('SIGHUP', reload);
  };
}
