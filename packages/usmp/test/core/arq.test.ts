import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type FrameUnderWay, ReceiveWindow, RoundTrip, SendWindow } from '#dist/core/arq.js';
import { FrameType } from '#dist/core/frame.js';
import {
  DELIVERY_TIMEOUT,
  GAP_TIMEOUT,
  MAX_BYTES_UNDER_WAY,
  MAX_FRAMES_UNDER_WAY,
  REPLAY_WINDOW,
} from '#dist/core/limits.js';

function frame(seq: number, options: Partial<FrameUnderWay> = {}): FrameUnderWay {
  return {
    type: FrameType.DATA,
    seq,
    bytes: new Uint8Array(100),
    alone: false,
    completes: undefined,
    ...options,
  };
}

function numbers(frames: readonly FrameUnderWay[] | undefined): number[] | undefined {
  return frames?.map(({ seq }) => seq);
}

/** A window that acknowledgements have opened so far, at the time 0 with a round trip of 10 ms; `next` is its next number. */
function opened(size: number): { window: SendWindow; next: number } {
  const window = new SendWindow(new RoundTrip());
  for (let seq = 0; seq < size - 1; seq++) {
    window.add(frame(seq), -10);
    window.acknowledge(seq, 0);
  }
  assert.equal(window.size, size);
  return { window, next: size - 1 };
}

/** Lets time pass until frames are to be sent again; undefined when one is given up. */
function timeOut(window: SendWindow): number[] | undefined {
  let frames: number[] | undefined = [];
  while (frames?.length === 0) frames = numbers(window.handleTimeout(window.pollTimeout()));
  return frames;
}

describe('the round trip', () => {
  test('before any measurement the time-out is 500 ms, doubled with each repeat, at most 5 s', () => {
    const roundTrip = new RoundTrip();
    assert.equal(roundTrip.smoothed, undefined);
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5, 9].map((attempts) => roundTrip.timeout(attempts)),
      [500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000],
    );
    assert.equal(roundTrip.timeout(2, 1_000), 1_000);
  });

  test('is smoothed as RFC 6298 says: 200, 100, 300 ms by hand', () => {
    const roundTrip = new RoundTrip();
    // SRTT = 200, RTTVAR = 100
    roundTrip.measure(200);
    assert.equal(roundTrip.smoothed, 200);
    assert.equal(roundTrip.timeout(0), 600);
    // RTTVAR = 3/4 · 100 + 1/4 · |200 − 100| = 100, SRTT = 7/8 · 200 + 1/8 · 100 = 187.5
    roundTrip.measure(100);
    assert.equal(roundTrip.smoothed, 187.5);
    assert.equal(roundTrip.timeout(0), 587.5);
    // RTTVAR = 3/4 · 100 + 1/4 · |187.5 − 300| = 103.125, SRTT = 7/8 · 187.5 + 1/8 · 300 = 201.5625
    roundTrip.measure(300);
    assert.equal(roundTrip.smoothed, 201.5625);
    assert.equal(roundTrip.timeout(0), 614.0625);
    assert.equal(roundTrip.timeout(1), 1_228.125);
  });

  test('gives a time-out of at least 100 ms and at most 5 s', () => {
    const near = new RoundTrip();
    near.measure(1);
    assert.equal(near.timeout(0), 100);
    const far = new RoundTrip();
    far.measure(3_000);
    assert.equal(far.timeout(0), 5_000);
  });

  test('after a time-out other frames wait longer too, at most 1 s, until something is measured', () => {
    const roundTrip = new RoundTrip();
    roundTrip.measure(100);
    assert.equal(roundTrip.timeout(0), 300);
    roundTrip.backOff();
    assert.equal(roundTrip.timeout(0), 600);
    assert.equal(roundTrip.timeout(1), 600, 'the time-outs of a frame are doubled once, not twice');
    assert.equal(roundTrip.timeout(3), 2_400);
    for (let i = 0; i < 100; i++) roundTrip.backOff();
    assert.equal(roundTrip.timeout(0), 1_000);
    roundTrip.measure(100);
    assert.ok(roundTrip.timeout(0) <= 300);
  });

  test('that is longer than 1 s is not cut short by that', () => {
    const roundTrip = new RoundTrip();
    roundTrip.measure(800);
    roundTrip.backOff();
    assert.equal(roundTrip.timeout(0), 2_400);
  });
});

