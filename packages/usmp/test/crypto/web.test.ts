import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { nodeCrypto } from '#dist/crypto/node.js';
import { webCrypto } from '#dist/crypto/web.js';
import { toHex } from '../support/bytes.js';
import { OVER_NODE, OVER_WEB } from '../support/crypto.js';
import { testCrypto } from './suite.js';

testCrypto(OVER_WEB);

test('more random bytes than browsers give at once', () => {
  const bytes = webCrypto.randomBytes(200_000);
  assert.equal(bytes.length, 200_000);
  for (let start = 0; start < bytes.length; start += 1_000) {
    assert.ok(
      bytes.subarray(start, start + 1_000).some((byte) => byte !== 0),
      `nothing from ${start} on`,
    );
  }
});

describe('both implementations agree', () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

  test('on public keys and secrets', () => {
    const property = fc.property(bytes(32), bytes(32), (a, b) => {
      const [ours, theirs] = [OVER_WEB.importKeyPair(a), OVER_NODE.importKeyPair(b)];
      assert.equal(toHex(ours.publicKey), toHex(OVER_NODE.importKeyPair(a).publicKey));
      assert.equal(toHex(ours.agree(theirs.publicKey)!), toHex(theirs.agree(ours.publicKey)!));
    });
    fc.assert(property, { numRuns: 50 });
  });

  test('on what any 32 bytes yield as a public key', () => {
    const property = fc.property(bytes(32), bytes(32), (key, point) => {
      const [ours, theirs] = [OVER_WEB.importKeyPair(key), OVER_NODE.importKeyPair(key)];
      assert.deepEqual(secret(ours.agree(point)), secret(theirs.agree(point)));
    });
    fc.assert(property, { numRuns: 50 });
  });

  test('on hashes', () => {
    const [key, data] = [fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 600 })];
    fc.assert(
      fc.property(key, data, (k, d) => {
        assert.equal(toHex(webCrypto.hmacSha256(k, d)), toHex(nodeCrypto.hmacSha256(k, d)));
      }),
    );
    fc.assert(
      fc.property(key, key, data, fc.integer({ min: 1, max: 200 }), (ikm, salt, info, length) => {
        assert.equal(
          toHex(webCrypto.hkdfSha256(ikm, salt, info, length)),
          toHex(nodeCrypto.hkdfSha256(ikm, salt, info, length)),
        );
      }),
    );
  });

  test('on what is sealed, wherever it lies in memory, and each opens what the other has sealed', () => {
    const property = fc.property(
      bytes(32),
      bytes(12),
      fc.uint8Array({ maxLength: 20 }),
      fc.uint8Array({ maxLength: 500 }),
      fc.integer({ min: 0, max: 7 }),
      (key, nonce, aad, plaintext, offset) => {
        const [here, there] = [webCrypto.aes256gcm(key), nodeCrypto.aes256gcm(key)];
        const shifted = new Uint8Array(plaintext.length + offset);
        shifted.set(plaintext, offset);
        const sealed = [here, there].map((aead) => {
          const out = new Uint8Array(plaintext.length + 16 + offset);
          aead.seal(nonce, aad, shifted.subarray(offset), out, offset);
          return out.subarray(offset);
        });
        assert.equal(toHex(sealed[0]!), toHex(sealed[1]!));
        for (const aead of [here, there]) {
          assert.equal(toHex(aead.open(nonce, aad, sealed[0]!)!), toHex(plaintext));
        }
      },
    );
    fc.assert(property);
  });
});

function secret(bytes: Uint8Array | undefined): string | undefined {
  return bytes && toHex(bytes);
}
