import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeFrame, type Frame, FrameDecoder, FrameType } from '#dist/core/frame.js';
import { joinKeys } from '#dist/core/key-schedule.js';
import { MAX_PLAINTEXT } from '#dist/core/limits.js';
import { RECORD_OVERHEAD, REKEY_SALT_LENGTH, RecordLayer } from '#dist/core/record.js';
import { StrictOrder } from '#dist/core/replay.js';
import { hex, pattern, toHex } from '../support/bytes.js';
import { isWiped, WatchedCrypto } from '../support/crypto.js';

const SESSION_ID = hex('000102030405060708090a0b0c0d0e0f');
const KEYS = { a: hex('11'.repeat(32)), b: hex('22'.repeat(32)) };
const SALT = { a: hex('aa'.repeat(REKEY_SALT_LENGTH)), b: hex('bb'.repeat(REKEY_SALT_LENGTH)) };

function pair() {
  const crypto = new WatchedCrypto();
  const a = new RecordLayer(crypto, SESSION_ID, joinKeys(KEYS.a, KEYS.b), StrictOrder);
  const b = new RecordLayer(crypto, SESSION_ID, joinKeys(KEYS.b, KEYS.a), StrictOrder);
  return { a, b, crypto };
}

function seal(from: RecordLayer, plaintext: Uint8Array = hex(''), type: FrameType = FrameType.DATA): Frame {
  const out = new Uint8Array(plaintext.length + RECORD_OVERHEAD);
  from.seal(type, plaintext, out, 0);
  return parse(out);
}

function parse(bytes: Uint8Array): Frame {
  const decoder = new FrameDecoder();
  decoder.push(bytes);
  return decoder.next()!;
}

/** The frame with another payload or number, and a checksum that fits. */
function forged(frame: Frame, { seq = frame.seq, type = frame.type, payload = frame.payload }): Frame {
  return parse(encodeFrame(type, seq, payload));
}

function flip(bytes: Uint8Array, offset: number): Uint8Array {
  const changed = bytes.slice();
  changed[offset] ^= 0x01;
  return changed;
}

describe('sealing and opening', () => {
  test('what one side seals the other opens, both ways and at every size', () => {
    const { a, b } = pair();
    for (const length of [0, 1, 15, 16, 17, 451, 452]) {
      assert.equal(toHex(b.open(seal(a, pattern(1, length)))), toHex(pattern(1, length)));
      assert.equal(toHex(a.open(seal(b, pattern(2, length)))), toHex(pattern(2, length)));
    }
  });

  test('a frame is written where it is told to and nowhere else', () => {
    const { a } = pair();
    const out = new Uint8Array(RECORD_OVERHEAD + 3 + 10).fill(0xee);
    a.seal(FrameType.DATA, hex('010203'), out, 4);
    assert.ok(
      [...out.subarray(0, 4), ...out.subarray(4 + RECORD_OVERHEAD + 3)].every((byte) => byte === 0xee),
    );
    assert.equal(toHex(pair().b.open(parse(out.subarray(4, 4 + RECORD_OVERHEAD + 3)))), '010203');
  });

  test('each frame takes the next number, and it stands in the header and in the nonce', () => {
    const { a } = pair();
    for (let seq = 0; seq < 300; seq++) {
      const frame = seal(a);
      assert.equal(frame.seq, seq);
      const littleEndian = toHex(Uint8Array.of(seq, seq >>> 8, 0, 0));
      assert.equal(toHex(frame.payload.subarray(0, 12)), `${littleEndian}0001020304050607`);
    }
    assert.equal(a.sealable, 0xffffffff - 300);
  });

  test('what is received may be a view of memory that changes afterwards', () => {
    const { a, b } = pair();
    const bytes = seal(a, hex('0102')).bytes.slice();
    const plaintext = b.open(parse(bytes));
    bytes.fill(0);
    assert.equal(toHex(plaintext), '0102');
  });
});

