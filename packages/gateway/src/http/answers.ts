/**
 * How the things of the gateway stand in answers: times as ISO 8601, null for what is absent.
 *
 * @module
 */

import type { z } from 'zod';
import type { Device, GatewayEvent, Message, RefusedEntry, SessionFacts, TokenFacts } from '../model.js';
import { time, timeOrNull } from './schema-kit.js';
import type {
  DeviceAnswer,
  EventAnswer,
  MessageAnswer,
  RefusedAnswer,
  SessionAnswer,
  TokenAnswer,
} from './schemas.js';

export function deviceAnswer(
  device: Device,
  session: SessionFacts | undefined,
): z.input<typeof DeviceAnswer> {
  return {
    id: device.id,
    name: device.name,
    note: device.note,
    tags: [...device.tags],
    enabled: device.enabled,
    createdAt: time(device.createdAt),
    updatedAt: time(device.updatedAt),
    lastConnectedAt: timeOrNull(device.lastConnectedAt),
    lastSeenAt: timeOrNull(device.lastSeenAt),
    lastAddress: device.lastAddress ?? null,
    lastTransport: device.lastTransport ?? null,
    counters: {
      sessions: device.counters.sessions,
      messagesIn: device.counters.messagesIn,
      messagesOut: device.counters.messagesOut,
      bytesIn: device.counters.bytesIn,
      bytesOut: device.counters.bytesOut,
    },
    keys: device.keys.map((key) => ({
      fingerprint: key.fingerprint,
      createdAt: time(key.createdAt),
      usedAt: timeOrNull(key.usedAt),
      expiresAt: timeOrNull(key.expiresAt),
    })),
    online: session !== undefined,
    session: session === undefined ? null : sessionAnswer(session),
  };
}

export function sessionAnswer(session: SessionFacts): z.input<typeof SessionAnswer> {
  return {
    device: session.deviceId,
    id: session.id,
    transport: session.transport,
    peer: session.peer,
    since: time(session.since),
    keyIndex: session.keyIndex,
    rtt: session.rtt ?? null,
    messagesIn: session.messagesIn,
    messagesOut: session.messagesOut,
    bytesIn: session.bytesIn,
    bytesOut: session.bytesOut,
    framesRetransmitted: session.framesRetransmitted,
    unconfirmed: session.unconfirmed,
  };
}

export function messageAnswer(message: Message): z.input<typeof MessageAnswer> {
  return {
    id: message.id,
    device: message.deviceId,
    direction: message.direction,
    at: time(message.at),
    state: message.state,
    ...bodyOf(message),
    size: message.payload.length,
    sentAt: timeOrNull(message.sentAt),
    doneAt: timeOrNull(message.doneAt),
    expiresAt: timeOrNull(message.expiresAt),
    redeliver: message.redeliver,
    session: message.sessionId ?? null,
  };
}

function bodyOf({ payload, format }: Message): { text: string } | { base64: string } | { json: unknown } {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  if (format === 'text') return { text: bytes.toString('utf8') };
  if (format === 'base64') return { base64: bytes.toString('base64') };
  return { json: JSON.parse(bytes.toString('utf8')) };
}

export function eventAnswer(event: GatewayEvent): z.input<typeof EventAnswer> {
  return {
    id: event.id,
    at: time(event.at),
    type: event.type,
    device: event.deviceId ?? null,
    data: event.data,
  };
}

export function refusedAnswer(entry: RefusedEntry): z.input<typeof RefusedAnswer> {
  return {
    id: entry.id,
    device: entry.deviceId ?? null,
    address: entry.address,
    transport: entry.transport,
    reason: entry.reason,
    message: entry.message,
    firstAt: time(entry.firstAt),
    lastAt: time(entry.lastAt),
    count: entry.count,
  };
}

export function tokenAnswer(token: TokenFacts): z.input<typeof TokenAnswer> {
  return {
    id: token.id,
    name: token.name,
    role: token.role,
    createdAt: time(token.createdAt),
    usedAt: timeOrNull(token.usedAt),
    expiresAt: timeOrNull(token.expiresAt),
  };
}
