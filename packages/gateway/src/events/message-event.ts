/**
 * What the event stream says of a message.
 *
 * @module
 */

import type { GatewayEvent, Message } from '../model.js';

const utf8 = new TextDecoder();

/** The event of a message. Of one that is read again it tells the state of now. */
export function messageEvent(message: Message): GatewayEvent {
  const { id, at, deviceId } = message;
  return { id, at, type: 'message', deviceId, data: messageData(message) };
}

function messageData(message: Message): Record<string, unknown> {
  const { direction, state, format, payload, sessionId, expiresAt, redeliver } = message;
  const data: Record<string, unknown> = {
    direction,
    state,
    size: payload.length,
    format,
    ...bodyOf(message),
    session: sessionId ?? null,
  };
  if (direction === 'out') {
    data.expiresAt = expiresAt === undefined ? null : new Date(expiresAt).toISOString();
    data.redeliver = redeliver;
  }
  return data;
}

/** The payload in the form in which it was given. */
function bodyOf({ format, payload }: Message): Record<string, unknown> {
  if (format === 'base64') return { base64: Buffer.from(payload).toString('base64') };
  const text = utf8.decode(payload);
  if (format === 'text') return { text };
  try {
    return { json: JSON.parse(text) };
  } catch {
    return { text };
  }
}
