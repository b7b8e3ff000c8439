/**
 * The facts about bytes of the wire in one line for people.
 *
 * @module
 */

import { isUtack } from '../core/utack.js';
import type { Facts } from './frame-facts.js';
import { showInLine } from './message-text.js';

/** Digits of a byte string that are enough to recognise it. */
const DIGITS = 16;

/** One line, safe on a terminal. */
export function inWords(facts: Facts): string {
  switch (facts.event) {
    case 'frame':
      return `${frameHead(facts)}: ${frameDetails(facts)}`;
    case 'utack':
      return [utackHead(facts), ...utackDetails(facts)].join(', ');
    case 'invalid': {
      const head = isOfUtack(facts) ? utackHead(facts) : frameHead(facts);
      return `INVALID${head === '' ? '' : ` ${head}`}: ${facts.message} (${facts.code})`;
    }
  }
}

/** Of something invalid. */
function isOfUtack({ data, type }: Facts): boolean {
  return type !== undefined && data !== undefined && isUtack(Buffer.from(data.slice(0, 4), 'hex'));
}

function frameHead({ type, seq, length, crcOk, crcAnnounced, crcComputed, code }: Facts): string {
  if (type === undefined) return '';
  const parts = [seq === undefined ? type : `${type} seq ${seq}`];
  if (length !== undefined) parts.push(bytesOf(length));
  if (crcOk === true) parts.push('CRC ok');
  // Nobody looks at it in a handshake frame (§3.1); of a session frame it is the error itself.
  if (crcOk === false && code !== 'bad_crc') {
    parts.push(`CRC wrong (announced ${crcAnnounced}, computed ${crcComputed})`);
  }
  return parts.join(', ');
}

function utackHead({ type, seq }: Facts): string {
  return `UTACK of ${type} seq ${seq}`;
}

function frameDetails(facts: Facts): string {
  const { deviceId, publicKey, cookie, nonce, mac, sessionId, sessionPrefix, bytes = 0 } = facts;
  if (facts.from !== undefined) return plaintextWords(facts);
  if (sessionPrefix !== undefined) {
    return `session ${sessionPrefix}…, encrypted, ${bytesOf(bytes)} of plaintext`;
  }
  const parts: string[] = [];
  if (deviceId !== undefined) parts.push(`device ${deviceId}`);
  if (nonce !== undefined) parts.push(`nonce ${short(nonce)}`);
  if (publicKey !== undefined) parts.push(`public key ${short(publicKey)}`);
  if (cookie !== undefined) parts.push(`cookie ${cookie}`);
  if (sessionId !== undefined) parts.push(`session ${sessionId}`);
  if (mac !== undefined) parts.push(`mac ${short(mac)}`);
  return parts.join(', ');
}

function plaintextWords({ from, epoch, bytes = 0, text, hex, salt }: Facts): string {
  const who = `from the ${from}, epoch ${epoch}`;
  if (salt !== undefined) return `${who}, salt ${salt}`;
  if (bytes === 0) return `${who}, empty`;
  if (text !== undefined) return `${who}, ${bytesOf(bytes)}: ${showInLine(Buffer.from(text))}`;
  return `${who}, ${bytesOf(bytes)} as hex: ${hex}`;
}

function utackDetails({ mac, macOk, from, epoch }: Facts): string[] {
  if (mac === undefined) return [];
  if (macOk !== true) return [`mac ${mac}`];
  return ['mac ok', `for the ${from}, epoch ${epoch}`];
}

function short(digits: string): string {
  return digits.length > DIGITS ? `${digits.slice(0, DIGITS)}…` : digits;
}

function bytesOf(count: number): string {
  return count === 1 ? '1 byte' : `${count} bytes`;
}
