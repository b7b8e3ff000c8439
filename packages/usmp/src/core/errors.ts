/**
 * Every error of the library. The class tells the kind, the `code` tells the case and never changes between
 * releases, `fault` tells whom to look at.
 *
 * @module
 */

/** Who caused an error: the code that called us, the other side of the line, or the network in between. */
export type Fault = 'caller' | 'peer' | 'network';

/** Each code, whose fault it is, and what it means. `docs/errors.md` lists the same. */
export const ERROR_CODES = {
  // A frame that is none (spec/protocol.md §2, §8)
  bad_magic: ['peer', 'the bytes are not a USMP frame: wrong port, or another protocol'],
  version_1: ['peer', 'version 1 firmware, release 0.5.1 or older: update it'],
  unsupported_version: ['peer', 'the peer speaks a protocol version other than 2'],
  bad_type: ['peer', 'unknown frame type'],
  bad_length: ['peer', 'a frame length that its type does not allow'],
  bad_crc: ['peer', 'frame checksum mismatch: the line corrupts data'],

  // Handshake (§3)
  unexpected_frame: ['peer', 'a frame that has no place at this point of the conversation'],
  low_order_point: ['peer', 'the peer sent a public key that yields no secret'],
  wrong_key: ['peer', 'the device proved a different key than the one registered for it'],
  refused: ['peer', 'the server closed after HELLO_ACK: wrong key or unknown device id'],
  turned_away: ['peer', 'the server closed before CHALLENGE: busy, backing off, or not a USMP server'],
  rogue_server: ['peer', 'the server does not know the key: possible rogue server'],

  // Session records (§4 to §7)
  bad_sequence: ['peer', 'a sequence number out of order: replayed, reordered or lost frame'],
  bad_nonce: ['peer', 'a nonce that does not belong to the sequence number'],
  bad_tag: ['peer', 'authentication of a frame failed: it was altered, or sealed under another key'],
  message_too_long: ['peer', 'a message of more than 4 frames'],
  rekey_unsafe: [
    'caller',
    'a released peer would lose frames after this REKEY: force it only where the peer is of release 2 or later',
  ],
  sequence_spent: ['peer', 'all sequence numbers of a direction are used: connect anew'],

  // Time
  handshake_timeout: ['peer', 'the handshake was not finished in time'],
  receive_timeout: ['peer', 'no message arrived in time'],
  ping_timeout: ['peer', 'no PONG arrived in time'],
  send_timeout: ['network', 'the line did not take the message in time'],
  rekey_timeout: ['peer', 'the change of keys was not answered in time'],
  idle_timeout: ['peer', 'nothing was heard from the peer for too long'],
  connect_timeout: ['network', 'the connection was not accepted in time'],

  // The end of a session or connection
  bye: ['peer', 'the peer closed the session'],
  closed: ['caller', 'this side closed the session'],
  replaced: ['peer', 'a newer session of the same device took over'],
  revoked: ['caller', 'the key of the device was revoked'],
  busy: ['caller', 'the server is full'],
  shutdown: ['caller', 'the server is shutting down'],
  not_acknowledged: ['network', 'the peer did not acknowledge a message in time'],
  receive_overflow: [
    'caller',
    'messages came faster than they were read, and a browser cannot make the peer wait',
  ],
  connection_lost: ['network', 'the connection broke without BYE'],
  unreachable: ['network', 'no connection could be opened'],

  // Calls
  invalid_argument: ['caller', 'an argument or option that cannot be used'],
  key_too_short: ['caller', 'a pre-shared key of less than 16 bytes'],
  message_too_large: ['caller', 'a message of more than 1808 bytes'],
  queue_full: ['network', 'the client is away from its server, and too much waits for it already'],
  dropped: [
    'network',
    'a newer message took the place of this one, which waited for the server and was never sent',
  ],
  not_connected: ['caller', 'the client has no open session: call connect() first'],
  already_listening: ['caller', 'the server listens already'],
  address_in_use: ['caller', 'another program listens on that address'],
} as const satisfies Record<string, readonly [Fault, string]>;

/** A stable name for the case; see {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** The ends of a session that our side chose or brought about: where it shows, the stack is that of something else. */
const ENDINGS: ReadonlySet<ErrorCode> = new Set([
  'closed',
  'revoked',
  'busy',
  'shutdown',
  'receive_overflow',
]);

