/** A device that speaks USMP version 2 over TCP or a WebSocket. */
import { connect } from 'node:net';
import { DeviceHandshake } from './handshake.js';
import { localAddress, Peer } from './peer.js';
import { openWebSocket } from './websocket-peer.js';
import { frameDecoder, HEADER_BYTES, handshakeFrame, MAX_PLAINTEXT, open, seal, Type } from './wire.js';

/** @typedef {import('node:crypto').KeyObject} KeyObject */

const NOTHING = Buffer.alloc(0);

export class UsmpPeer extends Peer {
  #handshake;
  #opened = () => {};
  /** @type {number} */ #expected = Type.CHALLENGE;
  #decode = frameDecoder((frame) => this.#onFrame(frame));

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
    return UsmpPeer.#greet(socket, server.psk, index);
  }

  /**
   * The same over a WebSocket.
   * @param {{ port: number, psk: string }} server @param {number} index of the connection
   */
  static async openWebSocket({ port, psk }, index) {
    return UsmpPeer.#greet(await openWebSocket(port, index), psk, index);
  }

  /** @param {import('node:net').Socket} socket @param {string} psk @param {number} index */
  static async #greet(socket, psk, index) {
    const peer = new UsmpPeer(socket, new DeviceHandshake(psk, index));
    await Promise.race([new Promise((resolve) => (peer.#opened = () => resolve(undefined))), peer.closed]);
    return peer;
  }

  /** @param {import('node:net').Socket} socket @param {DeviceHandshake} handshake */
  constructor(socket, handshake) {
    super(socket);
    this.#handshake = handshake;
    socket.write(handshakeFrame(Type.HELLO, 0, handshake.hello()));
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
    if (frame[3] === Type.CHALLENGE) {
      this.socket.write(handshakeFrame(Type.HELLO_ACK, 2, this.#handshake.answer(payload)));
      this.#expected = Type.SESSION_OK;
      return;
    }
    const { sessionId, sendKey, receiveKey } = this.#handshake.finish(payload);
    this.#sessionId = sessionId;
    this.#sendKey = sendKey;
    this.#receiveKey = receiveKey;
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
