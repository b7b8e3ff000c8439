/** A device that speaks USMP version 2 over UDP, one frame under way: enough to open sessions and to hold them. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { DeviceHandshake } from './handshake.js';
import { localAddress } from './peer.js';
import { HEADER_BYTES, handshakeFrame, isFrame, open, seal, Type, utack } from './wire.js';

/** How long a frame waits for its answer before it is repeated, in ms, and how often it is sent. */
const REPEAT = 1_000;
const ATTEMPTS = 10;

export class UdpPeer {
  /** Rejects when the session ends; a server that goes without a word is found out by `confirm`. */
  closed;

  #socket;
  /** @type {import('./handshake.js').Keys | undefined} */ #session;
  #sendSeq = 0;
  #receiveSeq = 0;
  /** @type {(error: Error) => void} */ #fail = () => {};
  /** @type {(type: number, payload: Buffer) => void} the answer that is waited for */ #answered = () => {};

  /**
   * @param {{ port: number, psk: string }} server on 127.0.0.1 @param {number} index of the device
   * @returns {Promise<UdpPeer>} when SESSION_OK has been checked
   */
  static async open(server, index) {
    const socket = createSocket('udp4');
    socket.bind({ address: localAddress(index) });
    await once(socket, 'listening');
    socket.connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    const peer = new UdpPeer(socket);
    await Promise.race([peer.#shakeHands(new DeviceHandshake(server.psk, index)), peer.closed]);
    return peer;
  }

  /** @param {import('node:dgram').Socket} socket */
  constructor(socket) {
    this.#socket = socket;
    this.closed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    // Who waits for something hears of it; an idle session is looked at afterwards.
    this.closed.catch(() => {});
    socket.on('error', this.#fail);
    socket.on('message', (datagram) => {
      try {
        this.#take(datagram);
      } catch (error) {
        this.#fail(/** @type {Error} */ (error));
      }
    });
  }

  /** Sends a message and waits for its echo: the session is still there. */
  async confirm() {
    const { sendKey, sessionId } = /** @type {import('./handshake.js').Keys} */ (this.#session);
    const message = Buffer.from('still there?');
    const frame = seal(sendKey, sessionId, Type.DATA, this.#sendSeq++, message);
    const { payload } = await Promise.race([this.#ask(frame, [Type.DATA]), this.closed]);
    if (!payload.equals(message)) throw new Error('a wrong echo');
  }

  /** @param {DeviceHandshake} handshake */
  async #shakeHands(handshake) {
    const hello = handshake.hello();
    let answer = await this.#ask(handshakeFrame(Type.HELLO, 0, hello), [Type.HELLO_RETRY, Type.CHALLENGE]);
    if (answer.type === Type.HELLO_RETRY) {
      const again = handshakeFrame(Type.HELLO, 1, Buffer.concat([hello, answer.payload]));
      answer = await this.#ask(again, [Type.CHALLENGE]);
    }
    const ack = handshakeFrame(Type.HELLO_ACK, 2, handshake.answer(answer.payload));
    const { payload } = await this.#ask(ack, [Type.SESSION_OK]);
    this.#session = handshake.finish(payload);
  }

  /**
   * Sends a frame until a frame of a wanted type comes.
   * @param {Buffer} frame @param {readonly number[]} wanted
   * @returns {Promise<{ type: number, payload: Buffer }>}
   */
  #ask(frame, wanted) {
    return new Promise((resolve, reject) => {
      let attempts = 0;
      const send = () => {
        if (++attempts <= ATTEMPTS) return this.#socket.send(frame);
        clearInterval(timer);
        reject(new Error(`no answer to a frame of type ${frame[3]} within ${(ATTEMPTS * REPEAT) / 1000} s`));
      };
      const timer = setInterval(send, REPEAT);
      this.#answered = (type, payload) => {
        if (!wanted.includes(type)) return;
        clearInterval(timer);
        resolve({ type, payload });
      };
      send();
    });
  }

  /** @param {Buffer} datagram */
  #take(datagram) {
    if (!isFrame(datagram)) return;
    const type = datagram[3];
    if (type <= Type.SESSION_OK || type === Type.HELLO_RETRY) {
      this.#socket.send(utack(datagram));
      this.#answered(type, datagram.subarray(HEADER_BYTES));
      return;
    }
    if (this.#session === undefined) return;
    this.#takeSessionFrame(this.#session, datagram);
  }

  /** @param {import('./handshake.js').Keys} session @param {Buffer} frame */
  #takeSessionFrame({ receiveKey }, frame) {
    const seq = frame.readUInt32LE(4);
    const plaintext = open(receiveKey, seq, frame);
    this.#socket.send(utack(frame, receiveKey));
    if (seq < this.#receiveSeq) return;
    this.#receiveSeq = seq + 1;
    if (frame[3] === Type.BYE) throw new Error('the server ended a session');
    this.#answered(frame[3], plaintext);
  }
}
