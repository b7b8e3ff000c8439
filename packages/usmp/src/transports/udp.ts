/**
 * UDP over `node:dgram`, IPv4 and IPv6: one socket for all peers of a listener, one for each client.
 *
 * @module
 */

import dgram from 'node:dgram';
import dns from 'node:dns';
import net from 'node:net';
import type { Farewell } from '../core/connection.js';
import { Endpoint, type EndpointPeer, type Source } from '../core/endpoint.js';
import { nodeCrypto } from '../crypto/node.js';
import {
  formatEndpoint,
  formatTransportURL,
  hostAndPortObjection,
  hostOf,
  limitKey,
  plainAddress,
  portOf,
} from './address.js';
import { connectError, listenError } from './socket-errors.js';
import type { Link, LinkHandler, Listener, Transport } from './transport.js';

/** What the kernel may hold for a listener: a fleet that reconnects is a burst. It grants less where it is told to. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;

/** Bytes that wait for a socket whose line is slow. What is more is lost, as on the line; it will be repeated. */
const MAX_SEND_QUEUE = 4 * 1024 * 1024;

/** How long a client's socket answers a repeated BYE after the session, without keeping the process alive. */
const FAREWELL_TIME = 3_000;

/** `udp://HOST:PORT`. */
export const udp: Transport = {
  framing: 'datagram',
  example: 'udp://127.0.0.1:9000',
  objection: hostAndPortObjection,

  async listen(url, onLink, onStray) {
    const host = hostOf(url);
    try {
      const { address, family } = await resolve(host);
      const socket = await bound(family, { port: portOf(url), address });
      try {
        socket.setRecvBufferSize(RECEIVE_BUFFER);
      } catch {
        // Some systems refuse instead of granting less.
      }
      return new UdpListener(socket, host, onLink, onStray);
    } catch (error) {
      throw listenError(url, error as NodeJS.ErrnoException);
    }
  },

  async connect(url, { signal, localAddress }) {
    if (signal.aborted) throw signal.reason;
    let socket: dgram.Socket | undefined;
    try {
      const { address, family } = await resolve(hostOf(url), localAddress);
      if (signal.aborted) throw signal.reason;
      socket = await bound(family, localAddress === undefined ? {} : { address: localAddress });
      await connected(socket, portOf(url), address);
      if (signal.aborted) throw signal.reason;
      return new UdpClientLink(socket, address, portOf(url));
    } catch (error) {
      socket?.close();
      if (signal.aborted) throw signal.reason;
      throw connectError(url, localAddress, error as NodeJS.ErrnoException);
    }
  },
};

/** The address that a name stands for: where there are several, an IPv4 address, as servers listen on by default. */
async function resolve(host: string, localAddress?: string): Promise<{ address: string; family: number }> {
  const family = net.isIP(host);
  if (family !== 0) return { address: host, family };
  const wanted = localAddress === undefined ? 0 : net.isIP(localAddress);
  const all = await dns.promises.lookup(host, { all: true, family: wanted });
  return all.find((each) => each.family === 4) ?? all[0];
}

function bound(family: number, options: dgram.BindOptions): Promise<dgram.Socket> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket({ type: family === 6 ? 'udp6' : 'udp4', lookup: asItIs });
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ ...options, exclusive: true }, () => {
      socket.removeAllListeners('error');
      // Such as that a peer is unreachable, which any machine on the way may claim.
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

function connected(socket: dgram.Socket, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.connect(port, address, ((error?: Error) => (error ? reject(error) : resolve())) as () => void);
  });
}

/** Addresses need no look-up. Without this each datagram of a listener would go by way of one, and leave a turn later. */
const asItIs = ((
  address: string,
  family: number,
  callback: (error: null, address: string, family: number) => void,
) => callback(null, address, family)) as unknown as NonNullable<dgram.SocketOptions['lookup']>;

