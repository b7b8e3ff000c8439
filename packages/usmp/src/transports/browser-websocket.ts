/**
 * WebSocket over the browser's own: a stream of bytes in binary messages, cut anywhere. A page can connect and not listen.
 *
 * @module
 */

import { ConnectionClosedError, MagicError, TransportError, type USMPError } from '../core/errors.js';
import { MAX_HELD, MESSAGE_OVERHEAD } from '../core/limits.js';
import { nextTurn } from '../turns.js';
import { formatEndpoint, hostOf } from './address.js';
import type { Link, LinkHandler, Transport, TransportURL } from './transport.js';

/** The ports of the web. */
const DEFAULT_PORTS = { ws: 80, wss: 443 } as const;

type Scheme = keyof typeof DEFAULT_PORTS;

/** Bytes of a message that we send, at most. Receivers take any. */
const LARGEST_MESSAGE = 65_536;

/** What may wait in the browser for the network before it counts as full. Bytes. */
const FULL = 65_536;

/**
 * Browsers tell nobody when a WebSocket takes more, so one that is full is looked at this often. Milliseconds; in a
 * background tab the browser makes a second of it, or a minute.
 */
const DRAIN_POLL = 10;

/** `readyState` of a WebSocket that is open. */
const OPEN = 1;

/** Close code: all is said (RFC 6455 §7.4.1). */
const NORMAL_CLOSURE = 1000;

const TEXT_MESSAGE = 'the peer sent text, and USMP is binary: wrong address, or another protocol';

/** As much of the browser's `WebSocket` as is needed, so that its type is not. */
interface BrowserWebSocket {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: (() => void) | null;
  onclose: (() => void) | null;
  send(data: Uint8Array): void;
  close(code?: number): void;
}

interface BrowserGlobals {
  readonly WebSocket?: new (url: string) => BrowserWebSocket;
  /** Of the page or worker. */
  readonly location?: { readonly protocol: string; readonly origin: string };
}

/** `ws://HOST[:PORT][/PATH][?QUERY]`, or the same with `wss`. */
export function browserWebSocket(scheme: Scheme): Transport {
  return {
    framing: 'stream',
    example: `${scheme}://usmp.example.org/`,

    objection(url, role) {
      if (role === 'listen') return 'browsers cannot listen';
      if (url.hostname === '') return 'it names no host';
      if (url.username || url.password) return 'browsers send no user name and no password there';
      if (url.hash) return 'it has a fragment (#), which no server gets';
      return url.port === '0' ? 'port 0 cannot be connected to' : undefined;
    },

    async listen(url) {
      throw new TransportError('unreachable', `cannot listen on ${url.href}: browsers cannot listen`);
    },

    connect(url, { signal }) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const socket = open(url);
        const settle = () => {
          signal.removeEventListener('abort', abort);
          socket.onopen = socket.onerror = socket.onclose = null;
        };
        const abort = () => {
          settle();
          socket.close();
          reject(signal.reason);
        };
        signal.addEventListener('abort', abort);
        // Where the policy of the page forbids the address, Chromium tells an error and no end.
        socket.onerror = socket.onclose = () => {
          settle();
          reject(connectError(url));
        };
        socket.onopen = () => {
          settle();
          resolve(new BrowserWebSocketLink(socket, scheme, url));
        };
      });
    },
  };
}

/** @throws {TransportError} `unreachable` */
function open(url: TransportURL): BrowserWebSocket {
  const { WebSocket } = globalThis as BrowserGlobals;
  if (WebSocket === undefined) {
    throw new TransportError('unreachable', `cannot connect to ${url.href}: there is no WebSocket here`);
  }
  try {
    const socket = new WebSocket(url.href);
    socket.binaryType = 'arraybuffer';
    return socket;
  } catch (error) {
    throw connectError(url, error);
  }
}

