/**
 * What can be said about bytes of the wire, as data: the fields that `usmp decode --json` prints and `frame-words.ts`
 * puts into words. Whether bytes are a frame is for the core to say; this file tells what it saw in them.
 *
 * @module
 */

import { readUint16, readUint32 } from '../core/bytes.js';
import { FrameError } from '../core/errors.js';
import {
  CHECKED_HEADER_LENGTH,
  checksum,
  type Frame,
  FrameDecoder,
  FrameType,
  frameTypeName,
  isHandshakeType,
  PREFIX,
} from '../core/frame.js';
import { HEADER_LENGTH, MAX_SEQUENCE, SEAL_OVERHEAD } from '../core/limits.js';
import { REKEY_SALT_LENGTH } from '../core/record.js';
import { isUtack, UTACK_HEADER_LENGTH, UTACK_LENGTH } from '../core/utack.js';
import { formatDeviceId } from '../device-id.js';
import { hex } from '../hex.js';
import type { Conversation, KeyLog, Role } from './key-log-reader.js';
import { textOf } from './message-text.js';

/** Bytes of something invalid that are shown. */
const BYTES_SHOWN = 512;

/** Names and values are those of `--json`. Numbers are as they stand in the header, byte strings hexadecimal. */
export interface Facts {
  event: 'frame' | 'utack' | 'invalid';
  /** Name of a frame type; of a UTACK, that of the frame it acknowledges. */
  type?: string;
  seq?: number;
  /** Bytes of payload that the header announces. */
  length?: number;
  crcOk?: boolean;
  /** Where it is not ok. */
  crcAnnounced?: string;
  crcComputed?: string;
  deviceId?: string;
  publicKey?: string;
  cookie?: string;
  nonce?: string;
  mac?: string;
  /** Whether the MAC of a UTACK fits; undefined where no key is known. */
  macOk?: boolean;
  sessionId?: string;
  /** The first half of the session id, which stands in each record. */
  sessionPrefix?: string;
  /** Bytes of plaintext. */
  bytes?: number;
  /** Who sent the frame, or the acknowledged one: known when a key of the key log fits. */
  from?: Role;
  epoch?: number;
  /** The plaintext, one of these three. */
  text?: string;
  hex?: string;
  salt?: string;
  /** Code of spec/protocol.md §8 and docs/errors.md: why a receiver does not take it. */
  code?: string;
  message?: string;
  /** The bytes that are no valid frame. */
  data?: string;
}

/** Where bytes were seen, and the keys to read them with. */
export interface Context {
  readonly keys: KeyLog;
  readonly conversation: Conversation;
  /** Who sent them, in any notation. */
  readonly source?: string;
}

/** Whether a datagram begins like a frame or a UTACK. */
export function looksLikeUSMP(bytes: Uint8Array): boolean {
  return looksLikeFrame(bytes) || isUtack(bytes);
}

/** Whether a stream begins like one of frames. */
export function looksLikeFrame(bytes: Uint8Array): boolean {
  return bytes[0] === PREFIX[0] && bytes[1] === PREFIX[1];
}

/** The frame that some bytes begin with; undefined while it is not complete. Throws as {@link FrameDecoder}. */
export function firstFrame(bytes: Uint8Array): Frame | undefined {
  const decoder = new FrameDecoder();
  decoder.push(bytes);
  return decoder.next();
}

/**
 * A datagram: one frame, or a UTACK (§9).
 *
 * @param missing bytes behind it that were not captured
 */
export function datagramFacts(datagram: Uint8Array, context: Context, missing = 0): Facts {
  if (missing > 0) return capturedInPart(datagram, missing);
  if (isUtack(datagram)) return utackFacts(datagram, context);
  let frame: Frame | undefined;
  try {
    frame = firstFrame(datagram);
  } catch (error) {
    return refusedFacts(datagram, error);
  }
  if (frame === undefined) return incompleteFacts(datagram);
  const facts = frameFacts(frame, context);
  if (frame.bytes.length === datagram.length) return facts;
  const message = `a datagram of ${datagram.length} bytes, but its frame has ${frame.bytes.length}`;
  return invalid(facts, datagram, 'bad_length', message);
}

/** A frame that the core takes. The session need not take it: its payload may be wrong. */
export function frameFacts(frame: Frame, context: Context): Facts {
  const facts = headerFacts(frame.bytes);
  const problem = isHandshakeType(frame.type)
    ? addHandshake(facts, frame, context)
    : addRecord(facts, frame, context);
  return problem === undefined ? facts : invalid(facts, frame.bytes, problem.code, problem.message);
}

