/**
 * What becomes of refusals: an entry of the list, and, where it is news, an event.
 *
 * @module
 */

import type { Refusal } from 'usmp';
import type { EventLog } from '../events/event-log.js';
import type { FleetRegistry, RefusalSink } from './registry.js';

/** Events about refusals a second: whoever makes up addresses and ids must not fill the disk. */
const EVENTS_A_SECOND = 20;

/** Peers of the same machine have no address. */
const HERE = 'local';

export class Refusals {
  readonly #devices: FleetRegistry;
  readonly #list: RefusalSink;
  readonly #events: EventLog;
  #second = 0;
  #told = 0;
  #untold = 0;

  constructor(devices: FleetRegistry, list: RefusalSink, events: EventLog) {
    this.#devices = devices;
    this.#list = list;
    this.#events = events;
  }

  /** Returns the reason under which it is listed. */
  note(refusal: Refusal): string {
    const { deviceId, transport } = refusal;
    const { reason, message } = this.#explain(refusal);
    const address = refusal.address === '' ? HERE : refusal.address;
    if (this.#list.note({ deviceId, address, transport, reason, message }))
      this.#tell(deviceId, { address, transport, reason, message });
    return reason;
  }

  /** The server knows devices by their keys alone. */
  #explain({ reason, deviceId, message }: Refusal): { reason: string; message: string } {
    if (reason !== 'unknown-device' || deviceId === undefined) return { reason, message };
    try {
      const status = this.#devices.statusOf(deviceId);
      if (status === 'disabled')
        return { reason: status, message: 'this device is disabled: enable it to let it in' };
      if (status === 'revoked')
        return {
          reason: status,
          message: 'this device has no valid key: rotate its key to give it a new one',
        };
    } catch {
      // The database cannot be read: what the server says stands.
    }
    return { reason, message };
  }

  #tell(deviceId: string | undefined, data: Record<string, unknown>): void {
    const second = Math.floor(performance.now() / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#told = 0;
    }
    if (this.#told === EVENTS_A_SECOND) {
      this.#untold++;
      return;
    }
    this.#told++;
    this.#events.append('refused', deviceId, { ...data, ...(this.#untold > 0 && { untold: this.#untold }) });
    this.#untold = 0;
  }
}
