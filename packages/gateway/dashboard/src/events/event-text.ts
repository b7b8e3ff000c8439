/**
 * Events in words.
 *
 * @module
 */

import type { EventType, GatewayEvent } from '../api/types.js';
import type { Tone } from '../components/state-badge.js';
import { duration, plural } from '../format.js';
import { show } from '../payload.js';
import { reasonOf } from '../refused/reasons.js';

export const EVENT_NAMES: Readonly<Record<EventType, readonly [name: string, tone: Tone]>> = {
  message: ['Message', 'idle'],
  'message-state': ['Message state', 'idle'],
  connected: ['Connected', 'good'],
  disconnected: ['Disconnected', 'warn'],
  refused: ['Refused', 'bad'],
  'device-added': ['Device added', 'idle'],
  'device-changed': ['Device changed', 'idle'],
  'device-removed': ['Device removed', 'warn'],
  'key-rotated': ['Key rotated', 'idle'],
  'key-revoked': ['Key revoked', 'warn'],
  'gateway-started': ['Gateway started', 'good'],
  'gateway-stopping': ['Gateway stopping', 'warn'],
  'storage-failed': ['Storage failed', 'bad'],
  'storage-recovered': ['Storage recovered', 'good'],
};

type Tell = (data: GatewayEvent['data']) => string;

const text = (value: unknown) => (value === undefined || value === null ? '' : String(value));

const TELLS: Readonly<Partial<Record<EventType, Tell>>> = {
  message: (data) => `${data.direction === 'in' ? 'from it' : 'to it'}: ${show(data, 'sent')}`,
  'message-state': ({ message, state }) => `message ${text(message)} is ${text(state)}`,
  connected: ({ transport, peer, keyIndex }) =>
    `over ${text(transport)} from ${text(peer)}${keyIndex === 1 ? ', with its old key' : ''}`,
  disconnected: ({ message, seconds, messagesIn, messagesOut }) =>
    `${text(message)}, after ${duration(Number(seconds) * 1_000)}, ${text(messagesIn)} messages in, ${text(messagesOut)} out`,
  refused: ({ reason, address, untold }) =>
    `${reasonOf(text(reason)).title.toLowerCase()}, from ${text(address)}${untold === undefined ? '' : `, and ${plural(Number(untold), 'other')}`}`,
  'device-added': ({ name }) => text(name),
  'device-changed': ({ changed, imported, name }) =>
    imported === undefined
      ? `${text(name)}: ${Array.isArray(changed) ? changed.join(', ') : ''}`
      : `from a CSV file: ${JSON.stringify(imported)}`,
  'device-removed': ({ name }) => text(name),
  'key-rotated': ({ done }) =>
    done === true ? 'the device has used its new key; the old one has ended' : 'a new key was made',
  'key-revoked': ({ old }) => (old === true ? 'its old key' : 'all its keys'),
  'gateway-started': ({ version }) => `release ${text(version)}`,
  'storage-failed': ({ message }) => text(message),
};

/** What an event tells beside its type and its device. */
export function tellEvent({ type, data }: GatewayEvent): string {
  return TELLS[type]?.(data) ?? '';
}
