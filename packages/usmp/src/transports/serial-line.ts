/**
 * A serial line over whatever carries its bytes, a port or a socket: framing, and at a server the links of the
 * conversations that follow each other on it.
 *
 * @module
 */

import { copyOf } from '../core/bytes.js';
import { encodeLine, LineDecoder } from '../core/cobs.js';
import { type USMPError, VersionError } from '../core/errors.js';
import type { Frame } from '../core/frame.js';
import { CLOSE_TIMEOUT, MAX_HELD_BACK, MESSAGE_OVERHEAD } from '../core/limits.js';
import { SerialEndpoint, type SerialPeer } from '../core/serial-endpoint.js';
import { atEndOfTurn } from '../turns.js';
import type { Link, LinkHandler, Stray } from './transport.js';

/** A client's end of a line: one conversation, and the line closes with it. */
export class ClientLine implements Link, LinkHandler {
  readonly #carrier: Link;
  readonly transport: string;
  readonly #decoder = new LineDecoder();
  #handler!: LinkHandler;

  /** @param carrier a link of bytes */
  constructor(carrier: Link, transport: string) {
    this.#carrier = carrier;
    this.transport = transport;
  }

  get peer(): string {
    return this.#carrier.peer;
  }

  get address(): string {
    return this.#carrier.address;
  }

  get authenticated(): boolean {
    return this.#handler.authenticated;
  }

  attach(handler: LinkHandler): void {
    this.#handler = handler;
    this.#carrier.attach(this);
  }

  write(frames: Uint8Array): boolean {
    return this.#carrier.write(encodeLine(frames));
  }

  pause(): void {
    this.#carrier.pause();
  }

  resume(): void {
    this.#carrier.resume();
  }

  close(): void {
    this.#carrier.close();
  }

  destroy(): void {
    this.#carrier.destroy();
  }

  handleBytes(bytes: Uint8Array): void {
    this.#decoder.push(bytes);
    for (let found = this.#decoder.next(); found !== undefined; found = this.#decoder.next()) {
      if (!(found instanceof VersionError)) this.#handler.handleBytes(found.bytes);
    }
  }

  handleDrain(): void {
    this.#handler.handleDrain();
  }

  handleEnd(): void {
    this.#handler.handleEnd();
  }

  handleClosed(): void {
    this.#handler.handleClosed();
  }
}

/** Who listens on a line. */
export interface LineOwner {
  /** A handshake begins. */
  handleLink(link: Link): void;
  /** A device that cannot be served. */
  handleStray(stray: Stray, error: USMPError): void;
  /** The line has a session now, or has none any more. */
  handleSessionChange(line: ServerLine): void;
  /** The line is gone. */
  handleLineClosed(line: ServerLine): void;
}

/** A server's end of a line, which lives on when a session or handshake ends. */
export class ServerLine implements LinkHandler, Stray {
  readonly transport: string;
  readonly peer: string;
  readonly address: string;
  readonly #carrier: Link;
  readonly #owner: LineOwner;
  readonly #decoder = new LineDecoder();
  readonly #endpoint = new SerialEndpoint<LineLink>(performance.now());
  #accepting = true;
  #hadSession = false;
  #blocked = false;
  #paused = false;
  #hangUpTimer: ReturnType<typeof setTimeout> | undefined;

  /** @param carrier a link of bytes */
  constructor(carrier: Link, transport: string, owner: LineOwner) {
    this.#carrier = carrier;
    this.transport = transport;
    this.peer = carrier.peer;
    this.address = carrier.address;
    this.#owner = owner;
    carrier.attach(this);
  }

  /** Whether a session is open on it. */
  get authenticated(): boolean {
    return this.#endpoint.isOpen;
  }

