/** Transports from outside: what they can do, and what they cannot do to the rest. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Link,
  type LinkHandler,
  type Listener,
  registerTransport,
  type Transport,
  TransportError,
  USMPClient,
  USMPServer,
  type USMPServerOptions,
  type USMPSession,
} from '#dist/index.js';
import { memory } from '#dist/transports/memory.js';
import {
  assertServes,
  clientFor,
  coded,
  echo,
  eventually,
  type LiveServer,
  nextSession,
  PSK,
  park,
  type Scope,
  startServer,
  text,
  within,
} from '../server/live.js';
import { WrappedLink, type Wrapping, wrappedTransport } from '../support/wrapped-transport.js';

let schemes = 0;

/** Makes a transport known for one test; gives back its scheme. */
function known(scope: Scope, make: (scheme: string) => Transport): string {
  const scheme = `foreign-${++schemes}`;
  scope.after(registerTransport(scheme, make(scheme)));
  return scheme;
}

/** A server on a transport whose links are wrapped at both ends, or at one. */
async function serve(
  scope: Scope,
  wrapping: Wrapping,
  handler: (session: USMPSession) => unknown = echo,
  options: Partial<USMPServerOptions> = {},
): Promise<LiveServer> {
  const scheme = known(scope, (name) => wrappedTransport(name, memory, wrapping));
  return startServer(scope, handler, { listen: [`${scheme}:lab-${scheme}`], ...options });
}

// ── The register ─────────────────────────────────────────────────────────────────────────────────────────────────

test('a transport that was registered carries sessions, until it is taken out', async () => {
  const remove = registerTransport('mine', wrappedTransport('mine', memory, {}));
  const server = new USMPServer({ listen: 'mine:lab', psk: PSK });
  server.onSession(echo);
  await server.listen();
  assert.deepEqual(server.urls, ['mine:lab']);
  const session = await new USMPClient({ url: 'mine:lab', psk: PSK }).connect();
  assert.equal(session.transport, 'mine');
  remove();
  remove();
  assert.throws(() => new USMPClient({ url: 'mine:lab', psk: PSK }), /unknown transport "mine"/);
  await session.send('what is open stays open');
  assert.equal(text(await session.recv()), 'what is open stays open');
  await session.close();
  await server.close();
  registerTransport('mine', wrappedTransport('mine', memory, {}))();
});

test('a name must be a scheme of URLs, and free', () => {
  const transport = wrappedTransport('any', memory, {});
  for (const name of ['', 'Mine', '1st', 'my transport', 'mine:', 'ä', undefined as never]) {
    assert.throws(
      () => registerTransport(name, transport),
      coded('ArgumentError', 'invalid_argument', /no scheme/),
    );
  }
  for (const name of ['tcp', 'udp', 'unix', 'memory']) {
    assert.throws(
      () => registerTransport(name, transport),
      coded('ArgumentError', 'invalid_argument', /already/),
    );
  }
});

test('what is no transport is refused, with what is missing', () => {
  const whole = wrappedTransport('partial', memory, {});
  for (const [wrong, message] of [
    [undefined, /is no object/],
    [null, /is no object/],
    [{ ...whole, framing: 'packets' }, /framing "packets"/],
    [{ ...whole, framing: 'serial' }, /framing "serial"/],
    [{ ...whole, example: undefined }, /no example/],
    [{ ...whole, connect: undefined }, /connect\(\)/],
    [{ ...whole, listen: 'yes' }, /listen\(\)/],
    [{ ...whole, objection: 'none' }, /objection/],
  ] as const) {
    assert.throws(
      () => registerTransport('partial', wrong as never),
      coded('ArgumentError', 'invalid_argument', message),
    );
  }
});

test('without an objection every URL of the scheme is taken; with one, it decides', async (t) => {
  const scheme = known(t, (name) => wrappedTransport(name, memory, {}));
  for (const rest of [':', ':a', '://host:0/path?query#hash', ':/x']) {
    assert.ok(new USMPClient({ url: scheme + rest, psk: PSK }));
  }
  const picky = known(t, (name) => ({
    ...wrappedTransport(name, memory, {}),
    objection: (url, role) => (url.pathname === 'good' ? undefined : `${role} wants good`),
  }));
  assert.ok(new USMPServer({ listen: `${picky}:good`, psk: PSK }));
  assert.throws(
    () => new USMPServer({ listen: `${picky}:bad`, psk: PSK }),
    coded('ArgumentError', 'invalid_argument', /listen wants good; write it like foreign-\d+:lab/),
  );
});

