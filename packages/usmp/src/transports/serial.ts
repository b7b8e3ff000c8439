/**
 * Serial ports, by the package `serialport`, which is loaded when the first one is opened.
 *
 * @module
 */

import type { USMPError } from '../core/errors.js';
import { ArgumentError } from '../core/errors.js';
import { STRAY_REPORTS } from '../core/limits.js';
import { ReportLimit } from '../core/rate-limit.js';
import { ClientLine, type LineOwner, ServerLine } from './serial-line.js';
import { openPort, type PortLink, type PortName } from './serial-port.js';
import type { Link, Listener, Stray, Transport, TransportURL } from './transport.js';

const SCHEME = 'serial';

/** Bits a second unless told otherwise. */
const DEFAULT_BAUD_RATE = 115_200;

/** What drivers take: an int. */
const MAX_BAUD_RATE = 0x7fffffff;

/** How long a port that is gone is left alone before it is tried again. Milliseconds. */
const REOPEN_INTERVAL = 1_000;

/** `serial:PATH?baud=N`. */
export const serial: Transport = {
  framing: 'serial',
  example: 'serial:/dev/ttyUSB0?baud=115200',
  objection,

  async listen(url, onLink, onStray) {
    const name = portOf(url);
    return new PortListener(url.href, name, await openPort(name, 'listen'), onLink, onStray);
  },

  async connect(url, { signal, localAddress }) {
    if (localAddress !== undefined) {
      throw new ArgumentError(
        'invalid_argument',
        'localAddress has no meaning for a serial port: leave it out',
      );
    }
    return new ClientLine(await openPort(portOf(url), 'connect', signal), SCHEME);
  },
};

function objection(url: TransportURL): string | undefined {
  const { hostname, pathname, search, hash } = url;
  if (hostname !== '') return `the port comes right behind the colon: serial:/${hostname}${pathname}`;
  if (url.port || url.username || url.password || hash) return 'it holds more than a port and its speed';
  if (pathname === '') return 'it names no port';
  if (decoded(pathname) === undefined) return 'the port has a "%" that is no escape: write %25';
  for (const name of new URLSearchParams(search).keys()) {
    if (name !== 'baud') return `"${name}" is no parameter: there is only baud`;
  }
  return baudObjection(url);
}

function baudObjection({ search }: TransportURL): string | undefined {
  const bauds = new URLSearchParams(search).getAll('baud');
  if (bauds.length > 1) return 'baud stands there more than once';
  const fits = bauds.every((baud) => /^[1-9]\d*$/.test(baud) && Number(baud) <= MAX_BAUD_RATE);
  return fits ? undefined : `baud is "${bauds[0]}": give bits a second, such as 115200`;
}

function portOf({ pathname, search }: TransportURL): PortName {
  const baud = new URLSearchParams(search).get('baud');
  return { path: decoded(pathname)!, baudRate: baud === null ? DEFAULT_BAUD_RATE : Number(baud) };
}

function decoded(pathname: string): string | undefined {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return undefined;
  }
}

/** A server's port, which is opened again and again until somebody closes the listener. */
class PortListener implements Listener, LineOwner {
  readonly url: string;
  readonly #name: PortName;
  readonly #onLink: (link: Link) => void;
  readonly #onStray: ((stray: Stray, error: USMPError) => void) | undefined;
  readonly #reports = new ReportLimit(STRAY_REPORTS);
  #line: ServerLine | undefined;
  #reopenTimer: ReturnType<typeof setTimeout> | undefined;
  #closing = false;
  readonly #closed: Promise<void>;
  #tellClosed!: () => void;

  constructor(
    url: string,
    name: PortName,
    port: PortLink,
    onLink: (link: Link) => void,
    onStray?: (stray: Stray, error: USMPError) => void,
  ) {
    this.url = url;
    this.#name = name;
    this.#onLink = onLink;
    this.#onStray = onStray;
    this.#closed = new Promise((resolve) => {
      this.#tellClosed = resolve;
    });
    this.#line = new ServerLine(port, SCHEME, this);
  }

  close(): Promise<void> {
    if (this.#closing) return this.#closed;
    this.#closing = true;
    if (this.#line !== undefined) this.#line.shut();
    else if (this.#reopenTimer !== undefined) this.#tellClosed();
    clearTimeout(this.#reopenTimer);
    return this.#closed;
  }

  handleLink(link: Link): void {
    this.#onLink(link);
  }

  handleStray({ transport, peer, address }: ServerLine, error: USMPError): void {
    if (this.#reports.take(performance.now())) this.#onStray?.({ transport, peer, address }, error);
  }

  handleSessionChange(): void {}

  handleLineClosed(): void {
    this.#line = undefined;
    if (this.#closing) this.#tellClosed();
    else this.#reopenLater();
  }

  #reopenLater(): void {
    this.#reopenTimer = setTimeout(() => {
      this.#reopenTimer = undefined;
      this.#reopen();
    }, REOPEN_INTERVAL);
  }

  /** That it is still unplugged is no news to anybody. */
  async #reopen(): Promise<void> {
    const port = await openPort(this.#name, 'listen').catch(() => undefined);
    if (port !== undefined) this.#line = new ServerLine(port, SCHEME, this);
    if (!this.#closing) {
      if (port === undefined) this.#reopenLater();
    } else if (this.#line !== undefined) {
      this.#line.shut();
    } else {
      this.#tellClosed();
    }
  }
}
