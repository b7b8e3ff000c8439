/**
 * Messages as rows of the table `messages`.
 *
 * @module
 */

import { MESSAGE_FORMATS, MESSAGE_STATES, type Message } from '../model.js';
import type { Storage, Value } from '../storage/storage.js';

/** Places in {@link MESSAGE_STATES}, as the table has them. */
export const QUEUED = 1;
export const SENT = 2;
export const CONFIRMED = 3;
export const EXPIRED = 4;
export const REFUSED = 5;

/** Ids whose messages the index by device holds together, as a power of 2; the index in migrations.ts has the same. */
export const ID_BLOCK_BITS = 12;

export const COLUMNS =
  'id, device, direction, at, state, format, payload, sent_at, done_at, expires_at, redeliver, session';

export interface MessageRow {
  id: number;
  device: string;
  direction: number;
  at: number;
  state: number;
  format: number;
  payload: Uint8Array;
  sent_at: number | null;
  done_at: number | null;
  expires_at: number | null;
  redeliver: number;
  session: string | null;
}

export function messageOf(row: MessageRow): Message {
  return {
    id: row.id,
    deviceId: row.device,
    direction: row.direction === 0 ? 'in' : 'out',
    at: row.at,
    state: MESSAGE_STATES[row.state]!,
    payload: row.payload,
    format: MESSAGE_FORMATS[row.format]!,
    sentAt: row.sent_at ?? undefined,
    doneAt: row.done_at ?? undefined,
    expiresAt: row.expires_at ?? undefined,
    redeliver: row.redeliver === 1,
    sessionId: row.session ?? undefined,
  };
}

/** Only what a message from a device has: it comes in the greatest numbers. */
export function insertReceived(storage: Storage, message: Message): void {
  storage
    .prepare(
      'INSERT INTO messages (id, device, direction, at, state, format, payload, session) VALUES (?, ?, 0, ?, 0, ?, ?, ?)',
    )
    .run(
      message.id,
      message.deviceId,
      message.at,
      MESSAGE_FORMATS.indexOf(message.format),
      message.payload,
      orNull(message.sessionId),
    );
}

export function insertOutbound(storage: Storage, message: Message, requestId: string | undefined): void {
  storage
    .prepare(
      `INSERT INTO messages (id, device, direction, at, state, format, payload, sent_at, expires_at, redeliver, session, request)
       VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(
      message.id,
      message.deviceId,
      message.at,
      MESSAGE_STATES.indexOf(message.state),
      MESSAGE_FORMATS.indexOf(message.format),
      message.payload,
      orNull(message.sentAt),
      orNull(message.expiresAt),
      message.redeliver ? 1 : 0,
      orNull(message.sessionId),
      orNull(requestId),
    );
}

function orNull(value: string | number | undefined): Value {
  return value ?? null;
}
