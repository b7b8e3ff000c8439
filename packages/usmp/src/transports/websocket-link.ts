/**
 * A link over a WebSocket of the package `ws`, at either end. At a server it exists before the WebSocket does: from
 * the accepted connection, or from the request, until the upgrade it can only be dropped.
 *
 * @module
 */

import type net from 'node:net';
import type { RawData, WebSocket } from 'ws';
import { HandshakeError, type USMPError } from '../core/errors.js';
import {
  CLOSE_TIMEOUT,
  MAX_WEBSOCKET_EARLY_READS,
  MAX_WEBSOCKET_FRAGMENTS,
  MAX_WEBSOCKET_MESSAGE,
  MAX_WEBSOCKET_READS,
} from '../core/limits.js';
import { atEndOfTurn } from '../turns.js';
import { formatEndpoint, limitKey, plainAddress } from './address.js';
import type { Link, LinkHandler, Role } from './transport.js';

/** How `ws` is to be used, at both ends. */
export const WEBSOCKET_OPTIONS = {
  // What is encrypted cannot be compressed.
  perMessageDeflate: false,
  maxPayload: MAX_WEBSOCKET_MESSAGE,
  maxFragments: MAX_WEBSOCKET_FRAGMENTS,
  maxBufferedChunks: MAX_WEBSOCKET_READS,
  // The links answer by themselves, see `owePong`.
  autoPong: false,
  // For a peer that does not answer the closing handshake.
  closeTimeout: CLOSE_TIMEOUT,
  // Nobody looks at text or at reasons for closing.
  skipUTF8Validation: true,
} as const;

/** Close codes (RFC 6455 §7.4.1). */
const NORMAL_CLOSURE = 1000;
const UNSUPPORTED_DATA = 1003;

/** The same object for every message: `ws` copies it. */
const BINARY = { binary: true, compress: false };

/** The first byte of a frame that is a whole binary message, and the length that says that the length follows. */
const FIN_BINARY = 0x82;
const LENGTH_IN_16_BITS = 126;

/** Up to this length copying a message behind its header is cheaper than handing both to the kernel. Bytes. */
const MAX_MERGED = 4_096;

const LINK = Symbol('link');

/** Sockets and WebSockets know their link, so that all of them share the same listener functions. */
interface Linked {
  [LINK]?: WebSocketLink;
}
type LinkedSocket = net.Socket & Linked;
type LinkedWebSocket = WebSocket & Linked;

/** The link that a socket of a server belongs to. */
export function linkOf(socket: object): WebSocketLink | undefined {
  return (socket as Linked)[LINK];
}

/** Is told of peers that have not authenticated and break the rules of WebSockets. */
export type OnViolation = (link: WebSocketLink, error: USMPError) => void;

/** One end of a WebSocket. */
export class WebSocketLink implements Link {
  readonly transport: 'ws' | 'wss';
  readonly #address: string;
  readonly #socket: LinkedSocket;
  readonly #role: Role;
  readonly #onViolation: OnViolation | undefined;
  #ws: LinkedWebSocket | undefined;
  #handler: LinkHandler | undefined;
  #paused = false;
  #earlyReads = 0;
  #pong: Buffer | undefined;

  constructor(socket: net.Socket, role: Role, onViolation?: OnViolation) {
    this.#socket = socket;
    this.#role = role;
    this.#onViolation = onViolation;
    this.transport = 'encrypted' in socket ? 'wss' : 'ws';
    // Asked for now: a socket that is closed does not know it any more. Undefined when the peer has gone already.
    this.#address = plainAddress(socket.remoteAddress ?? 'unknown');
    this.#socket[LINK] = this;
    socket.on('error', onSocketError);
    socket.on('close', onSocketClose);
  }