  /** Whether the carrier would rather not take more now. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Takes no more handshakes, and closes behind the last conversation. */
  shut(): void {
    this.#accepting = false;
    if (this.#endpoint.peers.length === 0) this.destroy();
  }

  /** Cuts it off, with all that is on it. */
  destroy(): void {
    this.#carrier.destroy();
  }

  handleBytes(bytes: Uint8Array): void {
    const now = performance.now();
    this.#decoder.push(bytes);
    for (let found = this.#decoder.next(); found !== undefined; found = this.#decoder.next()) {
      if (found instanceof VersionError) this.#owner.handleStray(this, found);
      else if (this.#endpoint.handleFrame(found, now)) this.#begin(found);
    }
  }

  handleDrain(): void {
    this.#blocked = false;
    for (const link of this.#endpoint.peers) link.handleDrain();
  }

  /** Whoever has stopped sending is not going to hear anything either: there is no half of a line. */
  handleEnd(): void {
    for (const link of this.#endpoint.peers) link.handleDisplaced();
    this.#carrier.destroy();
  }

  handleClosed(): void {
    clearTimeout(this.#hangUpTimer);
    this.#accepting = false;
    for (const link of this.#endpoint.peers) link.destroy();
    this.#owner.handleLineClosed(this);
  }

  /** False when the link shall wait for `handleDrain`; then it keeps the frames. */
  write(link: LineLink, frames: Uint8Array): boolean {
    if (!this.#endpoint.maySpeak(link)) return true;
    this.#noteSession();
    if (this.#blocked) return false;
    this.#blocked = !this.#carrier.write(encodeLine(frames));
    return true;
  }

  /** The last words of a link, which do not wait for others. */
  writeLast(link: LineLink, frames: Uint8Array): void {
    if (this.#endpoint.maySpeak(link)) this.#blocked = !this.#carrier.write(encodeLine(frames));
  }

  /** Reads on for the sake of a HELLO, as long as what is held back for paused sessions is not too much. */
  updateReading(): void {
    const full = this.#endpoint.peers.some((link) => link.heldBack > MAX_HELD_BACK);
    if (full === this.#paused) return;
    this.#paused = full;
    if (full) this.#carrier.pause();
    else this.#carrier.resume();
  }

  /** @param inOrder what it has said shall still get out */
  remove(link: LineLink, inOrder: boolean): void {
    this.#endpoint.remove(link);
    this.updateReading();
    this.#noteSession();
    if (this.#accepting || this.#endpoint.peers.length > 0) return;
    if (!inOrder) return this.destroy();
    this.#carrier.close();
    this.#hangUpTimer = setTimeout(() => this.destroy(), CLOSE_TIMEOUT);
  }

  #begin(hello: Frame): void {
    if (!this.#accepting) return;
    const link = new LineLink(this);
    this.#endpoint.add(link, hello);
    this.#owner.handleLink(link);
    link.handleFrame(hello.bytes);
  }

  #noteSession(): void {
    if (this.#hadSession === this.authenticated) return;
    this.#hadSession = this.authenticated;
    this.#owner.handleSessionChange(this);
  }
}

/** One conversation on a server's line. */
class LineLink implements Link, SerialPeer {
  readonly #line: ServerLine;
  #handler: LinkHandler | undefined;
  #gone = false;
  /** What the line has not taken yet. */
  #waiting: Uint8Array[] = [];
  #paused = false;
  /** Frames that came while reading was paused. */
  #held: Uint8Array[] = [];
  #heldBack = 0;

  constructor(line: ServerLine) {
    this.#line = line;
  }

  get transport(): string {
    return this.#line.transport;
  }

  get peer(): string {
    return this.#line.peer;
  }

  get address(): string {
    return this.#line.address;
  }

  get authenticated(): boolean {
    return this.#handler?.authenticated ?? false;
  }

  /** Bytes of the frames that wait for `resume`, with what the objects take. */
  get heldBack(): number {
    return this.#heldBack;
  }

  attach(handler: LinkHandler): void {
    this.#handler = handler;
  }

  write(frames: Uint8Array): boolean {
    if (this.#gone) return true;
    if (!this.#line.write(this, frames)) this.#waiting.push(frames);
    return !this.#line.blocked;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    atEndOfTurn(deliverHeld, this);
  }

  /** The line is not closed, so the peer has nothing to hang up: the link is gone at once. */
  close(): void {
    if (this.#gone) return;
    for (const frames of this.#waiting) this.#line.writeLast(this, frames);
    this.#leave(true);
  }

  destroy(): void {
    if (!this.#gone) this.#leave(false);
  }

  handleFrame(frame: Uint8Array): void {
    if (this.#gone) return;
    if (this.#paused || this.#held.length > 0) this.#hold(frame);
    else this.#handler!.handleBytes(frame);
  }

  handleDisplaced(): void {
    if (!this.#gone) this.#handler!.handleEnd();
  }

  handleDrain(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const frames of waiting) this.write(frames);
    if (!this.#gone && !this.#line.blocked) this.#handler!.handleDrain();
  }

  deliverHeld(): void {
    while (!this.#paused && !this.#gone && this.#held.length > 0) {
      const frame = this.#held.shift()!;
      this.#heldBack -= frame.length + MESSAGE_OVERHEAD;
      this.#handler!.handleBytes(frame);
    }
    this.#line.updateReading();
  }

  #hold(frame: Uint8Array): void {
    this.#held.push(copyOf(frame));
    this.#heldBack += frame.length + MESSAGE_OVERHEAD;
    this.#line.updateReading();
  }

  #leave(inOrder: boolean): void {
    this.#gone = true;
    this.#waiting = [];
    this.#held = [];
    this.#heldBack = 0;
    this.#line.remove(this, inOrder);
    atEndOfTurn(tellClosed, this.#handler);
  }
}

function deliverHeld(link: LineLink): void {
  link.deliverHeld();
}

/** A link that was turned away before anybody took it has no handler. */
function tellClosed(handler: LinkHandler | undefined): void {
  handler?.handleClosed();
}
