/** A browser's WebSocket whose network is the test. */

import type { TestContext } from 'node:test';

const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];

export class FakeWebSocket {
  /** The last one that was made. */
  static last: FakeWebSocket;
  readonly url: string;
  binaryType = 'blob';
  readyState = CONNECTING;
  bufferedAmount = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: (() => void) | null = null;
  onclose: (() => void) | null = null;
  readonly sent: Uint8Array[] = [];
  /** The codes of `close`. */
  readonly closed: (number | undefined)[] = [];

  constructor(url: string) {
    this.url = url;
    FakeWebSocket.last = this;
  }

  /** Stands where a browser has its own until the test is over. */
  static install(t: TestContext): void {
    replaceGlobal(t, 'WebSocket', FakeWebSocket);
  }

  send(data: Uint8Array): void {
    if (this.readyState === CONNECTING) throw new Error('InvalidStateError');
    if (this.readyState !== OPEN) return;
    this.sent.push(new Uint8Array(data));
    this.bufferedAmount += data.length;
  }

  close(code?: number): void {
    this.closed.push(code);
    if (this.readyState < CLOSING) this.readyState = CLOSING;
  }

  open(): void {
    this.readyState = OPEN;
    this.onopen?.();
  }

  /** The server sends text or bytes. */
  message(data: string | Uint8Array): void {
    this.onmessage?.({ data: typeof data === 'string' ? data : new Uint8Array(data).buffer });
  }

  /** It failed. Mostly the end follows. */
  error(): void {
    this.readyState = CLOSED;
    this.onerror?.();
  }

  /** The connection is gone, or was never opened. */
  end(): void {
    this.readyState = CLOSED;
    this.onclose?.();
  }
}

/** Gives a global another value, or none, until the test is over. */
export function replaceGlobal(t: TestContext, name: string, value: unknown): void {
  const before = Object.getOwnPropertyDescriptor(globalThis, name);
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  t.after(() => {
    if (before === undefined) Reflect.deleteProperty(globalThis, name);
    else Object.defineProperty(globalThis, name, before);
  });
}
