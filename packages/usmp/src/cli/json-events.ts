/**
 * `--json`: one object a line on stdout.
 *
 * @module
 */

import type { Refusal, USMPError, USMPSession } from '../index.js';
import { LineWriter } from './line-writer.js';
import { textOf } from './message-text.js';

/** Names of events. `pong` and `lost` are those of `ping`, `failed` and `progress` those of `simulate`. */
export type EventName =
  | 'listening'
  | 'connected'
  | 'message'
  | 'disconnected'
  | 'refused'
  | 'pong'
  | 'lost'
  | 'failed'
  | 'progress'
  | 'stats'
  | 'summary';

const lines = new LineWriter(process.stdout);

/** Writes one event. Fields that are undefined are left out. */
export function writeEvent(event: EventName, fields: object): void {
  lines.write(JSON.stringify({ event, time: new Date().toISOString(), ...fields }));
}

/** Which session an event is about. */
export function sessionFields(session: USMPSession): object {
  return { deviceId: session.deviceId, sessionId: session.id, peer: session.peer };
}

/** A time in milliseconds to microseconds; the clock does not know more. */
export function roundTime(milliseconds: number): number {
  return Math.round(milliseconds * 1_000) / 1_000;
}

/** The events of servers and clients. */
export const events = {
  listening(url: string): void {
    writeEvent('listening', { url });
  },

  connected(session: USMPSession): void {
    writeEvent('connected', sessionFields(session));
  },

  message(session: USMPSession, direction: 'in' | 'out', data: Uint8Array): void {
    const text = textOf(data);
    const content = text === undefined ? { hex: Buffer.from(data).toString('hex') } : { text };
    writeEvent('message', { ...sessionFields(session), direction, bytes: data.length, ...content });
  },

  disconnected(session: USMPSession, error: USMPError): void {
    writeEvent('disconnected', { ...sessionFields(session), reason: error.code });
  },

  refused({ deviceId, peer, reason }: Pick<Refusal, 'deviceId' | 'peer' | 'reason'>): void {
    writeEvent('refused', { deviceId, peer, reason });
  },
};
