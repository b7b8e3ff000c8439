/**
 * What the exit code of a command says. Scripts depend on these numbers.
 *
 * @module
 */

import { ArgumentError, ConnectionClosedError, DeliveryError, USMPError } from '../index.js';

export const EXIT = {
  /** Also after Ctrl-C. */
  done: 0,
  /** This machine is in the way: a port in use, a file that cannot be written. Or a simulated fleet had losses. */
  failed: 1,
  /** A mistake on the command line, in a key, or in a file that it names. */
  usage: 2,
  /** The server, or the client, does not accept the other side. */
  refused: 3,
  /** Nobody answers there. */
  unreachable: 4,
  /** No reply in time, or the session ended before it came. */
  noReply: 5,
  /** The other side does not keep to the protocol. */
  protocol: 6,
} as const;

/** For `--help`. */
export const EXIT_CODES_HELP = `
Exit codes:
  0 done, also after Ctrl-C     4 unreachable
  2 usage                       5 a reply is missing
  3 refused                     6 protocol error`;

/** A mistake of whoever called the command. */
export class UsageError extends Error {}

/** This machine is in the way. */
export class LocalError extends Error {}

/** The exit code for the error that ended a command. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof ArgumentError) return EXIT.usage;
  if (!(error instanceof USMPError)) return EXIT.failed;
  switch (error.code) {
    case 'message_too_large':
      return EXIT.usage;
    case 'refused':
    case 'rogue_server':
    case 'turned_away':
      return EXIT.refused;
    case 'unreachable':
    case 'connect_timeout':
    case 'handshake_timeout':
      return EXIT.unreachable;
    case 'receive_timeout':
    case 'ping_timeout':
      return EXIT.noReply;
    default:
      return error instanceof ConnectionClosedError || error instanceof DeliveryError
        ? EXIT.noReply
        : EXIT.protocol;
  }
}