describe('the sending window', () => {
  test('opens from 1 to 32 frames, by one with each UTACK', () => {
    const window = new SendWindow(new RoundTrip());
    let seq = 0;
    for (let size = 1; size <= MAX_FRAMES_UNDER_WAY + 3; size++) {
      assert.equal(window.size, Math.min(size, MAX_FRAMES_UNDER_WAY));
      window.add(frame(seq), 0);
      window.acknowledge(seq++, 10);
    }
    for (const size of [1, 2, 7, 32]) {
      const { window, next } = opened(size);
      for (let i = 0; i < size; i++) {
        assert.ok(window.admits(next + i, 100, false), `frame ${i} of ${size}`);
        window.add(frame(next + i), 0);
      }
      assert.ok(!window.admits(next + size, 100, false), `no more than ${size}`);
    }
  });

  test('holds at most 4,096 bytes', () => {
    const { window, next } = opened(32);
    for (let i = 0; i < 8; i++) window.add(frame(next + i, { bytes: new Uint8Array(492) }), 0);
    assert.equal(window.bytes, 3_936);
    assert.ok(window.admits(next + 8, 160, false), 'exactly 4,096');
    assert.ok(!window.admits(next + 8, 161, false), 'one byte more');
    window.acknowledge(next, 10);
    assert.equal(window.bytes, 3_444);
    assert.ok(window.admits(next + 8, 492, false));
    assert.ok(window.bytes + 492 <= MAX_BYTES_UNDER_WAY);
  });

  test('spans less than the replay window of the receiver', () => {
    const { window, next } = opened(32);
    window.add(frame(next), 0);
    assert.ok(window.admits(next + REPLAY_WINDOW - 1, 100, false));
    assert.ok(!window.admits(next + REPLAY_WINDOW, 100, false));
  });

  test('a frame that flies alone has nothing beside it', () => {
    const { window, next } = opened(32);
    assert.ok(window.admits(next, 100, true));
    window.add(frame(next, { alone: true, type: FrameType.REKEY }), 0);
    assert.ok(window.awaitsOnly(FrameType.REKEY));
    assert.ok(!window.awaitsOnly(FrameType.BYE));
    assert.ok(!window.admits(next + 1, 100, false));
    window.acknowledgeAll();
    assert.ok(window.empty && !window.awaitsOnly(FrameType.REKEY));
    assert.equal(window.pollTimeout(), Number.POSITIVE_INFINITY);
    window.add(frame(next + 1), 0);
    assert.ok(!window.awaitsOnly(FrameType.DATA));
    assert.ok(!window.admits(next + 2, 100, true));
  });

  test('finds a frame by number and type', () => {
    const { window, next } = opened(4);
    window.add(frame(next), 0);
    window.add(frame(next + 1, { type: FrameType.PING }), 0);
    assert.equal(window.find(FrameType.PING, next + 1)?.seq, next + 1);
    assert.equal(window.find(FrameType.DATA, next + 1), undefined);
    assert.equal(window.find(FrameType.DATA, next + 2), undefined);
  });

  test('a frame is sent at 0, 0.5, 1.5, 3.5 and 7.5 s, and given up at exactly 12.5 s', () => {
    const window = new SendWindow(new RoundTrip());
    window.add(frame(0), 0);
    const repeats: number[] = [];
    for (;;) {
      const due = window.pollTimeout();
      assert.deepEqual(numbers(window.handleTimeout(due - 0.01)), [], 'too early');
      const frames = window.handleTimeout(due);
      if (frames === undefined) {
        assert.equal(due, DELIVERY_TIMEOUT);
        break;
      }
      assert.deepEqual(numbers(frames), [0]);
      repeats.push(due);
    }
    assert.deepEqual(repeats, [500, 1_500, 3_500, 7_500]);
  });

  test('on a near line repeats begin earlier, and the end comes at the same time', () => {
    const { window, next } = opened(2);
    window.add(frame(next), 0);
    const times: number[] = [];
    let due = window.pollTimeout();
    while (window.handleTimeout(due) !== undefined) {
      times.push(due);
      due = window.pollTimeout();
    }
    assert.deepEqual(times, [100, 300, 700, 1_500, 3_100, 6_300, 11_300]);
    assert.equal(due, DELIVERY_TIMEOUT);
  });

  test('a time-out halves the window, down to 1, and repeats no more than that at once', () => {
    const { window, next } = opened(8);
    for (let i = 0; i < 8; i++) window.add(frame(next + i), 0);
    assert.equal(timeOut(window)!.length, 8);
    assert.equal(window.size, 4);
    assert.equal(timeOut(window)!.length, 4);
    assert.equal(window.size, 2);
    for (let i = 0; i < 3; i++) timeOut(window);
    assert.equal(window.size, 1);
    assert.ok(!window.admits(next + 8, 100, false));
  });

  test('a repeated frame is not measured, and its neighbour is', () => {
    const roundTrip = new RoundTrip();
    const window = new SendWindow(roundTrip);
    window.add(frame(0), 0);
    window.handleTimeout(500);
    window.acknowledge(0, 510);
    assert.equal(roundTrip.smoothed, undefined);
    window.add(frame(1), 600);
    window.acknowledge(1, 640);
    assert.equal(roundTrip.smoothed, 40);
  });

  test('three later frames acknowledged: the earlier one is sent again at once, and once', () => {
    const { window, next } = opened(32);
    for (let i = 0; i < 6; i++) window.add(frame(next + i), 0);
    assert.deepEqual(numbers(window.acknowledge(next + 1, 20)), []);
    assert.deepEqual(numbers(window.acknowledge(next + 2, 20)), []);
    assert.deepEqual(numbers(window.acknowledge(next + 3, 20)), [next]);
    assert.deepEqual(numbers(window.acknowledge(next + 4, 20)), []);
    assert.deepEqual(numbers(window.acknowledge(next + 5, 20)), []);
    assert.equal(window.size, 32, 'that is no time-out');
    // Only frames sent after the repeat tell about the repeat.
    for (let i = 6; i < 9; i++) window.add(frame(next + i), 30);
    assert.deepEqual(numbers(window.acknowledge(next + 6, 40)), []);
    assert.deepEqual(numbers(window.acknowledge(next + 7, 40)), []);
    assert.deepEqual(numbers(window.acknowledge(next + 8, 40)), [next]);
    // A fast repeat does not put off the end.
    let due = window.pollTimeout();
    while (window.handleTimeout(due) !== undefined) due = window.pollTimeout();
    assert.equal(due, DELIVERY_TIMEOUT);
  });
});

