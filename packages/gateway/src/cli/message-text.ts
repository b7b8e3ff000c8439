/**
 * Bodies of messages for people.
 *
 * @module
 */

import { oneLine } from './words.js';

/** As answers and events have it: one of the three. */
export interface MessageBody {
  readonly text?: unknown;
  readonly base64?: unknown;
  readonly json?: unknown;
}

/** In one line that is safe on a terminal. */
export function bodyLine(body: MessageBody): string {
  if (typeof body.text === 'string') return oneLine(body.text);
  if (typeof body.base64 === 'string') return `base64:${body.base64}`;
  return oneLine(JSON.stringify(body.json) ?? '');
}
