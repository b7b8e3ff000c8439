/**
 * The log of the gateway: lines for people on a terminal, JSON for everything else, and no secret in either.
 *
 * @module
 */

import {
  type DestinationStream,
  destination,
  type Logger,
  type LoggerOptions,
  pino,
  stdTimeFunctions,
} from 'pino';
import pretty from 'pino-pretty';
import type { Logger as LibraryLogger } from 'usmp';

export interface LogOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** `auto`: `pretty` when standard error is a terminal. */
  readonly format: 'auto' | 'pretty' | 'json';
}

/** Fields whose values are never written, wherever they stand in what is logged, down to the third level. */
const SECRET_FIELDS = ['authorization', 'cookie', 'set-cookie', 'key', 'psk', 'token', 'ticket', 'secret'];

const STDERR = 2;

/** What waits while the log cannot be written, as on a full disk; lines beyond are lost. Bytes. */
const MAX_BACKLOG = 64 * 1024;

/**
 * A logger that writes to standard error, so that standard output stays with what commands print. Written at once: what
 * was logged before SIGKILL is there.
 *
 * @param stream where to write instead; for tests
 *
 * @example
 * ```ts
 * const logger = makeLogger({ level: 'info', format: 'auto' });
 * logger.info({ device: 'aa:bb:cc:dd:ee:ff' }, 'connected');
 * ```
 */
export function makeLogger(options: LogOptions, stream?: DestinationStream): Logger {
  const { level, format } = options;
  const settings: LoggerOptions = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: SECRET_FIELDS.flatMap(pathsOf), censor: '[redacted]' },
  };
  const onTerminal = stream === undefined && process.stderr.isTTY === true;
  const out = stream ?? standardError();
  const forPeople = format === 'pretty' || (format === 'auto' && onTerminal);
  return pino(
    settings,
    forPeople ? prettyStream(out, onTerminal && process.env.NO_COLOR === undefined) : out,
  );
}

/** What the library wants of a logger. */
export function libraryLogger(logger: Logger): LibraryLogger {
  return {
    debug: (message) => logger.debug(message),
    info: (message) => logger.info(message),
    warn: (message) => logger.warn(message),
    error: (message, error) =>
      error === undefined ? logger.error(message) : logger.error({ err: error }, message),
  };
}

/** That it cannot be written, on a full disk or a terminal that was closed, must not end what it tells of. */
function standardError(): DestinationStream {
  const out = destination({ fd: STDERR, sync: true, maxLength: MAX_BACKLOG });
  out.on('error', () => {});
  return out;
}

/** In this thread and at once: a worker, or a stream with a buffer, would lose the last lines of a process that dies. */
function prettyStream(stream: DestinationStream, colors: boolean): DestinationStream {
  const prettify = pretty.prettyFactory({
    colorize: colors,
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
  });
  return {
    write(line) {
      const text = prettify(line);
      // What ends with the stack of an error comes without.
      stream.write(text.endsWith('\n') ? text : `${text}\n`);
    },
  };
}

function pathsOf(field: string): string[] {
  return [`["${field}"]`, `*["${field}"]`, `*.*["${field}"]`];
}
