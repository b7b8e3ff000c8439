/**
 * The handshake of version 2 for both roles (spec/protocol.md §3): one table of states, one method a message.
 *
 * @module
 */

import { concat, copyOf } from './bytes.js';
import type { CryptoProvider, KeyPair } from './crypto.js';
import { AuthError, HandshakeError, PayloadError } from './errors.js';
import { encodeFrame, type Frame, FrameType, frameTypeName } from './frame.js';
import {
  clientMac,
  deriveSessionKeys,
  serverMac,
  swapKeys,
  type TrafficKeys,
  type Transcript,
} from './key-schedule.js';

/** Which side of the handshake: the client opens the conversation. */
export type Role = 'client' | 'server';

/** What a side waits for. `keys` is the server's wait for its own key look-up. */
export type HandshakeState = 'HELLO' | 'HELLO_ACK' | 'keys' | 'CHALLENGE' | 'SESSION_OK' | 'done';

export const DEVICE_ID_LENGTH = 6;
export const SESSION_ID_LENGTH = 16;
const NONCE_LENGTH = 32;
const PUBLIC_KEY_LENGTH = 32;
const MAC_LENGTH = 32;

/** Payload of HELLO without a cookie (§3.1). */
export const HELLO_LENGTH = DEVICE_ID_LENGTH + PUBLIC_KEY_LENGTH;

/** The only frame that a state takes, and its exact payload length (§3.1). Everything else ends the handshake. */
const ACCEPTS: Partial<Record<HandshakeState, { type: FrameType; length: number }>> = {
  HELLO: { type: FrameType.HELLO, length: HELLO_LENGTH },
  CHALLENGE: { type: FrameType.CHALLENGE, length: NONCE_LENGTH + PUBLIC_KEY_LENGTH },
  HELLO_ACK: { type: FrameType.HELLO_ACK, length: MAC_LENGTH },
  SESSION_OK: { type: FrameType.SESSION_OK, length: SESSION_ID_LENGTH + MAC_LENGTH },
};

/** The sequence numbers that the released peers put into handshake frames; no receiver checks them. */
const HELLO_AGAIN_SEQ = 1;
const HELLO_ACK_SEQ = 2;

const NO_COOKIE = new Uint8Array(0);

/** What the client starts from. */
export interface ClientCredentials {
  readonly deviceId: Uint8Array;
  readonly psk: Uint8Array;
}

/** What a finished handshake leaves. */
export interface Secrets {
  readonly deviceId: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly keys: TrafficKeys;
  /** Which of the device's valid keys it has proved: 0 the first (new), 1 the second (old). */
  readonly keyIndex: number;
}

/** One handshake. Frames go in, frames to send come out, and in the end the secrets of the session. */
export class Handshake {
  readonly #crypto: CryptoProvider;
  readonly #client: ClientCredentials | undefined;
  #state: HandshakeState;
  #pair: KeyPair | undefined;
  #deviceId: Uint8Array | undefined;
  #transcript: Transcript | undefined;
  #trafficKeys: TrafficKeys | undefined;
  #receivedMac: Uint8Array | undefined;
  #candidates: readonly Uint8Array[] | undefined;
  #decoy: Uint8Array | undefined;
  #secrets: Secrets | undefined;

  /** A client's handshake with its credentials, a server's without. */
  constructor(crypto: CryptoProvider, client?: ClientCredentials) {
    this.#crypto = crypto;
    this.#client = client;
    this.#state = client === undefined ? 'HELLO' : 'CHALLENGE';
  }

  get state(): HandshakeState {
    return this.#state;
  }

  /** Known at the server from HELLO on. */
  get deviceId(): Uint8Array | undefined {
    return this.#deviceId;
  }

  /** Present once the state is `done`. */
  get secrets(): Secrets | undefined {
    return this.#secrets;
  }

