/** Messages that both ends can make and recognise; `peers/conversation.py` has the same. */

import assert from 'node:assert/strict';
import type { USMPSession } from '#dist/index.js';
import { DEADLINE } from './deadline.js';

/** Around the limits of a frame (452 bytes) and of a message (four frames). */
export const SIZES = [0, 1, 451, 452, 453, 904, 905, 1807, 1808];

const TABLE = Uint8Array.from({ length: 0xff + SIZES.at(-1)! }, (_, i) => i);

/** The content of message `number`: no other number or size gives the same, as far as the size allows. */
export function pattern(number: number, size: number): Uint8Array {
  const message = new Uint8Array(Math.max(size, 4));
  new DataView(message.buffer).setUint32(0, number, true);
  if (size > 4) {
    const start = (number * 7 + size * 13) & 0xff;
    message.set(TABLE.subarray(start, start + size - 4), 4);
  }
  return message.subarray(0, size);
}

/** Message `number` where the sizes take turns. */
export function messageOf(number: number, sizes: readonly number[]): Uint8Array {
  return pattern(number, sizes[number % sizes.length]);
}

/** Receives the next message and checks that it is that one. */
export async function expectMessage(
  session: USMPSession,
  number: number,
  sizes: readonly number[],
): Promise<void> {
  const expected = messageOf(number, sizes);
  const data = await session.recv({ timeout: DEADLINE });
  if (Buffer.compare(data, expected) !== 0) {
    assert.deepEqual(data, expected, `message ${number} arrived out of order or damaged`);
  }
}

/** Sends `count` messages, at most `window` ahead of their echoes, and checks that those come in order. */
export async function sendForEcho(
  session: USMPSession,
  {
    first = 0,
    count,
    sizes,
    window = 1,
  }: { first?: number; count: number; sizes: readonly number[]; window?: number },
): Promise<void> {
  let sent = 0;
  for (let received = 0; received < count; received++) {
    for (; sent < count && sent < received + window; sent++) {
      await session.send(messageOf(first + sent, sizes));
    }
    await expectMessage(session, first + received, sizes);
  }
}

/** Receives messages, checks them and sends each back; `before` is called ahead of sending. */
export async function echo(
  session: USMPSession,
  count: number,
  sizes: readonly number[],
  before?: (number: number) => void,
): Promise<void> {
  for (let number = 0; number < count; number++) {
    await expectMessage(session, number, sizes);
    before?.(number);
    await session.send(messageOf(number, sizes));
  }
}