/** Engines other than V8 ignore the limit. */
const V8Error = Error as { stackTraceLimit?: number | undefined };

/**
 * Base of all errors of the library.
 *
 * @example
 * ```ts
 * try {
 *   await client.connect();
 * } catch (error) {
 *   if (error instanceof USMPError && error.code === 'refused') console.error('check the key');
 * }
 * ```
 */
export class USMPError extends Error {
  /** The case; stable between releases. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string = ERROR_CODES[code][1], options?: { cause?: unknown }) {
    // Where the network is to blame our stack says nothing, and collecting it is what an attacker would make us pay.
    const traced = ERROR_CODES[code][0] === 'caller' && !ENDINGS.has(code);
    const limit = V8Error.stackTraceLimit;
    if (!traced) V8Error.stackTraceLimit = 0;
    super(message, options);
    if (!traced) V8Error.stackTraceLimit = limit;
    this.code = code;
  }

  /** Who caused it. */
  get fault(): Fault {
    return ERROR_CODES[this.code][0];
  }
}
nameErrors(USMPError, 'USMPError');

/** The bytes are not an acceptable frame. */
export class FrameError extends USMPError {}
nameErrors(FrameError, 'FrameError');

/** The checksum of a frame does not match (`bad_crc`). */
export class CRCError extends FrameError {}
nameErrors(CRCError, 'CRCError');

/** The bytes do not begin like a frame (`bad_magic`). */
export class MagicError extends FrameError {}
nameErrors(MagicError, 'MagicError');

/** A frame of another protocol version (`version_1`, `unsupported_version`). */
export class VersionError extends FrameError {}
nameErrors(VersionError, 'VersionError');

/** A length out of range, of a frame or of a message (`bad_length`, `message_too_long`, `message_too_large`). */
export class PayloadError extends FrameError {}
nameErrors(PayloadError, 'PayloadError');

/** The handshake failed for another reason than the key (`unexpected_frame`, `turned_away`, …). */
export class HandshakeError extends USMPError {}
nameErrors(HandshakeError, 'HandshakeError');

/** The key is wrong on one side (`refused`, `rogue_server`, `wrong_key`). */
export class AuthError extends HandshakeError {}
nameErrors(AuthError, 'AuthError');

/** A frame that does not authenticate (`bad_tag`, `bad_nonce`). */
export class CryptoError extends USMPError {}
nameErrors(CryptoError, 'CryptoError');

/** A sequence number out of order, none left, or used by a peer (`bad_sequence`, `sequence_spent`, `rekey_unsafe`). */
export class SequenceError extends USMPError {}
nameErrors(SequenceError, 'SequenceError');

/** Something did not happen in time (`receive_timeout`, `handshake_timeout`, …). */
export class USMPTimeoutError extends USMPError {}
nameErrors(USMPTimeoutError, 'USMPTimeoutError');

/**
 * The session is over (`bye`, `closed`, `connection_lost`, `idle_timeout`, `receive_overflow`, `replaced`, `revoked`,
 * `shutdown`).
 */
export class ConnectionClosedError extends USMPError {}
nameErrors(ConnectionClosedError, 'ConnectionClosedError');

/** A message was never acknowledged, which ends a session over UDP (`not_acknowledged`). */
export class DeliveryError extends USMPError {}
nameErrors(DeliveryError, 'DeliveryError');

/** The client has no open session, and the message was not sent (`not_connected`, `queue_full`, `dropped`). */
export class NotConnectedError extends USMPError {}
nameErrors(NotConnectedError, 'NotConnectedError');

/** No connection could be opened, or no address listened on (`unreachable`, `address_in_use`). */
export class TransportError extends USMPError {}
nameErrors(TransportError, 'TransportError');

/** An option or argument that cannot be used (`invalid_argument`, `key_too_short`, …). */
export class ArgumentError extends USMPError {}
nameErrors(ArgumentError, 'ArgumentError');

/** On the prototype, so that an error carries no field of its own for it and minifiers do not change it. */
function nameErrors(type: { prototype: Error }, name: string): void {
  Object.defineProperty(type.prototype, 'name', { value: name, configurable: true, writable: true });
}
