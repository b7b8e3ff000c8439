/**
 * A UDP client that writes the wire by hand (`raw-wire.ts`). It sends nothing by itself but acknowledgements, and
 * repeats nothing: between two programs of one machine a datagram is lost only when it is one of a flood.
 */

import { createHmac, randomBytes, randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import {
  CHALLENGE,
  DATA,
  EMPTY,
  frame,
  HELLO,
  HELLO_RETRY,
  type Identity,
  PING,
  PONG,
  type RawFrame,
  RawGreeting,
  type RawKeys,
  RawRecords,
  REKEY,
  readFrame,
  SESSION_OK,
} from './raw-wire.js';

export * from './raw-wire.js';

const ACK_MAGIC = Buffer.of(0xac, 0xac);
const ACK_SIZE = 7;

/** Milliseconds until a wait for something that must come is given up. */
const PATIENCE = 20_000;

export interface RawSocketOptions {
  readonly port: number;
  /** Any address of 127.0.0.0/8 is this machine's. */
  readonly localAddress?: string;
  readonly localPort?: number;
}

/** Something that came over the wire, as its size and first bytes make it out. */
export interface RawDatagram extends RawFrame {
  readonly isAck: boolean;
}

/** Takes a datagram before the inbox gets it: true when it needs no further attention. */
type Filter = (datagram: RawDatagram) => boolean;

/** One UDP socket towards a server, and the datagrams that came and that nobody has taken yet. */
export class RawSocket {
  readonly #socket: Socket;
  readonly #inbox: RawDatagram[] = [];
  #bytesSent = 0;
  #bytesReceived = 0;
  #wake: (() => void) | undefined;
  filter: Filter | undefined;

  static async open({
    port,
    localAddress = '127.0.0.1',
    localPort = 0,
  }: RawSocketOptions): Promise<RawSocket> {
    const socket = createSocket('udp4');
    // Whoever was listening may be gone; the kernel tells by an error.
    socket.on('error', () => {});
    socket.bind(localPort, localAddress);
    await once(socket, 'listening');
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RawSocket(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (bytes) => this.#take(bytes));
  }

  get localPort(): number {
    return this.#socket.address().port;
  }

  /** Bytes of datagrams sent so far. */
  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** Bytes of datagrams received so far. */
  get bytesReceived(): number {
    return this.#bytesReceived;
  }

  /** One datagram each. */
  send(...datagrams: readonly Uint8Array[]): void {
    for (const bytes of datagrams) {
      this.#bytesSent += bytes.length;
      this.#socket.send(bytes, () => {});
    }
  }

  /** Everything that has come and that nobody has taken. */
  drain(): RawDatagram[] {
    return this.#inbox.splice(0);
  }

  /** The next datagram that fits, of those that came before or will come; the others stay. */
  async take(fits: (datagram: RawDatagram) => boolean, what: string): Promise<RawDatagram> {
    let index = -1;
    await this.until(() => {
      index = this.#inbox.findIndex(fits);
      return index >= 0;
    }, what);
    return this.#inbox.splice(index, 1)[0]!;
  }

  /** Waits until something holds that can only change when a datagram comes. */
  async until(holds: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + PATIENCE;
    while (!holds()) {
      if (performance.now() >= deadline)
        throw new Error(`waited in vain for ${what}; there is: ${this.#inbox.map(told).join(', ')}`);
      await this.#more(deadline - performance.now());
    }
  }

  /** The next frame of a type. */
  frame(type: number): Promise<RawDatagram> {
    return this.take((datagram) => !datagram.isAck && datagram.type === type, `a frame of type ${type}`);
  }

  /** The next of the given bytes. */
  exactly(bytes: Uint8Array): Promise<RawDatagram> {
    return this.take((datagram) => datagram.bytes.equals(bytes), `${told(readDatagram(Buffer.from(bytes)))}`);
  }

  /**
   * Sends them, and then what every server answers, a HELLO without a cookie. What came before that answer is what
   * they were answered by.
   */
  async answersTo(...datagrams: readonly Uint8Array[]): Promise<RawDatagram[]> {
    this.send(...datagrams);
    // Its own number tells its UTACK from any other.
    const probe = frame(HELLO, randomInt(0x1000, 0xffff_0000), randomBytes(38));
    this.send(probe);
    const answers: RawDatagram[] = [];
    const ack = utack(readFrame(probe));
    for (;;) {
      const datagram = await this.take(() => true, 'the answer to HELLO');
      if (datagram.bytes.equals(ack)) break;
      answers.push(datagram);
    }
    // The UTACK leaves first, so that a HELLO_RETRY in front of it is not the one of the probe.
    await this.frame(HELLO_RETRY);
    return answers;
  }

  /** A cookie for this socket. */
  async cookie(attempt: RawGreeting): Promise<Buffer> {
    const hello = attempt.hello();
    this.send(hello);
    await this.exactly(utack(readFrame(hello)));
    return (await this.frame(HELLO_RETRY)).payload;
  }

  /** Goes as far as CHALLENGE, and acknowledges it. */
  async challenge(attempt: RawGreeting, publicKey?: Uint8Array): Promise<RawDatagram> {
    const hello = attempt.helloWith(await this.cookie(attempt), publicKey);
    this.send(hello);
    const challenge = await this.frame(CHALLENGE);
    this.acknowledge(challenge);
    return challenge;
  }

  /** An honest handshake. */
  async handshake(identity: Identity): Promise<RawDatagramSession> {
    const attempt = new RawGreeting(identity);
    const challenge = await this.challenge(attempt);
    this.send(attempt.helloAck(challenge));
    const session = this.session(attempt, await this.frame(SESSION_OK));
    await session.settle();
    return session;
  }

  /** The end of a handshake. */
  session(attempt: RawGreeting, sessionOk: RawDatagram): RawDatagramSession {
    this.acknowledge(sessionOk);
    return new RawDatagramSession(this, attempt.keys(sessionOk));
  }

  /** Acknowledges a frame of the handshake. */
  acknowledge(frame: RawFrame): void {
    this.send(utack(frame));
  }

  close(): void {
    try {
      this.#socket.close();
    } catch {
      // It was closed before.
    }
  }

  #take(bytes: Buffer): void {
    this.#bytesReceived += bytes.length;
    const datagram = readDatagram(bytes);
    if (!this.filter?.(datagram)) this.#inbox.push(datagram);
    this.#wake?.();
  }

  #more(timeout: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeout);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }
}

/**
 * An open session. It acknowledges every frame of the server once it has opened, drops repeats and PONGs, and leaves
 * the rest in the inbox of its socket, sealed. One that is `silent` acknowledges nothing and leaves all there.
 */
export class RawDatagramSession extends RawRecords {
  readonly socket: RawSocket;
  silent = false;
  /** Frames that came again. */
  repeats = 0;
  /** PONGs that came, repeats not counted. */
  pongs = 0;
  readonly #seen = new Set<string>();

  constructor(socket: RawSocket, keys: RawKeys) {
    super(keys);
    this.socket = socket;
    socket.filter = (datagram) => !this.silent && this.#takes(datagram);
  }

  /** Sends a message of one frame; returns the frame. */
  send(message: Uint8Array | string): Buffer {
    const bytes = this.seal(DATA, message);
    this.socket.send(bytes);
    return bytes;
  }

  /** The next message of one frame. */
  async receive(): Promise<Buffer> {
    return this.open(await this.socket.frame(DATA));
  }

  /** What the server must acknowledge a frame of ours by. */
  ackOf(sent: Buffer): Buffer {
    return utack(readFrame(sent), this.tx);
  }

  /** What acknowledges a frame of the server. */
  ackFor(received: RawFrame): Buffer {
    return utack(received, this.rx);
  }

  /** Waits until the server has acknowledged a frame of ours. */
  async acknowledged(sent: Buffer): Promise<void> {
    await this.socket.exactly(this.ackOf(sent));
  }

  /** Sends them, and then a PING. What came before that was acknowledged is what they were answered by. */
  async answersTo(...datagrams: readonly Uint8Array[]): Promise<RawDatagram[]> {
    this.socket.send(...datagrams);
    const probe = this.seal(PING);
    this.socket.send(probe);
    const ack = this.ackOf(probe);
    const answers: RawDatagram[] = [];
    for (;;) {
      const datagram = await this.socket.take(() => true, 'the UTACK of a PING');
      if (datagram.bytes.equals(ack)) return answers;
      answers.push(datagram);
    }
  }

  /** Waits until nothing of a PING and its PONG is under way, and drops what came before. */
  async settle(): Promise<void> {
    const { pongs } = this;
    await this.answersTo();
    await this.socket.until(() => this.pongs > pongs, 'a PONG');
  }

  /** Changes the keys as an honest initiator; returns the REKEY. The server must have nothing under way. */
  async rekey(salt: Uint8Array = randomBytes(32)): Promise<Buffer> {
    const bytes = this.seal(REKEY, salt);
    await this.completeRekey(bytes, salt);
    return bytes;
  }

  /** Sends a REKEY, and goes on under the new keys when it is acknowledged. */
  async completeRekey(bytes: Buffer, salt: Uint8Array): Promise<void> {
    this.socket.send(bytes);
    await this.acknowledged(bytes);
    this.changeKeys(salt);
    this.#seen.clear();
    const ping = this.seal(PING);
    this.socket.send(ping);
    await this.acknowledged(ping);
  }

  #takes(datagram: RawDatagram): boolean {
    const { isAck, type, seq } = datagram;
    if (isAck || type <= SESSION_OK || type === HELLO_RETRY) return false;
    if (!this.#opens(datagram)) return false;
    this.socket.send(this.ackFor(datagram));
    const name = `${type} ${seq}`;
    if (this.#seen.has(name)) {
      this.repeats++;
      return true;
    }
    this.#seen.add(name);
    if (type === PONG) this.pongs++;
    return type === PONG;
  }

  #opens(datagram: RawDatagram): boolean {
    try {
      this.open(datagram);
      return true;
    } catch {
      return false;
    }
  }
}

