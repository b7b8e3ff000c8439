/** What the links of every transport for streams do, seen from a handler: tests to be made for each of them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { USMPError } from '#dist/index.js';
import type { Link, LinkHandler, Listener, Transport } from '#dist/transports/transport.js';
import { coded, eventually, type Scope, within } from '../server/live.js';

/** Keeps all that happens at one end of a link. */
export class Recorder implements LinkHandler {
  authenticated = true;
  readonly link: Link;
  readonly happened: string[] = [];
  received = '';
  /** From within `handleBytes`. */
  onBytes: (() => void) | undefined;

  constructor(link: Link) {
    this.link = link;
    link.attach(this);
  }

  handleBytes(bytes: Uint8Array): void {
    this.received += Buffer.from(bytes).toString();
    this.onBytes?.();
  }

  handleDrain(): void {
    this.happened.push('drain');
  }

  handleEnd(): void {
    this.happened.push('end');
  }

  handleClosed(): void {
    this.happened.push('closed');
  }

  write(text: string): boolean {
    return this.link.write(Buffer.from(text));
  }
}

/** Both ends of a link, and the listener that it came from. */
export interface Joined {
  readonly listener: Listener;
  readonly here: Recorder;
  readonly there: Recorder;
}

/** How a client connects that nobody calls back. */
export function patiently(): { signal: AbortSignal } {
  return { signal: new AbortController().signal };
}

/** Opens a link at `place`. */
export async function joined(scope: Scope, transport: Transport, place: string): Promise<Joined> {
  let there: Recorder | undefined;
  const listener = await transport.listen(new URL(place), (link) => {
    there = new Recorder(link);
  });
  const here = new Recorder(await transport.connect(new URL(listener.url), patiently()));
  await eventually(() => there !== undefined, 'the other end');
  scope.after(async () => {
    await listener.close();
    for (const end of [here, there!]) end.link.destroy();
  });
  return { listener, here, there: there! };
}

/** Makes the tests. `place` is a URL to listen on, a new one each time. */
export function testStreamLinks(
  transport: Transport,
  place: (scope: Scope) => string | Promise<string>,
): void {
  const open = async (scope: Scope) => joined(scope, transport, await place(scope));

  test('bytes arrive in order, both ways', async (t) => {
    const { here, there } = await open(t);
    for (const word of ['one ', 'two ', 'three']) here.write(word);
    there.write('back');
    await eventually(() => there.received.length === 13 && here.received.length === 4, 'the bytes');
    assert.equal(there.received, 'one two three');
    assert.equal(here.received, 'back');
  });

  test('close() sends what was written first; the other end hears the end, and both hear that it is over once', async (t) => {
    const { here, there } = await open(t);
    here.write('x'.repeat(300_000));
    here.link.close();
    here.link.close();
    await eventually(() => there.happened.includes('closed') && here.happened.includes('closed'), 'the end');
    assert.equal(there.received.length, 300_000);
    assert.deepEqual(there.happened, ['end', 'closed']);
    assert.equal(here.happened.filter((what) => what === 'closed').length, 1);
  });

  test('close() lets arrive what the other end sends before it hears of it', async (t) => {
    const { here, there } = await open(t);
    here.link.close();
    there.write('still');
    await eventually(() => here.happened.includes('closed'), 'the end');
    assert.equal(here.received, 'still');
  });

  test('destroy() ends both at once, and what is called afterwards is harmless', async (t) => {
    const { here, there } = await open(t);
    here.link.destroy();
    await eventually(() => there.happened.includes('closed') && here.happened.includes('closed'), 'the end');
    assert.equal(here.write('too late'), true);
    for (const end of [here, there]) {
      end.link.pause();
      end.link.resume();
      end.link.close();
      end.link.destroy();
    }
    await new Promise((resolve) => setImmediate(resolve));
    for (const end of [here, there]) assert.equal(end.happened.filter((what) => what === 'closed').length, 1);
  });

  test('a link that is destroyed from within hands over nothing more', async (t) => {
    const { here, there } = await open(t);
    there.link.pause();
    for (let i = 0; i < 10; i++) here.write('x');
    there.onBytes = () => there.link.destroy();
    there.link.resume();
    await eventually(() => there.happened.includes('closed') && here.happened.includes('closed'), 'the end');
    assert.match(there.received, /^x+$/);
    const { length } = there.received;
    here.write('more');
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(there.received.length, length);
    assert.deepEqual(there.happened, ['closed']);
  });

  test('a link that is not read says so to its writer, and drains when it is read again', async (t) => {
    const { here, there } = await open(t);
    there.link.pause();
    let written = 0;
    const block = 'x'.repeat(65_536);
    const fill = async () => {
      while (here.write(block) || (await drains(here))) written += block.length;
      written += block.length;
    };
    await within(fill(), 'a full line');
    assert.ok(there.received.length <= 65_536, 'a paused link goes on reading');
    there.link.resume();
    await eventually(() => there.received.length === written, 'all bytes');
    await eventually(() => here.happened.includes('drain'), 'word that there is room');
  });

  test('a link that is let go before anybody has attached to it is gone for the other end too', async (t) => {
    const listener = await transport.listen(new URL(await place(t)), (link) => link.destroy());
    t.after(() => listener.close());
    // Where more is exchanged before a link is open, there is none.
    const link = await transport.connect(new URL(listener.url), patiently()).catch((error) => error);
    if (link instanceof USMPError) return assert.equal(link.code, 'turned_away');
    const here = new Recorder(link);
    await eventually(() => here.happened.includes('closed'), 'the end');
  });

  test('a listener that closes takes no more links and leaves the open ones alone', async (t) => {
    const { listener, here, there } = await open(t);
    await listener.close();
    const late = transport.connect(new URL(listener.url), patiently());
    await assert.rejects(late, coded('TransportError', 'unreachable'));
    here.write('still open');
    await eventually(() => there.received === 'still open', 'the bytes');
  });

  test('a place that is taken is an error with its name, and free again when its listener has closed', async (t) => {
    const { listener } = await open(t);
    const again = () => transport.listen(new URL(listener.url), () => {});
    const { host, pathname } = new URL(listener.url);
    await assert.rejects(again(), (error: Error & { code: string }) => {
      assert.ok(error.message.includes(host || pathname), error.message);
      return error.code === 'address_in_use';
    });
    await listener.close();
    await (await again()).close();
  });
}

/** Whether a full line drains within a while. */
async function drains(end: Recorder): Promise<boolean> {
  const before = end.happened.length;
  const deadline = performance.now() + 300;
  while (end.happened.length === before && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return end.happened.length > before;
}
