import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_SEQUENCE, REPLAY_WINDOW } from '#dist/core/limits.js';
import { SlidingWindow, StrictOrder } from '#dist/core/replay.js';

test('only the next number is accepted: neither a repeat, nor an older one, nor one too far', () => {
  const order = new StrictOrder();
  for (let seq = 0; seq < 5; seq++) {
    assert.equal(order.expected, seq);
    for (const wrong of [seq - 1, seq + 1, seq + 2, 0xffffffff]) assert.equal(order.judge(wrong), 'refused');
    assert.equal(order.judge(seq), 'new');
    order.confirm(seq);
  }
});

test('a number is used up by a frame that authenticates, not by asking', () => {
  const order = new StrictOrder();
  assert.equal(order.judge(0), 'new');
  assert.equal(order.judge(0), 'new');
  order.confirm(0);
  assert.equal(order.judge(0), 'refused');
});

test('2^32 - 2 is the last number, and nothing comes after it', () => {
  const order = new StrictOrder();
  order.confirm(MAX_SEQUENCE - 1);
  assert.equal(order.judge(MAX_SEQUENCE), 'new');
  order.confirm(MAX_SEQUENCE);
  for (const seq of [0, 1, MAX_SEQUENCE, MAX_SEQUENCE + 1, MAX_SEQUENCE + 2]) {
    assert.equal(order.judge(seq), 'refused', `number ${seq}`);
  }
});

/** Remembers every number, which no implementation could. */
class NaiveWindow {
  readonly #opened = new Set<number>();
  #highest = -1;

  judge(seq: number): string {
    if (seq > MAX_SEQUENCE || seq <= this.#highest - REPLAY_WINDOW) return 'refused';
    return this.#opened.has(seq) ? 'repeat' : 'new';
  }

  confirm(seq: number): void {
    this.#opened.add(seq);
    this.#highest = Math.max(this.#highest, seq);
  }

  get expected(): number {
    return this.#highest + 1;
  }
}

test('the sliding window judges as a memory of everything does', () => {
  const step = fc.record({
    move: fc.oneof(fc.integer({ min: -70, max: 3 }), fc.constantFrom(31, 32, 33, 63, 64, 65, 200)),
    confirmed: fc.boolean(),
  });
  const start = fc.constantFrom(0, 0, 5, 1_000, 0x7ffffff0, 0xffffff00, MAX_SEQUENCE - 3);
  fc.assert(
    fc.property(start, fc.array(step, { maxLength: 200 }), (begin, steps) => {
      const window = new SlidingWindow();
      const naive = new NaiveWindow();
      for (const each of [window, naive]) each.confirm(begin);
      for (const { move, confirmed } of steps) {
        const seq = Math.min(0xffffffff, Math.max(0, naive.expected + move));
        const standing = naive.judge(seq);
        assert.equal(window.judge(seq), standing, `number ${seq}, expected ${naive.expected}`);
        if (!confirmed || standing !== 'new') continue;
        for (const each of [window, naive]) each.confirm(seq);
        assert.equal(window.expected, naive.expected);
        assert.equal(window.start, Math.max(0, naive.expected - REPLAY_WINDOW));
      }
      for (let seq = Math.max(0, naive.expected - 70); seq < naive.expected + 2; seq++) {
        assert.equal(window.judge(seq), naive.judge(seq), `number ${seq} in the end`);
      }
    }),
    { numRuns: 300 },
  );
});

test('the sliding window takes a frame 63 below the highest, and none 64 below', () => {
  const window = new SlidingWindow();
  window.confirm(100);
  assert.equal(window.judge(37), 'new');
  assert.equal(window.judge(36), 'refused');
  window.confirm(37);
  assert.equal(window.judge(37), 'repeat');
  assert.equal(window.judge(MAX_SEQUENCE + 1), 'refused');
});
