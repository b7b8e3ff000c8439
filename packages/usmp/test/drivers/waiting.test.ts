import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { Waiters } from '#dist/waiting.js';
import { coded, stateOf } from '../server/live.js';

test('those who wait are served in the order in which they came', async () => {
  const waiters = new Waiters<number>();
  const waiting = [1, 2, 3].map(() => waiters.wait(undefined, 'receive_timeout'));
  for (const value of [10, 20, 30]) assert.equal(waiters.resolveFirst(value), true);
  assert.equal(waiters.resolveFirst(40), false);
  assert.deepEqual(await Promise.all(waiting), [10, 20, 30]);
});

test('one whose time is over is told so and takes nothing from the next', async () => {
  const waiters = new Waiters<string>();
  const impatient = waiters.wait({ timeout: 5 }, 'receive_timeout');
  const patient = waiters.wait({ timeout: 60_000 }, 'receive_timeout');
  await assert.rejects(impatient, coded('USMPTimeoutError', 'receive_timeout'));
  assert.equal(waiters.size, 1);
  waiters.resolveFirst('for the patient');
  assert.equal(await patient, 'for the patient');
});

test('an abort rejects with the reason of the signal, whether it comes before or during the wait', async () => {
  const waiters = new Waiters<void>();
  const aborter = new AbortController();
  const waiting = waiters.wait({ signal: aborter.signal }, 'receive_timeout');
  const reason = new Error('enough');
  aborter.abort(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects(waiters.wait({ signal: aborter.signal }, 'receive_timeout'), reason);
  assert.equal(waiters.size, 0);
});

test('nothing is left at the signal and no timer runs once a wait is over', async (t) => {
  const cleared = t.mock.method(globalThis, 'clearTimeout');
  const waiters = new Waiters<void>();
  const { signal } = new AbortController();
  const served = waiters.wait({ signal, timeout: 60_000 }, 'receive_timeout');
  const refused = waiters.wait({ signal, timeout: 60_000 }, 'receive_timeout');
  assert.equal(getEventListeners(signal, 'abort').length, 2);
  waiters.resolveFirst();
  waiters.rejectAll(new Error('over'));
  await served;
  await assert.rejects(refused, /over/);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  assert.equal(cleared.mock.callCount(), 2);
});

test('without a time, or with one that no timer can take, a wait is without end', async (t) => {
  const timers = t.mock.method(globalThis, 'setTimeout');
  const waiters = new Waiters<number>();
  const waits = [
    waiters.wait(undefined, 'receive_timeout'),
    waiters.wait({}, 'receive_timeout'),
    waiters.wait({ timeout: Number.POSITIVE_INFINITY }, 'receive_timeout'),
    waiters.wait({ timeout: 2 ** 40 }, 'receive_timeout'),
  ];
  assert.equal(timers.mock.callCount(), 0);
  for (const wait of waits) assert.equal(await stateOf(wait), 'pending');
  waiters.resolveAll(7);
  assert.deepEqual(await Promise.all(waits), [7, 7, 7, 7]);
});

test('a time that is no time is an error of the promise', async () => {
  const waiters = new Waiters<void>();
  for (const timeout of [-1, Number.NaN, '5' as never]) {
    const attempt = async () => waiters.wait({ timeout }, 'receive_timeout');
    await assert.rejects(attempt, coded('ArgumentError', 'invalid_argument', /^timeout is /));
  }
  assert.equal(waiters.size, 0);
});
