/**
 * A TCP client that writes the wire by hand (`raw-wire.ts`), so that it can also write what no honest client would.
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

/** How the server ended the connection: in order, or torn down. */
export type Ending = 'end' | 'reset';

export interface RawOptions {
  readonly port: number;
  readonly host?: string;
  /** Any address of 127.0.0.0/8 is this machine's. */
  readonly localAddress?: string;
}

/** One TCP connection and the frames that came over it. */
export class RawClient {
  readonly socket: net.Socket;
  /** Settles when the server has ended the connection. */
  readonly ending: Promise<Ending>;
  #unparsed: Buffer = EMPTY;
  #frames: RawFrame[] = [];
  #bytesReceived = 0;
  #over = false;
  #wake: (() => void) | undefined;

  static open(options: RawOptions): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ host: '127.0.0.1', noDelay: true, ...options });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.removeListener('error', reject);
        resolve(new RawClient(socket));
      });
    });
  }

  constructor(socket: net.Socket) {
    this.socket = socket;
    this.ending = new Promise((resolve) => {
      socket.on('end', () => resolve('end'));
      socket.on('close', () => resolve('reset'));
    });
    socket.on('error', () => {});
    socket.on('data', (bytes) => this.#take(bytes));
    socket.on('close', () => {
      this.#over = true;
      this.#wake?.();
    });
  }

  /** Bytes that the server has sent in all. */
  get bytesReceived(): number {
    return this.#bytesReceived;
  }

  write(...parts: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** Writes and waits until the kernel has taken it. */
  flush(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** The next frame; undefined when the server has closed instead. */
  async next(): Promise<RawFrame | undefined> {
    while (this.#frames.length === 0 && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#frames.shift();
  }

  /** The next frame, which must be of this type. */
  async expect(type: number): Promise<RawFrame> {
    const frame = await this.next();
    if (frame?.type !== type) throw new Error(`expected frame type ${type}, got ${frame?.type ?? 'the end'}`);
    return frame;
  }

  /** Leaves the server's bytes in the kernel from now on. */
  stopReading(): void {
    this.socket.pause();
  }

  /** Hangs up with FIN. */
  end(): void {
    this.socket.end();
  }

  /** Hangs up with RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Both halves of an honest handshake. */
  async handshake(identity: Identity): Promise<RawSession> {
    const attempt = new RawHandshake(identity);
    this.write(attempt.hello());
    this.write(attempt.helloAck(await this.expect(CHALLENGE)));
    return attempt.session(this, await this.expect(SESSION_OK));
  }

  #take(bytes: Buffer): void {
    this.#bytesReceived += bytes.length;
    this.#unparsed = this.#unparsed.length === 0 ? bytes : Buffer.concat([this.#unparsed, bytes]);
    for (;;) {
      const size = this.#unparsed.length < HEADER ? HEADER : HEADER + this.#unparsed.readUInt16LE(8);
      if (this.#unparsed.length < size) break;
      this.#frames.push(readFrame(this.#unparsed.subarray(0, size)));
      this.#unparsed = this.#unparsed.subarray(size);
    }
    this.#wake?.();
  }
}

/** The client's side of a handshake, message by message. */
export class RawHandshake extends RawGreeting {
  session(client: RawClient, sessionOk: RawFrame): RawSession {
    const { id, tx, rx } = this.keys(sessionOk);
    return new RawSession(client, id, tx, rx);
  }
}

/** An open session: seals and opens frames, and keeps the honest sequence numbers. */
export class RawSession extends RawRecords {
  readonly client: RawClient;
  #received = 0;

  constructor(client: RawClient, id: Buffer, tx: Buffer, rx: Buffer) {
    super({ id, tx, rx });
    this.client = client;
  }

  send(message: Uint8Array | string): void {
    this.client.write(this.seal(DATA, message));
  }

  /** The next message of one frame. */
  async receive(): Promise<Buffer> {
    return this.open(await this.client.expect(DATA));
  }

  override open(frame: RawFrame): Buffer {
    if (frame.seq !== this.#received++) throw new Error('the server skipped a number');
    return super.open(frame);
  }
}
