/**
 * A server that takes handshakes over UDP, checks them, and keeps nothing of them: what idle sessions cost the platform
 * alone. `node forgetful.js PORT`
 *
 * Cryptography and datagrams are those of any server. Its cookie checks nothing, so it is good for loopback only.
 */

import { createPublicKey, diffieHellman, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { exitWithParent } from '../lifeline.js';
import {
  deriveKeys,
  HEADER_BYTES,
  handshakeFrame,
  handshakeMac,
  isFrame,
  KEY_BYTES,
  SESSION_ID_BYTES,
  Type,
  utack,
} from '../load/wire.js';

exitWithParent();

const PSK = 'correct-horse-battery';
const DEVICE_ID_BYTES = 6;
const COOKIE_BYTES = 16;
const HELLO_BYTES = DEVICE_ID_BYTES + KEY_BYTES;

/** @typedef {{ id: Buffer, pubC: Buffer, nonce: Buffer, pubS: Buffer, dh: Buffer }} Handshake */
/** @type {Map<string, Handshake>} the handshakes under way, by address and port */
const handshakes = new Map();

const socket = createSocket('udp4');
socket.on('message', (datagram, { address, port }) => {
  if (!isFrame(datagram)) return;
  const payload = datagram.subarray(HEADER_BYTES);
  const reply = answer(datagram[3], payload, `${address}:${port}`);
  if (reply === undefined) return;
  socket.send(utack(datagram), port, address);
  socket.send(reply, port, address);
});
socket.bind(Number(process.argv[2]), '127.0.0.1');

/** @param {number} type @param {Buffer} payload @param {string} from */
function answer(type, payload, from) {
  if (type === Type.HELLO && payload.length === HELLO_BYTES)
    return handshakeFrame(Type.HELLO_RETRY, 0, Buffer.alloc(COOKIE_BYTES));
  if (type === Type.HELLO) return challenge(payload, from);
  if (type === Type.HELLO_ACK) return sessionOk(payload, from);
}

/** @param {Buffer} payload of HELLO @param {string} from */
function challenge(payload, from) {
  // Encoded by the generation itself: exporting a fresh key object can hang Node 20 (docs/decisions/0003).
  const { publicKey, privateKey } = /** @type {any} */ (
    generateKeyPairSync('x25519', /** @type {any} */ ({ publicKeyEncoding: { format: 'jwk' } }))
  );
  const pubS = Buffer.from(publicKey.x, 'base64url');
  const id = Buffer.from(payload.subarray(0, DEVICE_ID_BYTES));
  const pubC = Buffer.from(payload.subarray(DEVICE_ID_BYTES, HELLO_BYTES));
  const peerKey = createPublicKey({
    key: { kty: 'OKP', crv: 'X25519', x: pubC.toString('base64url') },
    format: 'jwk',
  });
  const nonce = randomBytes(KEY_BYTES);
  handshakes.set(from, { id, pubC, nonce, pubS, dh: diffieHellman({ privateKey, publicKey: peerKey }) });
  return handshakeFrame(Type.CHALLENGE, 1, Buffer.concat([nonce, pubS]));
}

/** @param {Buffer} payload of HELLO_ACK @param {string} from */
function sessionOk(payload, from) {
  const handshake = handshakes.get(from);
  if (handshake === undefined) return undefined;
  const { id, pubC, nonce, pubS, dh } = handshake;
  if (!payload.equals(handshakeMac(PSK, Type.HELLO_ACK, nonce, id, pubC, pubS))) return undefined;
  handshakes.delete(from);
  deriveKeys(dh, nonce, pubC, pubS);
  const sessionId = randomBytes(SESSION_ID_BYTES);
  const mac = handshakeMac(PSK, Type.SESSION_OK, nonce, sessionId, pubC, pubS);
  return handshakeFrame(Type.SESSION_OK, 3, Buffer.concat([sessionId, mac]));
}
