/**
 * How a browser gets in: a ticket that works once, exchanged for a session. All of it is in memory, a restart ends it.
 *
 * @module
 */

import { createHash, randomBytes } from 'node:crypto';
import type { Role } from '../model.js';

/** How long a ticket can be redeemed. Milliseconds. */
const TICKET_LIFETIME = 10 * 60_000;
/** A session ends when it was not used for so long. Milliseconds. */
const SESSION_IDLE = 12 * 3_600_000;
/** And at the latest then. Milliseconds. */
const SESSION_LIFETIME = 7 * 24 * 3_600_000;

const MAX_TICKETS = 100;
const MAX_SESSIONS = 1_000;
const SECRET_BYTES = 32;

interface Entry {
  readonly role: Role;
  /** When it ends unless it is used. */
  until: number;
  readonly last: number;
  /** Of a session that ends with something else, such as the token it was opened with. */
  readonly stillValid?: () => boolean;
}

export class Logins {
  readonly #now: () => number;
  /** By the hash of the secret, so that how long a look-up takes tells nothing about one. Oldest first. */
  readonly #tickets = new Map<string, Entry>();
  /** Least recently used first. */
  readonly #sessions = new Map<string, Entry>();

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** A ticket for one login within ten minutes. Of a hundred that wait the oldest gives way. */
  createTicket(role: Role): string {
    const until = this.#now() + TICKET_LIFETIME;
    return put(this.#tickets, { role, until, last: until }, MAX_TICKETS);
  }

  /** The id of a new session, a secret for its cookie; undefined when the ticket is void. It is void afterwards. */
  redeem(ticket: string): string | undefined {
    const name = nameOf(ticket);
    const entry = this.#tickets.get(name);
    this.#tickets.delete(name);
    const now = this.#now();
    if (entry === undefined || entry.until <= now) return undefined;
    const session = { role: entry.role, until: now + SESSION_IDLE, last: now + SESSION_LIFETIME };
    return put(this.#sessions, session, MAX_SESSIONS);
  }

  /** The id of a new session for somebody who is known by other means. It ends when `stillValid` says so. */
  open(role: Role, stillValid: () => boolean): string {
    const now = this.#now();
    const session = { role, until: now + SESSION_IDLE, last: now + SESSION_LIFETIME, stillValid };
    return put(this.#sessions, session, MAX_SESSIONS);
  }

  /** What the session may do; undefined when it has ended or never was. */
  verify(sessionId: string): Role | undefined {
    const name = nameOf(sessionId);
    const entry = this.#sessions.get(name);
    if (entry === undefined) return undefined;
    const now = this.#now();
    this.#sessions.delete(name);
    if (entry.until <= now || entry.stillValid?.() === false) return undefined;
    entry.until = Math.min(now + SESSION_IDLE, entry.last);
    this.#sessions.set(name, entry);
    return entry.role;
  }

  logout(sessionId: string): void {
    this.#sessions.delete(nameOf(sessionId));
  }
}

function put(entries: Map<string, Entry>, entry: Entry, most: number): string {
  if (entries.size >= most) entries.delete(entries.keys().next().value!);
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  entries.set(nameOf(secret), entry);
  return secret;
}

function nameOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64');
}