describe('the receiving window', () => {
  const data = { type: FrameType.DATA, plaintext: new Uint8Array(0) };

  /** Takes a frame as a connection does, and says which numbers come out. */
  class Receiver {
    readonly window = new ReceiveWindow();
    readonly delivered: number[] = [];
    skipped = 0;
    now = 0;

    take(seq: number): 'new' | 'repeat' | 'refused' {
      const standing = this.window.judge(seq);
      if (standing !== 'new') return standing;
      this.window.confirm(seq);
      if (!this.window.holds && this.window.isNext(seq)) {
        this.delivered.push(seq);
      } else {
        this.window.hold(seq, { ...data, plaintext: Uint8Array.of(seq, seq >>> 8, seq >>> 16) }, this.now);
        this.release();
      }
      return standing;
    }

    release(): void {
      for (;;) {
        for (let frame = this.window.shift(); frame !== undefined; frame = this.window.shift()) {
          const [low, middle, high] = frame.plaintext;
          this.delivered.push(low! | (middle! << 8) | (high! << 16));
        }
        if (!this.window.overrun) return;
        this.skipped += this.window.skipGap(this.window.start);
      }
    }
  }

  test('delivers in order whatever the order of arrival', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(63), { maxLength: 64 }),
        fc.array(fc.nat(255), { minLength: 1, maxLength: 20 }),
        (swaps, repeats) => {
          const order = Array.from({ length: 64 }, (_, i) => i);
          for (const [i, j] of swaps.entries()) [order[i], order[j]] = [order[j]!, order[i]!];
          const receiver = new Receiver();
          for (const [i, seq] of order.entries()) {
            assert.equal(receiver.take(seq), 'new');
            const known = order[repeats[i % repeats.length]! % (i + 1)]!;
            assert.equal(receiver.take(known), 'repeat');
          }
          assert.deepEqual(
            receiver.delivered,
            order.toSorted((a, b) => a - b),
          );
          assert.equal(receiver.window.gapUntil, Number.POSITIVE_INFINITY);
          assert.ok(!receiver.window.holds);
        },
      ),
    );
  });

  test('holds fewer frames than the window is wide, whatever a peer skips', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(3), fc.nat(90)), { maxLength: 300 }), (steps) => {
        const receiver = new Receiver();
        let seq = 0;
        let taken = 0;
        for (const step of steps) {
          seq += step;
          if (receiver.take(seq) === 'new') taken++;
          const held = taken - receiver.delivered.length;
          assert.ok(held >= 0 && held < REPLAY_WINDOW, `${held} held`);
        }
        assert.deepEqual(
          receiver.delivered,
          receiver.delivered.toSorted((a, b) => a - b),
        );
      }),
    );
  });

  test('a gap is to be given up 13 s after the first frame behind it came; then what fills it is refused', () => {
    const receiver = new Receiver();
    receiver.take(0);
    assert.equal(receiver.window.gapUntil, Number.POSITIVE_INFINITY);
    receiver.now = 100;
    receiver.take(3);
    receiver.now = 300;
    receiver.take(5);
    receiver.take(2);
    assert.equal(receiver.window.gapUntil, 100 + GAP_TIMEOUT);
    assert.equal(receiver.window.skipGap(), 1);
    receiver.release();
    assert.deepEqual(receiver.delivered, [0, 2, 3]);
    assert.equal(receiver.window.judge(1), 'refused');
    assert.equal(receiver.window.gapUntil, 300 + GAP_TIMEOUT, 'the next gap counts from its own first frame');
    assert.equal(receiver.take(4), 'new');
    assert.deepEqual(receiver.delivered, [0, 2, 3, 4, 5]);
  });

  test('a gap that the window passes is given up at once', () => {
    const receiver = new Receiver();
    receiver.take(1);
    receiver.take(REPLAY_WINDOW - 1);
    assert.deepEqual(receiver.delivered, []);
    assert.equal(receiver.window.judge(0), 'new');
    receiver.take(REPLAY_WINDOW);
    assert.deepEqual(receiver.delivered, [1]);
    assert.equal(receiver.skipped, 1);
    assert.equal(receiver.window.judge(0), 'refused');
    receiver.take(1_000);
    assert.deepEqual(receiver.delivered, [1, REPLAY_WINDOW - 1, REPLAY_WINDOW]);
  });
});
