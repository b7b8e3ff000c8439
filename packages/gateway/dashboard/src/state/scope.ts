/**
 * Which events a page wants.
 *
 * @module
 */

import type { EventType } from '../api/types.js';

export interface Scope {
  /** Only of this device. */
  readonly device?: string;
  readonly types: readonly EventType[];
}

/** All but messages, of which there may be thousands a second. */
export const FLEET_TYPES: readonly EventType[] = [
  'connected',
  'disconnected',
  'refused',
  'device-added',
  'device-changed',
  'device-removed',
  'key-rotated',
  'key-revoked',
  'gateway-started',
  'gateway-stopping',
  'storage-failed',
  'storage-recovered',
];

export const ALL_TYPES: readonly EventType[] = ['message', 'message-state', ...FLEET_TYPES];

export const FLEET_SCOPE: Scope = { types: FLEET_TYPES };

/** While there is no device of that id or name: what may make it one. */
export const ARRIVALS: Scope = { types: ['device-added', 'device-changed'] };

export function sameScope(a: Scope, b: Scope): boolean {
  return a.device === b.device && a.types.join() === b.types.join();
}

/** Missed events up to which a stream goes on where it was; with more, pages read anew what there is. */
export const MOST_RESUMED = 2_000;

/**
 * Where a stream goes on.
 *
 * @param seen id of the last event that was received; undefined: none yet
 * @param last id of the last event that there is
 */
export function resumeAt(
  seen: number | undefined,
  last: number,
): { readonly after: number; readonly fresh: boolean } {
  // A gateway that counts less than was seen has another database, or an older copy of it.
  const canResume = seen !== undefined && seen <= last && last - seen <= MOST_RESUMED;
  return canResume ? { after: seen, fresh: false } : { after: last, fresh: true };
}
