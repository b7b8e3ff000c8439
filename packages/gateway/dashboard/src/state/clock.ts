/**
 * The time, ticking once a second, for whatever says how long ago something was.
 *
 * @module
 */

import { signal } from '@preact/signals';
import { gatewayNow } from '../api/client.js';

/** Of the gateway. Milliseconds since 1970. */
export const now = signal(gatewayNow());

export function startClock(): void {
  setInterval(() => {
    if (document.visibilityState === 'visible') now.value = gatewayNow();
  }, 1_000);
}
