import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Samples } from '#dist/metrics/samples.js';

const NOTHING = {
  ...{
    sessions: 0,
    halfOpen: 0,
    accepted: 0,
    messagesSent: 0,
    messagesReceived: 0,
    bytesSent: 0,
    bytesReceived: 0,
  },
  ...{
    framesSent: 0,
    framesReceived: 0,
    framesRetransmitted: 0,
    framesRepeated: 0,
    datagramsDropped: 0,
    messagesLost: 0,
  },
  refused: {},
};

test('a sample has what happened since the one before, and only those of an hour are kept', (t) => {
  let stats = { ...NOTHING, messagesReceived: 5 };
  let now = 0;
  const samples = new Samples({ server: () => stats, roundTrip: () => undefined }, () => now);
  t.after(() => samples.close());
  stats = {
    ...NOTHING,
    messagesReceived: 12,
    messagesSent: 1,
    sessions: 3,
    refused: { 'wrong-key': 2, busy: 1 },
  };
  now = 10_000;
  samples.take();
  assert.deepEqual(samples.since(), [
    { at: 10_000, online: 3, messagesIn: 7, messagesOut: 1, refused: 3, roundTrip: undefined },
  ]);
  for (let count = 0; count < 400; count++) {
    now += 10_000;
    samples.take();
  }
  assert.equal(samples.since().length, 360);
  assert.equal(samples.since(now - 10_000).length, 1);
});
