/** A device that speaks USMP version 2 over TCP. */
import {
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  timingSafeEqual,
} from 'node:crypto';
import { connect } from 'node:net';
import { localAddress, Peer } from './peer.js';
import {
  deriveKeys,
  frameDecoder,
  HEADER_BYTES,
  handshakeFrame,
  handshakeMac,
  MAX_PLAINTEXT,
  open,
  seal,
  Type,
} from './wire.js';

/** @typedef {import('node:crypto').KeyObject} KeyObject */

const KEY_BYTES = 32;
const SESSION_ID_BYTES = 16;
const NOTHING = Buffer.alloc(0);

// One key pair for all devices: no server can tell, and the generator must not become the bottleneck.
const { publicKey, privateKey } = generateKeyPairSync('x25519');
const pubC = Buffer.from(/** @type {string} */ (publicKey.export({ format: 'jwk' }).x), 'base64url');

export class UsmpPeer extends Peer {
  #psk;
  #deviceId;
  #opened = () => {};
  /** @type {number} */ #expected = Type.CHALLENGE;
  #decode = frameDecoder((frame) => this.#onFrame(frame));

  /** @type {Buffer} */ #nonce = NOTHING;
  /** @type {Buffer} */ #pubS = NOTHING;
  /** @type {Buffer} */ #sessionId = NOTHING;
  /** @type {KeyObject | undefined} */ #sendKey;
  /** @type {KeyObject | undefined} */ #receiveKey;
  #sendSeq = 0;
  #receiveSeq = 0;
  /** @type {Buffer[]} */ #parts = [];

  /**
   * @param {{ port: number, psk: string }} server @param {number} index of the connection
   * @returns {Promise<UsmpPeer>} when SESSION_OK has been checked
   */
  static async open(server, index) {
    const socket = connect({
      host: '127.0.0.1',
      port: server.port,
      localAddress: localAddress(index),
      noDelay: true,
    });
    const peer = new UsmpPeer(socket, server.psk, deviceId(index));
    await Promise.race([new Promise((resolve) => (peer.#opened = () => resolve(undefined))), peer.closed]);
    return peer;
  }

  /** @param {import('node:net').Socket} socket @param {string} psk @param {Buffer} id */
  constructor(socket, psk, id) {
    super(socket);
    this.#psk = psk;
    this.#deviceId = id;
    socket.write(handshakeFrame(Type.HELLO, 0, Buffer.concat([id, pubC])));
  }

  /** @override @param {Buffer} message @param {Buffer[]} out */
  encode(message, out) {
    let start = 0;
    for (; message.length - start > MAX_PLAINTEXT; start += MAX_PLAINTEXT) {
      out.push(this.#seal(Type.DATA_FRAG, message.subarray(start, start + MAX_PLAINTEXT)));
    }
    out.push(this.#seal(Type.DATA, message.subarray(start)));
  }

  /** @override @param {Buffer} chunk */
  decode(chunk) {
    this.#decode(chunk);
  }

  /** @override */
  farewell() {
    return this.#seal(Type.BYE, NOTHING);
  }

  /** @param {number} type @param {Buffer} plaintext */
  #seal(type, plaintext) {
    return seal(/** @type {KeyObject} */ (this.#sendKey), this.#sessionId, type, this.#sendSeq++, plaintext);
  }

  /** @param {Buffer} frame */
  #onFrame(frame) {
    if (this.#receiveKey)
      return this.#onSessionFrame(frame[3], open(this.#receiveKey, this.#receiveSeq++, frame));
    if (frame[3] !== this.#expected)
      throw new Error(`frame type ${frame[3]} came where ${this.#expected} was due`);
    const payload = Buffer.from(frame.subarray(HEADER_BYTES));
    if (frame[3] === Type.CHALLENGE) this.#onChallenge(payload);
    else this.#onSessionOk(payload);
  }

  /** @param {Buffer} payload nonce || pub_S */
  #onChallenge(payload) {
    this.#nonce = payload.subarray(0, KEY_BYTES);
    this.#pubS = payload.subarray(KEY_BYTES);
    const mac = handshakeMac(this.#psk, Type.HELLO_ACK, this.#nonce, this.#deviceId, pubC, this.#pubS);
    this.socket.write(handshakeFrame(Type.HELLO_ACK, 2, mac));
    this.#expected = Type.SESSION_OK;
  }

  /** @param {Buffer} payload session_id || mac_S */
  #onSessionOk(payload) {
    this.#sessionId = payload.subarray(0, SESSION_ID_BYTES);
    const mac = handshakeMac(this.#psk, Type.SESSION_OK, this.#nonce, this.#sessionId, pubC, this.#pubS);
    if (!timingSafeEqual(mac, payload.subarray(SESSION_ID_BYTES)))
      throw new Error('the server does not know the key');
    const x = this.#pubS.toString('base64url');
    const peerKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
    const keys = deriveKeys(diffieHellman({ privateKey, publicKey: peerKey }), this.#nonce, pubC, this.#pubS);
    this.#sendKey = createSecretKey(keys.subarray(0, KEY_BYTES));
    this.#receiveKey = createSecretKey(keys.subarray(KEY_BYTES));
    this.#opened();
  }

  /** @param {number} type @param {Buffer} plaintext */
  #onSessionFrame(type, plaintext) {
    if (type === Type.DATA_FRAG) this.#parts.push(plaintext);
    if (type !== Type.DATA) return;
    if (this.#parts.length === 0) return this.onMessage(plaintext);
    const message = Buffer.concat([...this.#parts, plaintext]);
    this.#parts = [];
    this.onMessage(message);
  }
}

/** A locally administered address. @param {number} index */
function deviceId(index) {
  const id = Buffer.alloc(6);
  id[0] = 0x02;
  id.writeUInt32BE(index, 2);
  return id;
}
