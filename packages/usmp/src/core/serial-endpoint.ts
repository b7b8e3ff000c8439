/**
 * A serial line as a server sees it: which frame is for whom, and who may speak (spec/protocol.md §10). The line
 * outlives sessions and handshakes. At any time it has at most one session and one handshake, which takes the place of
 * the session once it has authenticated.
 *
 * @module
 */

import { copyOf, sameBytes } from './bytes.js';
import { type Frame, FrameType, isHandshakeType } from './frame.js';
import { HELLO_LENGTH } from './handshake.js';
import { HELLO_BURST, HELLO_RATE } from './limits.js';
import { TokenBucket } from './rate-limit.js';

/** What the owner keeps for one session or handshake. */
export interface SerialPeer {
  /** The handshake is done, also when the session is over. */
  readonly authenticated: boolean;
  handleFrame(frame: Uint8Array): void;
  /** Another one has taken the place: there is nothing left to hear or to say. */
  handleDisplaced(): void;
}

interface Entry<Peer> {
  readonly peer: Peer;
  /** Payload of the HELLO that it began with: the same once more is a repeat. */
  readonly hello: Uint8Array;
  /** The session before, until `peer` has authenticated. */
  previous: Entry<Peer> | undefined;
}

/** The session and the handshake of one line. */
export class SerialEndpoint<Peer extends SerialPeer> {
  #entry: Entry<Peer> | undefined;
  readonly #beginnings: TokenBucket;

  constructor(now: number) {
    this.#beginnings = new TokenBucket(HELLO_BURST, HELLO_RATE, now);
  }

  /** Whether a session is open. */
  get isOpen(): boolean {
    return this.#session() !== undefined;
  }

  /** Handshake and session, the newer one first. */
  get peers(): Peer[] {
    const entry = this.#entry;
    if (entry === undefined) return [];
    return entry.previous === undefined ? [entry.peer] : [entry.peer, entry.previous.peer];
  }

  /**
   * Takes a frame of the line: hands it to its peer, or drops it.
   *
   * @returns whether a handshake begins: then make a peer, hand it to `add`, and give it the frame
   */
  handleFrame(frame: Frame, now: number): boolean {
    if (frame.type === FrameType.HELLO) return this.#onHello(frame, now);
    const peer = isHandshakeType(frame.type) ? this.#handshake() : this.#session();
    peer?.handleFrame(frame.bytes);
    return false;
  }

  /** Takes the peer that a HELLO has asked for. A handshake that was under way is displaced. */
  add(peer: Peer, { payload }: Frame): void {
    const before = this.#entry;
    const isSession = before?.peer.authenticated === true;
    const previous = isSession ? before : before?.previous;
    const displaced = isSession ? before.previous : before;
    if (before !== undefined) before.previous = undefined;
    this.#entry = { peer, hello: copyOf(payload), previous };
    displaced?.peer.handleDisplaced();
  }

  /** Forgets a peer that is gone. */
  remove(peer: Peer): void {
    const entry = this.#entry;
    if (entry?.peer === peer) this.#entry = entry.previous;
    else if (entry?.previous?.peer === peer) entry.previous = undefined;
  }

  /**
   * Whether what a peer wants to say may go on the line: nothing of a session that another one has taken the place of,
   * as the client would take it for a frame out of order. Ask for all that is said: the first word of a peer that has
   * authenticated is what displaces the session before.
   */
  maySpeak(peer: Peer): boolean {
    const entry = this.#entry;
    if (entry?.previous?.peer === peer) return !entry.peer.authenticated;
    if (entry?.peer !== peer) return false;
    const { previous } = entry;
    if (previous !== undefined && peer.authenticated) {
      entry.previous = undefined;
      previous.peer.handleDisplaced();
    }
    return true;
  }

  #onHello(frame: Frame, now: number): boolean {
    if (frame.payload.length !== HELLO_LENGTH || !this.#beginnings.take(now)) return false;
    const handshake = this.#handshake();
    const isRepeat = handshake !== undefined && sameBytes(frame.payload, this.#entry!.hello);
    if (isRepeat) handshake.handleFrame(frame.bytes);
    return !isRepeat;
  }

  #handshake(): Peer | undefined {
    const peer = this.#entry?.peer;
    return peer?.authenticated ? undefined : peer;
  }

  #session(): Peer | undefined {
    const entry = this.#entry;
    return entry?.peer.authenticated ? entry.peer : entry?.previous?.peer;
  }
}
