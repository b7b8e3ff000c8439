/** A WebSocket client that writes HTTP and frames (RFC 6455 §5.2) by hand, so that it can also write wrong ones. */

import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { type Identity, RawGreeting, RawRecords, readFrame } from './raw-wire.js';

export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

const FIN = 0x80;
const MASKED = 0x80;

/** What a frame can have wrong. */
export interface FrameOptions {
  readonly fin?: boolean;
  readonly masked?: boolean;
  /** Reserved bits, such as 0x40. */
  readonly reserved?: number;
  /** The length that is claimed, instead of that of the payload. */
  readonly length?: number;
}

export interface RawOptions {
  readonly port: number;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Any address of 127.0.0.0/8 is this machine's. */
  readonly localAddress?: string;
}

/** A frame that the server sent. */
export interface ReceivedFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** One TCP connection to an HTTP server, and what came over it. */
export class RawWebSocket {
  readonly socket: net.Socket;
  readonly frames: ReceivedFrame[] = [];
  /** The head of the HTTP response. */
  readonly response: Promise<string>;
  /** Settles when the server has ended the connection. */
  readonly ending: Promise<void>;
  /** Settles with the code of the server's close frame; undefined when the connection ends without one. */
  readonly closeCode: Promise<number | undefined>;
  /** Is called with every frame. */
  onFrame: (frame: ReceivedFrame) => void = () => {};
  readonly #options: RawOptions;
  #unparsed = Buffer.alloc(0);
  #upgraded = false;
  #settleResponse!: (head: string) => void;
  #settleCode!: (code: number | undefined) => void;

  /** Opens the TCP connection. */
  static connect(options: RawOptions): Promise<RawWebSocket> {
    const { port, localAddress } = options;
    return new Promise((resolve, reject) => {
      const socket = net.connect({
        host: '127.0.0.1',
        port,
        noDelay: true,
        ...(localAddress !== undefined && { localAddress }),
      });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.removeListener('error', reject);
        resolve(new RawWebSocket(socket, options));
      });
    });
  }

  /** The same, and an honest upgrade. */
  static async open(options: RawOptions): Promise<RawWebSocket> {
    const raw = await RawWebSocket.connect(options);
    raw.socket.write(raw.request());
    const head = await raw.response;
    if (!head.startsWith('HTTP/1.1 101')) throw new Error(`no upgrade: ${head}`);
    return raw;
  }

  constructor(socket: net.Socket, options: RawOptions) {
    this.socket = socket;
    this.#options = options;
    this.response = new Promise((resolve) => {
      this.#settleResponse = resolve;
    });
    this.closeCode = new Promise((resolve) => {
      this.#settleCode = resolve;
    });
    this.ending = new Promise((resolve) => {
      socket.on('close', () => {
        this.#settleResponse('');
        this.#settleCode(undefined);
        resolve();
      });
    });
    socket.on('error', () => {});
    socket.on('data', (bytes) => this.#take(bytes));
  }

  /** The head of an honest request for an upgrade. */
  request(): Buffer {
    const { path = '/', headers } = this.#options;
    const lines = {
      Host: 'gateway.example',
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
      ...headers,
    };
    const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
    return Buffer.from(`GET ${path} HTTP/1.1\r\n${head.join('')}\r\n`);
  }

  /** A frame, honest unless told otherwise. */
  frame(opcode: number, payload: Uint8Array, options: FrameOptions = {}): Buffer {
    const { fin = true, masked = true, reserved = 0, length = payload.length } = options;
    const extended = Buffer.alloc(length > 0xffff ? 8 : length > 125 ? 2 : 0);
    if (extended.length === 8) extended.writeBigUInt64BE(BigInt(length));
    if (extended.length === 2) extended.writeUInt16BE(length);
    const short = extended.length === 8 ? 127 : extended.length === 2 ? 126 : length;
    const head = Buffer.of((fin ? FIN : 0) | reserved | opcode, (masked ? MASKED : 0) | short);
    if (!masked) return Buffer.concat([head, extended, payload]);
    const mask = randomBytes(4);
    return Buffer.concat([head, extended, mask, payload.map((byte, i) => byte ^ mask[i & 3]!)]);
  }

  /** Sends a binary message. */
  send(payload: Uint8Array): void {
    this.socket.write(this.frame(BINARY, payload));
  }

  /** Sends a message in parts. */
  fragment(opcode: number, parts: readonly Uint8Array[]): void {
    const frames = parts.map((part, i) =>
      this.frame(i === 0 ? opcode : CONTINUATION, part, { fin: i === parts.length - 1 }),
    );
    this.socket.write(Buffer.concat(frames));
  }

  /** Writes and waits until the kernel has taken it. */
  flush(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** The next message of the server, which holds a whole frame as long as the handshake is going on. */
  async message(): Promise<Buffer> {
    for (;;) {
      const found = this.frames.findIndex(({ opcode }) => opcode === BINARY);
      if (found >= 0) return this.frames.splice(found, 1)[0]!.payload;
      await new Promise<void>((resolve) => {
        this.onFrame = () => resolve();
      });
    }
  }

  /** Both halves of an honest handshake. What the session seals goes in messages, or however else. */
  async handshake(identity: Identity): Promise<RawRecords> {
    const greeting = new RawGreeting(identity);
    this.send(greeting.hello());
    this.send(greeting.helloAck(readFrame(await this.message())));
    return new RawRecords(greeting.keys(readFrame(await this.message())));
  }

  /** Leaves the server's bytes in the kernel from now on. */
  stopReading(): void {
    this.socket.pause();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#unparsed = Buffer.concat([this.#unparsed, bytes]);
    if (!this.#upgraded) {
      const end = this.#unparsed.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.#upgraded = true;
      this.#settleResponse(this.#unparsed.subarray(0, end).toString('latin1'));
      this.#unparsed = this.#unparsed.subarray(end + 4);
    }
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) {
      this.frames.push(frame);
      if (frame.opcode === CLOSE)
        this.#settleCode(frame.payload.length < 2 ? 1005 : frame.payload.readUInt16BE());
      this.onFrame(frame);
    }
  }

  #next(): ReceivedFrame | undefined {
    const bytes = this.#unparsed;
    if (bytes.length < 2) return undefined;
    const short = bytes[1]! & 0x7f;
    const start = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (bytes.length < start) return undefined;
    const length =
      short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
    if (bytes.length < start + length) return undefined;
    this.#unparsed = bytes.subarray(start + length);
    return { opcode: bytes[0]! & 0x0f, payload: bytes.subarray(start, start + length) };
  }
}
