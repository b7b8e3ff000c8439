/** What every implementation of the crypto seam must do. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hex, toHex, utf8 } from '../support/bytes.js';
import type { TestedCrypto } from '../support/crypto.js';
import { INVALID, SESSIONS } from '../support/vectors.js';

/** NIST's GCM specification, test case 16. */
const key = hex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308');
const nonce = hex('cafebabefacedbaddecaf888');
const aad = hex('feedfacedeadbeeffeedfacedeadbeefabaddad2');
const plaintext = hex(
  'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
);
const sealed =
  '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662' +
  '76fc6ece0f4e1768cddf8853bb2d551b';

/** Declares the tests of one implementation. */
export function testCrypto({ crypto, importKeyPair }: TestedCrypto): void {
  describe('X25519', () => {
    test('both sides of an exchange come to the same secret, and no two exchanges to one', () => {
      const secrets = new Set<string>();
      for (let i = 0; i < 10; i++) {
        const [a, b] = [crypto.generateKeyPair(), crypto.generateKeyPair()];
        assert.equal(a.publicKey.length, 32);
        const secret = toHex(a.agree(b.publicKey)!);
        assert.equal(secret, toHex(b.agree(a.publicKey)!));
        secrets.add(secret);
      }
      assert.equal(secrets.size, 10);
    });

    test('a key pair of ours agrees with one that stands in the vectors', () => {
      for (const session of SESSIONS) {
        const theirs = importKeyPair(hex(session.client_private));
        assert.equal(toHex(theirs.publicKey), session.client_public);
        assert.equal(toHex(theirs.agree(hex(session.server_public))!), session.shared_secret);
        const ours = crypto.generateKeyPair();
        assert.equal(toHex(ours.agree(theirs.publicKey)!), toHex(theirs.agree(ours.publicKey)!));
      }
    });

    test('a point of low order yields no secret', () => {
      const points = INVALID.handshake
        .filter(({ error, role }) => error === 'low_order_point' && role === 'client')
        .map(({ bytes }) => hex(bytes).slice(-32));
      assert.ok(points.length >= 5);
      const pair = crypto.generateKeyPair();
      for (const point of points) assert.equal(pair.agree(point), undefined, toHex(point));
    });
  });

  describe('hashes', () => {
    test('HMAC-SHA256: RFC 4231 §4.3', () => {
      assert.equal(
        toHex(crypto.hmacSha256(utf8('Jefe'), utf8('what do ya want for nothing?'))),
        '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
      );
    });

    test('HKDF-SHA256: RFC 5869 A.1', () => {
      const info = hex('f0f1f2f3f4f5f6f7f8f9');
      const okm = crypto.hkdfSha256(hex('0b'.repeat(22)), hex('000102030405060708090a0b0c'), info, 42);
      assert.equal(
        toHex(okm),
        '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
      );
    });
  });

  describe('AES-256-GCM', () => {
    test('a known text, written where it is told to and nowhere else', () => {
      const out = new Uint8Array(plaintext.length + 16 + 10).fill(0xee);
      crypto.aes256gcm(key).seal(nonce, aad, plaintext, out, 5);
      assert.equal(toHex(out), `eeeeeeeeee${sealed}eeeeeeeeee`);
      assert.equal(toHex(crypto.aes256gcm(key).open(nonce, aad, hex(sealed))!), toHex(plaintext));
    });

    test('a change of any bit of text, tag, nonce or header is noticed', () => {
      const aead = crypto.aes256gcm(key);
      const inputs = [nonce, aad, hex(sealed)];
      for (const [which, input] of inputs.entries()) {
        for (let bit = 0; bit < 8 * input.length; bit += 3) {
          const changed = inputs.map((bytes) => bytes.slice());
          changed[which]![bit >>> 3] ^= 1 << (bit & 7);
          assert.equal(
            aead.open(changed[0]!, changed[1]!, changed[2]!),
            undefined,
            `input ${which}, bit ${bit}`,
          );
        }
      }
    });

    test('a tag that was cut is no tag', () => {
      const aead = crypto.aes256gcm(key);
      for (const length of [16, 17, hex(sealed).length - 1, hex(sealed).length - 12]) {
        assert.equal(aead.open(nonce, aad, hex(sealed).subarray(0, length)), undefined, `${length} bytes`);
      }
    });

    test('the key is copied: wiping it does not change what is sealed', () => {
      const mine = key.slice();
      const aead = crypto.aes256gcm(mine);
      mine.fill(0);
      assert.equal(toHex(aead.open(nonce, aad, hex(sealed))!), toHex(plaintext));
    });
  });

  test('byte strings are equal only when they have the same length and the same bytes', () => {
    assert.equal(crypto.equal(hex('0102'), hex('0102')), true);
    assert.equal(crypto.equal(hex('0102'), hex('0103')), false);
    assert.equal(crypto.equal(hex('0102'), hex('010200')), false);
    assert.equal(crypto.equal(hex(''), hex('')), true);
  });

  test('random bytes have the length asked for and do not repeat', () => {
    assert.deepEqual(
      [0, 1, 16, 32].map((length) => crypto.randomBytes(length).length),
      [0, 1, 16, 32],
    );
    assert.notEqual(toHex(crypto.randomBytes(16)), toHex(crypto.randomBytes(16)));
  });

  test('memory has at least the length asked for', () => {
    for (const length of [0, 1, 1000]) assert.equal(crypto.allocate(length).length, length);
  });
}
