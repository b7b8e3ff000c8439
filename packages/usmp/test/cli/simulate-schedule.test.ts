import assert from 'node:assert/strict';
import test from 'node:test';
import { fleetDeviceId, loopbackAddress, MAX_DEVICES, MAX_SEED } from '#dist/cli/fleet-address.js';
import { MAX_LAG, SendSchedule } from '#dist/cli/send-schedule.js';
import { formatDeviceId } from '#dist/index.js';

test('turns are spread evenly, and each device has its own time', () => {
  const schedule = new SendSchedule(4, 2, 1);
  const taken: [number, number][] = [];
  for (let elapsed = 0; elapsed <= 1_000; elapsed += 5) {
    const { from, to, missed } = schedule.take(elapsed);
    assert.equal(missed, 0);
    for (let turn = from; turn < to; turn++) taken.push([turn, elapsed]);
  }
  assert.deepEqual(
    taken,
    [0, 125, 250, 375, 500, 625, 750, 875].map((elapsed, turn) => [turn, elapsed]),
  );
});

test('every device gets as many turns as rate and time ask for', () => {
  for (const [devices, rate, seconds, turns] of [
    [1, 1, 1, 1],
    [10, 0.1, 3, 3],
    [3, 0.5, 2, 3],
    [2_000, 1, 10, 20_000],
    [7, 0, 10, 0],
  ]) {
    const schedule = new SendSchedule(devices, rate, seconds);
    let count = 0;
    for (let elapsed = 0; !schedule.isOver(elapsed - 100); elapsed += 100) {
      const { from, to, missed } = schedule.take(elapsed);
      assert.equal(missed, 0);
      count += to - from;
    }
    assert.equal(count, turns, `${devices} × ${rate} × ${seconds}`);
    assert.ok(schedule.isOver(schedule.nextAt));
  }
});

test('it wakes for the next turn, then for the end', () => {
  const schedule = new SendSchedule(1, 10, 0.2);
  assert.equal(schedule.nextAt, 0);
  schedule.take(0);
  assert.equal(schedule.nextAt, 100);
  schedule.take(100);
  assert.equal(schedule.nextAt, 200);
  assert.ok(!schedule.isOver(199.9));
  assert.ok(schedule.isOver(200));
});

test('after a hold-up what is too late is left out', () => {
  const schedule = new SendSchedule(100, 1, Number.POSITIVE_INFINITY);
  schedule.take(0);
  const { from, to, missed } = schedule.take(60_000);
  assert.equal(to, 6_001);
  assert.equal(to - from, MAX_LAG / 10);
  assert.equal(missed, from - 1);
  assert.deepEqual(schedule.take(60_000), { from: 6_001, to: 6_001, missed: 0 });
});

test('turns that are given back come again', () => {
  const schedule = new SendSchedule(100, 1, 10);
  const { to } = schedule.take(100);
  schedule.giveBack(5);
  assert.deepEqual(schedule.take(110), { from: 5, to: to + 1, missed: 0 });
});

test('device ids are locally administered, stable, and differ by seed and device', () => {
  assert.equal(formatDeviceId(fleetDeviceId(0, 0)), '02:00:00:00:00:00');
  assert.equal(formatDeviceId(fleetDeviceId(MAX_SEED, MAX_DEVICES)), '02:ff:ff:01:86:a0');
  assert.equal(formatDeviceId(fleetDeviceId(0x0102, 0x0304)), '02:01:02:00:03:04');
});

test('each device has its own loopback address, none of which is 127.0.0.1 or a broadcast', () => {
  const addresses = new Set<string>();
  for (let index = 0; index < MAX_DEVICES; index++) addresses.add(loopbackAddress(index));
  assert.equal(addresses.size, MAX_DEVICES);
  for (const address of addresses) {
    const [first, second, third, fourth] = address.split('.').map(Number);
    assert.ok(first === 127 && second >= 1 && second <= 254 && third <= 255, address);
    assert.ok(fourth >= 1 && fourth <= 250, address);
  }
});