// ── Opening ──────────────────────────────────────────────────────────────────────────────────────────────────────

test('any error of listen() and connect() is unreachable with its cause, and those of the library stay', async (t) => {
  const boom = new RangeError('boom');
  const taken = new TransportError('address_in_use', 'taken');
  for (const [error, code, message] of [
    [boom, 'unreachable', /cannot (listen on|connect to) foreign-\d+:lab: boom/],
    ['a string', 'unreachable', /: a string/],
    [undefined, 'unreachable', /: undefined/],
    [taken, 'address_in_use', /^taken$/],
  ] as const) {
    for (const fail of [() => Promise.reject(error), throwing(error)]) {
      const scheme = known(t, (name) => ({
        ...wrappedTransport(name, memory, {}),
        listen: fail,
        connect: fail,
      }));
      const server = new USMPServer({ listen: `${scheme}:lab`, psk: PSK });
      server.onSession(park);
      const attempts = [server.listen(), new USMPClient({ url: `${scheme}:lab`, psk: PSK }).connect()];
      for (const attempt of attempts) {
        await assert.rejects(attempt, (thrown: TransportError) => {
          assert.equal(thrown.code, code);
          assert.match(thrown.message, message);
          return thrown === taken || thrown.cause === error;
        });
      }
    }
  }
});

test('what is no link and no listener is an error', async (t) => {
  for (const nothing of [undefined, null, 1, {}, { attach() {} }]) {
    const wrong = async () => nothing as never;
    const scheme = known(t, (name) => ({
      ...wrappedTransport(name, memory, {}),
      listen: wrong,
      connect: wrong,
    }));
    const server = new USMPServer({ listen: `${scheme}:lab`, psk: PSK });
    server.onSession(park);
    await assert.rejects(server.listen(), coded('TransportError', 'unreachable', /no listener/));
    const client = new USMPClient({ url: `${scheme}:lab`, psk: PSK });
    await assert.rejects(client.connect(), coded('TransportError', 'unreachable', /no link/));
  }
});

test('a server that is given what is no link says so, and serves on', async (t) => {
  let give!: (link: Link) => void;
  const scheme = known(t, (name) => {
    const inner = wrappedTransport(name, memory, {});
    return {
      ...inner,
      listen: (url, onLink, onStray) => {
        give = onLink;
        return inner.listen(url, onLink, onStray);
      },
    };
  });
  const live = await startServer(t, echo, { listen: [`${scheme}:lab-${scheme}`] });
  give(undefined as never);
  give({ peer: 'somebody', attach: 1 } as never);
  assert.deepEqual(
    live.refusals.map(({ reason, peer, transport }) => [reason, peer, transport]),
    [
      ['bad-frame', scheme, scheme],
      ['bad-frame', 'somebody', scheme],
    ],
  );
  await assertServes(live);
});

test('an attempt that is aborted ends at once, and a link that comes too late is dropped', async (t) => {
  let arrive!: (link: Link) => void;
  const scheme = known(t, (name) => ({
    ...wrappedTransport(name, memory, {}),
    connect: () =>
      new Promise((resolve) => {
        arrive = resolve;
      }),
  }));
  const reason = new Error('changed my mind');
  const aborter = new AbortController();
  const attempt = new USMPClient({ url: `${scheme}:lab`, psk: PSK }).connect({ signal: aborter.signal });
  await Promise.resolve();
  aborter.abort(reason);
  await assert.rejects(within(attempt, 'the end of the attempt'), reason);
  let destroyed = 0;
  arrive({ ...deadLink(), destroy: () => destroyed++ });
  await eventually(() => destroyed === 1, 'the end of the late link');
});

test('an attempt without an end is over when its time is', async (t) => {
  const scheme = known(t, (name) => ({
    ...wrappedTransport(name, memory, {}),
    connect: () => new Promise(() => {}),
  }));
  const attempt = new USMPClient({ url: `${scheme}:lab`, psk: PSK }).connect({ timeout: 20 });
  await assert.rejects(within(attempt, 'the end of the attempt'), { code: 'connect_timeout' });
});

