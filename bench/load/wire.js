/**
 * The client's side of wire version 2, written for the load generator alone and kept apart from the library
 * that it measures (spec/protocol.md: "Frame", "Handshake", "Session frames", "UDP").
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto';

/** @typedef {import('node:crypto').KeyObject} KeyObject */

export const Type = Object.freeze({
  HELLO: 0x01,
  CHALLENGE: 0x02,
  HELLO_ACK: 0x03,
  SESSION_OK: 0x04,
  DATA: 0x05,
  PING: 0x06,
  PONG: 0x07,
  BYE: 0x08,
  DATA_FRAG: 0x09,
  HELLO_RETRY: 0x0a,
});

export const HEADER_BYTES = 12;
export const KEY_BYTES = 32;
export const SESSION_ID_BYTES = 16;
/** The most plaintext that one session frame carries. */
export const MAX_PLAINTEXT = 452;

const MAGIC = 0xabcd;
const VERSION = 0x02;
const AAD_BYTES = 10;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const UTACK_MAGIC = Buffer.of(0xac, 0xac);
const UTACK_MAC_BYTES = 8;
const CIPHER = 'aes-256-gcm';

/** @param {number} type @param {number} seq @param {Uint8Array} payload */
export function handshakeFrame(type, seq, payload) {
  const frame = allocateFrame(type, seq, payload.length);
  frame.set(payload, HEADER_BYTES);
  return withCrc(frame);
}

/**
 * @param {KeyObject} key of the direction client to server
 * @param {Uint8Array} sessionId
 * @param {number} type @param {number} seq @param {Uint8Array} plaintext
 */
export function seal(key, sessionId, type, seq, plaintext) {
  const frame = allocateFrame(type, seq, NONCE_BYTES + plaintext.length + TAG_BYTES);
  const text = HEADER_BYTES + NONCE_BYTES;
  frame.writeUInt32LE(seq, HEADER_BYTES);
  for (let i = 0; i < 8; i++) frame[HEADER_BYTES + 4 + i] = sessionId[i];
  const cipher = createCipheriv(CIPHER, key, frame.subarray(HEADER_BYTES, text));
  cipher.setAAD(frame.subarray(0, AAD_BYTES));
  if (plaintext.length > 0) frame.set(cipher.update(plaintext), text);
  cipher.final();
  frame.set(cipher.getAuthTag(), text + plaintext.length);
  return withCrc(frame);
}

/**
 * @param {KeyObject} key of the direction server to client
 * @param {number} seq the one that must come
 * @param {Buffer} frame
 * @returns {Buffer} the plaintext
 */
export function open(key, seq, frame) {
  const text = HEADER_BYTES + NONCE_BYTES;
  const tag = frame.length - TAG_BYTES;
  if (tag < text) throw new Error(`a session frame of ${frame.length} bytes is too short`);
  if (frame.readUInt32LE(4) !== seq)
    throw new Error(`frame ${frame.readUInt32LE(4)} came where ${seq} was due`);
  if (frame.readUInt16LE(10) !== frameCrc(frame)) throw new Error(`frame ${seq} has a wrong CRC`);
  const decipher = createDecipheriv(CIPHER, key, frame.subarray(HEADER_BYTES, text));
  decipher.setAAD(frame.subarray(0, AAD_BYTES));
  decipher.setAuthTag(frame.subarray(tag));
  const plaintext = decipher.update(frame.subarray(text, tag));
  decipher.final();
  return plaintext;
}

/** Whether a datagram has the size that its header names, and our magic and version. @param {Buffer} datagram */
export function isFrame(datagram) {
  return (
    datagram.length >= HEADER_BYTES &&
    datagram.readUInt16LE(0) === MAGIC &&
    datagram[2] === VERSION &&
    datagram.length === HEADER_BYTES + datagram.readUInt16LE(8)
  );
}

/**
 * What acknowledges a frame over UDP.
 * @param {Buffer} frame @param {KeyObject} [key] of the direction of a session frame; none for the handshake
 */
export function utack(frame, key) {
  const ack = Buffer.concat([UTACK_MAGIC, frame.subarray(3, 8)]);
  if (key === undefined) return ack;
  return Buffer.concat([ack, createHmac('sha256', key).update(ack).digest().subarray(0, UTACK_MAC_BYTES)]);
}

/**
 * Cuts a byte stream into frames; what is left of the last one waits for the next chunk.
 * @param {(frame: Buffer) => void} onFrame
 * @returns {(chunk: Buffer) => void}
 */
export function frameDecoder(onFrame) {
  /** @type {Buffer | undefined} */
  let rest;
  return (chunk) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    while (bytes.length - start >= HEADER_BYTES) {
      if (bytes.readUInt16LE(start) !== MAGIC || bytes[start + 2] !== VERSION) throw new Error('not a frame');
      const end = start + HEADER_BYTES + bytes.readUInt16LE(start + 8);
      if (end > bytes.length) break;
      onFrame(bytes.subarray(start, end));
      start = end;
    }
    rest = start < bytes.length ? bytes.subarray(start) : undefined;
  };
}

/**
 * @param {Uint8Array} dh @param {Uint8Array} nonce @param {Uint8Array} pubC @param {Uint8Array} pubS
 * @returns {Buffer} k_c2s || k_s2c
 */
export function deriveKeys(dh, nonce, pubC, pubS) {
  return Buffer.from(hkdfSync('sha256', dh, nonce, Buffer.concat([Buffer.from('usmp-v2'), pubC, pubS]), 64));
}

/**
 * mac_C and mac_S: `who` is the device id or the session id.
 * @param {string} psk @param {number} type
 * @param {Uint8Array} nonce @param {Uint8Array} who @param {Uint8Array} pubC @param {Uint8Array} pubS
 */
export function handshakeMac(psk, type, nonce, who, pubC, pubS) {
  const label = Uint8Array.of(MAGIC & 0xff, MAGIC >> 8, VERSION, type);
  return createHmac('sha256', psk).update(label).update(nonce).update(who).update(pubC).update(pubS).digest();
}

/** @param {number} type @param {number} seq @param {number} length */
function allocateFrame(type, seq, length) {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + length);
  frame.writeUInt16LE(MAGIC, 0);
  frame[2] = VERSION;
  frame[3] = type;
  frame.writeUInt32LE(seq, 4);
  frame.writeUInt16LE(length, 8);
  return frame;
}

/** @param {Buffer} frame */
function withCrc(frame) {
  frame.writeUInt16LE(frameCrc(frame), 10);
  return frame;
}

const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  return crc;
});

/**
 * CRC-16/MODBUS over the header up to the CRC field, and the payload behind it.
 * @param {Uint8Array} frame
 */
export function frameCrc(frame) {
  let crc = 0xffff;
  for (let i = 0; i < AAD_BYTES; i++) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ frame[i]) & 0xff];
  for (let i = HEADER_BYTES; i < frame.length; i++) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ frame[i]) & 0xff];
  return crc;
}
