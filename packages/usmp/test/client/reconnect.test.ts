/** Clients that stay connected, against servers that come and go. */

import assert from 'node:assert/strict';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import {
  type ReconnectOptions,
  USMPClient,
  type USMPClientOptions,
  type USMPError,
  USMPServer,
  type USMPSession,
} from '#dist/index.js';
import {
  coded,
  echo,
  eventually,
  nextSession,
  PSK,
  park,
  startServer,
  stateOf,
  text,
  WRONG_PSK,
  within,
} from '../server/live.js';
import { startServerProcess } from '../server/process.js';
import { hex } from '../support/bytes.js';

/** Fast enough for tests, slow enough to see a wait. */
const QUICK: ReconnectOptions = { base: 20, cap: 60 };

/** What a client has told, in order. */
class Story {
  readonly lines: string[] = [];
  readonly delays: number[] = [];
  readonly errors: USMPError[] = [];

  constructor(client: USMPClient) {
    client.on('connect', () => this.lines.push('connect'));
    client.on('disconnect', (_, { code }) => this.lines.push(`disconnect ${code}`));
    client.on('reconnecting', (attempt, delay, error) => {
      this.lines.push(`reconnecting ${attempt} ${error.code}`);
      this.delays.push(delay);
      this.errors.push(error);
    });
  }

  count(start: string): number {
    return this.lines.filter((line) => line.startsWith(start)).length;
  }
}

interface Stay {
  readonly client: USMPClient;
  readonly story: Story;
}

function stay(t: TestContext, url: string, options: Partial<USMPClientOptions> = {}): Stay {
  const client = new USMPClient({ url, psk: PSK, reconnect: QUICK, ...options });
  t.after(() => client.disconnect());
  return { client, story: new Story(client) };
}

/** A server on a port that was another one's. */
async function serveAt(
  t: TestContext,
  url: string,
  handler: (session: USMPSession) => unknown = echo,
  psk: string = PSK,
): Promise<USMPServer> {
  const server = new USMPServer({ psk, listen: url });
  server.onSession(handler);
  t.after(() => server.close({ timeout: 0 }));
  await server.listen();
  return server;
}

async function freeURL(): Promise<string> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `tcp://127.0.0.1:${port}`;
}

/** Timers that keep this process alive. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

/** Nobody waits for anything any more: what has not happened by then does not. */
async function nothingWaits(before: number): Promise<void> {
  await eventually(() => timers() <= before, 'the end of all waits');
}

test('a server that ends and comes back gets its client back, with the same device id', async (t) => {
  const first = await startServer(t);
  const { client, story } = stay(t, first.url);
  const session = await client.connect();
  await first.server.close();
  await eventually(() => story.count('reconnecting') >= 1, 'an attempt');
  assert.equal(session.closed, true);
  const second = await serveAt(t, first.url);
  await eventually(() => client.session !== undefined, 'another session');
  assert.notEqual(client.session, session);
  assert.deepEqual([...second.sessions.keys()], [client.deviceId]);
  assert.deepEqual(story.lines.slice(0, 3), ['connect', 'disconnect bye', 'reconnecting 1 bye']);
  assert.equal(story.lines.at(-1), 'connect');
  assert.equal(client.stats.connects, 2);
  assert.ok(story.delays.every((delay) => delay >= 0 && delay <= QUICK.cap!));
});

test('over UDP, too', async (t) => {
  const first = await startServer(t, echo, { listen: 'udp://127.0.0.1:0' });
  const { client } = stay(t, first.url);
  await client.connect();
  await first.server.close();
  await serveAt(t, first.url);
  await eventually(() => client.session !== undefined, 'another session');
  await client.send('hello again', { acknowledged: true });
  assert.equal(text(await client.recv()), 'hello again');
});

test('a server that is killed gets its client back, and attempts are counted from 1 each time', async (t) => {
  const process = await startServerProcess(t);
  const { client, story } = stay(t, process.url);
  await client.connect();
  process.child.kill('SIGKILL');
  await eventually(() => story.count('reconnecting 2') >= 1, 'a second attempt');
  const server = await serveAt(t, process.url);
  await eventually(() => client.session !== undefined, 'a session');
  await server.close();
  await eventually(() => story.count('reconnecting 1 bye') >= 1, 'a first attempt again');
  assert.ok(story.lines.includes('disconnect connection_lost'));
});

