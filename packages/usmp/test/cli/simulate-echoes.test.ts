import assert from 'node:assert/strict';
import test from 'node:test';
import { EchoCheck, EchoTally, MAX_WINDOW } from '#dist/cli/echo-check.js';
import { MIN_TEST_MESSAGE, TestMessages } from '#dist/cli/probe-message.js';
import { MAX_MESSAGE, parseDeviceId } from '#dist/index.js';

const DEVICE = parseDeviceId('02:00:00:00:00:01');
const OTHER = parseDeviceId('02:00:00:00:00:02');
const TIMEOUT = 1_000;

/** One device, the copies of all that it has sent, and what is counted of it. */
function oneDevice(size = 64) {
  const tally = new EchoTally();
  const check = new EchoCheck(DEVICE, new TestMessages(size), tally, TIMEOUT);
  const sent: Uint8Array[] = [];
  return {
    tally,
    check,
    sent,
    send(now: number): boolean {
      const message = check.next(now);
      if (message !== undefined) sent.push(message.slice());
      return message !== undefined;
    },
  };
}

/** The counters that are not 0. */
function counted(tally: EchoTally): Record<string, number> {
  const numbers = Object.entries(tally).filter(([, value]) => typeof value === 'number' && value !== 0);
  return Object.fromEntries(numbers) as Record<string, number>;
}

test('a message is recognized as it was sent, and by no other device', () => {
  for (const size of [MIN_TEST_MESSAGE, 17, 18, 19, 64, MAX_MESSAGE]) {
    const messages = new TestMessages(size);
    for (const number of [0, 1, 255, 65_536, 0xffff_ffff]) {
      const message = messages.compose(DEVICE, number).slice();
      assert.equal(message.length, size);
      assert.equal(messages.numberOf(DEVICE, message), number);
      assert.equal(messages.numberOf(OTHER, message), undefined);
    }
  }
});

test('a message with any bit changed, cut off or added to is no message', () => {
  const messages = new TestMessages(40);
  const message = messages.compose(DEVICE, 1_234).slice();
  for (let bit = 0; bit < 8 * message.length; bit++) {
    const altered = message.slice();
    altered[bit >> 3] ^= 1 << (bit & 7);
    assert.equal(messages.numberOf(DEVICE, altered), undefined, `bit ${bit}`);
  }
  for (let length = 0; length < message.length; length++) {
    assert.equal(messages.numberOf(DEVICE, message.subarray(0, length)), undefined);
  }
  assert.equal(messages.numberOf(DEVICE, Uint8Array.of(...message, 0)), undefined);
});

test('messages of different devices and numbers have nothing in common but their head', () => {
  const messages = new TestMessages(MAX_MESSAGE);
  const words = new Set<number>();
  let count = 0;
  for (const device of [DEVICE, OTHER]) {
    for (let number = 0; number < 20; number++) {
      const view = new DataView(messages.compose(device, number).slice().buffer);
      for (let at = 10; at + 4 <= view.byteLength; at += 4, count++) words.add(view.getUint32(at));
    }
  }
  // By chance about 0.04 pairs of so many words are equal.
  assert.ok(count - words.size < 5, `${count - words.size} of ${count} words repeat`);
});

test('echoes in order are counted with their round trips', () => {
  const { tally, check, sent, send } = oneDevice();
  for (let i = 0; i < 100; i++) {
    send(10 * i + 1);
    check.take(sent[i], 10 * i + 4);
  }
  assert.deepEqual(counted(tally), { sent: 100, echoed: 100 });
  assert.equal(tally.outstanding, 0);
  assert.deepEqual(tally.roundTrips.summary(), { min: 3, p50: 3, p90: 3, p99: 3, max: 3 });
});

