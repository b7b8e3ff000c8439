/**
 * The acknowledgement of a datagram (spec/protocol.md §9.1).
 *
 * @module
 */

import { readUint32, writeUint32 } from './bytes.js';
import { isHandshakeType } from './frame.js';
import { ACKNOWLEDGEMENT_MAC_LENGTH } from './limits.js';

const MAGIC = 0xac;

/** What the MAC covers, and all that handshake frames get. */
export const UTACK_HEADER_LENGTH = 7;

/** With the MAC that session frames get. */
export const UTACK_LENGTH = UTACK_HEADER_LENGTH + ACKNOWLEDGEMENT_MAC_LENGTH;

/** Whether a datagram begins like a UTACK. */
export function isUtack(datagram: Uint8Array): boolean {
  return datagram[0] === MAGIC && datagram[1] === MAGIC;
}

/** Type and number of the frame that a UTACK is about; undefined when it has not the length for that type. */
export function parseUtack(datagram: Uint8Array): { type: number; seq: number } | undefined {
  const type = datagram[2];
  const length = isHandshakeType(type) ? UTACK_HEADER_LENGTH : UTACK_LENGTH;
  return datagram.length === length ? { type, seq: readUint32(datagram, 3) } : undefined;
}

/** A UTACK without the MAC, with room for `macLength` bytes of it. */
export function utackHeader(type: number, seq: number, macLength = 0): Uint8Array {
  const utack = new Uint8Array(UTACK_HEADER_LENGTH + macLength);
  utack[0] = utack[1] = MAGIC;
  utack[2] = type;
  writeUint32(utack, 3, seq);
  return utack;
}
