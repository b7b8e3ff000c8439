/** The device's side of the handshake (spec/protocol.md §3), the same over streams and datagrams. */
import {
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  timingSafeEqual,
} from 'node:crypto';
import { deriveKeys, handshakeMac, KEY_BYTES, SESSION_ID_BYTES, Type } from './wire.js';

/** @typedef {import('node:crypto').KeyObject} KeyObject */
/** @typedef {{ sessionId: Buffer, sendKey: KeyObject, receiveKey: KeyObject}} Keys */

// One key pair for all devices: no server can tell, and the generator must not become the bottleneck.
const { publicKey, privateKey } = generateKeyPairSync('x25519');
const pubC = Buffer.from(/** @type {string} */ (publicKey.export({ format: 'jwk' }).x), 'base64url');

export class DeviceHandshake {
  #psk;
  #deviceId;
  /** @type {Buffer} */ #nonce = Buffer.alloc(0);
  /** @type {Buffer} */ #pubS = Buffer.alloc(0);

  /** @param {string} psk @param {number} index of the device */
  constructor(psk, index) {
    this.#psk = psk;
    this.#deviceId = deviceId(index);
  }

  /** @returns {Buffer} the payload of HELLO */
  hello() {
    return Buffer.concat([this.#deviceId, pubC]);
  }

  /** @param {Buffer} payload of CHALLENGE: nonce || pub_S @returns {Buffer} the payload of HELLO_ACK */
  answer(payload) {
    this.#nonce = payload.subarray(0, KEY_BYTES);
    this.#pubS = payload.subarray(KEY_BYTES);
    return handshakeMac(this.#psk, Type.HELLO_ACK, this.#nonce, this.#deviceId, pubC, this.#pubS);
  }

  /** @param {Buffer} payload of SESSION_OK: session_id || mac_S @returns {Keys} */
  finish(payload) {
    const sessionId = payload.subarray(0, SESSION_ID_BYTES);
    const mac = handshakeMac(this.#psk, Type.SESSION_OK, this.#nonce, sessionId, pubC, this.#pubS);
    if (!timingSafeEqual(mac, payload.subarray(SESSION_ID_BYTES)))
      throw new Error('the server does not know the key');
    const x = this.#pubS.toString('base64url');
    const peerKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
    const keys = deriveKeys(diffieHellman({ privateKey, publicKey: peerKey }), this.#nonce, pubC, this.#pubS);
    return {
      sessionId,
      sendKey: createSecretKey(keys.subarray(0, KEY_BYTES)),
      receiveKey: createSecretKey(keys.subarray(KEY_BYTES)),
    };
  }
}

/** A locally administered address. @param {number} index */
function deviceId(index) {
  const id = Buffer.alloc(6);
  id[0] = 0x02;
  id.writeUInt32BE(index, 2);
  return id;
}