  /** The client's first frame; over UDP again, with the cookie that the server has asked for (§9.2). */
  hello(cookie: Uint8Array = NO_COOKIE): Uint8Array {
    const { deviceId } = this.#client!;
    this.#deviceId = deviceId;
    this.#pair ??= this.#crypto.generateKeyPair();
    const seq = cookie.length === 0 ? 0 : HELLO_AGAIN_SEQ;
    return encodeFrame(FrameType.HELLO, seq, concat(deviceId, this.#pair.publicKey, cookie));
  }

  /** Whether `handleFrame` would take a frame: it has the type and the length that come next. */
  expects({ type, payload }: Frame): boolean {
    const accepted = ACCEPTS[this.#state];
    return type === accepted?.type && payload.length === accepted.length;
  }

  /**
   * Takes the next frame of the peer.
   *
   * @returns the frame to send, if there is one
   * @throws {HandshakeError | PayloadError} the handshake has failed and must be given up
   */
  handleFrame(frame: Frame): Uint8Array | undefined {
    const accepted = ACCEPTS[this.#state];
    if (frame.type !== accepted?.type) {
      throw new HandshakeError(
        'unexpected_frame',
        `${frameTypeName(frame.type)} while waiting for ${this.#state}`,
      );
    }
    if (frame.payload.length !== accepted.length) {
      throw new PayloadError(
        'bad_length',
        `${frameTypeName(frame.type)} of ${frame.payload.length} bytes, must be ${accepted.length}`,
      );
    }
    switch (this.#state) {
      case 'HELLO':
        return this.#onHello(frame.payload);
      case 'CHALLENGE':
        return this.#onChallenge(frame.payload);
      case 'HELLO_ACK':
        return this.#onHelloAck(frame.payload);
      default:
        return this.#onSessionOk(frame.payload);
    }
  }

  /**
   * The server's answer to "which keys has this device?", allowed from HELLO on, before or after HELLO_ACK.
   *
   * @param candidates the device's valid keys, none for a device that is unknown or must not come in
   * @param decoy a random key that takes the place of missing candidates, so that both cases cost the same time
   * @returns SESSION_OK, when HELLO_ACK was waiting for the keys
   * @throws {HandshakeError} as `handleFrame`
   */
  provideKeys(candidates: readonly Uint8Array[], decoy: Uint8Array): Uint8Array | undefined {
    this.#candidates = candidates;
    this.#decoy = decoy;
    return this.#state === 'keys' ? this.#authenticate() : undefined;
  }

  /** Forgets what must not outlive the handshake; traffic keys that no session took over are overwritten. */
  wipe(): void {
    this.#pair = undefined;
    this.#candidates = undefined;
    if (this.#secrets === undefined) this.#trafficKeys?.fill(0);
  }

  #onHello(payload: Uint8Array): Uint8Array {
    this.#deviceId = copyOf(payload, 0, DEVICE_ID_LENGTH);
    this.#pair = this.#crypto.generateKeyPair();
    const nonce = this.#crypto.randomBytes(NONCE_LENGTH);
    const serverPublicKey = this.#pair.publicKey;
    this.#transcript = { nonce, clientPublicKey: copyOf(payload, DEVICE_ID_LENGTH), serverPublicKey };
    this.#state = 'HELLO_ACK';
    return encodeFrame(FrameType.CHALLENGE, 0, concat(nonce, serverPublicKey));
  }

  #onChallenge(payload: Uint8Array): Uint8Array {
    const { psk, deviceId } = this.#client!;
    const transcript = {
      nonce: copyOf(payload, 0, NONCE_LENGTH),
      clientPublicKey: this.#pair!.publicKey,
      serverPublicKey: copyOf(payload, NONCE_LENGTH),
    };
    this.#transcript = transcript;
    this.#trafficKeys = this.#deriveKeys(transcript.serverPublicKey, transcript);
    this.#state = 'SESSION_OK';
    return encodeFrame(
      FrameType.HELLO_ACK,
      HELLO_ACK_SEQ,
      clientMac(this.#crypto, psk, deviceId, transcript),
    );
  }

  #onHelloAck(payload: Uint8Array): Uint8Array | undefined {
    this.#receivedMac = copyOf(payload);
    this.#state = 'keys';
    return this.#candidates === undefined ? undefined : this.#authenticate();
  }

  #onSessionOk(payload: Uint8Array): undefined {
    const sessionId = copyOf(payload, 0, SESSION_ID_LENGTH);
    const expected = serverMac(this.#crypto, this.#client!.psk, sessionId, this.#transcript!);
    if (!this.#crypto.equal(expected, payload.subarray(SESSION_ID_LENGTH)))
      throw new AuthError('rogue_server');
    this.#finish(sessionId, this.#trafficKeys!, 0);
  }

  /**
   * Checks mac_C and only then spends an X25519 agreement on the client. A failure has cost two comparisons, with
   * decoys where the device has fewer keys, so that its time says nothing about them.
   */
  #authenticate(): Uint8Array {
    const [first, second] = this.#candidates!;
    const keyIndex = this.#proves(first) ? 0 : this.#proves(second) ? 1 : undefined;
    if (keyIndex === undefined) throw new AuthError('wrong_key');

    const transcript = this.#transcript!;
    const clientKeys = this.#deriveKeys(transcript.clientPublicKey, transcript);
    const keys = swapKeys(clientKeys);
    clientKeys.fill(0);
    const sessionId = this.#crypto.randomBytes(SESSION_ID_LENGTH);
    const proof = serverMac(this.#crypto, this.#candidates![keyIndex], sessionId, transcript);
    this.#finish(sessionId, keys, keyIndex);
    return encodeFrame(FrameType.SESSION_OK, 0, concat(sessionId, proof));
  }

  #proves(psk: Uint8Array | undefined): boolean {
    const expected = clientMac(this.#crypto, psk ?? this.#decoy!, this.#deviceId!, this.#transcript!);
    return this.#crypto.equal(expected, this.#receivedMac!) && psk !== undefined;
  }

  #deriveKeys(peerPublicKey: Uint8Array, transcript: Transcript): TrafficKeys {
    const sharedSecret = this.#pair!.agree(peerPublicKey);
    if (sharedSecret === undefined) throw new HandshakeError('low_order_point');
    const keys = deriveSessionKeys(this.#crypto, sharedSecret, transcript);
    sharedSecret.fill(0);
    return keys;
  }

  #finish(sessionId: Uint8Array, keys: TrafficKeys, keyIndex: number): void {
    this.#secrets = { deviceId: this.#deviceId!, sessionId, keys, keyIndex };
    this.#state = 'done';
    this.wipe();
  }
}
