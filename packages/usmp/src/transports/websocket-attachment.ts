/**
 * WebSockets of an HTTP or HTTPS server that is the application's own: which of its upgrades are for us.
 *
 * @module
 */

import type { IncomingMessage } from 'node:http';
import type net from 'node:net';
import { ArgumentError } from '../core/errors.js';
import { formatEndpoint, limitKey, plainAddress } from './address.js';
import { ANY_PATH, type AttachOptions, readAttachOptions, type UpgradeSource } from './attach-options.js';
import type { Stray } from './transport.js';
import { answer, type OnLink, type OnStray, pathOf, printable, Upgrades } from './websocket-upgrade.js';

/**
 * Takes upgrades of an HTTP server from now on. Returns the function that ends that.
 *
 * @throws {ArgumentError} an option cannot be used, or the path is taken
 */
export function attach(
  source: UpgradeSource,
  options: AttachOptions,
  onLink: OnLink,
  onStray: OnStray,
): () => void {
  const { path, origins } = readAttachOptions(source, options);
  const router = routers.get(source) ?? new UpgradeRouter(source);
  routers.set(source, router);
  return router.add(path, new Attachment(origins, new Upgrades(onLink, onStray)));
}

/** One path of an HTTP server. */
class Attachment {
  readonly #origins: ReadonlySet<string> | undefined;
  readonly #upgrades: Upgrades;

  constructor(origins: ReadonlySet<string> | undefined, upgrades: Upgrades) {
    this.#origins = origins;
    this.#upgrades = upgrades;
  }

  handleUpgrade(request: IncomingMessage, socket: net.Socket, head: Buffer): void {
    // Somebody else who listens may have dropped it.
    if (socket.destroyed) return;
    const origin = originOf(request);
    if (origin === undefined || this.#origins === undefined || this.#origins.has(origin.toLowerCase()))
      void this.#upgrades.take(request, socket, head, this.#upgrades.knock(socket));
    else
      this.#upgrades.refuse(strayOf(socket), socket, 403, `the origin ${printable(origin)} is not allowed`);
  }
}

/**
 * All attachments of one HTTP server behind one listener: so it is known whether anybody else waits for upgrades, or a
 * request that is for none of us has to be answered here.
 */
class UpgradeRouter {
  readonly #source: UpgradeSource;
  readonly #attachments = new Map<string, Attachment>();

  constructor(source: UpgradeSource) {
    this.#source = source;
  }

  add(path: string, attachment: Attachment): () => void {
    if (this.#attachments.has(path))
      throw new ArgumentError(
        'invalid_argument',
        `something is attached at ${path} already: give another path`,
      );
    if (this.#attachments.size === 0) this.#source.on('upgrade', this.#onUpgrade);
    this.#attachments.set(path, attachment);
    return () => this.#remove(path, attachment);
  }

  #remove(path: string, attachment: Attachment): void {
    if (this.#attachments.get(path) !== attachment) return;
    this.#attachments.delete(path);
    if (this.#attachments.size === 0) this.#source.removeListener('upgrade', this.#onUpgrade);
  }

  /** What it gets is what HTTP servers tell with `upgrade`. */
  readonly #onUpgrade = (...event: unknown[]): void => {
    const [request, socket, head] = event as [IncomingMessage, net.Socket, Buffer];
    const path = pathOf(request);
    const attachment = this.#attachments.get(path) ?? this.#attachments.get(ANY_PATH);
    if (attachment !== undefined) attachment.handleUpgrade(request, socket, head);
    else if (this.#source.listenerCount('upgrade') === 1)
      answer(socket, 404, `Nothing at ${printable(path)}.`);
  };
}

const routers = new WeakMap<UpgradeSource, UpgradeRouter>();

/** Early browsers had a header of their own for it (version 8 of the protocol), which `ws` still takes. */
function originOf({ headers }: IncomingMessage): string | undefined {
  return headers.origin ?? headers['sec-websocket-origin']?.toString();
}

function strayOf(socket: net.Socket): Stray {
  const address = plainAddress(socket.remoteAddress ?? 'unknown');
  return {
    transport: 'encrypted' in socket ? 'wss' : 'ws',
    peer: formatEndpoint(address, socket.remotePort ?? 0),
    address: limitKey(address),
  };
}
