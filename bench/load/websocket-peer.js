/** WebSockets as the byte streams that the other kinds of peer run on, and one that sends its messages as they are. */
import { once } from 'node:events';
import { createWebSocketStream, WebSocket } from 'ws';
import { localAddress, Peer } from './peer.js';

/**
 * One write is one message, and the other way round.
 * @param {number} port @param {number} index of the connection
 */
export async function openWebSocket(port, index) {
  const ws = new WebSocket(`ws://127.0.0.1:${port}`, {
    localAddress: localAddress(index),
    perMessageDeflate: false,
  });
  await once(ws, 'open');
  return /** @type {import('node:net').Socket} */ (createWebSocketStream(ws));
}

/** A message is a message. With one under way at a time, so is a flush. */
export class WebSocketPeer extends Peer {
  /** @param {{ port: number }} server @param {number} index of the connection */
  static async open({ port }, index) {
    return new WebSocketPeer(await openWebSocket(port, index));
  }

  /** @override @param {Buffer} message @param {Buffer[]} out */
  encode(message, out) {
    out.push(Buffer.from(message));
  }

  /** @override @param {Buffer} chunk */
  decode(chunk) {
    this.onMessage(chunk);
  }
}
