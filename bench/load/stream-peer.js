/** The stand-in for a protocol over TLS 1.3 or plain TCP: messages behind a 16-bit length. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';
import { localAddress, Peer } from './peer.js';

/** @typedef {{ key: string, cert: string }} Identity PEM */

const PREFIX_BYTES = 2;

export class StreamPeer extends Peer {
  /** @type {Buffer | undefined} */
  #rest;

  /** @param {{ port: number }} server @param {number} index of the connection */
  static async openTcp({ port }, index) {
    const socket = connect({ host: '127.0.0.1', port, localAddress: localAddress(index), noDelay: true });
    const peer = new StreamPeer(socket);
    await Promise.race([once(socket, 'connect'), peer.closed]);
    return peer;
  }

  /**
   * Full handshakes only: no session is ever offered for resumption.
   * @param {{ port: number, identity: Identity }} server @param {number} index of the connection
   */
  static async openTls({ port, identity }, index) {
    /** @type {import('node:tls').ConnectionOptions & import('node:net').TcpNetConnectOpts} */
    const options = { host: '127.0.0.1', port, localAddress: localAddress(index) };
    options.secureContext = secureContext(identity);
    options.servername = 'localhost';
    const socket = connectTls(options);
    socket.setNoDelay(true);
    const peer = new StreamPeer(socket);
    await Promise.race([once(socket, 'secureConnect'), peer.closed]);
    return peer;
  }

  /** @override @param {Buffer} message @param {Buffer[]} out */
  encode(message, out) {
    const bytes = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
    bytes.writeUInt16BE(message.length);
    bytes.set(message, PREFIX_BYTES);
    out.push(bytes);
  }

  /** @override @param {Buffer} chunk */
  decode(chunk) {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let start = 0;
    while (bytes.length - start >= PREFIX_BYTES) {
      const end = start + PREFIX_BYTES + bytes.readUInt16BE(start);
      if (end > bytes.length) break;
      this.onMessage(bytes.subarray(start + PREFIX_BYTES, end));
      start = end;
    }
    this.#rest = start < bytes.length ? bytes.subarray(start) : undefined;
  }
}

/** @type {import('node:tls').SecureContext | undefined} */
let context;

/** @param {Identity} identity */
function secureContext({ key, cert }) {
  context ??= createSecureContext({ key, cert, ca: cert, minVersion: 'TLSv1.3' });
  return context;
}