  get peer(): string {
    return formatEndpoint(this.#address, this.#socket.remotePort ?? 0);
  }

  get address(): string {
    return limitKey(this.#address);
  }

  attach(handler: LinkHandler): void {
    this.#handler = handler;
    if (!this.#paused) this.#ws?.resume();
  }

  /** The upgrade is done. */
  open(ws: WebSocket): void {
    this.#ws = ws;
    this.#ws[LINK] = this;
    ws.on('message', onMessage);
    ws.on('ping', onPing);
    ws.on('error', onError);
    ws.on('close', onClose);
    this.#socket.on('data', onEarlyData);
    this.#socket.on('drain', onDrain);
    this.#socket.on('end', onEnd);
    if (this.#paused || this.#handler === undefined) ws.pause();
  }

  write(bytes: Uint8Array): boolean {
    const ws = this.#ws;
    if (ws === undefined || ws.readyState !== ws.OPEN) return true;
    // `ws` makes one block of a message only for clients, which have to mask it.
    if (this.#role === 'listen' && bytes.length <= MAX_MERGED) this.#socket.write(binaryFrame(bytes));
    else if (bytes.length <= MAX_WEBSOCKET_MESSAGE) ws.send(bytes, BINARY);
    else {
      for (let start = 0; start < bytes.length; start += MAX_WEBSOCKET_MESSAGE)
        ws.send(bytes.subarray(start, start + MAX_WEBSOCKET_MESSAGE), BINARY);
    }
    return !this.#socket.writableNeedDrain;
  }

  pause(): void {
    this.#paused = true;
    this.#ws?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#ws?.resume();
  }

  close(): void {
    if (this.#ws === undefined) this.#socket.destroy();
    else this.#ws.close(NORMAL_CLOSURE);
  }

  destroy(): void {
    this.#ws?.terminate();
    this.#socket.destroy();
  }

  /** What happens on the line, told by the shared listeners. */

  handleMessage(data: Buffer): void {
    // Views of a plain array cost half of those of a Buffer, and each frame takes several.
    this.#handler!.handleBytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  handleDrain(): void {
    this.#handler!.handleDrain();
  }

  handleEnd(): void {
    this.#handler!.handleEnd();
  }

  handleClosed(): void {
    this.#handler?.handleClosed();
  }

  /** Before the upgrade there is nobody else to tell it; after it `ws` does, behind the last message. */
  handleSocketClosed(): void {
    if (this.#ws === undefined) this.handleClosed();
  }

  /** The WebSocket is being closed, and says why to the peer. The end follows: at the latest after `closeTimeout`. */
  handleViolation(reason: string): void {
    if (!this.#handler!.authenticated)
      this.#onViolation?.(this, new HandshakeError('unexpected_frame', reason));
  }

  /** Who has not authenticated has little to say, and what comes byte by byte costs a read each until it is whole. */
  handleEarlyRead(): void {
    const authenticated = this.#handler!.authenticated;
    if (!authenticated && ++this.#earlyReads <= MAX_WEBSOCKET_EARLY_READS) return;
    this.#socket.removeListener('data', onEarlyData);
    if (authenticated) return;
    this.handleViolation('a handshake in too many pieces');
    this.destroy();
  }

  /**
   * However many pings come in one read, the last one is answered (RFC 6455 §5.5.3), and only by a line that takes more:
   * a peer that pings and does not read gets nothing.
   */
  owePong(payload: Buffer): void {
    if (this.#pong === undefined) atEndOfTurn(sendPong, this);
    this.#pong = payload;
  }

  sendPong(): void {
    const ws = this.#ws!;
    if (ws.readyState === ws.OPEN && !this.#socket.writableNeedDrain) ws.pong(this.#pong);
    this.#pong = undefined;
  }
}

/** A whole binary message, unmasked (RFC 6455 §5.2), of at most {@link MAX_MERGED} bytes. */
function binaryFrame(message: Uint8Array): Uint8Array {
  const { length } = message;
  const header = length < LENGTH_IN_16_BITS ? 2 : 4;
  const frame = Buffer.allocUnsafe(header + length);
  frame[0] = FIN_BINARY;
  if (header === 2) frame[1] = length;
  else {
    frame[1] = LENGTH_IN_16_BITS;
    frame[2] = length >> 8;
    frame[3] = length & 0xff;
  }
  frame.set(message, header);
  return frame;
}

function sendPong(link: WebSocketLink): void {
  link.sendPong();
}

function onMessage(this: LinkedWebSocket, data: RawData, isBinary: boolean): void {
  if (isBinary) return this[LINK]!.handleMessage(data as Buffer);
  this.removeListener('message', onMessage);
  this.close(UNSUPPORTED_DATA, 'USMP goes in binary messages');
  this[LINK]!.handleViolation('a WebSocket message of text: USMP goes in binary messages');
}

function onPing(this: LinkedWebSocket, payload: Buffer): void {
  this[LINK]!.owePong(payload);
}

/** `ws` has closed with a fitting code. */
function onError(this: LinkedWebSocket, error: Error): void {
  this[LINK]!.handleViolation(error.message);
}

function onClose(this: LinkedWebSocket): void {
  this[LINK]!.handleClosed();
}

function onEarlyData(this: LinkedSocket): void {
  this[LINK]!.handleEarlyRead();
}

function onDrain(this: LinkedSocket): void {
  this[LINK]!.handleDrain();
}

function onEnd(this: LinkedSocket): void {
  this[LINK]!.handleEnd();
}

/** `close` follows and tells the rest. */
function onSocketError(): void {}

function onSocketClose(this: LinkedSocket): void {
  this[LINK]!.handleSocketClosed();
}