/** Bytes that the core does not take as a frame, and why. */
export function refusedFacts(bytes: Uint8Array, error: unknown): Facts {
  if (!(error instanceof FrameError)) throw error;
  const facts = headerFacts(bytes);
  return invalid(facts, bytes, error.code, refusal(bytes, facts, error));
}

/** A frame that ends too early. */
export function incompleteFacts(bytes: Uint8Array): Facts {
  const facts = headerFacts(bytes);
  let message = 'nothing';
  if (bytes.length > 0 && bytes.length < HEADER_LENGTH) {
    message = `only ${bytesOf(bytes.length)} of the ${HEADER_LENGTH} of a header`;
  } else if (bytes.length > 0) {
    message = `only ${bytes.length} of the ${HEADER_LENGTH + facts.length!} bytes of the frame`;
  }
  return invalid(facts, bytes, 'bad_length', message);
}

function capturedInPart(bytes: Uint8Array, missing: number): Facts {
  const message = `only ${bytes.length} of its ${bytesOf(bytes.length + missing)} were captured`;
  return invalid(headerFacts(bytes), bytes, 'bad_length', message);
}

interface Problem {
  readonly code: string;
  readonly message: string;
}

/** As much of a header as is there and can be believed (§2.1). */
function headerFacts(bytes: Uint8Array): Facts {
  const facts: Facts = { event: 'frame' };
  const isOurs = PREFIX.every((byte, i) => bytes[i] === byte);
  if (!isOurs || bytes.length < 4) return facts;
  facts.type = frameTypeName(bytes[3]);
  if (bytes.length >= 8) facts.seq = readUint32(bytes, 4);
  if (bytes.length < CHECKED_HEADER_LENGTH) return facts;
  facts.length = readUint16(bytes, 8);
  const size = HEADER_LENGTH + facts.length;
  if (bytes.length < size) return facts;
  const announced = readUint16(bytes, CHECKED_HEADER_LENGTH);
  const computed = checksum(bytes, 0, facts.length);
  facts.crcOk = announced === computed;
  if (!facts.crcOk) {
    facts.crcAnnounced = hexNumber(announced);
    facts.crcComputed = hexNumber(computed);
  }
  return facts;
}

/** §3.1 */
function addHandshake(facts: Facts, { type, payload }: Frame, context: Context): Problem | undefined {
  const allowed = HANDSHAKE_LENGTHS[type];
  if (!allowed.includes(payload.length)) {
    const message = `${facts.type} has ${allowed.join(' or ')} bytes of payload, this one ${payload.length}`;
    return { code: 'bad_length', message };
  }
  const part = (start: number, end?: number) => hex(payload.subarray(start, end));
  switch (type) {
    case FrameType.HELLO:
      facts.deviceId = formatDeviceId(payload.subarray(0, 6));
      facts.publicKey = part(6, 38);
      if (payload.length > 38) facts.cookie = part(38);
      break;
    case FrameType.CHALLENGE:
      facts.nonce = part(0, 32);
      facts.publicKey = part(32);
      break;
    case FrameType.HELLO_ACK:
      facts.mac = part(0);
      break;
    case FrameType.SESSION_OK:
      facts.sessionId = part(0, 16);
      facts.mac = part(16);
      context.keys.announce(facts.sessionId, context.conversation);
      break;
    default:
      facts.cookie = part(0);
  }
  return undefined;
}

const HANDSHAKE_LENGTHS: Readonly<Record<number, readonly number[]>> = {
  [FrameType.HELLO]: [38, 54],
  [FrameType.CHALLENGE]: [64],
  [FrameType.HELLO_ACK]: [32],
  [FrameType.SESSION_OK]: [48],
  [FrameType.HELLO_RETRY]: [16],
};

