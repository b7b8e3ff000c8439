/**
 * One device of a fleet: a client whose messages are all expected back.
 *
 * @module
 */

import { USMPClient, type USMPClientOptions, type USMPError, type USMPSession } from '../index.js';
import type { EchoCheck } from './echo-check.js';
import { type Retransmissions, retransmissionsOf, sumOfRetransmissions } from './session-stats.js';

/** Bytes that may wait for the line before a device leaves messages out. */
const MAX_BACKLOG = 65_536;

/** Whoever has devices. */
export interface DeviceOwner {
  /** The device has a session: its first, or another one `away` milliseconds after the last was over. */
  handleSession(device: SimulatedDevice, session: USMPSession, away: number | undefined): void;
  /** The session of a device is over. */
  handleEnd(session: USMPSession, error: USMPError): void;
  /** Another attempt to connect, after a session or after the first attempt, has failed, and one more will follow. */
  handleRetry(error: USMPError): void;
  /** An echo has been judged, or is not to be expected any more. */
  handleJudged(): void;
}

/** Connects, sends when it is told to, and reads all the time. */
export class SimulatedDevice {
  readonly #client: USMPClient;
  readonly #check: EchoCheck;
  readonly #owner: DeviceOwner;
  readonly #staysConnected: boolean;
  #session: USMPSession | undefined;
  #endedAt: number | undefined;
  #lastFailure: USMPError | undefined;
  #pastFrames: Retransmissions | undefined;

  /**
   * @param staysConnected whether it connects again when its session ends
   * @throws {ArgumentError} an option cannot be used
   */
  constructor(
    options: USMPClientOptions & { readonly deviceId: Uint8Array },
    check: EchoCheck,
    owner: DeviceOwner,
    staysConnected: boolean,
  ) {
    this.#client = new USMPClient({ ...options, reconnect: staysConnected });
    this.#check = check;
    this.#owner = owner;
    this.#staysConnected = staysConnected;
    this.#client.on('connect', (session) => this.#begin(session));
    this.#client.on('reconnecting', (attempt, _delay, error) => {
      if (error !== this.#session?.error) this.#lastFailure = error;
      // Before the first stands the end of a session, or the first attempt of all, which `connect` tells.
      if (attempt > 1) this.#owner.handleRetry(error);
    });
  }

  get deviceId(): string {
    return this.#client.deviceId;
  }

  /** Frames sent over UDP, in all its sessions; undefined over streams. */
  get retransmissions(): Retransmissions | undefined {
    return sumOfRetransmissions(this.#pastFrames, this.#session && retransmissionsOf(this.#session));
  }

  get isConnected(): boolean {
    return this.#session !== undefined && !this.#session.closed;
  }

  /** Why its last attempt to connect failed. */
  get lastFailure(): USMPError | undefined {
    return this.#lastFailure;
  }

  /**
   * Makes the first attempt. One that stays connected goes on trying, as long as the owner does not close it.
   *
   * @throws {USMPError} the first attempt has failed, as `USMPClient.connect`
   */
  async connect(signal: AbortSignal): Promise<USMPSession> {
    const connecting = this.#client.connect({ signal });
    if (!this.#staysConnected) return connecting;
    // It goes on when the first attempt has failed, and ends at the latest with the fleet.
    connecting.catch(() => {});
    return new Promise((resolve, reject) => {
      const off = this.#client.on('reconnecting', (_attempt, _delay, error) => reject(error));
      connecting.then(resolve, reject).finally(off);
    });
  }

  /** Sends the next message, or leaves it out when too much is under way already. */
  send(): void {
    const session = this.#session!;
    if (session.stats.sendBacklogBytes > MAX_BACKLOG) return this.#check.skip();
    const message = this.#check.next(performance.now());
    // When the session ends, reading tells.
    if (message !== undefined) session.send(message).catch(() => {});
  }

  /** Counts as lost what has been outstanding for too long. */
  giveUpLate(): void {
    this.#check.giveUpLate(performance.now());
  }

  /** Counts as lost all that is outstanding. */
  giveUpAll(): void {
    this.#check.giveUpAll();
  }

  /** Ends the session, and does not connect again. */
  async close(): Promise<void> {
    await this.#client.disconnect();
  }

  #begin(session: USMPSession): void {
    const away = this.#endedAt === undefined ? undefined : performance.now() - this.#endedAt;
    this.#pastFrames = this.retransmissions;
    this.#session = session;
    this.#owner.handleSession(this, session, away);
    this.#receive(session);
  }

  async #receive(session: USMPSession): Promise<void> {
    try {
      for (;;) {
        const message = await session.recv();
        this.#check.take(message, performance.now());
        this.#owner.handleJudged();
      }
    } catch (error) {
      if (error !== session.error) throw error;
      this.#endedAt = performance.now();
      if (this.#staysConnected && session.error!.code !== 'closed') this.#check.interrupt();
      else this.#check.giveUpAll();
      this.#owner.handleEnd(session, session.error!);
      this.#owner.handleJudged();
    }
  }
}
