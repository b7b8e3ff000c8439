/** The two digits of each byte. */
const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Bytes as hexadecimal digits in lower case. Joined, because strings that are added up keep their parts alive. */
export function hex(bytes: Uint8Array, separator = ''): string {
  return Array.from(bytes, (byte) => DIGITS[byte]).join(separator);
}
