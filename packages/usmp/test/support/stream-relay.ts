/** A relay between clients and one server, over any stream sockets, whose line can be cut at a given byte. */

import { once } from 'node:events';
import net from 'node:net';
import type { Scope } from '../server/live.js';

/** Where sockets listen and connect: a port of 127.0.0.1, or a path. */
export type Place = { readonly port: number; readonly host: string } | { readonly path: string };

/** See the module. */
export class StreamRelay {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #bytesLeft = Number.POSITIVE_INFINITY;

  private constructor(target: Place) {
    this.#server = net.createServer({ noDelay: true }, (client) => this.#join(client, net.connect(target)));
  }

  /** Listens at `place`, for a server at `target`. */
  static async open(scope: Scope, place: Place, target: Place): Promise<StreamRelay> {
    const relay = new StreamRelay(target);
    relay.#server.listen(place);
    await once(relay.#server, 'listening');
    scope.after(() => relay.close());
    return relay;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Cuts all lines when this many bytes more have gone to the server. */
  cutAfter(bytes: number): void {
    this.#bytesLeft = bytes;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: net.Socket, server: net.Socket): void {
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    server.pipe(client);
    client.on('data', (bytes) => {
      if (!server.write(bytes.subarray(0, this.#bytesLeft))) client.pause();
      this.#bytesLeft -= bytes.length;
      // What went before still arrives, and nothing behind it.
      if (this.#bytesLeft <= 0) server.destroySoon();
    });
    client.on('end', () => server.end());
    server.on('drain', () => client.resume());
  }
}
