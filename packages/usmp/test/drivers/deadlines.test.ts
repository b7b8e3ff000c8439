import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { Deadlines, type Timed } from '#dist/deadlines.js';

/** Deadlines whose clock and timer are the test's own. */
class Bench extends Deadlines {
  static readonly FAR = 0x7fffffff;
  time = 0;

  override now(): number {
    return this.time;
  }
}

class Entry implements Timed {
  dueAt = Number.POSITIVE_INFINITY;
  heapIndex = -1;
  readonly woken: number[] = [];
  readonly #act: ((now: number) => void) | undefined;

  constructor(act?: (now: number) => void) {
    this.#act = act;
  }

  handleTimeout(now: number): void {
    this.woken.push(now);
    this.#act?.(now);
  }
}

test('entries are woken as a sorted list would wake them, however they are moved and removed', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const command = fc.oneof(
    fc.record({
      type: fc.constant('set' as const),
      entry: fc.nat(9),
      inMs: fc.integer({ min: 0, max: 2_000 }),
    }),
    fc.record({ type: fc.constant('clear' as const), entry: fc.nat(9) }),
    fc.record({ type: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 700 }) }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const deadlines = new Bench();
      const entries = Array.from({ length: 10 }, () => new Entry());
      const model = new Map<Entry, number>();
      for (const step of commands) {
        if (step.type === 'set') {
          const dueAt = deadlines.time + step.inMs;
          deadlines.set(entries[step.entry]!, dueAt);
          model.set(entries[step.entry]!, dueAt);
        } else if (step.type === 'clear') {
          deadlines.clear(entries[step.entry]!);
          model.delete(entries[step.entry]!);
        } else {
          for (let i = 0; i < step.ms; i++) {
            deadlines.time++;
            t.mock.timers.tick(1);
          }
          // A wake-up may be late by the resolution of the timer, never early.
          for (const [entry, dueAt] of model) {
            if (entry.woken.length > 0) {
              assert.ok(dueAt <= entry.woken[0]!, 'woken early');
              assert.ok(entry.woken[0]! - dueAt <= 20, `woken ${entry.woken[0]! - dueAt} ms late`);
              assert.equal(entry.woken.length, 1);
              model.delete(entry);
              entry.woken.length = 0;
            } else {
              assert.ok(deadlines.time - dueAt <= 20, 'not woken at all');
            }
          }
        }
        for (const entry of entries) assert.deepEqual(entry.woken, [], 'woken without being due');
        for (const entry of entries) assert.equal(entry.dueAt, model.get(entry) ?? Number.POSITIVE_INFINITY);
      }
      for (const entry of entries) deadlines.clear(entry);
    }),
    { numRuns: 200 },
  );
});

test('a thousand deadlines share one timer', (t) => {
  const timers = new Set<unknown>();
  let most = 0;
  const setTimer = t.mock.method(globalThis, 'setTimeout', () => {
    const timer = Symbol('timer');
    timers.add(timer);
    most = Math.max(most, timers.size);
    return timer;
  });
  t.mock.method(globalThis, 'clearTimeout', (timer: unknown) => void timers.delete(timer));
  const deadlines = new Bench();
  const entries = Array.from({ length: 1_000 }, () => new Entry());
  for (const [i, entry] of entries.entries()) deadlines.set(entry, 1_000 + ((i * 7_919) % 1_000));
  assert.equal(most, 1);
  assert.equal(timers.size, 1);
  assert.ok(setTimer.mock.callCount() < 20, `${setTimer.mock.callCount()} timers made for 1,000 deadlines`);
  for (const entry of entries) deadlines.clear(entry);
  assert.equal(timers.size, 0, 'a timer is left that keeps the process alive');
});

test('deadlines beyond what timers can take do not fire early', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const deadlines = new Bench();
  const entry = new Entry();
  deadlines.set(entry, 3 * Bench.FAR);
  deadlines.time = Bench.FAR;
  t.mock.timers.tick(Bench.FAR);
  assert.deepEqual(entry.woken, []);
  deadlines.clear(entry);
});

test('an entry that asks for the present again and again does not keep the others waiting', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const deadlines = new Bench();
  const busy: Entry = new Entry((now) => deadlines.set(busy, now));
  const other = new Entry();
  deadlines.set(busy, 5);
  deadlines.set(other, 6);
  for (deadlines.time = 1; deadlines.time < 100; deadlines.time++) t.mock.timers.tick(1);
  assert.equal(other.woken.length, 1);
  assert.ok(busy.woken.length > 1);
  deadlines.clear(busy);
});

test('an entry that another one removes at the same moment is not woken', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const deadlines = new Bench();
  const victim = new Entry();
  const first = new Entry(() => deadlines.clear(victim));
  deadlines.set(first, 20);
  deadlines.set(victim, 21);
  deadlines.time = 40;
  t.mock.timers.tick(40);
  assert.equal(first.woken.length, 1);
  assert.deepEqual(victim.woken, []);
});

test('an entry that another one moves at the same moment is woken at its new time only', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const deadlines = new Bench();
  const moved = new Entry();
  const first = new Entry(() => deadlines.set(moved, 100));
  deadlines.set(first, 20);
  deadlines.set(moved, 21);
  deadlines.time = 40;
  t.mock.timers.tick(40);
  assert.deepEqual(moved.woken, []);
  deadlines.time = 100;
  t.mock.timers.tick(60);
  assert.deepEqual(moved.woken, [100]);
});

test('after the process was stopped, what has come meanwhile is read before anybody is woken', async (t) => {
  const server = net.createServer((socket) => socket.on('error', () => {}));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  t.after(() => {
    socket.destroy();
    server.close();
  });
  const [accepted] = (await once(server, 'connection')) as [net.Socket];
  const order: string[] = [];
  const deadlines = new Deadlines();
  const woken = new Promise<void>((resolve) => {
    const entry = new Entry(() => {
      order.push('woken');
      resolve();
    });
    deadlines.set(entry, deadlines.now() + 50);
  });
  socket.on('data', () => order.push('read'));
  accepted.write('a sign of life');
  // Whatever holds the event loop up: a suspended process does the same.
  const until = performance.now() + 1_500;
  while (performance.now() < until);
  await woken;
  assert.deepEqual(order, ['read', 'woken']);
});
