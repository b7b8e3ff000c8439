/**
 * What is under way in one session.
 *
 * @module
 */

import type { USMPSession } from 'usmp';

/** Messages under way and not confirmed in one session; the rest waits where it can still expire and be cancelled. */
export const WINDOW = 16;

/** A message that was given to a session. */
export interface Flight {
  readonly id: number;
  readonly redeliver: boolean;
}

export class Lane {
  readonly session: USMPSession;
  readonly deviceId: string;
  /** Kept, because the session makes a new text each time. */
  readonly sessionId: string;
  /** Whether each message is acknowledged by itself; else PINGs find out. */
  readonly acknowledges: boolean;
  /** False once the session is over. */
  open = true;
  /** Oldest first. */
  readonly flights: Flight[] = [];
  /** Places for messages whose commit is under way. */
  reserved = 0;
  /** Messages that are known to have arrived. */
  confirmed = 0;
  /** A PING is under way. */
  pinging = false;
  /** When it left, of a monotonic clock. Milliseconds. */
  pingedAt = Number.NEGATIVE_INFINITY;

  constructor(session: USMPSession) {
    this.session = session;
    this.deviceId = session.deviceId;
    this.sessionId = session.id;
    this.acknowledges = session.transport === 'udp';
  }

  /** How many more may be under way. */
  get free(): number {
    return WINDOW - this.flights.length - this.reserved;
  }

  /** How many of the flights have arrived without it being noticed here. Only where PINGs find out: those are in order. */
  newlyConfirmed(): number {
    const { messagesSent, messagesUnconfirmed } = this.session.stats;
    return Math.min(this.flights.length, messagesSent - messagesUnconfirmed - this.confirmed);
  }
}
