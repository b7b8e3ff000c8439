/**
 * The statements of the outbox.
 *
 * @module
 */

import type { Message } from '../model.js';
import type { Storage } from '../storage/storage.js';
import {
  COLUMNS,
  CONFIRMED,
  EXPIRED,
  type MessageRow,
  messageOf,
  QUEUED,
  REFUSED,
  SENT,
} from './message-rows.js';

/** A message by its id, and whose it is. */
export interface Place {
  readonly id: number;
  readonly deviceId: string;
}

/** What the outbox asks of its table. Whatever changes something belongs into a transaction. */
export class OutboxRows {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /**
   * After the end of the process, however it came: what was on its way and may come twice waits again; what waits for a
   * device that was removed in the last moment never will leave.
   */
  recover(now: number): void {
    this.#storage.transaction(() => {
      this.#storage
        .prepare(
          `UPDATE messages SET state = ${QUEUED}, sent_at = NULL, session = NULL WHERE state = ${SENT} AND redeliver = 1`,
        )
        .run();
      this.#storage
        .prepare(
          `UPDATE messages SET state = ${REFUSED}, done_at = ? WHERE state = ${QUEUED} AND device NOT IN (SELECT id FROM devices)`,
        )
        .run(now);
    });
  }

  counts(): readonly { readonly device: string; readonly count: number }[] {
    return this.#storage
      .prepare<{ device: string; count: number }>(
        `SELECT device, count(*) AS count FROM messages WHERE state = ${QUEUED} GROUP BY device`,
      )
      .all();
  }

  byRequest(deviceId: string, requestId: string): Message | undefined {
    const row = this.#storage
      .prepare<MessageRow>(`SELECT ${COLUMNS} FROM messages WHERE device = ? AND request = ?`)
      .get(deviceId, requestId);
    return row && messageOf(row);
  }

  /** The oldest that wait, in order. */
  queued(deviceId: string, limit: number): Message[] {
    return this.#storage
      .prepare<MessageRow>(
        `SELECT ${COLUMNS} FROM messages WHERE device = ? AND state = ${QUEUED} ORDER BY id LIMIT ?`,
      )
      .all(deviceId, limit)
      .map(messageOf);
  }

  due(now: number, limit: number): Place[] {
    return this.#storage
      .prepare<{ id: number; device: string }>(
        `SELECT id, device FROM messages WHERE state = ${QUEUED} AND expires_at IS NOT NULL AND expires_at <= ?
         ORDER BY expires_at LIMIT ?`,
      )
      .all(now, limit)
      .map(({ id, device }) => ({ id, deviceId: device }));
  }

  nextExpiry(): number | undefined {
    return (
      this.#storage
        .prepare<{ at: number | null }>(
          `SELECT min(expires_at) AS at FROM messages WHERE state = ${QUEUED} AND expires_at IS NOT NULL`,
        )
        .get()?.at ?? undefined
    );
  }

  /** Those that were taken until then expire later by so much, or may once they wait again. */
  postpone(by: number, takenUntil: number): void {
    for (const state of [`state = ${QUEUED}`, `state = ${SENT} AND redeliver = 1`])
      this.#storage
        .prepare(`UPDATE messages SET expires_at = expires_at + ? WHERE ${state} AND at <= ?`)
        .run(by, takenUntil);
  }

  sent(id: number, at: number, sessionId: string): void {
    this.#storage
      .prepare(`UPDATE messages SET state = ${SENT}, sent_at = ?, session = ? WHERE id = ?`)
      .run(at, sessionId, id);
  }

  confirmed(ids: readonly number[], at: number): void {
    this.#finish(ids, CONFIRMED, SENT, at);
  }

  expired(ids: readonly number[], at: number): void {
    this.#finish(ids, EXPIRED, QUEUED, at);
  }

  refused(ids: readonly number[], at: number): void {
    this.#finish(ids, REFUSED, QUEUED, at);
  }

  /** What was on its way waits again, in its old place. */
  requeue(ids: readonly number[]): void {
    this.#storage
      .prepare(
        `UPDATE messages SET state = ${QUEUED}, sent_at = NULL, session = NULL
         WHERE state = ${SENT} AND id IN (SELECT value FROM json_each(?))`,
      )
      .run(JSON.stringify(ids));
  }

  /** One statement for all of them: each costs 5 µs to begin. */
  #finish(ids: readonly number[], state: number, before: number, at: number): void {
    this.#storage
      .prepare(
        `UPDATE messages SET state = ${state}, done_at = ?
         WHERE state = ${before} AND id IN (SELECT value FROM json_each(?))`,
      )
      .run(at, JSON.stringify(ids));
  }
}
