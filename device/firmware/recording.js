/**
 * A session of spec/vectors/sessions.json as a C header for measure.c, and two messages more, of the length that is measured:
 * the vectors have none.
 */
import { createCipheriv } from 'node:crypto';

/** Bytes of the message that is measured. */
export const MEASURED_LENGTH = 32;

const DATA = 0x05;

/** @param {any} session @returns {string} */
export function recordingHeader(session) {
  const first = session.messages[0];
  if (first.from !== 'client' || first.frames.length !== 1)
    throw new Error('the first message of the session is not one frame of the client');
  const text = Buffer.from(Array.from({ length: MEASURED_LENGTH }, (_, index) => (index * 7) & 0xff));
  const sessionId = fromHex(session.session_id);
  const arrays = {
    PSK: fromHex(session.psk),
    DEVICE_ID: fromHex(session.device_id),
    CLIENT_PRIVATE: fromHex(session.client_private),
    HELLO: fromHex(session.hello),
    CHALLENGE: fromHex(session.challenge),
    HELLO_ACK: fromHex(session.hello_ack),
    SESSION_OK: fromHex(session.session_ok),
    FIRST: fromHex(first.plaintext),
    FIRST_FRAME: fromHex(first.frames[0]),
    TEXT: text,
    TEXT_FRAME: dataFrame(fromHex(session.k_c2s), sessionId, 1, text),
    ANSWER_FRAME: dataFrame(fromHex(session.k_s2c), sessionId, 0, text),
  };
  const longest = Math.max(...Object.values(arrays).map((bytes) => bytes.length));
  return [
    `/* Session "${session.name}" of spec/vectors/sessions.json. Made by recording.js. */`,
    '#include <stdint.h>',
    `#define RECORDING_LONGEST ${longest}`,
    ...Object.entries(arrays).map(
      ([name, bytes]) => `static const uint8_t RECORDING_${name}[] = {${[...bytes].join(', ')}};`,
    ),
    '',
  ].join('\n');
}

/** A DATA frame (spec/protocol.md §2, §4.1). @param {Buffer} key @param {Buffer} sessionId @param {number} seq @param {Buffer} text */
function dataFrame(key, sessionId, seq, text) {
  const header = Buffer.from([0xcd, 0xab, 0x02, DATA, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32LE(seq, 4);
  header.writeUInt16LE(text.length + 28, 8);
  const nonce = Buffer.concat([header.subarray(4, 8), sessionId.subarray(0, 8)]);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(header);
  const record = Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
  const crc = Buffer.alloc(2);
  crc.writeUInt16LE(crc16(Buffer.concat([header, record])));
  return Buffer.concat([header, crc, record]);
}

/** CRC-16/MODBUS (§2.2). @param {Buffer} bytes */
function crc16(bytes) {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) * 0xa001);
  }
  return crc;
}

/** @param {string} hex */
function fromHex(hex) {
  return Buffer.from(hex, 'hex');
}
