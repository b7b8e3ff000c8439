import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { nearest } from '#dist/config/suggest.js';
import { formatDuration, formatSize, parseDuration, parseSize } from '#dist/config/units.js';

test('durations and sizes mean what they say', () => {
  assert.deepEqual(
    ['500ms', '30s', '10m', '12h', '7d', '1_000 s', '0s'].map(parseDuration),
    [500, 30_000, 600_000, 43_200_000, 604_800_000, 1_000_000, 0],
  );
  assert.deepEqual(
    ['1B', '64KB', '64KiB', '64kib', '1GB', '1GiB', '2 TB'].map(parseSize),
    [1, 64_000, 65_536, 65_536, 1_000_000_000, 1_073_741_824, 2_000_000_000_000],
  );
});

test('what has no unit, a wrong one, a sign, a fraction or too many digits is neither', () => {
  for (const text of ['', '7', '7x', '-1s', '1.5h', 's', '1h30m', '0x1s', '1e3s', `${'9'.repeat(30)}d`])
    assert.equal(parseDuration(text), undefined, text);
  for (const text of ['64', '64K', '1.5GB', '-1B', 'GB', `${'9'.repeat(30)}B`])
    assert.equal(parseSize(text), undefined, text);
});

test('what is written can be read again, and is the same', () => {
  fc.assert(
    fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (value) => {
      assert.equal(parseDuration(formatDuration(value)), value);
      assert.equal(parseSize(formatSize(value)), value);
    }),
  );
  assert.equal(formatDuration(604_800_000), '7d');
  assert.equal(formatSize(65_536), '64KiB');
  assert.equal(formatSize(1_000_000_000), '1GB');
});

test('the name that was meant is the nearest one, and none when none is near', () => {
  const known = ['data', 'http.listen', 'http.rate_limit', 'outbox.max_messages', 'history.max_messages'];
  assert.equal(nearest('dtaa', known), 'data');
  assert.equal(nearest('http.rateLimit', known), 'http.rate_limit');
  assert.equal(nearest('http.rate-limt', known), 'http.rate_limit');
  assert.equal(nearest('rate_limit', known), 'http.rate_limit');
  assert.equal(nearest('history.max_mesages', known), 'history.max_messages');
  assert.equal(nearest('colour', known), undefined);
});
