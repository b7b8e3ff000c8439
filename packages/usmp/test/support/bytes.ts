/** Bytes written as hexadecimal digits. */
export function hex(digits: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/.test(digits)) throw new TypeError(`not hexadecimal: ${digits.slice(0, 20)}`);
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

/** The other way round; also what tests compare, because a difference in it is readable. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** The bytes of a text in UTF-8. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** `length` bytes that tell from where they are taken: no two places of a message, and no two numbers, look alike. */
export function pattern(number: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (number * 31 + i + (i >>> 8) * 7) & 0xff);
}
