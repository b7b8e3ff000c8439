import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_SEQUENCE } from '#dist/core/limits.js';
import { StrictOrder } from '#dist/core/replay.js';

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
