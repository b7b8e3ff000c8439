/**
 * What to do about an error, for the one line that a failed command leaves on stderr.
 *
 * @module
 */

import { type ErrorCode, USMPError } from '../index.js';
import { LocalError, UsageError } from './exit-codes.js';

const REMEDIES: Partial<Record<ErrorCode, string>> = {
  refused:
    'check the key, and --device-id if the server knows its devices by id (its log tells which it was)',
  rogue_server: 'check the URL and the key; if both are right, somebody else answers there',
  turned_away: 'check the port, or try again later (the log of the server tells why)',
  handshake_timeout: 'check the port, and whether the server is overloaded',
  connect_timeout: 'check the address, the network and the firewall',
  receive_timeout: 'raise --timeout, or give --no-reply if the server does not answer',
  ping_timeout: 'raise --timeout, or look at the network',
  bye: 'look at the log of the server',
  connection_lost: 'look at the network and the log of the server, then connect again',
  not_acknowledged: 'look at the network and at whether the other side still runs, then connect again',
  idle_timeout: 'look at the network, then connect again',
  bad_magic: 'check the port in the URL',
  unsupported_version: 'use the same release on both sides',
};

/** What happened and what to do, in one line. An error that nobody expected keeps its stack, to be reported. */
export function describeError(error: unknown): string {
  if (error instanceof USMPError) {
    const remedy = REMEDIES[error.code];
    return remedy === undefined ? error.message : `${error.message}; ${remedy}`;
  }
  if (error instanceof UsageError || error instanceof LocalError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
