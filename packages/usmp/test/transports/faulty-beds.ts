/** Transports that break one promise each, and one that breaks none: what the compliance suite is tested with. */

import { type Link, registerTransport, type Transport } from '#dist/index.js';
import { memory } from '#dist/transports/memory.js';
import { CutLink, WrappedLink, type Wrapping, wrappedTransport } from '../support/wrapped-transport.js';
import type { TransportBed } from './bed.js';

/** Bytes that a client has written before anything happens to them: more than any handshake has. */
const LATE_ENOUGH = 2_000;

/** How long is waited for what a fault keeps from coming. Milliseconds. */
const PATIENCE = 2_000;
const WAITED_FOR = ['deaf', 'leaking'];

/** Does something to one write, once. */
abstract class BentLink extends WrappedLink {
  #written = 0;
  #bent = false;

  override write(bytes: Uint8Array): boolean {
    this.#written += bytes.length;
    if (this.#bent || this.#written < LATE_ENOUGH) return this.inner.write(bytes);
    this.#bent = true;
    return this.bend(bytes);
  }

  protected abstract bend(bytes: Uint8Array): boolean;
}

class DroppingLink extends BentLink {
  protected bend(bytes: Uint8Array): boolean {
    const at = bytes.length >> 1;
    return this.inner.write(Uint8Array.of(...bytes.subarray(0, at), ...bytes.subarray(at + 1)));
  }
}

class RepeatingLink extends BentLink {
  protected bend(bytes: Uint8Array): boolean {
    const at = bytes.length >> 1;
    return this.inner.write(Uint8Array.of(...bytes.subarray(0, at + 1), ...bytes.subarray(at)));
  }
}

class SwappingLink extends BentLink {
  protected bend(bytes: Uint8Array): boolean {
    const at = bytes.findIndex((byte, i) => byte !== bytes[i + 1]);
    [bytes[at], bytes[at + 1]] = [bytes[at + 1]!, bytes[at]!];
    return this.inner.write(bytes);
  }
}

class ReorderingLink extends WrappedLink {
  #written = 0;
  #held: Uint8Array | undefined;

  override write(bytes: Uint8Array): boolean {
    const held = this.#held;
    this.#written += bytes.length;
    if (held === undefined && this.#written > LATE_ENOUGH) {
      this.#held = bytes;
      return true;
    }
    this.#held = undefined;
    const goesOn = this.inner.write(bytes);
    return held === undefined ? goesOn : this.inner.write(held);
  }
}

/** What is written to one goes out by the one that was opened before it, too. */
class MixingLink extends BentLink {
  static last: WrappedLink | undefined;
  readonly #neighbour = MixingLink.last;

  constructor(inner: Link) {
    super(inner);
    MixingLink.last = this;
  }

  protected bend(bytes: Uint8Array): boolean {
    this.#neighbour?.write(bytes.slice());
    return this.inner.write(bytes);
  }
}

/** Never hears that the other side is gone. */
class DeafLink extends WrappedLink {
  override handleEnd(): void {}
  override handleClosed(): void {}
}

class GreedyLink extends WrappedLink {
  override write(bytes: Uint8Array): boolean {
    this.inner.write(bytes);
    return true;
  }

  override pause(): void {}
}

/** Writes one behind, and forgets the last. */
class ForgetfulLink extends WrappedLink {
  #last: Uint8Array | undefined;
  #written = 0;

  override write(bytes: Uint8Array): boolean {
    this.#written += bytes.length;
    if (this.#written < LATE_ENOUGH) return this.inner.write(bytes);
    const last = this.#last;
    this.#last = bytes;
    return last === undefined ? true : this.inner.write(last);
  }
}

/** Handles that a transport has forgotten. Tests give them back. */
export const leaked: ReturnType<typeof setInterval>[] = [];

const leaking: Transport = {
  ...memory,
  async connect(url, options) {
    leaked.push(setInterval(() => {}, 60_000));
    return memory.connect(url, options);
  },
};

/** By scheme, which says what is wrong. */
export const beds: Readonly<Record<string, TransportBed>> = {
  faultless: bed('faultless', {}),
  dropping: bed('dropping', { client: (link) => new DroppingLink(link) }),
  repeating: bed('repeating', { client: (link) => new RepeatingLink(link) }),
  swapping: bed('swapping', { client: (link) => new SwappingLink(link) }),
  reordering: bed('reordering', { client: (link) => new ReorderingLink(link) }),
  mixing: bed('mixing', { client: (link) => new MixingLink(link) }),
  deaf: bed(
    'deaf',
    both((link) => new DeafLink(link)),
  ),
  greedy: bed(
    'greedy',
    both((link) => new GreedyLink(link)),
  ),
  forgetful: bed(
    'forgetful',
    both((link) => new ForgetfulLink(link)),
  ),
  leaking: bed('leaking', {}, leaking),
};

function both(wrap: (link: Link) => Link): Wrapping {
  return { client: wrap, server: wrap };
}

function bed(scheme: string, wrapping: Wrapping, inner: Transport = memory): TransportBed {
  let names = 0;
  registerTransport(scheme, wrappedTransport(scheme, inner, wrapping));
  return {
    scheme,
    module: import.meta.url,
    place: () => `${scheme}:${scheme}-${++names}`,
    nowhere: () => `${scheme}:${scheme}-${++names}`,
    async line(scope, url) {
      let line: CutLink | undefined;
      const cuttable = `${scheme}-${++names}`;
      const client = (link: Link) => {
        line = new CutLink(link);
        return wrapping.client?.(line) ?? line;
      };
      scope.after(registerTransport(cuttable, wrappedTransport(cuttable, inner, { client })));
      return { url: url.replace(scheme, cuttable), cutAfter: (bytes) => line!.cutAfter(bytes) };
    },
    profile: { volume: 500_000, sessions: 20, ...(WAITED_FOR.includes(scheme) && { patience: PATIENCE }) },
  };
}
