/** The two digits of each byte. */
const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Bytes as hexadecimal digits in lower case. */
export function hex(bytes: Uint8Array, separator = ''): string {
  let text = DIGITS[bytes[0]] ?? '';
  for (let i = 1; i < bytes.length; i++) text += separator + DIGITS[bytes[i]];
  return text;
}
