/**
 * A serial line by hand (spec/protocol.md §10), for devices that do what no honest one would. Shares no code with `src/`.
 */

import net from 'node:net';
import {
  CHALLENGE,
  DATA,
  EMPTY,
  HEADER,
  type Identity,
  type RawFrame,
  RawGreeting,
  RawRecords,
  readFrame,
  SESSION_OK,
} from './raw-wire.js';

export * from './raw-wire.js';

/** `00 || COBS(frame) || 00`. */
export function lineOf(frame: Uint8Array): Buffer {
  const groups: number[] = [];
  let group: number[] = [];
  const finish = () => {
    groups.push(group.length + 1, ...group);
    group = [];
  };
  for (const [i, byte] of frame.entries()) {
    if (byte !== 0) group.push(byte);
    if (byte === 0 || (group.length === 254 && i < frame.length - 1)) finish();
  }
  finish();
  return Buffer.from([0, ...groups, 0]);
}

/** What a block stands for. */
function unstuffed(block: Buffer): Buffer {
  const bytes: number[] = [];
  for (let at = 0; at < block.length; ) {
    const code = block[at]!;
    bytes.push(...block.subarray(at + 1, at + code));
    at += code;
    if (code < 0xff && at < block.length) bytes.push(0);
  }
  return Buffer.from(bytes);
}

/** Somebody who listens and writes at one end of a line. */
export class RawLine {
  readonly #write: (bytes: Uint8Array) => void;
  #unparsed: Buffer = EMPTY;
  readonly #frames: RawFrame[] = [];
  #over = false;
  #wake: (() => void) | undefined;

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  /** Frames that came and have not been asked for. */
  get unread(): number {
    return this.#frames.length;
  }

  /** Writes bytes as they are. */
  write(...parts: readonly Uint8Array[]): void {
    this.#write(Buffer.concat(parts));
  }

  send(...frames: readonly Uint8Array[]): void {
    this.write(...frames.map(lineOf));
  }

  /** Takes what has come over the line. */
  take(bytes: Uint8Array): void {
    this.#unparsed = Buffer.concat([this.#unparsed, bytes]);
    for (let end = this.#unparsed.indexOf(0); end >= 0; end = this.#unparsed.indexOf(0)) {
      const frame = unstuffed(this.#unparsed.subarray(0, end));
      this.#unparsed = this.#unparsed.subarray(end + 1);
      if (frame.length >= HEADER) this.#frames.push(readFrame(frame));
    }
    this.#wake?.();
  }

  /** Nothing more will come. */
  end(): void {
    this.#over = true;
    this.#wake?.();
  }

  /** The next frame; undefined when the line is over. */
  async next(): Promise<RawFrame | undefined> {
    while (this.#frames.length === 0 && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#frames.shift();
  }

  /** The next frame of a type; others before it are dropped. */
  async nextOf(type: number): Promise<RawFrame> {
    for (;;) {
      const frame = await this.next();
      if (frame === undefined) throw new Error(`the line ended before frame type ${type}`);
      if (frame.type === type) return frame;
    }
  }

  /** Both halves of an honest handshake. */
  async handshake(identity: Identity): Promise<RawLineSession> {
    const greeting = new RawGreeting(identity);
    this.send(greeting.hello());
    this.send(greeting.helloAck(await this.nextOf(CHALLENGE)));
    return new RawLineSession(this, greeting, await this.nextOf(SESSION_OK));
  }
}

/** An open session on a line. */
export class RawLineSession extends RawRecords {
  readonly #line: RawLine;

  constructor(line: RawLine, greeting: RawGreeting, sessionOk: RawFrame) {
    super(greeting.keys(sessionOk));
    this.#line = line;
  }

  send(message: Uint8Array | string): void {
    this.#line.send(this.seal(DATA, message));
  }

  /** The next message of one frame. */
  async receive(): Promise<Buffer> {
    return this.open(await this.#line.nextOf(DATA));
  }
}

/** A line over a TCP connection. */
export class RawTCPLine extends RawLine {
  readonly socket: net.Socket;
  /** Settles when the connection is gone. */
  readonly ending: Promise<void>;

  static open(port: number, localAddress = '127.0.0.1'): Promise<RawTCPLine> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ host: '127.0.0.1', port, localAddress, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.removeListener('error', reject);
        resolve(new RawTCPLine(socket));
      });
    });
  }

  constructor(socket: net.Socket) {
    super((bytes) => socket.write(bytes));
    this.socket = socket;
    this.ending = new Promise((resolve) => {
      socket.once('close', () => resolve());
    });
    socket.on('error', () => {});
    socket.on('data', (bytes) => this.take(bytes));
    socket.on('close', () => this.end());
  }

  get closed(): boolean {
    return this.socket.destroyed;
  }

  /** Writes and waits until the kernel has taken it. */
  flush(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  destroy(): void {
    this.socket.destroy();
  }
}