/** §4; the order of the checks is that of §4.3. */
function addRecord(facts: Facts, frame: Frame, context: Context): Problem | undefined {
  const { payload, seq } = frame;
  if (payload.length < SEAL_OVERHEAD) {
    const message = `an encrypted payload of ${bytesOf(payload.length)}, at least ${SEAL_OVERHEAD}`;
    return { code: 'bad_length', message };
  }
  facts.sessionPrefix = hex(payload.subarray(4, 12));
  facts.bytes = payload.length - SEAL_OVERHEAD;
  if (seq > MAX_SEQUENCE) return { code: 'sequence_spent', message: 'this sequence number is never valid' };
  const nonceSeq = readUint32(payload, 0);
  if (nonceSeq !== seq) return { code: 'bad_nonce', message: `the nonce is that of seq ${nonceSeq}` };

  const opened = context.keys.open(frame, context.conversation, context.source);
  if (opened === 'no-key') return plaintextProblem(frame, facts.bytes);
  if (opened === 'no-fit') {
    return { code: 'bad_tag', message: 'no key of this session in the key log opens it' };
  }
  const { plaintext, session, from, epoch } = opened;
  Object.assign(facts, { sessionId: session.id, deviceId: session.deviceId, from, epoch });
  const problem = plaintextProblem(frame, facts.bytes);
  if (problem === undefined && frame.type === FrameType.REKEY) {
    facts.salt = hex(plaintext);
    return undefined;
  }
  const text = isPrintable(plaintext) ? textOf(plaintext) : undefined;
  if (text === undefined) facts.hex = hex(plaintext);
  else facts.text = text;
  return problem;
}

/** A length of plaintext that the type does not have (§6, §7.1). It shows without the key. */
function plaintextProblem({ type }: Frame, length: number): Problem | undefined {
  const name = frameTypeName(type);
  if (type === FrameType.REKEY) {
    if (length === REKEY_SALT_LENGTH) return undefined;
    const message = `the salt of ${name} has ${REKEY_SALT_LENGTH} bytes, this one ${length}`;
    return { code: 'bad_length', message };
  }
  const isMessage = type === FrameType.DATA || type === FrameType.DATA_FRAG;
  if (isMessage || length === 0) return undefined;
  return { code: 'bad_length', message: `${name} carries nothing, this one ${bytesOf(length)}` };
}

/** §9.1 */
function utackFacts(datagram: Uint8Array, { keys, conversation, source }: Context): Facts {
  const facts: Facts = { event: 'utack' };
  if (datagram.length < UTACK_HEADER_LENGTH) {
    const message = `a UTACK has at least ${UTACK_HEADER_LENGTH} bytes, this one ${datagram.length}`;
    return invalid(facts, datagram, 'bad_length', message);
  }
  const type = datagram[2];
  facts.type = frameTypeName(type);
  facts.seq = readUint32(datagram, 3);
  if (facts.type.startsWith('0x')) {
    return invalid(facts, datagram, 'bad_type', `a UTACK of an unknown frame type ${facts.type}`);
  }
  const expected = isHandshakeType(type) ? UTACK_HEADER_LENGTH : UTACK_LENGTH;
  if (datagram.length !== expected) {
    const message = `a UTACK of ${facts.type} has ${expected} bytes, this one ${datagram.length}`;
    return invalid(facts, datagram, 'bad_length', message);
  }
  if (isHandshakeType(type)) return facts;
  const mac = datagram.subarray(UTACK_HEADER_LENGTH);
  facts.mac = hex(mac);
  const verified = keys.verify(datagram.subarray(0, UTACK_HEADER_LENGTH), mac, conversation, source);
  if (verified === 'no-key') return facts;
  if (verified === 'no-fit') {
    facts.macOk = false;
    return invalid(facts, datagram, 'bad_tag', 'mac does not fit');
  }
  const { session, from, epoch } = verified;
  return Object.assign(facts, {
    macOk: true,
    sessionId: session.id,
    deviceId: session.deviceId,
    from,
    epoch,
  });
}

function invalid(facts: Facts, bytes: Uint8Array, code: string, message: string): Facts {
  return { ...facts, event: 'invalid', code, message, data: hex(bytes.subarray(0, BYTES_SHOWN)) };
}

/** The words of the core, and more where the bytes themselves tell more. */
function refusal(bytes: Uint8Array, facts: Facts, error: FrameError): string {
  switch (error.code) {
    case 'bad_magic': {
      const start = hex(bytes.subarray(0, 4), ' ');
      return `begins with ${start}, a frame with ${hex(Uint8Array.from(PREFIX.slice(0, 2)), ' ')}`;
    }
    case 'unsupported_version':
      return `protocol version ${bytes[2]}, known is ${PREFIX[2]}`;
    case 'bad_crc':
      return `CRC wrong: announced ${facts.crcAnnounced}, computed ${facts.crcComputed}`;
    default:
      return error.message;
  }
}

/** Text with control characters other than those of text is better read as digits. */
function isPrintable(data: Uint8Array): boolean {
  return data.every(
    (byte) => (byte >= 0x20 && byte !== 0x7f) || byte === 0x09 || byte === 0x0a || byte === 0x0d,
  );
}

function hexNumber(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}

function bytesOf(count: number): string {
  return count === 1 ? '1 byte' : `${count} bytes`;
}
