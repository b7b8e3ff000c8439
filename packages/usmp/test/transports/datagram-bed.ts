/** A transport for datagrams as an application could have one: a link for each peer, on a line that loses some. */

import {
  type Link,
  type LinkHandler,
  type Listener,
  registerTransport,
  TransportError,
} from '#dist/index.js';
import { SeededRandom } from '../support/random.js';
import type { CuttableLine, TransportBed } from './bed.js';

const LOSS = 0.02;

/** Datagrams under way to an end; what is more is lost, as everywhere. */
const QUEUE = 64;

const random = new SeededRandom(1);
const doors = new Map<string, (link: Link) => void>();
/** Bytes that may still pass to the server, by name of the door. */
const allowances = new Map<string, number>();

class LossyLink implements Link {
  readonly transport = 'lossy';
  readonly address = '';
  readonly peer: string;
  readonly #allowance: string | undefined;
  other: LossyLink | undefined;
  #handler: LinkHandler | undefined;
  #underWay = 0;

  constructor(peer: string, allowance?: string) {
    this.peer = peer;
    this.#allowance = allowance;
  }

  attach(handler: LinkHandler): void {
    this.#handler = handler;
  }

  write(bytes: Uint8Array): boolean {
    if (!this.#mayPass(bytes.length) || random.next() < LOSS) return true;
    const datagram = new Uint8Array(bytes);
    const { other } = this;
    if (other === undefined || other.#underWay === QUEUE) return true;
    other.#underWay++;
    setImmediate(() => {
      other.#underWay--;
      other.#handler?.handleBytes(datagram);
    });
    return true;
  }

  /** Nobody can keep a peer from sending datagrams. */
  pause(): void {}
  resume(): void {}

  close(): void {
    this.destroy();
  }

  /** The peer hears nothing of it. */
  destroy(): void {
    const handler = this.#handler;
    this.#handler = undefined;
    if (handler !== undefined) setImmediate(() => handler.handleClosed());
  }

  #mayPass(bytes: number): boolean {
    if (this.#allowance === undefined) return !isCut(this.peer);
    const left = (allowances.get(this.#allowance) ?? Number.POSITIVE_INFINITY) - bytes;
    allowances.set(this.#allowance, left);
    return left >= 0;
  }
}

function isCut(peer: string): boolean {
  return (allowances.get(peer) ?? 0) < 0;
}

registerTransport('lossy', {
  framing: 'datagram',
  example: 'lossy:lab',
  async listen(url, onLink): Promise<Listener> {
    if (doors.has(url.href)) throw new TransportError('address_in_use', `${url.href} is in use`);
    doors.set(url.href, onLink);
    return { url: url.href, close: async () => void doors.delete(url.href) };
  },
  async connect(url) {
    const onLink = doors.get(url.href);
    if (onLink === undefined) throw new TransportError('unreachable', `nothing listens on ${url.href}`);
    const [here, there] = [new LossyLink(url.href, url.href), new LossyLink(url.href)];
    [here.other, there.other] = [there, here];
    onLink(there);
    return here;
  },
});

let names = 0;

const lossy: TransportBed = {
  scheme: 'lossy',
  module: import.meta.url,
  place: () => `lossy:lab-${++names}`,
  nowhere: () => `lossy:lab-${++names}`,
  async line(_scope, url): Promise<CuttableLine> {
    return { url, cutAfter: (bytes) => void allowances.set(url, bytes) };
  },
  profile: { silentCuts: true, silentRefusals: true, volume: 40_000, sessions: 10 },
};

export const beds = { lossy };