// ── Links that do wrong ──────────────────────────────────────────────────────────────────────────────────────────

type Fallible = 'write' | 'pause' | 'resume' | 'close';

for (const method of ['write', 'pause', 'resume', 'close'] as const) {
  test(`a link whose ${method}() throws ends its session with the cause, and no other`, async (t) => {
    const broken = new RangeError('boom');
    let faulty: WrappedLink | undefined;
    const server = (link: Link) => {
      faulty = new WrappedLink(link);
      return faulty;
    };
    const live = await serve(t, { server }, park, { receiveQueue: 0 });
    const arriving = nextSession(live.server);
    const here = await clientFor(live).connect();
    const there = await arriving;
    faulty![method] = throwing(broken);
    PROVOCATIONS[method](here, there);
    await eventually(() => here.closed && there.closed, 'the end of the session');
    if (method !== 'close') {
      assert.equal(there.error!.code, 'connection_lost');
      assert.match(
        there.error!.message,
        new RegExp(`transport "foreign-\\d+" failed: ${method}\\(\\) threw: boom`),
      );
      assert.equal((there.error!.cause as Error).cause, broken);
      assert.equal(live.log.matching(/disconnected .*threw: boom/).length, 1);
    }
    const next = await clientFor(live).connect();
    await next.ping();
    await next.close();
  });
}

test('a link that fails during the handshake is reported, and the client told what failed', async (t) => {
  const live = await serve(t, {
    server: (link) => Object.assign(new WrappedLink(link), { write: throwing(new Error('boom')) }),
  });
  await assert.rejects(clientFor(live).connect(), coded('HandshakeError', 'turned_away'));
  await eventually(() => live.refusals.length === 1, 'the refusal');
  assert.equal(live.refusals[0]!.reason, 'bad-frame');
  assert.match(live.refusals[0]!.message, /write\(\) threw: boom/);
  const client = await serve(t, {
    client: (link) => Object.assign(new WrappedLink(link), { write: throwing(new Error('boom')) }),
  });
  await assert.rejects(
    clientFor(client).connect(),
    coded('ConnectionClosedError', 'connection_lost', /write\(\) threw: boom/),
  );
});

test('a link whose destroy() throws, or forgets to tell the end, ends all the same', async (t) => {
  for (const destroy of [throwing(new Error('boom')), () => {}]) {
    const live = await serve(t, {
      client: (link) => Object.assign(new WrappedLink(link), { destroy, close() {} }),
    });
    const session = await clientFor(live).connect();
    await within(session.close(), 'the end of the session');
    assert.equal(session.error!.code, 'closed');
    await live.server.close({ timeout: 0 });
  }
});

test('bytes that are none end the session', async (t) => {
  for (const wrong of ['text', undefined, [1, 2], new ArrayBuffer(4)]) {
    let faulty!: WrappedLink;
    const live = await serve(t, {
      client: (link) => {
        faulty = new WrappedLink(link);
        return faulty;
      },
    });
    const session = await clientFor(live).connect();
    faulty.handleBytes(wrong as never);
    await eventually(() => session.closed, 'the end of the session');
    assert.match(session.error!.message, /no Uint8Array/);
    await assertServes(live);
  }
});

/** Tells everything twice, and goes on when all is over. */
class InsistingLink extends WrappedLink {
  override handleEnd(): void {
    for (let i = 0; i < 2; i++) super.handleEnd();
  }

  override handleClosed(): void {
    for (let i = 0; i < 2; i++) {
      super.handleClosed();
      super.handleBytes(Uint8Array.of(0xff));
      super.handleDrain();
      super.handleEnd();
    }
  }
}

test('a link that tells everything twice and goes on after its end is heard once', async (t) => {
  const insist = (link: Link) => new InsistingLink(link);
  const live = await serve(t, { client: insist, server: insist });
  let ends = 0;
  live.server.on('disconnect', () => ends++);
  for (let i = 1; i <= 3; i++) {
    const session = await clientFor(live).connect();
    await session.close();
    await eventually(() => ends === i, 'the end of the session');
  }
  await assertServes(live);
});