describe('what is not opened', () => {
  test('a frame that was replayed, skipped or reordered', () => {
    const { a, b } = pair();
    const frames = [seal(a), seal(a), seal(a)];
    assert.throws(() => b.open(frames[1]!), { name: 'SequenceError', code: 'bad_sequence' });
    b.open(frames[0]!);
    assert.throws(() => b.open(frames[0]!), { code: 'bad_sequence' });
    assert.throws(() => b.open(frames[2]!), { message: 'sequence number 2, expected 1' });
    b.open(frames[1]!);
  });

  test('a frame with the number that must come next, but sealed under another', () => {
    const { a, b } = pair();
    const old = seal(a);
    b.open(old);
    assert.throws(() => b.open(forged(old, { seq: 1 })), { name: 'CryptoError', code: 'bad_nonce' });
  });

  test('a nonce of another session, or of another number', () => {
    for (let offset = 0; offset < 12; offset++) {
      const { a, b } = pair();
      const frame = seal(a);
      assert.throws(() => b.open(forged(frame, { payload: flip(frame.payload, offset) })), {
        code: 'bad_nonce',
      });
    }
  });

  test('a changed bit in text or tag, and a type or length that was changed', () => {
    const { a, b } = pair();
    const frame = seal(a, pattern(1, 20));
    for (let offset = 12; offset < frame.payload.length; offset++) {
      assert.throws(() => b.open(forged(frame, { payload: flip(frame.payload, offset) })), {
        code: 'bad_tag',
      });
    }
    assert.throws(() => b.open(forged(frame, { type: FrameType.DATA_FRAG })), { code: 'bad_tag' });
    assert.throws(() => b.open(forged(frame, { payload: frame.payload.subarray(0, -1) })), {
      code: 'bad_tag',
    });
    assert.equal(toHex(b.open(frame)), toHex(pattern(1, 20)), 'and the number is not used up by any of them');
  });

  test('a payload that has no room for nonce and tag', () => {
    const { a, b } = pair();
    const frame = seal(a);
    for (const length of [0, 1, 12, 16, 27]) {
      assert.throws(() => b.open(forged(frame, { payload: frame.payload.subarray(0, length) })), {
        name: 'PayloadError',
        code: 'bad_length',
      });
    }
  });

  test("one's own frame, sent back", () => {
    const { a } = pair();
    assert.throws(() => a.open(seal(a)), { code: 'bad_tag' });
  });

  test('the last number of all', () => {
    const { a, b } = pair();
    assert.throws(() => b.open(forged(seal(a), { seq: 0xffffffff })), { code: 'sequence_spent' });
  });
});

/** REKEY from one side: sealed under the old key, then the switch. */
function startRekey(from: RecordLayer, salt: Uint8Array): Frame {
  const frame = seal(from, salt, FrameType.REKEY);
  from.rekeyAsInitiator(salt);
  return frame;
}