/** Acknowledges a frame; with the key of its direction when it is one of a session. */
export function utack({ type, seq }: Pick<RawFrame, 'type' | 'seq'>, key?: Uint8Array): Buffer {
  const bytes = Buffer.alloc(ACK_SIZE);
  ACK_MAGIC.copy(bytes);
  bytes[2] = type;
  bytes.writeUInt32LE(seq, 3);
  if (key === undefined) return bytes;
  return Buffer.concat([bytes, createHmac('sha256', key).update(bytes).digest().subarray(0, 8)]);
}

/** For messages of assertions. */
export function told({ isAck, type, seq, bytes }: RawDatagram): string {
  return `${isAck ? 'UTACK' : 'frame'} 0x${type.toString(16).padStart(2, '0')} seq ${seq}, ${bytes.length} bytes`;
}

export function readDatagram(bytes: Buffer): RawDatagram {
  if (bytes.subarray(0, 2).equals(ACK_MAGIC) && bytes.length >= ACK_SIZE) {
    const payload = bytes.subarray(ACK_SIZE);
    return { isAck: true, type: bytes[2]!, seq: bytes.readUInt32LE(3), payload, bytes };
  }
  if (bytes.length >= 12) return { isAck: false, ...readFrame(bytes) };
  return { isAck: false, type: -1, seq: -1, payload: EMPTY, bytes };
}
