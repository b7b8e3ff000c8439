/**
 * Events for people, one a line.
 *
 * @module
 */

import type { EventFacts } from './answers.js';
import { bodyLine, type MessageBody } from './message-text.js';
import { clock, localTime, oneLine } from './words.js';

const DAY = 86_400_000;

/** `17:00:00  1234  message  lamp  from the device: hello` */
export function eventLine({ id, at, type, data }: EventFacts, device: string): string {
  const when = Date.now() - Date.parse(at) < DAY ? clock(at) : localTime(at);
  const told = tellers[type]?.(data) ?? generic(data, device);
  return `${when}  ${String(id).padStart(6)}  ${type.padEnd(14)}  ${device.padEnd(17)}  ${told}`.trimEnd();
}

type Data = EventFacts['data'];

const tellers: Partial<Record<EventFacts['type'], (data: Data) => string>> = {
  message: (data) =>
    `${data.direction === 'in' ? 'from the device' : `to the device, ${data.state}`}: ${bodyLine(data as MessageBody)}`,
  'message-state': (data) => `message ${data.message} is ${data.state}`,
};

/** Whatever a release tells. The name of the device stands there already. */
function generic(data: Data, device: string): string {
  return Object.entries(data)
    .filter(
      ([name, value]) => value !== null && value !== undefined && !(name === 'name' && value === device),
    )
    .map(([name, value]) => `${name}=${shown(value)}`)
    .join(' ');
}

function shown(value: unknown): string {
  if (typeof value === 'string') return oneLine(value);
  if (Array.isArray(value) && value.every((part) => typeof part === 'string'))
    return oneLine(value.join(','));
  return oneLine(JSON.stringify(value));
}
