/**
 * How a browser gets in: a ticket that works once, exchanged for a session. Tickets are in memory, and end with the gateway;
 * sessions are stored as well, so that a page goes on after a restart.
 *
 * @module
 */

import { createHash, randomBytes } from 'node:crypto';
import { GatewayError } from '../errors.js';
import type { Role } from '../model.js';
import type { Storage } from '../storage/storage.js';

/** How long a ticket can be redeemed. Milliseconds. */
const TICKET_LIFETIME = 10 * 60_000;
/** A session ends when it was not used for so long. Milliseconds. */
const SESSION_IDLE = 12 * 3_600_000;
/** And at the latest then. Milliseconds. */
const SESSION_LIFETIME = 7 * 24 * 3_600_000;
/** That a session was used is stored this often. Milliseconds. */
const STORED_EVERY = 60_000;

const MAX_TICKETS = 100;
const MAX_SESSIONS = 1_000;
const SECRET_BYTES = 32;

interface Ticket {
  readonly role: Role;
  readonly until: number;
}

interface Session {
  readonly role: Role;
  /** Id of the token it was opened with, with which it ends. */
  readonly token: string | null;
  /** When it ends unless it is used. */
  until: number;
  readonly last: number;
}

export class Logins {
  readonly #storage: Storage;
  readonly #now: () => number;
  /** By the hash of the secret, so that how long a look-up takes tells nothing about one. Oldest first. */
  readonly #tickets = new Map<string, Ticket>();
  /** Least recently used first. */
  readonly #sessions: Map<string, Session>;

  constructor(storage: Storage, now: () => number = Date.now) {
    this.#storage = storage;
    this.#now = now;
    const rows = storage.prepare<Session & { hash: string }>('SELECT * FROM logins ORDER BY until').all();
    this.#sessions = new Map(
      rows.map(({ hash, role, token, until, last }) => [hash, { role, token, until, last }]),
    );
  }

  /** A ticket for one login within ten minutes. Of a hundred that wait the oldest gives way. */
  createTicket(role: Role): string {
    if (this.#tickets.size >= MAX_TICKETS) this.#tickets.delete(this.#tickets.keys().next().value!);
    const secret = newSecret();
    this.#tickets.set(nameOf(secret), { role, until: this.#now() + TICKET_LIFETIME });
    return secret;
  }

  /** The id of a new session, a secret for its cookie; undefined when the ticket is void. It is void afterwards. */
  redeem(ticket: string): string | undefined {
    const name = nameOf(ticket);
    const entry = this.#tickets.get(name);
    this.#tickets.delete(name);
    if (entry === undefined || entry.until <= this.#now()) return undefined;
    return this.#open(entry.role, null);
  }

  /** The id of a new session for somebody who has a token, by its id. It ends with that, if it is a stored one. */
  open(role: Role, token: string): string {
    const isStored = this.#storage.prepare('SELECT 1 FROM tokens WHERE id = ?').get(token) !== undefined;
    return this.#open(role, isStored ? token : null);
  }

  /** What the session may do; undefined when it has ended or never was. */
  verify(sessionId: string): Role | undefined {
    const name = nameOf(sessionId);
    const session = this.#sessions.get(name);
    if (session === undefined) return undefined;
    const now = this.#now();
    if (session.until <= now || !this.#hasToken(session, now)) {
      this.#end(name);
      return undefined;
    }
    const until = Math.min(now + SESSION_IDLE, session.last);
    if (until - session.until >= STORED_EVERY) {
      session.until = until;
      this.#store('UPDATE logins SET until = ? WHERE hash = ?', until, name);
    }
    this.#sessions.delete(name);
    this.#sessions.set(name, session);
    return session.role;
  }

  logout(sessionId: string): void {
    this.#end(nameOf(sessionId));
  }

  #open(role: Role, token: string | null): string {
    if (this.#sessions.size >= MAX_SESSIONS) this.#end(this.#sessions.keys().next().value!);
    const now = this.#now();
    const session = { role, token, until: now + SESSION_IDLE, last: now + SESSION_LIFETIME };
    const secret = newSecret();
    const name = nameOf(secret);
    this.#sessions.set(name, session);
    const { until, last } = session;
    this.#store(
      'INSERT INTO logins (hash, role, token, until, last) VALUES (?, ?, ?, ?, ?)',
      name,
      role,
      token,
      until,
      last,
    );
    return secret;
  }

  #end(name: string): void {
    if (this.#sessions.delete(name)) this.#store('DELETE FROM logins WHERE hash = ?', name);
  }

  #hasToken({ token }: Session, now: number): boolean {
    if (token === null) return true;
    const sql = 'SELECT 1 FROM tokens WHERE id = ? AND (expires_at IS NULL OR expires_at > ?)';
    return this.#storage.prepare(sql).get(token, now) !== undefined;
  }

  /** With a full disk somebody must still be able to look what is wrong: then it is for this run alone. */
  #store(sql: string, ...values: (string | number | null)[]): void {
    try {
      this.#storage.transaction(() => this.#storage.prepare(sql).run(...values), 'crash');
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
    }
  }
}

function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

function nameOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64');
}
