import assert from 'node:assert/strict';
import test from 'node:test';
import { Histogram } from '#dist/cli/percentiles.js';
import { SeededRandom } from '../support/random.js';

test('percentiles are within 0.4 % of the exact ones, from microseconds to an hour', () => {
  const random = new SeededRandom(7);
  for (const [least, most] of [
    [0.001, 0.3],
    [0.05, 20],
    [1, 4_000],
    [0.01, 4_000_000],
  ]) {
    const histogram = new Histogram();
    // As many in each decade as in any other.
    const times = Array.from({ length: 20_000 }, () => least * (most / least) ** random.next());
    for (const time of times) histogram.record(time);
    times.sort((a, b) => a - b);
    for (const share of [0.0001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1]) {
      const exact = times[Math.ceil(share * times.length) - 1];
      const told = histogram.percentile(share)!;
      const allowed = Math.max(0.004 * exact, 0.000_5) + 1e-9;
      assert.ok(Math.abs(told - exact) <= allowed, `${share} of ${least}…${most}: ${told}, not ${exact}`);
    }
    const { min, max } = histogram.summary()!;
    assert.deepEqual([min, max], [times[0], times.at(-1)]);
  }
});

test('the borders between counters lose nothing', () => {
  for (let bits = 0; bits < 32; bits++) {
    for (const value of [2 ** bits - 1, 2 ** bits, 2 ** bits + 1]) {
      const histogram = new Histogram();
      histogram.record(0);
      histogram.record(value / 1_000);
      histogram.record(5_000_000);
      const told = histogram.percentile(0.6)! * 1_000;
      assert.ok(Math.abs(told - value) <= 0.004 * value, `${told} for ${value} µs`);
    }
  }
});

test('nothing recorded is no percentile; one time is all of them', () => {
  const histogram = new Histogram();
  assert.equal(histogram.percentile(0.5), undefined);
  assert.equal(histogram.summary(), undefined);
  histogram.record(12.345_6);
  assert.deepEqual(histogram.summary(), {
    min: 12.3456,
    p50: 12.3456,
    p90: 12.3456,
    p99: 12.3456,
    max: 12.3456,
  });
});

test('times beyond an hour keep their place at the end and their maximum', () => {
  const histogram = new Histogram();
  for (const time of [1, 2, 1e7, 1e12]) histogram.record(time);
  assert.equal(histogram.count, 4);
  assert.ok(histogram.percentile(0.75)! > 4_000_000);
  assert.equal(histogram.summary()!.max, 1e12);
});
