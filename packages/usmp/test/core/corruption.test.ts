import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pattern, toHex } from '../support/bytes.js';
import { Pair } from '../support/pair.js';

describe('a line that corrupts', () => {
  test('any flipped bit of a session ends it with a typed error, and nothing false is delivered', () => {
    const sent = [pattern(1, 30), pattern(2, 500)];
    const total = 30 + 500 + 3 * 40;
    for (let offset = 0; offset < total; offset++) {
      const pair = Pair.open();
      pair.client.line.corrupt(offset, 1 << (offset % 8));
      for (const message of sent) pair.client.send(message);
      pair.settle();
      const delivered = pair.server.messages.map(toHex);
      assert.deepEqual(delivered, sent.slice(0, delivered.length).map(toHex), `byte ${offset}`);
      assert.ok(delivered.length < sent.length, `byte ${offset}`);
      // A length that grew leaves a frame that is waited for.
      const waits = pair.server.connection.state === 'open';
      assert.ok(
        waits ? [8, 9].includes(offset < 70 ? offset : (offset - 70) % 492) : pair.server.closed,
        `byte ${offset}`,
      );
    }
  });

  test('any flipped bit of the handshake that matters ends it before a session is open', () => {
    // Number and checksum of handshake frames are not looked at: the MACs cover what matters.
    const unchecked = [4, 5, 6, 7, 10, 11];
    for (const name of ['client', 'server'] as const) {
      const frames = name === 'client' ? [50, 44] : [76, 60];
      for (let offset = 0; offset < frames[0]! + frames[1]!; offset++) {
        const pair = new Pair();
        pair[name].line.corrupt(offset, 1 << (offset % 8));
        pair.settle();
        const within = offset < frames[0]! ? offset : offset - frames[0]!;
        const opened = pair.ends.every((end) => end.connection.state === 'open');
        assert.equal(opened, unchecked.includes(within), `${name}, byte ${offset}`);
      }
    }
  });
});
