/**
 * A session that is open, with what the gateway knows of it.
 *
 * @module
 */

import type { USMPError, USMPSession } from 'usmp';
import type { Lane } from '../messages/lane.js';
import type { DeviceCounters, SessionFacts } from '../model.js';

export class LiveSession {
  readonly session: USMPSession;
  readonly lane: Lane;
  readonly since: number;
  /** Those that were valid when it began; undefined where that is not known any more. */
  readonly keys: readonly Uint8Array[] | undefined;
  /** Why it ended. */
  ended: USMPError | undefined;
  /** Somebody takes its messages, as long as there are any. */
  isRead = true;
  /** Its end has been told. */
  told = false;
  #messagesIn = 0;
  #messagesOut = 0;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(session: USMPSession, lane: Lane, keys: readonly Uint8Array[] | undefined, since: number) {
    this.session = session;
    this.lane = lane;
    this.keys = keys;
    this.since = since;
  }

  get deviceId(): string {
    return this.session.deviceId;
  }

  /** What came and went since the last call; undefined when nothing did. */
  takeCounters(): Omit<DeviceCounters, 'sessions'> | undefined {
    const stats = this.session.stats;
    const delta = {
      messagesIn: stats.messagesReceived - this.#messagesIn,
      messagesOut: stats.messagesSent - this.#messagesOut,
      bytesIn: stats.bytesReceived - this.#bytesIn,
      bytesOut: stats.bytesSent - this.#bytesOut,
    };
    this.#messagesIn = stats.messagesReceived;
    this.#messagesOut = stats.messagesSent;
    this.#bytesIn = stats.bytesReceived;
    this.#bytesOut = stats.bytesSent;
    return delta.messagesIn + delta.messagesOut > 0 ? delta : undefined;
  }

  facts(): SessionFacts {
    const { session } = this;
    const stats = session.stats;
    return {
      deviceId: session.deviceId,
      id: session.id,
      transport: session.transport,
      peer: session.peer,
      since: this.since,
      keyIndex: session.keyIndex,
      rtt: session.rtt,
      messagesIn: stats.messagesReceived,
      messagesOut: stats.messagesSent,
      bytesIn: stats.bytesReceived,
      bytesOut: stats.bytesSent,
      framesRetransmitted: stats.framesRetransmitted,
      unconfirmed: stats.messagesUnconfirmed,
    };
  }
}
