import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryDelays } from '#dist/client/retry.js';
import { AuthError, ConnectionClosedError, TransportError } from '#dist/index.js';

const OPTIONS = {
  base: 500,
  cap: 60_000,
  stableAfter: 60_000,
  initial: true,
  queueLimit: 0,
  queuePolicy: 'reject',
} as const;
const LOST = new ConnectionClosedError('connection_lost');
const UNREACHABLE = new TransportError('unreachable');

/** The longest wait that chance could have brought. */
const longest = () => 1;

test('the longest possible wait begins at base, doubles with each failure, and stops at cap', () => {
  const delays = new RetryDelays(OPTIONS, longest);
  const waits = Array.from({ length: 10 }, (_, i) => delays.next(i === 0 ? LOST : UNREACHABLE));
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
});

test('the wait is anything from 0 to that: a fleet that lost its server does not come back in step', () => {
  const waits = Array.from({ length: 2_000 }, () => new RetryDelays(OPTIONS).next(LOST));
  const inTenth = (tenth: number) => waits.filter((wait) => Math.floor(wait / 50) === tenth).length;
  assert.ok(waits.every((wait) => wait >= 0 && wait < 500));
  for (let tenth = 0; tenth < 10; tenth++) {
    // Of 200 expected; chance goes this far once in more than 10^12 runs.
    assert.ok(inTenth(tenth) > 90 && inTenth(tenth) < 310, `${inTenth(tenth)} in tenth ${tenth}`);
  }
});

test('after a refusal the longest wait is cap at once: somebody has to put a key right first', () => {
  for (const code of ['refused', 'rogue_server'] as const) {
    assert.equal(new RetryDelays(OPTIONS, longest).next(new AuthError(code)), 60_000);
  }
});

test('a session that was stable lets the waits begin anew, a shorter one does not', () => {
  const delays = new RetryDelays(OPTIONS, longest);
  for (let i = 0; i < 4; i++) delays.next(UNREACHABLE);
  delays.ended(59_999);
  assert.equal(delays.next(LOST), 8_000);
  delays.ended(60_000);
  assert.equal(delays.next(LOST), 500);
});

test('no number of failures leads out of range', () => {
  const delays = new RetryDelays({ ...OPTIONS, cap: Number.POSITIVE_INFINITY }, longest);
  for (let i = 0; i < 5_000; i++) delays.next(UNREACHABLE);
  assert.equal(delays.next(UNREACHABLE), 0x7fffffff);
});