test('an echo that never comes is lost once the time is over', () => {
  const { tally, check, sent, send } = oneDevice();
  for (const now of [100, 200, 300]) send(now);
  check.take(sent[0], 400);
  check.take(sent[2], 400);
  check.giveUpLate(200 + TIMEOUT);
  assert.deepEqual(counted(tally), { sent: 3, echoed: 2 });
  assert.equal(tally.outstanding, 1);
  check.giveUpLate(201 + TIMEOUT);
  assert.deepEqual(counted(tally), { sent: 3, echoed: 2, lost: 1 });
  assert.equal(tally.outstanding, 0);
});

test('an echo that comes after the time is lost and late, whether or not it was looked for', () => {
  const { tally, check, sent, send } = oneDevice();
  send(100);
  check.take(sent[0], 101 + TIMEOUT);
  assert.deepEqual(counted(tally), { sent: 1, lost: 1, late: 1 });
  check.take(sent[0], 102 + TIMEOUT);
  assert.deepEqual(counted(tally), { sent: 1, lost: 1, late: 1, doubled: 1 });
});

test('an echo that comes again is doubled, also long after', () => {
  const { tally, check, sent, send } = oneDevice();
  for (let i = 0; i < 200; i++) {
    send(i + 1);
    check.take(sent[i], i + 1);
  }
  check.take(sent[199], 300);
  check.take(sent[0], 300);
  assert.deepEqual(counted(tally), { sent: 200, echoed: 200, doubled: 2 });
});

test('an echo behind a later one is out of order, and not lost', () => {
  const { tally, check, sent, send } = oneDevice();
  for (const now of [1, 2, 3, 4]) send(now);
  for (const index of [0, 2, 1, 3]) check.take(sent[index], 5);
  assert.deepEqual(counted(tally), { sent: 4, echoed: 4, outOfOrder: 1 });
});

test('an altered echo is wrong, and its message is lost; so is one that was never sent', () => {
  const { tally, check, sent, send } = oneDevice();
  send(1);
  sent[0][63] ^= 1;
  check.take(sent[0], 2);
  check.take(new TestMessages(64).compose(DEVICE, 1), 2);
  check.giveUpAll();
  assert.deepEqual(counted(tally), { sent: 1, wrong: 2, lost: 1 });
});

test('a device with too much outstanding leaves messages out until echoes come', () => {
  const { tally, check, sent, send } = oneDevice();
  for (let i = 0; i < MAX_WINDOW; i++) assert.ok(send(1));
  assert.equal(send(1), false);
  assert.equal(send(1), false);
  assert.deepEqual(counted(tally), { sent: MAX_WINDOW, skipped: 2 });
  check.take(sent[0], 2);
  assert.equal(send(2), true);
  assert.equal(send(2), false);
});

test('one lost message does not hold up all that follow', () => {
  const { tally, check, sent, send } = oneDevice();
  send(1);
  for (let i = 1; i < 3 * MAX_WINDOW; i++) {
    assert.ok(send(2));
    check.take(sent[i], 3);
  }
  assert.deepEqual(counted(tally), { sent: 3 * MAX_WINDOW, echoed: 3 * MAX_WINDOW - 1, lost: 1 });
});

test('what is under way when the session breaks is neither lost nor expected any more', () => {
  const { tally, check, sent, send } = oneDevice();
  for (let i = 0; i < 3; i++) send(i + 1);
  check.take(sent[0]!, 10);
  check.interrupt();
  assert.deepEqual(counted(tally), { sent: 3, echoed: 1, interrupted: 2 });
  assert.equal(tally.outstanding, 0);
  send(20);
  check.take(sent[3]!, 30);
  assert.deepEqual(counted(tally), { sent: 4, echoed: 2, interrupted: 2 });
});

test('a break that is noticed late explains what was given up since the last echo, and nothing before it', () => {
  const { tally, check, sent, send } = oneDevice();
  send(1);
  check.giveUpLate(2_000);
  send(2_001);
  check.take(sent[1]!, 2_010);
  send(2_020);
  send(4_000);
  check.giveUpLate(4_500);
  assert.deepEqual(counted(tally), { sent: 4, echoed: 1, lost: 2 });
  check.interrupt();
  assert.deepEqual(counted(tally), { sent: 4, echoed: 1, lost: 1, interrupted: 2 });
});