test('connect() goes on until there is a server', async (t) => {
  const url = await freeURL();
  const { client, story } = stay(t, url);
  const connecting = client.connect();
  await eventually(() => story.count('reconnecting') >= 3, 'some attempts');
  assert.equal(await stateOf(connecting), 'pending');
  assert.equal(story.errors[0]!.code, 'unreachable');
  await serveAt(t, url);
  const session = await within(connecting, 'the first session');
  assert.equal(session, client.session);
});

test('with initial: false a first attempt that fails is an error, and nothing goes on', async (t) => {
  const { client, story } = stay(t, await freeURL(), { reconnect: { ...QUICK, initial: false } });
  await assert.rejects(client.connect(), coded('TransportError', 'unreachable'));
  assert.deepEqual(story.lines, []);
  await assert.rejects(client.send('x'), coded('NotConnectedError', 'not_connected'));
});

test('a wrong key is tried again at the capped delay, and succeeds when the server has the key', async (t) => {
  const live = await startServer(t, echo, { psk: WRONG_PSK, backoff: { after: Number.POSITIVE_INFINITY } });
  const cap = 100;
  const { client, story } = stay(t, live.url, { reconnect: { base: 0, cap } });
  const connecting = client.connect();
  await eventually(() => story.count('reconnecting') >= 12, 'some attempts');
  assert.ok(story.errors.every(({ code }) => code === 'refused'));
  // A base of 0 keeps every other wait at 0.
  assert.ok(story.delays.some((delay) => delay > 0));
  assert.ok(story.delays.every((delay) => delay <= cap));
  await live.server.setKeys(PSK);
  await within(connecting, 'a session');
});

test('a server that dies in the middle of a handshake is tried again', async (t) => {
  let connections = 0;
  const dying = net.createServer((socket) => {
    connections++;
    socket.on('error', () => {});
    // An answer of the right shape, and then nothing.
    socket.once('data', () => {
      socket.write(challenge());
      socket.once('data', () => socket.destroy());
    });
  });
  await new Promise<void>((resolve) => dying.listen(0, '127.0.0.1', resolve));
  const { port } = dying.address() as net.AddressInfo;
  const { client, story } = stay(t, `tcp://127.0.0.1:${port}`);
  const connecting = client.connect();
  await eventually(() => connections >= 2, 'another attempt');
  assert.equal(story.errors[0]!.code, 'refused');
  await new Promise((resolve) => dying.close(resolve));
  await serveAt(t, `tcp://127.0.0.1:${port}`);
  await within(connecting, 'a session');
});

test('what is sent while away waits, and arrives once and in order before anything newer', async (t) => {
  const url = await freeURL();
  const { client } = stay(t, url);
  const connecting = client.connect();
  const sends = Array.from({ length: 100 }, (_, i) => client.send(String(i)));
  assert.equal(client.stats.queuedMessages, 100);
  client.on('connect', () => void client.send('100'));
  const received: string[] = [];
  await serveAt(t, url, async (session) => {
    for await (const message of session) received.push(text(message));
  });
  await connecting;
  await Promise.all(sends);
  await client.send('101');
  await client.ping();
  assert.deepEqual(
    received,
    Array.from({ length: 102 }, (_, i) => String(i)),
  );
  assert.deepEqual([client.stats.queuedMessages, client.stats.queuedBytes], [0, 0]);
});

test('the queue is bounded: beyond it send() says that the message was not sent', async (t) => {
  const url = await freeURL();
  const { client } = stay(t, url, { reconnect: { ...QUICK, queueLimit: 3 * 257 } });
  const connecting = client.connect();
  for (const message of 'abc') client.send(message);
  await assert.rejects(client.send('d'), coded('NotConnectedError', 'queue_full'));
  const received: string[] = [];
  await serveAt(t, url, async (session) => {
    for await (const message of session) received.push(text(message));
  });
  await connecting;
  await client.ping();
  assert.deepEqual(received, ['a', 'b', 'c']);
});