describe('a change of keys', () => {
  test('starts both directions anew at number 0 under other keys', () => {
    const { a, b } = pair();
    for (let i = 0; i < 5; i++) b.open(seal(a));
    b.rekeyAsResponder(b.open(startRekey(a, SALT.a)));
    assert.deepEqual([a.rekeyComplete, b.rekeyComplete], [false, false]);
    const [fromA, fromB] = [seal(a), seal(b)];
    assert.deepEqual([fromA.seq, fromB.seq], [0, 0]);
    b.open(fromA);
    a.open(fromB);
    assert.deepEqual([a.rekeyComplete, b.rekeyComplete], [true, true]);
  });

  test('keeps what the responder had under way readable, until the first frame under the new key', () => {
    const { a, b } = pair();
    a.open(seal(b));
    const rekey = startRekey(a, SALT.a);
    const underWay = [seal(b, hex('01')), seal(b, hex('02'))];
    const late = seal(b);
    b.rekeyAsResponder(b.open(rekey));
    for (const frame of underWay) a.open(frame);
    assert.equal(a.rekeyComplete, false);
    a.open(seal(b));
    assert.equal(a.rekeyComplete, true);
    assert.throws(() => a.open(late), { code: 'bad_sequence' });
  });

  test('tries both keys where both await number 0', () => {
    for (const under of ['old', 'new']) {
      const { a, b } = pair();
      const rekey = startRekey(a, SALT.a);
      const old = seal(b, hex('01'));
      b.rekeyAsResponder(b.open(rekey));
      if (under === 'old') assert.equal(toHex(a.open(old)), '01');
      assert.equal(toHex(a.open(seal(b, hex('02')))), '02');
      assert.throws(() => a.open(old), { code: 'bad_sequence' });
    }
  });

  test('refuses the old key at the responder at once', () => {
    const { a, b } = pair();
    const rekey = seal(a, SALT.a, FrameType.REKEY);
    const old = seal(a);
    b.rekeyAsResponder(b.open(rekey));
    assert.throws(() => b.open(old), { code: 'bad_sequence' });
  });

  test('crossing: each side sends under its own salt and receives under that of the other', () => {
    const { a, b } = pair();
    const [fromA, fromB] = [startRekey(a, SALT.a), startRekey(b, SALT.b)];
    const early = [seal(a, hex('0a')), seal(b, hex('0b'))] as const;
    a.rekeyAsResponder(a.open(fromB));
    b.rekeyAsResponder(b.open(fromA));
    assert.deepEqual([a.rekeyComplete, b.rekeyComplete], [false, false]);
    assert.equal(toHex(b.open(early[0])), '0a');
    assert.equal(toHex(a.open(early[1])), '0b');
    assert.deepEqual([a.rekeyComplete, b.rekeyComplete], [true, true]);
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const next = seal(from, hex('ff'));
      assert.equal(next.seq, 1);
      assert.equal(toHex(to.open(next)), 'ff');
    }
  });

  test('after a crossing the next one still agrees, from either side', () => {
    for (const second of ['a', 'b'] as const) {
      const sides = pair();
      const { a, b } = sides;
      const [fromA, fromB] = [startRekey(a, SALT.a), startRekey(b, SALT.b)];
      a.rekeyAsResponder(a.open(fromB));
      b.rekeyAsResponder(b.open(fromA));
      a.open(seal(b));
      b.open(seal(a));
      const [initiator, responder] = second === 'a' ? [a, b] : [b, a];
      responder.rekeyAsResponder(responder.open(startRekey(initiator, hex('cc'.repeat(32)))));
      assert.equal(toHex(responder.open(seal(initiator, hex('01')))), '01');
      assert.equal(toHex(initiator.open(seal(responder, hex('02')))), '02');
    }
  });
});

describe('keys that are no longer needed are wiped', () => {
  test('the old ones, when a change is complete', () => {
    const { a, b, crypto } = pair();
    for (let generation = 1; generation <= 4; generation++) {
      b.open(seal(a));
      a.open(seal(b));
      const live = crypto.cipherKeys.filter((key) => !isWiped(key));
      assert.equal(crypto.cipherKeys.length, 4 * generation);
      assert.equal(live.length, 4, 'those of both sides and directions, and no older ones');
      b.rekeyAsResponder(b.open(startRekey(a, hex('01'.repeat(32)))));
    }
  });

  test('all of them at the end, at whatever point it comes', () => {
    const points: ((a: RecordLayer, b: RecordLayer) => void)[] = [
      () => {},
      (a, b) => b.rekeyAsResponder(b.open(startRekey(a, SALT.a))),
      (a, b) => {
        const [fromA, fromB] = [startRekey(a, SALT.a), startRekey(b, SALT.b)];
        a.rekeyAsResponder(a.open(fromB));
        b.rekeyAsResponder(b.open(fromA));
      },
      (a, b) => {
        startRekey(a, SALT.a);
        startRekey(b, SALT.b);
      },
    ];
    for (const [i, reach] of points.entries()) {
      const crypto = new WatchedCrypto();
      const initial = [joinKeys(KEYS.a, KEYS.b), joinKeys(KEYS.b, KEYS.a)] as const;
      const a = new RecordLayer(crypto, SESSION_ID, initial[0], StrictOrder);
      const b = new RecordLayer(crypto, SESSION_ID, initial[1], StrictOrder);
      reach(a, b);
      a.wipe();
      b.wipe();
      assert.ok([...initial, ...crypto.secrets, ...crypto.cipherKeys].every(isWiped), `point ${i}`);
    }
  });

  test('and nothing can be sealed after that', () => {
    const { a } = pair();
    a.wipe();
    assert.equal(a.sealable, 0);
    assert.throws(() => seal(a), { name: 'SequenceError', code: 'sequence_spent' });
  });
});

test('a full frame has exactly the largest payload', () => {
  const { a } = pair();
  assert.equal(seal(a, pattern(1, MAX_PLAINTEXT)).payload.length, 480);
});
