import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_MESSAGE, MAX_PLAINTEXT } from '#dist/core/limits.js';
import { frameCount, Reassembler } from '#dist/core/message.js';
import { hex, pattern, toHex } from '../support/bytes.js';

test('a message takes as few frames as it can, and at least one', () => {
  const counts: [number, number][] = [
    [0, 1],
    [1, 1],
    [452, 1],
    [453, 2],
    [904, 2],
    [905, 3],
    [1356, 3],
    [1357, 4],
    [1808, 4],
  ];
  for (const [length, frames] of counts) assert.equal(frameCount(length), frames, `${length} bytes`);
});

test('a message of 1,809 bytes is refused before anything is sent, with advice', () => {
  assert.throws(() => frameCount(MAX_MESSAGE + 1), {
    name: 'PayloadError',
    code: 'message_too_large',
    message: 'a message of 1809 bytes, at most 1808: send it in parts',
  });
});

test('parts of any size make one message, and the next begins anew', () => {
  const reassembler = new Reassembler();
  for (const parts of [[''], ['01'], ['', '', '', ''], ['01', '', '0203', '04'], ['aa', 'bb']]) {
    const [last, ...before] = parts.map(hex).reverse();
    for (const part of before.reverse()) {
      reassembler.addPart(part);
      assert.equal(reassembler.partial, true);
    }
    assert.equal(toHex(reassembler.finish(last!)), parts.join(''));
    assert.equal(reassembler.partial, false);
  }
});

test('the largest message is four full parts; a fourth that is not the last ends it', () => {
  const reassembler = new Reassembler();
  for (let i = 0; i < 3; i++) reassembler.addPart(pattern(i, MAX_PLAINTEXT));
  assert.equal(reassembler.finish(pattern(3, MAX_PLAINTEXT)).length, MAX_MESSAGE);

  for (let i = 0; i < 3; i++) reassembler.addPart(hex(''));
  assert.throws(() => reassembler.addPart(hex('')), { name: 'PayloadError', code: 'message_too_long' });
});
