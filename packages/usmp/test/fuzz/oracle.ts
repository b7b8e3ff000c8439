/** What may have arrived, whoever sits on the line. */

import { MAX_PLAINTEXT } from '#dist/core/limits.js';
import { toHex } from '../support/bytes.js';
import type { Step } from './case.js';

/**
 * Whether the messages delivered are a beginning of those that the honest peer has sent.
 *
 * After a REKEY of our own the wire allows one thing more: nothing in it says how many frames the responder has sent
 * under the old key. Who sits on the line can swallow the last of them, so whole messages may be missing there, and a
 * message whose end was swallowed is joined with the next (straddling messages are accepted, spec/protocol.md §7.2).
 */
export function isHonest(
  delivered: readonly Uint8Array[],
  sent: readonly Uint8Array[],
  steps: readonly Step[],
): boolean {
  const gaps = steps.some((step) => step.do === 'rekey');
  const honest = sent.map(toHex);
  let next = 0;
  for (const message of delivered.map(toHex)) {
    if (message === honest[next]) {
      next++;
      continue;
    }
    const found = gaps ? honest.findIndex((_, i) => i >= next && couldBe(message, honest, next, i)) : -1;
    if (found < 0) return false;
    next = found + 1;
  }
  return true;
}

/** Whether a message is number `last`, alone or behind the first frames of an earlier one. */
function couldBe(message: string, honest: readonly string[], from: number, last: number): boolean {
  const end = honest[last]!;
  if (message === end) return true;
  if (!message.endsWith(end)) return false;
  const beginning = message.slice(0, message.length - end.length);
  const wholeFrames = beginning.length % (2 * MAX_PLAINTEXT) === 0;
  return wholeFrames && honest.slice(from, last).some((earlier) => earlier.startsWith(beginning));
}
