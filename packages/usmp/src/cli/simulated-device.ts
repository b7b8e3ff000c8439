/**
 * One device of a fleet: a client whose messages are all expected back.
 *
 * @module
 */

import { USMPClient, type USMPClientOptions, type USMPError, type USMPSession } from '../index.js';
import type { EchoCheck } from './echo-check.js';

/** Bytes that may wait for the line before a device leaves messages out. */
const MAX_BACKLOG = 65_536;

/** Whoever has devices. */
export interface DeviceOwner {
  /** The session of a device is over. */
  handleEnd(session: USMPSession, error: USMPError): void;
  /** An echo has been judged, or is not to be expected any more. */
  handleJudged(): void;
}

/** Connects once, sends when it is told to, and reads all the time. */
export class SimulatedDevice {
  readonly #client: USMPClient;
  readonly #check: EchoCheck;
  readonly #owner: DeviceOwner;
  #session: USMPSession | undefined;

  /** @throws {ArgumentError} an option cannot be used */
  constructor(
    options: USMPClientOptions & { readonly deviceId: Uint8Array },
    check: EchoCheck,
    owner: DeviceOwner,
  ) {
    this.#client = new USMPClient(options);
    this.#check = check;
    this.#owner = owner;
  }

  get deviceId(): string {
    return this.#client.deviceId;
  }

  /** Undefined until the handshake has succeeded. */
  get session(): USMPSession | undefined {
    return this.#session;
  }

  get isConnected(): boolean {
    return this.#session !== undefined && !this.#session.closed;
  }

  /** Throws as `USMPClient.connect`. */
  async connect(signal: AbortSignal): Promise<USMPSession> {
    const session = await this.#client.connect({ signal });
    this.#session = session;
    this.#receive(session);
    return session;
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

  async close(): Promise<void> {
    await this.#session?.close();
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
      this.#check.giveUpAll();
      this.#owner.handleEnd(session, session.error!);
      this.#owner.handleJudged();
    }
  }
}
