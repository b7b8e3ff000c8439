/**
 * Watches over one handshake at the server, until it is a session or nothing.
 *
 * @module
 */

import type { ConnectionEvent } from '../core/connection.js';
import { ConnectionClosedError, HandshakeError, type USMPError } from '../core/errors.js';
import { formatDeviceId } from '../device-id.js';
import type { KeyBytes, KeyRing } from '../keys.js';
import type { Peer, PeerOwner } from '../peer.js';
import type { SlotEntry } from '../slots.js';
import { explain, type Refusal, type RefusalReason, reasonOf } from './refusal.js';

/** Keys for a device, or why it must not have any. */
export interface Verdict {
  readonly keys: KeyBytes;
  /** Where the keys came from; they may have been replaced when the handshake ends. */
  readonly keyRing?: KeyRing;
  readonly reason?: RefusalReason;
  /** More than the reason says. */
  readonly message?: string;
}

/** What a handshake needs of its server. */
export interface Gatekeeper {
  /** How long a device still has to wait before it may try, in milliseconds. */
  backoff(address: string, deviceId: string): number;
  /** May be slow; CHALLENGE leaves meanwhile. Must not throw or reject. */
  judge(deviceId: string): Verdict | Promise<Verdict>;
  admitted(halfOpen: HalfOpen, event: Extract<ConnectionEvent, { type: 'open' }>, verdict: Verdict): void;
  /** Without a refusal where the peer simply went away. */
  dropped(halfOpen: HalfOpen, refusal: Refusal | undefined): void;
  gone(peer: Peer): void;
}

/** One handshake under way. */
export class HalfOpen implements PeerOwner, SlotEntry {
  readonly #gatekeeper: Gatekeeper;
  readonly address: string;
  /** Set right after construction. */
  peer!: Peer;
  #deviceId: string | undefined;
  #verdict: Verdict | undefined;
  #turnedAway: RefusalReason | undefined;

  constructor(gatekeeper: Gatekeeper, address: string) {
    this.#gatekeeper = gatekeeper;
    this.address = address;
  }

  /** As claimed in HELLO. */
  get deviceId(): string | undefined {
    return this.#deviceId;
  }

  evict(): void {
    this.turnAway('busy', 'too many handshakes at once');
  }

  /** Closes without an answer. */
  turnAway(reason: RefusalReason, message: string): void {
    this.#turnedAway = reason;
    this.#close(new HandshakeError('turned_away', message));
  }

  /** The server goes down. */
  abandon(): void {
    this.#close(new ConnectionClosedError('shutdown'));
  }

  handleEvent(peer: Peer, event: ConnectionEvent): void {
    switch (event.type) {
      case 'keys-wanted':
        return this.#onKeysWanted(peer, formatDeviceId(event.deviceId));
      case 'open':
        return this.#gatekeeper.admitted(this, event, this.#verdict!);
      case 'closed':
        return this.#gatekeeper.dropped(this, this.#refusal(peer, event.error));
    }
  }

  handleDrain(): void {}

  handleGone(peer: Peer): void {
    this.#gatekeeper.gone(peer);
  }

  #onKeysWanted(peer: Peer, deviceId: string): void {
    this.#deviceId = deviceId;
    const wait = this.#gatekeeper.backoff(this.address, deviceId);
    if (wait > 0) return this.turnAway('backoff', `${Math.ceil(wait / 1_000)} s to wait`);
    const verdict = this.#gatekeeper.judge(deviceId);
    if (verdict instanceof Promise) verdict.then((late) => this.#answer(peer, late));
    else this.#answer(peer, verdict);
  }

  #answer(peer: Peer, verdict: Verdict): void {
    this.#verdict = verdict;
    peer.connection.provideKeys(verdict.keys, peer.now());
    peer.settle();
  }

  #close(error: USMPError): void {
    this.peer.connection.close(this.peer.now(), error);
    this.peer.settle();
  }

  /** What the look-up said counts only where the handshake came to the point of comparing keys. */
  #refusal(peer: Peer, error: USMPError): Refusal | undefined {
    const verdict = error.code === 'wrong_key' ? this.#verdict : undefined;
    const reason = this.#turnedAway ?? verdict?.reason ?? reasonOf(error);
    if (reason === undefined) return undefined;
    return {
      reason,
      deviceId: this.#deviceId,
      peer: peer.link.peer,
      address: this.address,
      transport: peer.link.transport,
      message: verdict?.message ?? explain(reason, error),
      error,
    };
  }
}
