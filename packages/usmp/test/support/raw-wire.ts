/**
 * The wire by hand, from the specification and `node:crypto` alone: frames, the client's side of a handshake, records.
 * It shares no code with `src/`.
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

export const HELLO = 0x01;
export const CHALLENGE = 0x02;
export const HELLO_ACK = 0x03;
export const SESSION_OK = 0x04;
export const DATA = 0x05;
export const PING = 0x06;
export const PONG = 0x07;
export const BYE = 0x08;
export const DATA_FRAG = 0x09;
export const HELLO_RETRY = 0x0a;
export const REKEY = 0x0b;

export const HEADER = 12;
export const EMPTY = Buffer.alloc(0);

export interface RawFrame {
  readonly type: number;
  readonly seq: number;
  readonly payload: Buffer;
  readonly bytes: Buffer;
}

/** Who a client says it is. */
export interface Identity {
  readonly psk: string | Uint8Array;
  /** `aa:bb:cc:dd:ee:ff`; random when left out. */
  readonly deviceId?: string;
}

/** What a handshake agrees on, as the client sees it. */
export interface RawKeys {
  readonly id: Buffer;
  readonly tx: Buffer;
  readonly rx: Buffer;
}

/** The client's side of a handshake, frame by frame. */
export class RawGreeting {
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

  /** The second HELLO over UDP. */
  helloWith(cookie: Uint8Array, publicKey: Uint8Array = this.publicKey): Buffer {
    return frame(HELLO, 1, Buffer.concat([this.deviceId, publicKey, cookie]));
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

  /** Those of the session, after `helloAck`. */
  keys(sessionOk: RawFrame): RawKeys {
    const id = sessionOk.payload.subarray(0, 16);
    return { id, tx: this.#keys.subarray(0, 32), rx: this.#keys.subarray(32) };
  }
}

/** Seals and opens frames of a session, and counts the numbers to send. */
export class RawRecords {
  readonly id: Buffer;
  protected tx: Buffer;
  protected rx: Buffer;
  #sent = 0;

  constructor({ id, tx, rx }: RawKeys) {
    this.id = id;
    this.tx = tx;
    this.rx = rx;
  }

  /** The next frame to send, not yet sent. With a number of its own it does not count. */
  seal(type: number, plaintext: Uint8Array | string = EMPTY, seq: number = this.#sent++): Buffer {
    const text = Buffer.from(plaintext as Uint8Array);
    const nonce = this.#nonce(seq);
    const header = writeHeader(type, seq, nonce.length + text.length + 16);
    const cipher = createCipheriv('aes-256-gcm', this.tx, nonce);
    cipher.setAAD(header.subarray(0, 10));
    const sealed = Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
    return withChecksum(Buffer.concat([header, sealed]));
  }

  /** The number of the next frame. */
  get nextSeq(): number {
    return this.#sent;
  }

  /** Leaves numbers out. */
  skip(count: number): void {
    this.#sent += count;
  }

  open({ bytes, payload, seq }: RawFrame): Buffer {
    const nonce = this.#nonce(seq);
    if (!payload.subarray(0, 12).equals(nonce)) throw new Error('the nonce is not that of the number');
    const decipher = createDecipheriv('aes-256-gcm', this.rx, nonce, { authTagLength: 16 });
    decipher.setAAD(bytes.subarray(0, 10));
    decipher.setAuthTag(payload.subarray(-16));
    return Buffer.concat([decipher.update(payload.subarray(12, -16)), decipher.final()]);
  }

  /** Takes the keys that the salt gives to the initiator of a REKEY. */
  protected changeKeys(salt: Uint8Array): void {
    const info = Buffer.concat([Buffer.from('usmp-rekey'), this.id]);
    const keys = Buffer.from(hkdfSync('sha256', Buffer.concat([this.tx, this.rx]), salt, info, 64));
    this.tx = keys.subarray(0, 32);
    this.rx = keys.subarray(32);
    this.#sent = 0;
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

/** Reads a whole frame, as it is. */
export function readFrame(bytes: Buffer): RawFrame {
  return { type: bytes[3]!, seq: bytes.readUInt32LE(4), payload: bytes.subarray(HEADER), bytes };
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
