/**
 * What the fleet needs of the registry of devices, and no more.
 *
 * @module
 */

import type { DeviceCounters } from '../model.js';

export interface FleetRegistry {
  /** The valid keys of a device, new one first; none for one that must not come in. */
  keysOf(id: string): readonly Uint8Array[];
  statusOf(id: string): 'unknown' | 'disabled' | 'revoked' | 'valid';
  keyUsed(id: string, keyIndex: number): { readonly rotated: boolean };
  /** Ends old keys whose time has come; returns whose. */
  expireKeys(): readonly string[];
  connected(
    id: string,
    session: { readonly at: number; readonly address: string; readonly transport: string },
  ): void;
  addCounters(id: string, delta: Omit<DeviceCounters, 'sessions'>, seenAt: number): void;
}

export interface RefusalSink {
  /** Returns whether it is news. */
  note(refusal: {
    readonly deviceId: string | undefined;
    readonly address: string;
    readonly transport: string;
    readonly reason: string;
    readonly message: string;
  }): boolean;
}
