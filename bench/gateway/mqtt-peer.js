/** As much of MQTT 3.1.1 as a device needs that publishes, over TLS 1.2 with a pre-shared key. */
import { once } from 'node:events';
import { connect } from 'node:tls';
import { localAddress, Peer } from '../load/peer.js';

export const CIPHERS = 'PSK-AES128-GCM-SHA256';

/** Seconds; no PINGREQ is sent, as there is a message each second. */
const KEEP_ALIVE = 60;

const CONNECT = 0x10;
const CONNACK = 0x20;
const PUBLISH = 0x30;
const SUBSCRIBE = 0x82;

export class MqttPeer extends Peer {
  #topic;
  /** @type {() => void} */ #accepted = () => {};
  /** @type {Buffer} */ #rest = Buffer.alloc(0);

  /** @param {{ port: number, psk: string }} server @param {number} index of the connection */
  static async open({ port, psk }, index) {
    /** @type {import('node:tls').ConnectionOptions & import('node:net').TcpNetConnectOpts} */
    const options = {
      host: '127.0.0.1',
      port,
      localAddress: localAddress(index),
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.2',
      ciphers: CIPHERS,
      pskCallback: () => ({ psk: Buffer.from(psk), identity: 'device' }),
      checkServerIdentity: () => undefined,
    };
    const socket = connect(options);
    socket.setNoDelay(true);
    const peer = new MqttPeer(socket, `d/${index}`);
    await Promise.race([once(socket, 'secureConnect'), peer.closed]);
    const accepted = new Promise((resolve) => {
      peer.#accepted = () => resolve(undefined);
    });
    const client = text(`device-${index}`);
    socket.write(packet(CONNECT, text('MQTT'), Buffer.from([4, 0x02, 0, KEEP_ALIVE]), client));
    await Promise.race([accepted, peer.closed]);
    return peer;
  }

  /** @param {import('node:net').Socket} socket @param {string} topic */
  constructor(socket, topic) {
    super(socket);
    this.#topic = text(topic);
  }

  /** Gets what all others publish. */
  subscribe() {
    this.socket.write(packet(SUBSCRIBE, Buffer.from([0, 1]), text('#'), Buffer.from([0])));
  }

  /** @override @param {Buffer} message @param {Buffer[]} out */
  encode(message, out) {
    out.push(packet(PUBLISH, this.#topic, message));
  }

  /** @override @param {Buffer} chunk */
  decode(chunk) {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    // None that comes here is longer than 127 bytes: its length is one byte.
    while (bytes.length >= 2 && bytes.length >= 2 + bytes[1]) {
      if (bytes[1] > 0x7f) throw new Error('a packet that is longer than any expected');
      const body = bytes.subarray(2, 2 + bytes[1]);
      if (bytes[0] === CONNACK && body[1] === 0) this.#accepted();
      if (bytes[0] === PUBLISH) this.onMessage(body.subarray(2 + body.readUInt16BE()));
      bytes = bytes.subarray(2 + bytes[1]);
    }
    this.#rest = bytes;
  }
}

/** @param {string} value */
function text(value) {
  return Buffer.concat([Buffer.from([0, value.length]), Buffer.from(value)]);
}

/** @param {number} type with its flags @param {Buffer[]} parts together shorter than 128 bytes */
function packet(type, ...parts) {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([type, body.length]), body]);
}