test('a send() that nobody awaits does not end the process, whatever becomes of it', async (t) => {
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown) => rejections.push(reason);
  process.on('unhandledRejection', onRejection);
  t.after(() => process.removeListener('unhandledRejection', onRejection));
  const url = await freeURL();
  const { client } = stay(t, url, {
    reconnect: { ...QUICK, queueLimit: 3 * 257, queuePolicy: 'dropOldest' },
  });
  client.connect().catch(() => {});
  for (const message of 'abcdef') client.send(message);
  assert.equal(client.stats.droppedMessages, 3);
  client.send('g', { timeout: 5 });
  await eventually(() => client.stats.queuedMessages === 2, 'the time-out');
  await client.disconnect();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(rejections, []);
});

test('a message that went to a session that broke is not sent again by the next one', async (t) => {
  const first = await startServerProcess(t);
  const { client } = stay(t, first.url);
  await client.connect();
  await client.ping();
  // Handed to the session; nobody can know whether it arrives.
  first.child.kill('SIGSTOP');
  await client.send('once');
  const { session } = client;
  first.child.kill('SIGKILL');
  await eventually(() => session!.closed, 'the end of the session');
  await first.exit;
  assert.equal(session!.stats.messagesUnconfirmed, 1, 'which is told');
  const received: string[] = [];
  await serveAt(t, first.url, async (next) => {
    for await (const message of next) received.push(text(message));
  });
  await client.send('and on');
  await client.ping();
  assert.deepEqual(received, ['and on']);
});

test('recv() goes on over the end of a session: first what the old one has left', async (t) => {
  const greet = (name: string) => async (session: USMPSession) => {
    for (let i = 0; i < 3; i++) await session.send(`${name} ${i}`);
    await park();
  };
  const first = await startServer(t, greet('old'));
  const { client } = stay(t, first.url);
  const session = await client.connect();
  await eventually(() => session.stats.receiveQueueMessages === 3, 'the messages');
  await first.server.close({ timeout: 0 });
  await serveAt(t, first.url, greet('new'));
  await eventually(() => client.stats.connects === 2, 'another session');
  const received: string[] = [];
  for (let i = 0; i < 6; i++) received.push(text(await client.recv({ timeout: 15_000 })));
  assert.deepEqual(received, ['old 0', 'old 1', 'old 2', 'new 0', 'new 1', 'new 2']);
});

test('recv() waits for a session, and gives up in its time and by its signal', async (t) => {
  const url = await freeURL();
  const { client } = stay(t, url);
  client.connect().catch(() => {});
  await assert.rejects(client.recv({ timeout: 20 }), coded('USMPTimeoutError', 'receive_timeout'));
  const reason = new Error('enough');
  await assert.rejects(client.recv({ signal: AbortSignal.abort(reason) }), reason);
  const waiting = client.recv();
  const two = client.recv();
  await serveAt(t, url, async (session) => {
    await session.send('first');
    await session.send('second');
    await park();
  });
  assert.deepEqual((await within(Promise.all([waiting, two]), 'messages')).map(text), ['first', 'second']);
});

test('messages that nobody receives are kept over sessions within the bound of one, and the rest is counted', async (t) => {
  const live = await startServer(t, async (session) => {
    for (let i = 0; i < 3; i++) await session.send('x'.repeat(400));
    await session.close();
  });
  const { client } = stay(t, live.url, { receiveQueue: 4_000, reconnect: { base: 1, cap: 1 } });
  await client.connect();
  await eventually(() => client.stats.droppedMessages >= 6, 'a few sessions');
  // Two sessions' messages fit.
  for (let i = 0; i < 6; i++) assert.equal((await client.recv()).length, 400);
});

test('disconnect() ends it: no attempt more, and whoever waits is told', async (t) => {
  const before = timers();
  const { client, story } = stay(t, await freeURL());
  const connecting = client.connect();
  const sending = client.send('x');
  const receiving = client.recv();
  await eventually(() => story.count('reconnecting') >= 1, 'an attempt');
  await client.disconnect();
  for (const waiting of [connecting, sending, receiving]) {
    await assert.rejects(waiting, coded('ConnectionClosedError', 'closed'));
  }
  const attempts = story.count('reconnecting');
  await nothingWaits(before);
  assert.equal(story.count('reconnecting'), attempts);
});

