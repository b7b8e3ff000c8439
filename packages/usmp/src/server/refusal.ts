/**
 * Why a device did not get in, and what to do about it.
 *
 * @module
 */

import {
  AuthError,
  ConnectionClosedError,
  type USMPError,
  USMPTimeoutError,
  VersionError,
} from '../core/errors.js';
import type { Logger } from '../logger.js';

/** Stable names for the reasons. */
export type RefusalReason =
  | 'wrong-key'
  | 'unknown-device'
  | 'version-1'
  | 'timeout'
  | 'bad-frame'
  | 'busy'
  | 'revoked'
  | 'backoff';

/** A handshake that came to nothing. */
export interface Refusal {
  readonly reason: RefusalReason;
  /** As claimed in HELLO; undefined when none arrived. */
  readonly deviceId: string | undefined;
  readonly peer: string;
  /** What limits count by: the IPv4 address, or the /64 of an IPv6 address; empty for peers on the same machine. */
  readonly address: string;
  readonly transport: string;
  /** What happened and what to do, for people. */
  readonly message: string;
  readonly error: USMPError;
}

/** The reason that lies in the error itself; undefined where nobody was refused: the peer, or the server, went away. */
export function reasonOf(error: USMPError): RefusalReason | undefined {
  // Where the line itself failed, somebody has to look at it.
  if (error instanceof ConnectionClosedError && error.cause === undefined) return undefined;
  if (error instanceof AuthError) return 'wrong-key';
  if (error instanceof USMPTimeoutError) return 'timeout';
  if (error instanceof VersionError && error.code === 'version_1') return 'version-1';
  return error.code === 'busy' ? 'busy' : 'bad-frame';
}

/** What happened and what to do about it. */
export function explain(reason: RefusalReason, error: USMPError): string {
  switch (reason) {
    case 'wrong-key':
      return 'wrong key: device and server must hold the same one';
    case 'unknown-device':
      return 'unknown device id: add its key to the server, or correct the id on the device';
    case 'revoked':
      return 'this device is revoked: unrevoke it to let it in';
    case 'version-1':
      return 'version 1 firmware, release 0.5.1 or older: update it';
    case 'backoff':
      return 'too many failures: it has to wait before it may try again';
    case 'busy':
      return `${error.message}: raise the limit, or find out who opens so many connections`;
    case 'timeout':
      return `${error.message}: slow network, or not a USMP client`;
    case 'bad-frame':
      return `not acceptable: ${error.message}`;
  }
}

/** Log lines about refusals in one second; a flood must not become a flood of lines. */
const MAX_LINES = 20;

/** Writes refusals to the log, a bounded number a second, and counts the rest. */
export class RefusalLog {
  readonly #logger: Logger | undefined;
  #second = 0;
  #lines = 0;
  #left = 0;

  constructor(logger: Logger | undefined) {
    this.#logger = logger;
  }

  write(refusal: Refusal, now: number): void {
    const second = Math.floor(now / 1_000);
    if (second !== this.#second) {
      if (this.#left > 0) this.#logger?.warn(`${this.#left} more refusals were not logged`);
      this.#second = second;
      this.#lines = this.#left = 0;
    }
    if (++this.#lines > MAX_LINES) this.#left++;
    else {
      const who = refusal.deviceId === undefined ? refusal.peer : `${refusal.deviceId} at ${refusal.peer}`;
      this.#logger?.warn(`refused ${who}: ${refusal.message}`);
    }
  }
}
