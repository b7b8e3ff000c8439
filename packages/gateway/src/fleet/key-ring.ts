/**
 * The keys of handshakes and of open sessions.
 *
 * @module
 */

import { timingSafeEqual } from 'node:crypto';
import type { KeyLookup, Keys } from 'usmp';

/** Handshakes under way whose look-up is remembered; twice what the server has at a time. */
const MOST_PENDING = 2_048;

/** No handshake takes longer. Milliseconds. */
const LONGEST_HANDSHAKE = 60_000;

/** What a handshake was given. */
export interface LookedUp {
  /** Undefined where two handshakes of a device were given different ones: whose session it is cannot be told. */
  readonly keys: readonly Uint8Array[] | undefined;
  /** Of a monotonic clock. Milliseconds. */
  readonly at: number;
}

/** Looks up keys for the server, and remembers those that sessions have been opened with. */
export class KeyRing {
  readonly #keysOf: (id: string) => readonly Uint8Array[];
  readonly #keysOfSession: (id: string) => readonly Uint8Array[] | undefined;
  readonly #pending = new Map<string, LookedUp>();

  /**
   * @param keysOf the keys that are valid now
   * @param keysOfSession those that were valid when the open session of a device began
   */
  constructor(
    keysOf: (id: string) => readonly Uint8Array[],
    keysOfSession: (id: string) => readonly Uint8Array[] | undefined,
  ) {
    this.#keysOf = keysOf;
    this.#keysOfSession = keysOfSession;
  }

  /** For a server: answers handshakes from the registry. */
  readonly lookUp: KeyLookup = (deviceId) => {
    const keys = this.#keysOf(deviceId);
    if (keys.length > 0) this.#remember(deviceId, keys);
    return asKeys(keys);
  };

  /** What the last handshake of a device was given, once. */
  take(deviceId: string): LookedUp | undefined {
    const found = this.#pending.get(deviceId);
    this.#pending.delete(deviceId);
    return found;
  }

  /**
   * The same look-up for `server.setKeys`, which asks for the keys of all open sessions before it returns. Only those of
   * `ids` can have changed; the others are not fetched and unsealed once more.
   */
  recheck(ids: ReadonlySet<string>): { readonly lookUp: KeyLookup; done(): void } {
    let checking = true;
    return {
      lookUp: (deviceId) => {
        if (!checking) return this.lookUp(deviceId);
        const keys = ids.has(deviceId) ? undefined : this.#keysOfSession(deviceId);
        return asKeys(keys ?? this.#keysOf(deviceId));
      },
      done: () => {
        checking = false;
      },
    };
  }

  #remember(deviceId: string, keys: readonly Uint8Array[]): void {
    const at = performance.now();
    const before = this.#pending.get(deviceId);
    const isClear = before === undefined || at - before.at > LONGEST_HANDSHAKE || areSame(before.keys, keys);
    this.#pending.delete(deviceId);
    this.#pending.set(deviceId, { keys: isClear ? keys : undefined, at });
    if (this.#pending.size > MOST_PENDING) this.#pending.delete(this.#pending.keys().next().value!);
  }
}

function asKeys(keys: readonly Uint8Array[]): Keys | undefined {
  const [newKey, oldKey] = keys;
  if (newKey === undefined) return undefined;
  return oldKey === undefined ? newKey : [newKey, oldKey];
}

export function isSame(key: Uint8Array, other: Uint8Array): boolean {
  return key.length === other.length && timingSafeEqual(key, other);
}

function areSame(keys: readonly Uint8Array[] | undefined, others: readonly Uint8Array[]): boolean {
  return keys?.length === others.length && keys.every((key, place) => isSame(key, others[place]!));
}
