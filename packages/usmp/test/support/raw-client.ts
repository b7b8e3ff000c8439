/**
 * A client that writes the wire by hand, from the specification and `node:crypto` alone, so that it can also write
 * what no honest client would. It shares no code with `src/`.
 */

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import net from 'node:net';

export const HELLO = 0x01;
export const CHALLENGE = 0x02;
export const HELLO_ACK = 0x03;
export const SESSION_OK = 0x04;
export const DATA = 0x05;
export const PING = 0x06;
export const PONG = 0x07;
export const BYE = 0x08;

const HEADER = 12;
const EMPTY = Buffer.alloc(0);

/** How the server ended the connection: in order, or torn down. */
export type Ending = 'end' | 'reset';

export interface RawFrame {
  readonly type: number;
  readonly seq: number;
  readonly payload: Buffer;
  readonly bytes: Buffer;
}

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
      const frame = this.#unparsed.subarray(0, size);
      this.#unparsed = this.#unparsed.subarray(size);
      this.#frames.push({
        type: frame[3]!,
        seq: frame.readUInt32LE(4),
        payload: frame.subarray(HEADER),
        bytes: frame,
      });
    }
    this.#wake?.();
  }
}

/** Who a client says it is. */
export interface Identity {
  readonly psk: string | Uint8Array;
  /** `aa:bb:cc:dd:ee:ff`; random when left out. */
  readonly deviceId?: string;
}

/** The client's side of a handshake, message by message. */
export class RawHandshake {
  readonly deviceId: Buffer;
  readonly #psk: Uint8Array;
  readonly #privateKey: KeyObject;
  readonly publicKey: Buffer;
  #keys: Buffer = EMPTY;

  constructor({ psk, deviceId = randomDeviceId() }: Identity) {
    this.#psk = Buffer.from(psk as Uint8Array);
    this.deviceId = Buffer.from(deviceId.replaceAll(':', ''), 'hex');
    // Encoded by the generation itself: exporting a fresh key object can hang Node 20 (see key-generation.test.ts).
    const pair = generateKeyPairSync('x25519', {
      publicKeyEncoding: { type: 'spki', format: 'der' },
      privateKeyEncoding: { type: 'pkcs8', format: 'der' },
    });
    this.#privateKey = createPrivateKey({ key: pair.privateKey, type: 'pkcs8', format: 'der' });
    this.publicKey = pair.publicKey.subarray(-32);
  }

  hello(publicKey: Uint8Array = this.publicKey): Buffer {
    return frame(HELLO, 0, Buffer.concat([this.deviceId, publicKey]));
  }

  helloAck(challenge: RawFrame, publicKey: Uint8Array = this.publicKey): Buffer {
    const nonce = challenge.payload.subarray(0, 32);
    const serverKey = challenge.payload.subarray(32);
    const x = serverKey.toString('base64url');
    const secret = diffieHellman({
      privateKey: this.#privateKey,
      publicKey: createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' }),
    });
    const info = Buffer.concat([Buffer.from('usmp-v2'), publicKey, serverKey]);
    this.#keys = Buffer.from(hkdfSync('sha256', secret, nonce, info, 64));
    const covered = [Buffer.from('cdab0203', 'hex'), nonce, this.deviceId, publicKey, serverKey];
    return frame(HELLO_ACK, 2, createHmac('sha256', this.#psk).update(Buffer.concat(covered)).digest());
  }

  session(client: RawClient, sessionOk: RawFrame): RawSession {
    const id = sessionOk.payload.subarray(0, 16);
    return new RawSession(client, id, this.#keys.subarray(0, 32), this.#keys.subarray(32));
  }
}

/** An open session: seals and opens frames, and keeps the honest sequence numbers. */
export class RawSession {
  readonly client: RawClient;
  readonly id: Buffer;
  readonly #tx: Buffer;
  readonly #rx: Buffer;
  #sent = 0;
  #received = 0;

  constructor(client: RawClient, id: Buffer, tx: Buffer, rx: Buffer) {
    this.client = client;
    this.id = id;
    this.#tx = tx;
    this.#rx = rx;
  }

  /** The next frame to send, not yet sent. */
  seal(type: number, plaintext: Uint8Array | string = EMPTY): Buffer {
    const text = Buffer.from(plaintext as Uint8Array);
    const seq = this.#sent++;
    const nonce = this.#nonce(seq);
    const header = writeHeader(type, seq, nonce.length + text.length + 16);
    const cipher = createCipheriv('aes-256-gcm', this.#tx, nonce);
    cipher.setAAD(header.subarray(0, 10));
    const sealed = Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
    return withChecksum(Buffer.concat([header, sealed]));
  }

  send(message: Uint8Array | string): void {
    this.client.write(this.seal(DATA, message));
  }

  /** The next message of one frame. */
  async receive(): Promise<Buffer> {
    return this.open(await this.client.expect(DATA));
  }

  open({ bytes, payload }: RawFrame): Buffer {
    const nonce = this.#nonce(this.#received++);
    if (!payload.subarray(0, 12).equals(nonce)) throw new Error('the server skipped a number');
    const decipher = createDecipheriv('aes-256-gcm', this.#rx, nonce, { authTagLength: 16 });
    decipher.setAAD(bytes.subarray(0, 10));
    decipher.setAuthTag(payload.subarray(-16));
    return Buffer.concat([decipher.update(payload.subarray(12, -16)), decipher.final()]);
  }

  #nonce(seq: number): Buffer {
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32LE(seq);
    this.id.copy(nonce, 4, 0, 8);
    return nonce;
  }
}

/** A frame of version 2. */
export function frame(type: number, seq: number, payload: Uint8Array): Buffer {
  return withChecksum(Buffer.concat([writeHeader(type, seq, payload.length), payload]));
}

/** Makes the checksum right again after a change. */
export function withChecksum(bytes: Buffer): Buffer {
  const covered = Buffer.concat([bytes.subarray(0, 10), bytes.subarray(HEADER)]);
  bytes.writeUInt16LE(crc16(covered), 10);
  return bytes;
}

/** A copy with one bit turned over. */
export function flipped(bytes: Uint8Array, offset: number, mask = 0x01): Buffer {
  const copy = Buffer.from(bytes);
  const at = offset < 0 ? copy.length + offset : offset;
  copy[at] = copy[at]! ^ mask;
  return copy;
}

/** Locally administered, not multicast. */
export function randomDeviceId(): string {
  const bytes = randomBytes(6);
  bytes[0] = (bytes[0]! & 0xfc) | 0x02;
  return bytes.toString('hex').replace(/..(?!$)/g, '$&:');
}

function writeHeader(type: number, seq: number, length: number): Buffer {
  const header = Buffer.alloc(HEADER);
  header.set([0xcd, 0xab, 0x02, type]);
  header.writeUInt32LE(seq, 4);
  header.writeUInt16LE(length, 8);
  return header;
}

/** CRC-16/MODBUS, bit by bit. */
function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  }
  return crc;
}
