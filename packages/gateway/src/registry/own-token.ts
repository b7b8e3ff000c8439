/**
 * A token that is stored nowhere but in the file by which the command line finds a running gateway.
 *
 * @module
 */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { TokenFacts } from '../model.js';
import type { Tokens } from './tokens.js';

/** What the API needs of tokens. */
export type TokenView = Pick<Tokens, 'create' | 'verify' | 'list' | 'remove'>;

/** Adds a token of role `admin` to those that are stored, for as long as this process lives. */
export function withOwnToken(tokens: Tokens): { readonly token: string; readonly view: TokenView } {
  const token = randomBytes(32).toString('base64url');
  const hash = sha256(token);
  const facts: TokenFacts = {
    id: 'command-line',
    name: 'command line',
    role: 'admin',
    createdAt: Date.now(),
    usedAt: undefined,
    expiresAt: undefined,
  };
  const view: TokenView = {
    create: (name, role, expiresAt) => tokens.create(name, role, expiresAt),
    verify: (given) => (timingSafeEqual(sha256(given), hash) ? facts : tokens.verify(given)),
    list: () => tokens.list(),
    remove: (id) => tokens.remove(id),
  };
  return { token, view };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