/** Answers from within `write`, as a line without any delay would. */
class HastyLink extends WrappedLink {
  override write(bytes: Uint8Array): boolean {
    this.handler!.handleDrain();
    const goesOn = super.write(bytes);
    this.handler!.handleDrain();
    return goesOn;
  }
}

test('a link that calls back from within its methods does not come in between', async (t) => {
  const hasty = (link: Link) => new HastyLink(link);
  const live = await serve(t, { client: hasty, server: hasty });
  const session = await clientFor(live).connect();
  for (let i = 0; i < 100; i++) await session.send(`message ${i}`);
  for (let i = 0; i < 100; i++) assert.equal(text(await session.recv()), `message ${i}`);
  await session.close();
});

/** Two ends that call each other, without any turn of the event loop in between. */
class DirectLink implements Link {
  readonly transport = 'direct';
  readonly peer = 'the other end';
  readonly address = '';
  other!: DirectLink;
  #handler: LinkHandler | undefined;
  #early: Uint8Array[] = [];

  attach(handler: LinkHandler): void {
    this.#handler = handler;
    for (const bytes of this.#early.splice(0)) handler.handleBytes(bytes);
  }

  write(bytes: Uint8Array): boolean {
    this.other.take(bytes.slice());
    return true;
  }

  take(bytes: Uint8Array): void {
    if (this.#handler === undefined) this.#early.push(bytes);
    else this.#handler.handleBytes(bytes);
  }

  pause(): void {}
  resume(): void {}

  close(): void {
    this.destroy();
  }

  destroy(): void {
    for (const end of [this.other, this]) end.#handler?.handleClosed();
  }
}

test('two ends that call each other directly carry a session', async (t) => {
  let onLink!: (link: Link) => void;
  const scheme = known(t, (name) => ({
    framing: 'stream',
    example: `${name}:x`,
    async listen(url, take): Promise<Listener> {
      onLink = take;
      return { url: url.href, close: async () => {} };
    },
    async connect() {
      const [here, there] = [new DirectLink(), new DirectLink()];
      [here.other, there.other] = [there, here];
      onLink(there);
      return here;
    },
  }));
  const live = await startServer(t, echo, { listen: [`${scheme}:x`] });
  await assertServes(live);
  const session = await clientFor(live).connect();
  for (let i = 0; i < 50; i++) await session.send(new Uint8Array(1_808).fill(i));
  for (let i = 0; i < 50; i++) assert.deepEqual(await session.recv(), new Uint8Array(1_808).fill(i));
  await session.close();
});

test('a listener that does not close does not keep a server from it, and is logged', async (t) => {
  const boom = new Error('boom');
  for (const close of [() => Promise.reject(boom), throwing(boom)]) {
    const scheme = known(t, (name) => ({
      ...wrappedTransport(name, memory, {}),
      listen: async (url) => ({ url: url.href, close }),
    }));
    const live = await startServer(t, echo, { listen: [`${scheme}:lab`] });
    await live.server.close();
    assert.deepEqual(live.log.matching(/^error: /), ['error: a listener did not close']);
    assert.deepEqual(live.log.errors, [boom]);
  }
});

test('peers and addresses that are no text do no harm', async (t) => {
  const strange = (link: Link) =>
    Object.defineProperties(new WrappedLink(link), {
      peer: { value: Symbol('?') },
      address: { value: null },
    });
  const live = await serve(t, { client: strange, server: strange });
  const session = await clientFor(live).connect();
  assert.match(session.peer, /^foreign-\d+$/);
  await session.close();
});

function throwing(error: unknown): () => never {
  return () => {
    throw error;
  };
}

/** Makes the session at the server use a method of its link. */
const PROVOCATIONS: Record<Fallible, (here: USMPSession, there: USMPSession) => unknown> = {
  write: (_here, there) => there.send('anything'),
  pause: (here) => here.send('unread'),
  async resume(here, there) {
    here.send('read late');
    await eventually(() => there.stats.receiveQueueBytes > 0, 'the message');
    await there.recv();
  },
  close: (_here, there) => there.close(),
};

/** A link on which nothing happens. */
function deadLink(): Link {
  return {
    transport: 'dead',
    peer: 'nobody',
    address: '',
    attach() {},
    write: () => true,
    pause() {},
    resume() {},
    close() {},
    destroy() {},
  };
}
