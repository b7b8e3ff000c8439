/**
 * Device ids: six bytes, by habit a MAC address, written `aa:bb:cc:dd:ee:ff` (spec/protocol.md §3.1).
 *
 * @module
 */

import { ArgumentError } from './core/errors.js';
import { hex } from './hex.js';

const PATTERN = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/;

/** Six bytes as text in lower case. */
export function formatDeviceId(bytes: Uint8Array): string {
  return hex(bytes, ':');
}

/**
 * The usual spelling of a device id.
 *
 * @throws {ArgumentError} it is none
 */
export function normalizeDeviceId(text: string): string {
  const id = String(text).toLowerCase();
  if (!PATTERN.test(id)) {
    throw new ArgumentError(
      'invalid_argument',
      `"${text}" is not a device id: write it like aa:bb:cc:dd:ee:ff`,
    );
  }
  return id;
}

/** The six bytes of a device id. Throws as `normalizeDeviceId`. */
export function parseDeviceId(text: string): Uint8Array {
  return Uint8Array.from(normalizeDeviceId(text).split(':'), (byte) => Number.parseInt(byte, 16));
}