/** Browsers keep the reason from pages, so all that it can be is listed, the most likely first. */
function connectError(url: TransportURL, cause?: unknown): TransportError {
  const { location } = globalThis as BrowserGlobals;
  const checks = [
    'is the address right, and does the server listen there for WebSockets?',
    `does it allow pages of ${location?.origin ?? 'this origin'} (its option "origins")?`,
    "does the page's Content-Security-Policy allow the address (connect-src)?",
  ];
  if (url.protocol === 'wss:') checks.push('is the certificate valid?');
  else if (location?.protocol === 'https:') checks.unshift('pages that came over https may use only wss://.');
  return new TransportError(
    'unreachable',
    `cannot connect to ${url.href}, and browsers do not tell why: ${checks.join(' ')}`,
    { cause },
  );
}

/** Its events come in turns of their own: who awaits it has attached before the first. */
class BrowserWebSocketLink implements Link {
  readonly transport: Scheme;
  readonly peer: string;
  readonly address: string;
  readonly #socket: BrowserWebSocket;
  #handler: LinkHandler | undefined;
  #drainPoll: ReturnType<typeof setInterval> | undefined;
  #paused = false;
  /** What came while reading was paused. A browser goes on receiving, so the peer does not notice. */
  #held: Uint8Array[] = [];
  #heldSize = 0;
  /** The peer has hung up, which is told when all that came before has been read. */
  #ended = false;
  #gone = false;

  constructor(socket: BrowserWebSocket, scheme: Scheme, url: TransportURL) {
    this.#socket = socket;
    this.transport = scheme;
    this.address = hostOf(url);
    this.peer = formatEndpoint(this.address, Number(url.port || DEFAULT_PORTS[scheme]));
  }

  attach(handler: LinkHandler): void {
    this.#handler = handler;
    this.#socket.onmessage = ({ data }) => this.#handleMessage(data);
    this.#socket.onclose = () => {
      this.#ended = true;
      this.#read();
    };
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket.readyState !== OPEN) return true;
    for (let start = 0; start < bytes.length; start += LARGEST_MESSAGE) {
      socket.send(bytes.subarray(start, start + LARGEST_MESSAGE));
    }
    if (socket.bufferedAmount <= FULL) return true;
    this.#drainPoll ??= setInterval(() => this.#considerDrain(), DRAIN_POLL);
    return false;
  }

  pause(): void {
    this.#paused = true;
  }

  /** What was held back follows in a turn of its own, not inside of the call. */
  resume(): void {
    this.#paused = false;
    if (this.#held.length > 0 || this.#ended) nextTurn(() => this.#read());
  }

  close(): void {
    this.#stopPolling();
    this.#socket.close(NORMAL_CLOSURE);
  }

  destroy(): void {
    if (this.#gone) return;
    this.#release();
    queueMicrotask(() => this.#handler!.handleClosed());
  }

  #handleMessage(data: unknown): void {
    if (typeof data === 'string') return this.#fail(new MagicError('bad_magic', TEXT_MESSAGE));
    const bytes = new Uint8Array(data as ArrayBuffer);
    this.#heldSize += bytes.length + MESSAGE_OVERHEAD;
    if (this.#heldSize > MAX_HELD) return this.#fail(new ConnectionClosedError('receive_overflow'));
    this.#held.push(bytes);
    this.#read();
  }

  #read(): void {
    while (!this.#paused && this.#held.length > 0) {
      const bytes = this.#held.shift()!;
      this.#heldSize -= bytes.length + MESSAGE_OVERHEAD;
      this.#handler!.handleBytes(bytes);
    }
    if (!this.#ended || this.#paused || this.#gone) return;
    this.#release();
    this.#handler!.handleEnd();
    this.#handler!.handleClosed();
  }

  #considerDrain(): void {
    if (this.#socket.bufferedAmount > FULL) return;
    this.#stopPolling();
    this.#handler!.handleDrain();
  }

  #stopPolling(): void {
    clearInterval(this.#drainPoll);
    this.#drainPoll = undefined;
  }

  #fail(error: USMPError): void {
    this.#release();
    this.#handler!.handleClosed(error);
  }

  /** Hears and keeps nothing any more. A browser has no way to drop what it still sends, so it sends that. */
  #release(): void {
    this.#gone = true;
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#stopPolling();
    this.#held = [];
    this.#socket.close();
  }
}
