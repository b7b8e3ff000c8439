/**
 * Serial lines over TCP, as serial servers and emulators offer them: the bytes of the line and nothing else (no RFC
 * 2217). Each connection is a line, which outlives the sessions on it.
 *
 * @module
 */

import type { USMPError } from '../core/errors.js';
import { MAX_IDLE_LINES, MAX_IDLE_LINES_PER_ADDRESS, STRAY_REPORTS } from '../core/limits.js';
import { ReportLimit } from '../core/rate-limit.js';
import { type SlotEntry, Slots } from '../slots.js';
import { formatTransportURL, hostAndPortObjection, hostOf, portOf } from './address.js';
import { ClientLine, type LineOwner, ServerLine } from './serial-line.js';
import { type TcpLink, tcp } from './tcp.js';
import type { Link, Listener, Stray, Transport } from './transport.js';

const SCHEME = 'serial+tcp';

/**
 * The system asks after a minute of silence whether the other end is still there: between sessions nothing else would
 * find out. Milliseconds.
 */
const KEEPALIVE_DELAY = 60_000;

/** `serial+tcp://HOST:PORT`. */
export const serialTCP: Transport = {
  framing: 'serial',
  example: 'serial+tcp://127.0.0.1:9000',
  objection: hostAndPortObjection,

  async listen(url, onLink, onStray) {
    const lines = new Lines(onLink, onStray);
    const listener = await tcp.listen(url, (link) => lines.add(watched(link)));
    return new SerialTCPListener(
      listener,
      lines,
      formatTransportURL(SCHEME, hostOf(url), portOf(new URL(listener.url))),
    );
  },

  async connect(url, options) {
    return new ClientLine(watched(await tcp.connect(url, options)), SCHEME);
  },
};

function watched(link: Link): Link {
  (link as TcpLink).keepAlive(KEEPALIVE_DELAY);
  return link;
}

class SerialTCPListener implements Listener {
  readonly url: string;
  readonly #listener: Listener;
  readonly #lines: Lines;

  constructor(listener: Listener, lines: Lines, url: string) {
    this.#listener = listener;
    this.#lines = lines;
    this.url = url;
  }

  async close(): Promise<void> {
    this.#lines.shut();
    await this.#listener.close();
  }
}

/** All connections of a listener. Those without a session have a bounded number of places. */
class Lines implements LineOwner {
  readonly #onLink: (link: Link) => void;
  readonly #onStray: ((stray: Stray, error: USMPError) => void) | undefined;
  readonly #places = new Map<ServerLine, IdleLine>();
  readonly #idle = new Slots(MAX_IDLE_LINES, MAX_IDLE_LINES_PER_ADDRESS);
  readonly #reports = new ReportLimit(STRAY_REPORTS);

  constructor(onLink: (link: Link) => void, onStray?: (stray: Stray, error: USMPError) => void) {
    this.#onLink = onLink;
    this.#onStray = onStray;
  }

  add(link: Link): void {
    const line = new ServerLine(link, SCHEME, this);
    const place = new IdleLine(line);
    this.#places.set(line, place);
    this.#idle.add(place);
  }

  shut(): void {
    for (const line of [...this.#places.keys()]) line.shut();
  }

  handleLink(link: Link): void {
    this.#onLink(link);
  }

  handleStray({ transport, peer, address }: ServerLine, error: USMPError): void {
    if (this.#reports.take(performance.now())) this.#onStray?.({ transport, peer, address }, error);
  }

  handleSessionChange(line: ServerLine): void {
    const place = this.#places.get(line);
    if (place === undefined) return;
    if (line.authenticated) this.#idle.delete(place);
    else this.#idle.add(place);
  }

  handleLineClosed(line: ServerLine): void {
    this.#idle.delete(this.#places.get(line)!);
    this.#places.delete(line);
  }
}

/** The place of a line without a session. */
class IdleLine implements SlotEntry {
  readonly #line: ServerLine;
  readonly address: string;

  constructor(line: ServerLine) {
    this.#line = line;
    this.address = line.address;
  }

  evict(): void {
    this.#line.destroy();
  }
}
