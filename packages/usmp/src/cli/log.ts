/**
 * The log of `serve`, on stderr.
 *
 * @module
 */

import type { Logger } from '../index.js';
import { LineWriter } from './line-writer.js';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** From which level on to write; `silent` for nothing. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Writes `TIME LEVEL MESSAGE` lines. The stack of an error is for level debug. */
export function makeLog(from: LogLevel): Logger {
  const lines = new LineWriter(process.stderr);
  const write = (level: LogLevel, message: string) => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(from)) return;
    lines.write(`${new Date().toISOString()} ${level.padEnd(5)} ${message}`);
  };
  return {
    debug: (message) => write('debug', message),
    info: (message) => write('info', message),
    warn: (message) => write('warn', message),
    error(message, error) {
      const cause = error instanceof Error ? (from === 'debug' ? error.stack : error.message) : error;
      write('error', cause === undefined ? message : `${message}: ${cause}`);
    },
  };
}
