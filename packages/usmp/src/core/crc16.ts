/**
 * CRC-16/MODBUS (spec/protocol.md §2.2): reflected polynomial 0xA001, initial value 0xFFFF, no final xor. It finds
 * transmission errors; it is no protection against an attacker.
 *
 * @module
 */

const POLYNOMIAL = 0xa001;

/** The value to start from. */
export const CRC_INITIAL = 0xffff;

/**
 * Two tables, so that two bytes are taken at a step: entry `b` of the first is the checksum of byte `b`, of the
 * second that of `b` followed by a zero byte.
 */
const [TABLE, TABLE_BEFORE_ZERO] = makeTables();

/**
 * Continues a checksum over `bytes[start..end)`.
 *
 * @example
 * ```ts
 * crc16(new TextEncoder().encode('123456789')); // 0x4b37
 * ```
 */
export function crc16(bytes: Uint8Array, start = 0, end = bytes.length, crc = CRC_INITIAL): number {
  let i = start;
  for (; i + 1 < end; i += 2) {
    crc = TABLE_BEFORE_ZERO[(crc ^ bytes[i]) & 0xff] ^ TABLE[((crc >>> 8) ^ bytes[i + 1]) & 0xff];
  }
  if (i < end) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[i]) & 0xff];
  return crc;
}

function makeTables(): [Uint16Array, Uint16Array] {
  const table = new Uint16Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    table[byte] = crc;
  }
  const beforeZero = table.map((crc) => (crc >>> 8) ^ table[crc & 0xff]);
  return [table, beforeZero];
}
