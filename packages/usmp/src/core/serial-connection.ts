/**
 * A connection over a serial line, which damages and loses frames (spec/protocol.md §10). A session is as over a
 * stream: a frame that is missing ends it. But nobody hangs up a line, so its end is told by BYE, whatever the reason;
 * and the handshake has to survive what gets lost, and what still belongs to the conversation before.
 *
 * @module
 */

import type { ConnectionSettings } from './connection.js';
import { AuthError, ConnectionClosedError, type USMPError } from './errors.js';
import { type Frame, FrameType, isHandshakeType } from './frame.js';
import { type ClientCredentials, Handshake } from './handshake.js';
import { HELLO_ACK_PATIENCE, HELLO_PATIENCE } from './limits.js';
import { StreamConnection } from './stream-connection.js';

/** One end of a conversation over a serial line. Takes whole frames, as {@link LineDecoder} finds them. */
export class SerialConnection extends StreamConnection {
  readonly #client: ClientCredentials | undefined;

  // Client, until the session is open.
  #beginAnewAt: number;
  #hasProved = false;

  /** Server: the answer to HELLO, until the client has proved its key. */
  #challenge: Uint8Array | undefined;

  constructor(settings: ConnectionSettings, now: number, client?: ClientCredentials) {
    super(settings, now, client);
    this.#client = client;
    this.#beginAnewAt = client === undefined ? Number.POSITIVE_INFINITY : now + HELLO_PATIENCE;
  }

  override handleTimeout(now: number): void {
    if (this.phase === 'handshake' && now >= this.#beginAnewAt && now < super.pollTimeout()) {
      this.#beginAnew(now);
    }
    super.handleTimeout(now);
  }

  override pollTimeout(): number {
    const timeout = super.pollTimeout();
    return this.phase === 'handshake' ? Math.min(timeout, this.#beginAnewAt) : timeout;
  }

  /** A server's frames come by way of {@link SerialEndpoint}, which has sorted them. */
  protected override handleHandshakeFrame(frame: Frame, now: number): void {
    if (this.#client !== undefined) this.#handleServerFrame(frame, now);
    else if (frame.type === FrameType.HELLO && this.handshakeState !== 'HELLO') this.#challengeAgain();
    else super.handleHandshakeFrame(frame, now);
  }

  /** What belongs to a handshake has no number, so it leaves no gap: an echo, or an answer that came too late. */
  protected override handleSessionFrame(frame: Frame, now: number): void {
    if (!isHandshakeType(frame.type)) super.handleSessionFrame(frame, now);
  }

  protected override advanceHandshake(reply: Uint8Array | undefined, now: number): void {
    super.advanceHandshake(reply, now);
    this.#challenge = this.handshakeState === 'HELLO_ACK' ? (reply ?? this.#challenge) : undefined;
  }

  /** Without BYE the other side would go on into the void until its idle time is over. */
  protected override abandon(error: USMPError, now: number): void {
    this.close(now, error);
  }

  /** A line that breaks says nothing about what the server thinks of us. */
  protected override errorForEnd(): USMPError {
    if (this.phase === 'open') return new ConnectionClosedError('connection_lost');
    return new ConnectionClosedError(
      'connection_lost',
      `the line was lost waiting for ${this.handshakeState}`,
    );
  }

  protected override errorForTimeout(): USMPError {
    return this.#hasProved
      ? new AuthError('refused', 'no answer to HELLO_ACK: wrong key or unknown device id')
      : super.errorForTimeout();
  }

  /** Whatever does not come next belongs to an earlier session or try. */
  #handleServerFrame(frame: Frame, now: number): void {
    if (!this.handshake!.expects(frame)) return;
    super.handleHandshakeFrame(frame, now);
    if (this.handshakeState !== 'SESSION_OK') return;
    this.#hasProved = true;
    this.#beginAnewAt = now + HELLO_ACK_PATIENCE;
  }

  /** New keys make it another HELLO: the server takes it for the beginning of a new handshake. */
  #beginAnew(now: number): void {
    this.handshake!.wipe();
    this.handshake = new Handshake(this.settings.crypto, this.#client);
    // What the line has not taken yet belongs to the handshake that is given up.
    this.discardOutput();
    this.append(this.handshake.hello());
    this.#beginAnewAt = now + HELLO_PATIENCE;
  }

  /** At most once in what waits to be sent: HELLOs cost their sender nothing. */
  #challengeAgain(): void {
    if (this.#challenge !== undefined && this.pendingTransmit === 0) this.append(this.#challenge);
  }
}
