/**
 * One line for the keys of a session, as key logs hold them and `usmp decode` reads them.
 *
 * @module
 */

import type { KeyLogEntry } from './core/connection.js';
import { rxKey, txKey } from './core/key-schedule.js';
import { formatDeviceId } from './device-id.js';
import { hex } from './hex.js';

/** Takes the lines of a key log. */
export type KeyLog = (line: string) => void;

/** `USMP2 <device id> <session id> <epoch> <k_c2s> <k_s2c>`: epoch 0 from the handshake on, one more with each REKEY. */
export function formatKeyLogLine({ deviceId, sessionId, epoch, keys }: KeyLogEntry): string {
  const id = formatDeviceId(deviceId);
  return `USMP2 ${id} ${hex(sessionId)} ${epoch} ${hex(txKey(keys))} ${hex(rxKey(keys))}`;
}

/** The setting of connections for the option `dangerKeyLog`, present only where that is. */
export function keyLogSetting(log: KeyLog | undefined): { keyLog?: (entry: KeyLogEntry) => void } {
  return log === undefined ? {} : { keyLog: (entry) => log(formatKeyLogLine(entry)) };
}
