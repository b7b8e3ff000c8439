/**
 * Where the keys and MACs of version 2 come from (spec/protocol.md §3.3, §3.4, §7.1).
 *
 * @module
 */

import { ascii, concat } from './bytes.js';
import type { CryptoProvider } from './crypto.js';
import { FrameType, PREFIX } from './frame.js';

const SESSION_LABEL = ascii('usmp-v2');
const REKEY_LABEL = ascii('usmp-rekey');
const KEY_LENGTH = 32;
const CLIENT_MAC_PREFIX = Uint8Array.of(...PREFIX, FrameType.HELLO_ACK);
const SERVER_MAC_PREFIX = Uint8Array.of(...PREFIX, FrameType.SESSION_OK);

/** The traffic keys of one side, `k_tx || k_rx`: 64 bytes, which is also what REKEY derives from (§7.1). */
export type TrafficKeys = Uint8Array;

/** What both sides know after CHALLENGE. */
export interface Transcript {
  readonly nonce: Uint8Array;
  readonly clientPublicKey: Uint8Array;
  readonly serverPublicKey: Uint8Array;
}

/** The first keys of a session as the client holds them; the server's are {@link swapKeys | swapped} (§3.3). */
export function deriveSessionKeys(
  crypto: CryptoProvider,
  sharedSecret: Uint8Array,
  transcript: Transcript,
): TrafficKeys {
  const info = concat(SESSION_LABEL, transcript.clientPublicKey, transcript.serverPublicKey);
  return crypto.hkdfSha256(sharedSecret, transcript.nonce, info, 2 * KEY_LENGTH);
}

/**
 * The keys after a REKEY as its initiator holds them; the responder's are {@link swapKeys | swapped} (§7.1).
 *
 * @param old the keys before it, as the initiator holds them
 */
export function deriveRekeyKeys(
  crypto: CryptoProvider,
  old: TrafficKeys,
  salt: Uint8Array,
  sessionId: Uint8Array,
): TrafficKeys {
  return crypto.hkdfSha256(old, salt, concat(REKEY_LABEL, sessionId), 2 * KEY_LENGTH);
}

/** The keys of one side as the other side holds them. */
export function swapKeys(keys: TrafficKeys): TrafficKeys {
  return joinKeys(rxKey(keys), txKey(keys));
}

/** The key for sending. */
export function txKey(keys: TrafficKeys): Uint8Array {
  return keys.subarray(0, KEY_LENGTH);
}

/** The key for receiving. */
export function rxKey(keys: TrafficKeys): Uint8Array {
  return keys.subarray(KEY_LENGTH);
}

/** Two keys as one side holds them. */
export function joinKeys(tx: Uint8Array, rx: Uint8Array): TrafficKeys {
  return concat(tx, rx);
}

/** mac_C of HELLO_ACK: the client knows the key (§3.4). */
export function clientMac(
  crypto: CryptoProvider,
  psk: Uint8Array,
  deviceId: Uint8Array,
  transcript: Transcript,
): Uint8Array {
  return mac(crypto, psk, CLIENT_MAC_PREFIX, deviceId, transcript);
}

/** mac_S of SESSION_OK: the server knows it too (§3.4). */
export function serverMac(
  crypto: CryptoProvider,
  psk: Uint8Array,
  sessionId: Uint8Array,
  transcript: Transcript,
): Uint8Array {
  return mac(crypto, psk, SERVER_MAC_PREFIX, sessionId, transcript);
}

function mac(
  crypto: CryptoProvider,
  psk: Uint8Array,
  prefix: Uint8Array,
  identity: Uint8Array,
  { nonce, clientPublicKey, serverPublicKey }: Transcript,
): Uint8Array {
  return crypto.hmacSha256(psk, concat(prefix, nonce, identity, clientPublicKey, serverPublicKey));
}