test('whoever closes the session himself wants no other', async (t) => {
  const live = await startServer(t);
  const before = timers();
  const { client, story } = stay(t, live.url);
  const session = await client.connect();
  await session.close();
  await nothingWaits(before);
  assert.deepEqual(story.lines, ['connect', 'disconnect closed']);
  await assert.rejects(client.recv(), coded('ConnectionClosedError', 'closed'));
  const again = await client.connect();
  assert.equal(client.session, again);
});

test('a listener may disconnect at any event', async (t) => {
  const live = await startServer(t);
  for (const name of ['disconnect', 'reconnecting'] as const) {
    const before = timers();
    const { client, story } = stay(t, live.url);
    client.on(name, () => void client.disconnect());
    const arriving = nextSession(live.server);
    await client.connect();
    await (await arriving).close();
    await eventually(() => story.count(name) === 1, name);
    await nothingWaits(before);
    assert.equal(client.stats.connects, 1);
  }
});

test('the signal of connect() ends the attempts before the first session, and nothing after it', async (t) => {
  const url = await freeURL();
  const before = timers();
  const { client, story } = stay(t, url);
  const stop = new AbortController();
  const reason = new Error('changed my mind');
  const connecting = client.connect({ signal: stop.signal });
  await eventually(() => story.count('reconnecting') >= 1, 'an attempt');
  stop.abort(reason);
  await assert.rejects(connecting, reason);
  const attempts = story.count('reconnecting');
  await nothingWaits(before);
  assert.equal(story.count('reconnecting'), attempts);

  const server = await serveAt(t, url);
  const later = new AbortController();
  await client.connect({ signal: later.signal });
  later.abort();
  const arriving = nextSession(server);
  await [...server.sessions.values()][0]!.close();
  await within(arriving, 'another session');
});

test('connect() while away makes the next attempt at once', async (t) => {
  const first = await startServer(t);
  const hour = 3_600_000;
  const { client, story } = stay(t, first.url, { reconnect: { base: hour, cap: hour } });
  await client.connect();
  await first.server.close();
  await eventually(() => story.count('reconnecting') === 1, 'the wait');
  await serveAt(t, first.url);
  await within(client.connect(), 'a session');
});

test('a server that has stopped answering is noticed, left, and found again', async (t) => {
  const server = await startServerProcess(t);
  const { client, story } = stay(t, server.url, {
    keepaliveInterval: 50,
    keepaliveTimeout: 100,
    keepaliveMisses: 1,
  });
  await client.connect();
  server.child.kill('SIGSTOP');
  await eventually(() => story.lines.includes('disconnect idle_timeout'), 'the verdict');
  server.child.kill('SIGCONT');
  await eventually(() => client.session !== undefined, 'another session');
});

test('a client that waits for its server keeps the process alive, one that has been told to stop does not', async (t) => {
  const url = await freeURL();
  const before = timers();
  const { client, story } = stay(t, url, { reconnect: { base: 3_600_000, cap: 3_600_000 } });
  client.connect().catch(() => {});
  await eventually(() => story.count('reconnecting') === 1, 'the wait');
  assert.ok(timers() > before);
  await client.disconnect();
  await nothingWaits(before);
});

test('options that cannot be used are errors that say so', () => {
  const client = (reconnect: unknown) => () =>
    new USMPClient({ psk: PSK, reconnect: reconnect as ReconnectOptions });
  const cases: [unknown, RegExp][] = [
    [{ maxDelay: 5 }, /reconnect has no option "maxDelay"; it has base, cap/],
    [{ base: -1 }, /reconnect\.base is -1/],
    [{ queuePolicy: 'dropNewest' }, /"dropNewest": give "reject" or "dropOldest"/],
    [{ initial: 'no' }, /reconnect\.initial is no/],
    ['yes', /reconnect is yes: give true, false/],
    [null, /reconnect is null/],
  ];
  for (const [reconnect, message] of cases) {
    assert.throws(client(reconnect), coded('ArgumentError', 'invalid_argument', message));
  }
  assert.equal(client(false)().stats.queuedMessages, 0);
});

/** CHALLENGE with made-up content. */
function challenge(): Uint8Array {
  const frame = Buffer.alloc(76, 7);
  frame.set(hex('cdab0202000000004000'));
  return frame;
}
