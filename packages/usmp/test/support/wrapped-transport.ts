/** Transports that do to the links of another one what a test wants. */

import type { Link, LinkHandler, Listener, Transport } from '#dist/index.js';

/** A link that passes everything on, and the handler of it that does. What is to be different is overridden. */
export class WrappedLink implements Link, LinkHandler {
  protected readonly inner: Link;
  protected handler: LinkHandler | undefined;

  constructor(inner: Link) {
    this.inner = inner;
  }

  get transport(): string {
    return this.inner.transport;
  }

  get peer(): string {
    return this.inner.peer;
  }

  get address(): string {
    return this.inner.address;
  }

  get authenticated(): boolean {
    return this.handler?.authenticated ?? false;
  }

  attach(handler: LinkHandler): void {
    this.handler = handler;
    this.inner.attach(this);
  }

  write(bytes: Uint8Array): boolean {
    return this.inner.write(bytes);
  }

  pause(): void {
    this.inner.pause();
  }

  resume(): void {
    this.inner.resume();
  }

  close(): void {
    this.inner.close();
  }

  destroy(): void {
    this.inner.destroy();
  }

  handleBytes(bytes: Uint8Array): void {
    this.handler!.handleBytes(bytes);
  }

  handleDrain(): void {
    this.handler!.handleDrain();
  }

  handleEnd(): void {
    this.handler!.handleEnd();
  }

  handleClosed(error?: unknown): void {
    this.handler!.handleClosed(error);
  }
}

/** What becomes of the links of either side. */
export interface Wrapping {
  readonly client?: (link: Link) => Link;
  readonly server?: (link: Link) => Link;
}

/** A transport named `scheme` over another one whose URLs are a scheme and a name, as those of `memory:` are. */
export function wrappedTransport(scheme: string, inner: Transport, wrapping: Wrapping): Transport {
  const { client = (link) => link, server = (link) => link } = wrapping;
  return {
    framing: inner.framing,
    example: `${scheme}:lab`,
    async listen(url, onLink, onStray): Promise<Listener> {
      const listener = await inner.listen(url, (link) => onLink(server(link)), onStray);
      return { url: url.href, close: () => listener.close() };
    },
    async connect(url, options) {
      return client(await inner.connect(url, options));
    },
  };
}

/** Cuts the line when so many bytes more were written, be it within a frame. */
export class CutLink extends WrappedLink {
  #bytesLeft = Number.POSITIVE_INFINITY;

  cutAfter(bytes: number): void {
    this.#bytesLeft = bytes;
  }

  override write(bytes: Uint8Array): boolean {
    const goesOn = this.inner.write(bytes.subarray(0, this.#bytesLeft));
    this.#bytesLeft -= bytes.length;
    if (this.#bytesLeft <= 0) this.inner.destroy();
    return goesOn;
  }
}
