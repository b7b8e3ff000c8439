/**
 * Bearer tokens of the HTTP API. Stored is their SHA-256: whoever reads the database can use none.
 *
 * @module
 */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { GatewayError } from '../errors.js';
import { ROLES, type Role, type TokenFacts } from '../model.js';
import type { Storage } from '../storage/storage.js';
import { parseName } from './device-rules.js';

const PREFIX = 'usmp_';
const SECRET_BYTES = 32;
const SHAPE = /^usmp_[\w-]{43}$/;
const ID_BYTES = 6;

/** `used_at` is written no more often. Milliseconds. */
const USED_EVERY = 60_000;

interface TokenRow {
  id: string;
  name: string;
  role: Role;
  hash: Buffer;
  created_at: number;
  used_at: number | null;
  expires_at: number | null;
}

export class Tokens {
  readonly #storage: Storage;
  readonly #now: () => number;

  constructor(storage: Storage, now: () => number = Date.now) {
    this.#storage = storage;
    this.#now = now;
  }

  /**
   * A new token; `token` is shown this once and stored nowhere.
   *
   * @param expiresAt milliseconds since 1970; never, unless given
   * @throws {GatewayError} `invalid`
   */
  create(name: string, role: Role, expiresAt?: number): { token: string; facts: TokenFacts } {
    const now = this.#now();
    if (!ROLES.includes(role))
      throw new GatewayError('invalid', `role must be one of ${ROLES.join(', ')}`, { field: 'role' });
    if (expiresAt !== undefined && !(Number.isSafeInteger(expiresAt) && expiresAt > now))
      throw new GatewayError('invalid', 'expiresAt must be a time to come', { field: 'expiresAt' });
    const token = PREFIX + randomBytes(SECRET_BYTES).toString('base64url');
    const facts: TokenFacts = {
      id: randomBytes(ID_BYTES).toString('hex'),
      name: parseName(name),
      role,
      createdAt: now,
      usedAt: undefined,
      expiresAt,
    };
    this.#storage.transaction(() =>
      this.#storage
        .prepare(
          'INSERT INTO tokens (id, name, role, hash, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)',
        )
        .run(facts.id, facts.name, role, hashOf(token), now, expiresAt ?? null),
    );
    return { token, facts };
  }

  /** Whose token it is; undefined when it is none, was removed or has expired. */
  verify(token: string): TokenFacts | undefined {
    if (!SHAPE.test(token)) return undefined;
    const hash = hashOf(token);
    const row = this.#storage.prepare<TokenRow>('SELECT * FROM tokens WHERE hash = ?').get(hash);
    // The index compares hashes, whose first bytes tell nothing about the token; the last word has this.
    if (row === undefined || !timingSafeEqual(row.hash, hash)) return undefined;
    const now = this.#now();
    if (row.expires_at !== null && row.expires_at <= now) return undefined;
    // Also after the clock was set back.
    if (row.used_at === null || Math.abs(now - row.used_at) >= USED_EVERY) {
      this.#used(row.id, now);
      row.used_at = now;
    }
    return factsOf(row);
  }

  /** Oldest first. */
  list(): readonly TokenFacts[] {
    return this.#storage.prepare<TokenRow>('SELECT * FROM tokens ORDER BY created_at, id').all().map(factsOf);
  }

  /** It is void from now on. False: there is none of that id. */
  remove(id: string): boolean {
    return this.#storage.transaction(
      () => this.#storage.prepare('DELETE FROM tokens WHERE id = ?').run(id).changes > 0,
    );
  }

  #used(id: string, now: number): void {
    try {
      this.#storage.transaction(
        () => this.#storage.prepare('UPDATE tokens SET used_at = ? WHERE id = ?').run(now, id),
        'crash',
      );
    } catch (error) {
      // With a full disk one must still be able to look what is wrong.
      if (!(error instanceof GatewayError)) throw error;
    }
  }
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function factsOf(row: TokenRow): TokenFacts {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    createdAt: row.created_at,
    usedAt: row.used_at ?? undefined,
    expiresAt: row.expires_at ?? undefined,
  };
}
