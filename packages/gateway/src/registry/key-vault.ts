/**
 * Device keys as the database has them: sealed under the master key.
 *
 * @module
 */

import { GatewayError } from '../errors.js';
import type { MasterKey } from './master-key.js';

const AAD_PREFIX = 'usmp-gateway device key v1\0';

/** Seals and opens the keys of devices. */
export class KeyVault {
  #master: MasterKey;

  constructor(master: MasterKey) {
    this.#master = master;
  }

  /** The key that seals now. */
  get master(): MasterKey {
    return this.#master;
  }

  /** Seals with another key from now on; only for what has just sealed anew all that is stored. */
  replaceMaster(master: MasterKey): void {
    this.#master = master;
  }

  /** For storing. Another device's key in its place does not open. */
  seal(deviceId: string, key: Uint8Array): Buffer {
    return this.#master.seal(AAD_PREFIX + deviceId, key);
  }

  /**
   * What tells the keys of a device apart. Made with the master key, so that nobody who reads it can try out weak keys; a
   * rotation of the master key changes it.
   */
  fingerprint(deviceId: string, key: Uint8Array): string {
    return this.#master.fingerprint(deviceId, key);
  }

  /** @throws {GatewayError} `unavailable`: what is stored was changed or is damaged */
  open(deviceId: string, sealed: Uint8Array): Uint8Array {
    const key = this.#master.open(AAD_PREFIX + deviceId, sealed);
    if (key !== undefined) return key;
    throw new GatewayError(
      'unavailable',
      `the stored key of ${deviceId} does not open: the database is damaged or was changed by hand; rotate the device's key, or bring back a backup`,
    );
  }
}