/** Views of a plain array cost half of those of a Buffer, and each frame takes several. */
function plain({ buffer, byteOffset, byteLength }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** A source as the endpoint sees it. */
class UdpSource implements Source {
  readonly host: string;
  readonly port: number;
  readonly id: string;

  constructor(host: string, port: number) {
    this.host = host;
    this.port = port;
    this.id = `${host}:${port}`;
  }

  get peer(): string {
    return formatEndpoint(plainAddress(this.host), this.port);
  }

  get limitKey(): string {
    return limitKey(plainAddress(this.host));
  }
}

type OnLink = Parameters<Transport['listen']>[1];
type OnStray = Parameters<Transport['listen']>[2];

class UdpListener implements Listener {
  readonly url: string;
  readonly #socket: dgram.Socket;
  readonly #onLink: OnLink;
  readonly #onStray: OnStray;
  readonly #endpoint = new Endpoint<UdpLink>(nodeCrypto);
  #links = 0;
  #accepting = true;
  readonly #closed: Promise<void>;

  constructor(socket: dgram.Socket, host: string, onLink: OnLink, onStray: OnStray) {
    this.#socket = socket;
    this.#onLink = onLink;
    this.#onStray = onStray;
    this.url = formatTransportURL('udp', host, socket.address().port);
    this.#closed = new Promise((resolve) => {
      socket.once('close', resolve);
    });
    socket.on('message', (datagram, { address, port }) => {
      // A forged one: nobody can be answered there, and Node throws when one tries.
      if (port !== 0) this.#handleDatagram(plain(datagram), new UdpSource(address, port));
    });
  }

  send(bytes: Uint8Array, { port, host }: UdpSource): void {
    if (this.#socket.getSendQueueSize() <= MAX_SEND_QUEUE) this.#socket.send(bytes, port, host);
  }

  /** The socket serves those who are there, and closes behind the last. */
  close(): Promise<void> {
    this.#accepting = false;
    this.#closeWhenEmpty();
    return this.#closed;
  }

  remove(link: UdpLink, farewell: Farewell | undefined): void {
    this.#endpoint.remove(link.source.id, link, farewell, performance.now());
    this.#links--;
    this.#closeWhenEmpty();
  }

  #handleDatagram(datagram: Uint8Array, source: UdpSource): void {
    const verdict = this.#endpoint.handleDatagram(datagram, source, performance.now());
    if (verdict === undefined) return;
    if (verdict.type === 'answer') {
      for (const answer of verdict.datagrams) this.send(answer, source);
    } else if (this.#accepting) {
      if (verdict.type === 'begin') this.#begin(datagram, source);
      else this.#onStray?.({ transport: 'udp', peer: source.peer, address: source.limitKey }, verdict.error);
    }
  }

  #begin(hello: Uint8Array, source: UdpSource): void {
    const link = new UdpLink(this, source);
    this.#links++;
    this.#endpoint.add(source, hello, link);
    this.#onLink(link);
    link.handleDatagram(hello);
  }

  #closeWhenEmpty(): void {
    // The last links may have been closed while their datagrams wait for the socket.
    if (!this.#accepting && this.#links === 0) setImmediate(() => closeOnce(this.#socket));
  }
}

/** What links have in common, whichever end they are of. */
abstract class DatagramLink implements Link {
  readonly transport = 'udp';
  abstract readonly peer: string;
  abstract readonly address: string;
  protected handler: LinkHandler | undefined;
  protected gone = false;

  attach(handler: LinkHandler): void {
    this.handler = handler;
  }

  abstract write(bytes: Uint8Array): boolean;

  /** Nobody can keep a peer from sending datagrams. */
  pause(): void {}
  resume(): void {}

  close(): void {
    this.destroy();
  }

  destroy(farewell?: Farewell): void {
    if (this.gone) return;
    this.gone = true;
    this.release(farewell);
    process.nextTick(() => this.handler?.handleClosed());
  }

  /** Gives up the place at the socket. */
  protected abstract release(farewell?: Farewell): void;
}

/** A peer of a listener. */
class UdpLink extends DatagramLink implements EndpointPeer {
  readonly source: UdpSource;
  readonly #listener: UdpListener;

  constructor(listener: UdpListener, source: UdpSource) {
    super();
    this.#listener = listener;
    this.source = source;
  }

  get peer(): string {
    return this.source.peer;
  }

  get address(): string {
    return this.source.limitKey;
  }

  get authenticated(): boolean {
    return this.handler?.authenticated ?? false;
  }

  handleDatagram(datagram: Uint8Array): void {
    if (!this.gone) this.handler!.handleBytes(datagram);
  }

  handleDisplaced(): void {
    if (!this.gone) this.handler!.handleEnd();
  }

  write(bytes: Uint8Array): boolean {
    if (!this.gone) this.#listener.send(bytes, this.source);
    return true;
  }

  protected release(farewell?: Farewell): void {
    this.#listener.remove(this, farewell);
  }
}

/** The server, as a client sees it. The kernel passes on only what comes from there. */
class UdpClientLink extends DatagramLink {
  readonly peer: string;
  readonly address: string;
  readonly #socket: dgram.Socket;
  #heard = false;

  constructor(socket: dgram.Socket, host: string, port: number) {
    super();
    this.#socket = socket;
    this.peer = formatEndpoint(host, port);
    this.address = limitKey(host);
  }

  override attach(handler: LinkHandler): void {
    super.attach(handler);
    this.#socket.on('message', (datagram) => {
      this.#heard = true;
      handler.handleBytes(plain(datagram));
    });
    // "Nobody listens there" is worth believing only as long as nobody has answered.
    this.#socket.on('error', () => {
      if (!this.#heard && !this.gone) handler.handleEnd();
    });
  }

  write(bytes: Uint8Array): boolean {
    if (!this.gone && this.#socket.getSendQueueSize() <= MAX_SEND_QUEUE) this.#socket.send(bytes);
    return true;
  }

  protected release(farewell?: Farewell): void {
    this.#socket.removeAllListeners('message');
    if (farewell === undefined) setImmediate(closeOnce, this.#socket);
    else this.#linger(farewell);
  }

  #linger({ bye, utack }: Farewell): void {
    const socket = this.#socket;
    socket.on('message', (datagram) => {
      if (datagram.equals(bye)) socket.send(utack);
    });
    socket.unref();
    setTimeout(closeOnce, FAREWELL_TIME, socket).unref();
  }
}

function closeOnce(socket: dgram.Socket): void {
  try {
    socket.close();
  } catch {
    // It is closed.
  }
}
