/**
 * Unix sockets over `node:net`: peers on this machine, told apart from strangers by the permissions of a file.
 *
 * @module
 */

import net from 'node:net';
import { ArgumentError } from '../core/errors.js';
import { NO_ADDRESS } from './address.js';
import { connected, listening, SocketLink } from './socket-link.js';
import type { Listener, Role, Transport, TransportURL } from './transport.js';
import { unixConnectError, unixListenError } from './unix-errors.js';
import { longestPath, type OpenedFile, placeSocket, removeSocket } from './unix-file.js';

/** Bytes that the system takes for the path of a socket, without the zero behind it: `sun_path`. */
const MAX_PATH = process.platform === 'linux' ? 107 : 103;

/** `unix:/run/usmp.sock`, `unix:./usmp.sock`, `unix:/run/usmp.sock?mode=660`. */
export const unix: Transport = {
  framing: 'stream',
  example: 'unix:/run/usmp.sock',
  objection: pathObjection,

  async listen(url, onLink) {
    const path = pathOf(url);
    const peer = unixURL(url);
    const server = net.createServer((socket) => onLink(new UnixLink(socket, peer)));
    const bind = (temporary: string) =>
      listening(server, { path: temporary, exclusive: true }, (error) => error);
    try {
      return new UnixListener(server, peer, await placeSocket(path, modeOf(url), bind));
    } catch (error) {
      server.close();
      throw unixListenError(path, error as NodeJS.ErrnoException);
    }
  },

  async connect(url, { signal, localAddress }) {
    if (localAddress !== undefined) {
      throw new ArgumentError('invalid_argument', `${url.href} has no local address: leave localAddress out`);
    }
    const path = pathOf(url);
    const explain = (error: NodeJS.ErrnoException) => unixConnectError(path, error);
    return new UnixLink(await connected(() => net.connect({ path }), signal, explain), unixURL(url));
  },
};

function pathObjection(url: TransportURL, role: Role): string | undefined {
  if (process.platform === 'win32') {
    return 'there are no Unix sockets on Windows, and named pipes are not supported: use tcp://127.0.0.1:9000';
  }
  if (url.hostname !== '') {
    return `it names a host, "${url.hostname}", which Unix sockets do not have: an absolute path begins with a single slash, unix:/${url.hostname}${url.pathname}`;
  }
  if (url.hash !== '') return 'it holds more than a path and a mode: write "#" in a path as %23';
  return rawPathObjection(url.pathname, role) ?? modeObjection(url.search);
}

function rawPathObjection(pathname: string, role: Role): string | undefined {
  let path: string;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    return 'a "%" is not followed by two hexadecimal digits of UTF-8: write it as %25';
  }
  if (path === '') return 'it names no path';
  if (path.endsWith('/')) return 'its path is that of a folder';
  if (path.includes('\0')) return 'its path has a zero byte';
  const excess = (role === 'listen' ? longestPath(path) : Buffer.byteLength(path)) - MAX_PATH;
  return excess > 0
    ? `its path is ${excess} bytes longer than the system takes for a socket: choose a shorter one, or a relative one`
    : undefined;
}

function modeObjection(search: string): string | undefined {
  if (search === '' || /^\?mode=0?[0-7]{3}$/.test(search)) return undefined;
  return 'behind the path only a mode of three or four octal digits can stand, such as ?mode=660';
}

function pathOf(url: TransportURL): string {
  return decodeURIComponent(url.pathname);
}

/** Undefined leaves it to the umask of the process. */
function modeOf({ search }: TransportURL): number | undefined {
  return search === '' ? undefined : Number.parseInt(search.slice('?mode='.length), 8);
}

/** What can be connected to: as it was written, but for the mode. */
function unixURL({ pathname }: TransportURL): string {
  return `unix:${pathname}`;
}

class UnixListener implements Listener {
  readonly url: string;
  readonly #server: net.Server;
  readonly #file: OpenedFile;

  constructor(server: net.Server, url: string, file: OpenedFile) {
    this.#server = server;
    this.url = url;
    this.#file = file;
  }

  /** Without waiting for the open connections, which belong to their sessions. */
  async close(): Promise<void> {
    // First the file: as long as the socket is open, no other file can have its number.
    removeSocket(this.#file);
    this.#server.close();
  }
}

class UnixLink extends SocketLink {
  readonly transport = 'unix';
  readonly address = NO_ADDRESS;
  readonly peer: string;

  constructor(socket: net.Socket, peer: string) {
    super(socket);
    this.peer = peer;
  }
}
