import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  clientMac,
  deriveRekeyKeys,
  deriveSessionKeys,
  joinKeys,
  rxKey,
  serverMac,
  swapKeys,
  txKey,
} from '#dist/core/key-schedule.js';
import { nodeCrypto } from '#dist/crypto/node.js';
import { hex, toHex } from '../support/bytes.js';
import { SESSIONS } from '../support/vectors.js';

describe('what the sessions of the vectors derive', () => {
  for (const session of SESSIONS) {
    const transcript = {
      nonce: hex(session.nonce),
      clientPublicKey: hex(session.client_public),
      serverPublicKey: hex(session.server_public),
    };

    test(`session ${session.name}: the traffic keys, those of the server the other way round`, () => {
      const keys = deriveSessionKeys(nodeCrypto, hex(session.shared_secret), transcript);
      assert.equal(toHex(txKey(keys)), session.k_c2s);
      assert.equal(toHex(rxKey(keys)), session.k_s2c);
      assert.equal(toHex(txKey(swapKeys(keys))), session.k_s2c);
      assert.equal(toHex(rxKey(swapKeys(keys))), session.k_c2s);
    });

    test(`session ${session.name}: both MACs`, () => {
      const psk = hex(session.psk);
      assert.equal(toHex(clientMac(nodeCrypto, psk, hex(session.device_id), transcript)), session.mac_c);
      assert.equal(toHex(serverMac(nodeCrypto, psk, hex(session.session_id), transcript)), session.mac_s);
    });
  }
});

test('a MAC depends on every input: key, nonce, identity and both public keys', () => {
  const base = [
    hex('11'.repeat(16)),
    hex('22'.repeat(16)),
    hex('33'.repeat(32)),
    hex('44'.repeat(32)),
    hex('55'.repeat(32)),
  ];
  const macOf = (changed: number, direction: typeof clientMac) => {
    const [psk, identity, nonce, clientPublicKey, serverPublicKey] = base.map((part, i) => {
      const copy = part.slice();
      if (i === changed) copy[copy.length - 1] ^= 1;
      return copy;
    });
    const transcript = {
      nonce: nonce!,
      clientPublicKey: clientPublicKey!,
      serverPublicKey: serverPublicKey!,
    };
    return toHex(direction(nodeCrypto, psk!, identity!, transcript));
  };
  const all = [clientMac, serverMac].flatMap((direction) =>
    [-1, 0, 1, 2, 3, 4].map((part) => macOf(part, direction)),
  );
  assert.equal(new Set(all).size, all.length);
});

test('a REKEY gives other keys than before, and depends on old keys, salt and session', () => {
  const inputs = [
    joinKeys(hex('01'.repeat(32)), hex('02'.repeat(32))),
    hex('03'.repeat(32)),
    hex('04'.repeat(16)),
  ] as const;
  const [old, salt, sessionId] = inputs;
  const keys = deriveRekeyKeys(nodeCrypto, old, salt, sessionId);
  const seen = [old, keys, swapKeys(keys)].flatMap((pair) => [toHex(txKey(pair)), toHex(rxKey(pair))]);
  assert.equal(new Set(seen).size, 4);

  for (const changed of inputs.keys()) {
    const [a, b, c] = inputs.map((input, i) => (i === changed ? input.map((byte) => byte ^ 1) : input));
    assert.notEqual(toHex(deriveRekeyKeys(nodeCrypto, a!, b!, c!)), toHex(keys));
  }
});
