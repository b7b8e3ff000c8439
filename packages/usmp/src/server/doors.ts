/**
 * Where devices come in: listeners, by URL, and HTTP servers of the application that a server is attached to.
 *
 * @module
 */

import type { USMPError } from '../core/errors.js';
import { StreamConnection } from '../core/stream-connection.js';
import type { AttachOptions, UpgradeSource } from '../transports/attach-options.js';
import { nodeTransports } from '../transports/node.js';
import type { ConnectionType } from '../transports/registry.js';
import type { Framing, Link, Listener, Stray } from '../transports/transport.js';
import { attach } from '../transports/websocket-attachment.js';

/** Who is told of those who come. */
export interface Porter {
  accept(link: Link, framing: Framing, Connection: ConnectionType): void;
  /** Somebody knocked who cannot be let in. */
  refuse(stray: Stray, error: USMPError): void;
}

/** All doors of a server. */
export class Doors {
  readonly #porter: Porter;
  #listeners: readonly Listener[] = [];
  #opening: Promise<unknown> | undefined;
  #shutting: Promise<PromiseSettledResult<void>[]> = Promise.resolve([]);
  readonly #attachments = new Set<() => void>();

  constructor(porter: Porter) {
    this.#porter = porter;
  }

  /** Where devices can connect, with the real ports. */
  get urls(): readonly string[] {
    return this.#listeners.map((listener) => listener.url);
  }

  /** Whether the server is attached to anything. */
  get attached(): boolean {
    return this.#attachments.size > 0;
  }

  /** Listens on all of these; when one cannot be listened on, throws what is wrong with it; `shut` closes the others. */
  async open(urls: readonly string[]): Promise<void> {
    const opening = Promise.allSettled(urls.map((url) => this.#listen(url)));
    this.#opening = opening;
    const results = await opening;
    this.#listeners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /**
   * Takes upgrades of an HTTP server. Returns the function that ends that.
   *
   * @throws {ArgumentError} an option cannot be used, or the path is taken
   */
  attach(httpServer: UpgradeSource, options: AttachOptions): () => void {
    const end = attach(
      httpServer,
      options,
      (link) => this.#porter.accept(link, 'stream', StreamConnection),
      (stray, error) => this.#porter.refuse(stray, error),
    );
    const detach = () => {
      this.#attachments.delete(detach);
      end();
    };
    this.#attachments.add(detach);
    return detach;
  }

  /** Lets nobody in any more. Doors that are still being opened are waited for, and shut as well. */
  async shut(): Promise<void> {
    for (const detach of this.#attachments) detach();
    await this.#opening;
    this.#shutting = Promise.allSettled(this.#listeners.map((listener) => listener.close()));
  }

  /** After `shut`: resolves when all addresses are free again, with what went wrong. */
  async gone(): Promise<unknown[]> {
    const results = await this.#shutting;
    this.#listeners = [];
    return results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  }

  async #listen(text: string): Promise<Listener> {
    const { transport, url, Connection } = nodeTransports.find(text, 'listen');
    return transport.listen(
      url,
      (link) => this.#porter.accept(link, transport.framing, Connection),
      (stray, error) => this.#porter.refuse(stray, error),
    );
  }
}
