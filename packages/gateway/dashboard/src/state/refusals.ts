/**
 * Who was turned away: the list, and what it says of registered devices.
 *
 * @module
 */

import { batch, computed, signal } from '@preact/signals';
import { get } from '../api/client.js';
import type { Device, Refused, RefusedPage } from '../api/types.js';
import { status } from './connection.js';

const LIMIT = 1_000;
/** The list is written once a second. Milliseconds. */
const SETTLE = 1_200;

export const refusals = signal<RefusedPage | undefined>(undefined);

/** The latest of each device. */
export const refusalOf = computed(() => {
  const latest = new Map<string, Refused>();
  for (const entry of refusals.value?.refused ?? [])
    if (entry.device !== null && !latest.has(entry.device)) latest.set(entry.device, entry);
  return latest;
});

/** Why a device was turned away, unless it has been let in since, or is a new one under an old id. */
export function refusalSince(device: Device): Refused | undefined {
  const refusal = refusalOf.value.get(device.id);
  const since = device.lastConnectedAt ?? device.createdAt;
  return refusal !== undefined && refusal.lastAt > since ? refusal : undefined;
}

export async function loadRefusals(): Promise<void> {
  const page = await get<RefusedPage>('api/v1/refused', { limit: LIMIT });
  batch(() => {
    refusals.value = page;
    if (status.value !== undefined) status.value = { ...status.value, refusedEntries: page.total };
  });
}

let timer: ReturnType<typeof setTimeout> | undefined;

/** After an event that says the list has changed. */
export function refusalsChanged(): void {
  if (timer !== undefined) return;
  timer = setTimeout(() => {
    timer = undefined;
    loadRefusals().catch(() => {});
  }, SETTLE);
}
