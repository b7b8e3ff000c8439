/**
 * What the exit code of a command says, as for `usmp`, and the errors that lead to it. Scripts depend on these numbers.
 *
 * @module
 */

import { ConfigError } from '../config/load.js';
import { GatewayError } from '../errors.js';

export const EXIT = {
  /** Also after Ctrl-C. */
  done: 0,
  /** The gateway says no, or this machine is in the way. */
  failed: 1,
  /** A mistake on the command line, in the configuration, or in what is to be stored. */
  usage: 2,
  /** There is no gateway, or none that answers. */
  unreachable: 4,
  /** What was waited for did not happen in time. */
  noReply: 5,
} as const;

/** For `--help`. */
export const EXIT_CODES_HELP = `
Exit codes:
  0 done, also after Ctrl-C     4 the gateway cannot be reached
  1 failed                      5 not confirmed in time (send --wait)
  2 usage, invalid input`;

/** A mistake of whoever called the command. */
export class UsageError extends Error {}

/** This machine is in the way. */
export class LocalError extends Error {}

/** There is no gateway to talk to. */
export class UnreachableError extends Error {}

/** Something was waited for in vain. */
export class NoReplyError extends Error {}

/** The exit code for the error that ended a command. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof ConfigError) return EXIT.usage;
  if (error instanceof UnreachableError) return EXIT.unreachable;
  if (error instanceof NoReplyError) return EXIT.noReply;
  if (error instanceof GatewayError)
    return error.code === 'invalid' || error.code === 'too_large' ? EXIT.usage : EXIT.failed;
  return EXIT.failed;
}

/** What to print on stderr. An error that nobody expected keeps its stack, to be reported. */
export function describeError(error: unknown): string {
  // Each problem in a line that editors can jump to.
  if (error instanceof ConfigError) return error.problems.join('\n');
  if (isExpected(error)) return `usmp-gateway: ${error.message}`;
  return `usmp-gateway: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

/** The same for `--json`, as the API answers errors. */
export function errorAnswer(error: unknown): { error: { code: string; message: string; field?: string } } {
  const message = error instanceof Error ? error.message : String(error);
  const field = error instanceof GatewayError ? error.field : undefined;
  return { error: { code: codeOf(error), message, ...(field !== undefined && { field }) } };
}

function isExpected(error: unknown): error is Error {
  return [UsageError, LocalError, UnreachableError, NoReplyError, GatewayError].some(
    (type) => error instanceof type,
  );
}

function codeOf(error: unknown): string {
  if (error instanceof GatewayError) return error.code;
  if (error instanceof UsageError || error instanceof ConfigError) return 'invalid';
  if (error instanceof UnreachableError) return 'unreachable';
  return error instanceof NoReplyError ? 'no_reply' : 'failed';
}
