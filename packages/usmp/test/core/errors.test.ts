import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as errors from '#dist/core/errors.js';
import { ERROR_CODES, type ErrorCode, USMPError } from '#dist/core/errors.js';

const classes = Object.entries(errors).filter(
  (entry): entry is [string, typeof USMPError] => typeof entry[1] === 'function',
);

test('every code has an owner and a sentence that says what happened', () => {
  for (const [code, [fault, meaning]] of Object.entries(ERROR_CODES)) {
    assert.match(code, /^[a-z0-9]+(_[a-z0-9]+)*$/);
    assert.ok(['caller', 'peer', 'network'].includes(fault), code);
    assert.match(meaning, /\S{3,}/, code);
  }
});

test('an error carries its code, the sentence that belongs to it, and whose fault it is', () => {
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    const error = new USMPError(code);
    assert.equal(error.code, code);
    assert.equal(error.message, ERROR_CODES[code][1]);
    assert.equal(error.fault, ERROR_CODES[code][0]);
  }
});

test('a sentence of its own and a cause can be given', () => {
  const cause = new Error('below');
  const error = new USMPError('bad_length', 'three bytes, must be four', { cause });
  assert.equal(error.message, 'three bytes, must be four');
  assert.equal(error.cause, cause);
});

test('every class is a USMPError and goes by its own name, also in a stack trace', () => {
  assert.ok(classes.length >= 15);
  for (const [name, type] of classes) {
    const error = new type('closed');
    assert.ok(error instanceof USMPError && error instanceof Error, name);
    assert.equal(error.name, name);
    assert.match(String(error), new RegExp(`^${name}: `));
    assert.deepEqual(Object.keys(error), ['code'], 'no field but the code shows');
  }
});

test('a program that catches the wider class catches the narrower one', () => {
  assert.ok(new errors.CRCError('bad_crc') instanceof errors.FrameError);
  assert.ok(new errors.MagicError('bad_magic') instanceof errors.FrameError);
  assert.ok(new errors.VersionError('version_1') instanceof errors.FrameError);
  assert.ok(new errors.PayloadError('bad_length') instanceof errors.FrameError);
  assert.ok(new errors.AuthError('refused') instanceof errors.HandshakeError);
});
