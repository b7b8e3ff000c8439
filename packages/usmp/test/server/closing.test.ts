import assert from 'node:assert/strict';
import { test } from 'node:test';
import { USMPServer } from '#dist/index.js';
import { RawClient } from '../support/raw-client.js';
import {
  bothEnds,
  clientFor,
  coded,
  connect,
  echo,
  eventually,
  PSK,
  park,
  startServer,
  stateOf,
  text,
  within,
} from './live.js';

test('close() says BYE to every session and waits for their handlers', async (t) => {
  let finished = 0;
  const live = await startServer(t, async (session) => {
    await echo(session);
    await new Promise((resolve) => setTimeout(resolve, 50));
    finished++;
  });
  const sessions = await Promise.all([1, 2, 3].map(() => connect(t, live)));
  await live.server.close();
  assert.equal(finished, 3);
  for (const session of sessions) await assert.rejects(session.recv(), coded('ConnectionClosedError', 'bye'));
});

test('what a handler had sent before close() still arrives', async (t) => {
  const live = await startServer(t, async (session) => {
    for (let i = 0; i < 500; i++) void session.send(`message ${i}`);
    await park();
  });
  const session = await connect(t, live);
  const closing = live.server.close({ timeout: 1_000 });
  const received: string[] = [];
  for await (const message of session) received.push(text(message));
  assert.equal(received.length, 500);
  assert.equal(received.at(-1), 'message 499');
  await closing;
});

test('close() does not wait for hanging handlers beyond its deadline', async (t) => {
  const live = await startServer(t, park);
  const { here } = await bothEnds(t, live);
  const started = performance.now();
  await within(live.server.close({ timeout: 200 }), 'close()');
  const took = performance.now() - started;
  assert.ok(took >= 190, `only ${took} ms: no time was given`);
  await assert.rejects(here.recv(), coded('ConnectionClosedError', 'bye'));
});

test('close() without end waits for the handlers however long they take', async (t) => {
  let finish: (() => void) | undefined;
  const live = await startServer(t, () => new Promise<void>((resolve) => (finish = resolve)));
  await bothEnds(t, live);
  const closing = live.server.close({ timeout: Number.POSITIVE_INFINITY });
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(await stateOf(closing), 'pending', 'close() gave up at once');
  finish!();
  await within(closing, 'close()');
});

test('close() cuts off a peer that does not hang up', async (t) => {
  const live = await startServer(t);
  const raw = await RawClient.open({ port: live.port });
  t.after(() => raw.destroy());
  await raw.handshake({ psk: PSK });
  raw.stopReading();
  await within(live.server.close({ timeout: 100 }), 'close()');
});

test('close() ends handshakes under way', async (t) => {
  const live = await startServer(t);
  const raw = await RawClient.open({ port: live.port });
  await eventually(() => live.server.stats.halfOpen === 1, 'the connection to be accepted');
  await live.server.close();
  await within(raw.ending, 'the end of the connection');
  assert.equal(live.server.stats.halfOpen, 0);
});

test('closing twice is closing once, and a server that never listened can be closed', async (t) => {
  const live = await startServer(t);
  const [first, second] = [live.server.close(), live.server.close()];
  await Promise.all([first, second]);
  await new USMPServer({ psk: PSK }).close();
  await assert.rejects(
    async () => live.server.close({ timeout: -1 }),
    coded('ArgumentError', 'invalid_argument'),
  );
});

test('nobody new gets in once close() has begun', async (t) => {
  const live = await startServer(t, park);
  await bothEnds(t, live);
  const closing = live.server.close({ timeout: 300 });
  await assert.rejects(clientFor(live).connect(), { name: /TransportError|HandshakeError/ });
  await closing;
});

test('serve() ends when its signal is aborted', async (t) => {
  const server = new USMPServer({ psk: PSK, host: '127.0.0.1', port: 0 });
  server.onSession(echo);
  t.after(() => server.close());
  const aborter = new AbortController();
  const serving = server.serve({ signal: aborter.signal });
  await eventually(() => server.urls.length > 0, 'the listener');
  const session = await clientFor({ url: server.urls[0]! } as never).connect();
  aborter.abort();
  await within(serving, 'the end of serve()');
  await assert.rejects(session.recv(), coded('ConnectionClosedError', 'bye'));
  await session.close();
});

test('an abort that comes while serve() begins to listen is not lost', async (t) => {
  const server = new USMPServer({ psk: PSK, host: '127.0.0.1', port: 0 });
  server.onSession(echo);
  t.after(() => server.close());
  const aborter = new AbortController();
  const serving = server.serve({ signal: aborter.signal });
  aborter.abort();
  await within(
    serving.catch(() => {}),
    'the end of serve()',
    3_000,
  );
});

test('serve() with a signal that is aborted already rejects with its reason and opens nothing', async () => {
  const server = new USMPServer({ psk: PSK, host: '127.0.0.1', port: 0 });
  server.onSession(echo);
  const reason = new Error('not today');
  await assert.rejects(server.serve({ signal: AbortSignal.abort(reason) }), reason);
  assert.deepEqual(server.urls, []);
});

test('serve() leaves no listeners at the process behind', async () => {
  const before = [process.listenerCount('SIGTERM'), process.listenerCount('SIGINT')];
  const server = new USMPServer({ psk: PSK, host: '127.0.0.1', port: 0 });
  server.onSession(echo);
  const serving = server.serve();
  await eventually(() => server.urls.length > 0, 'the listener');
  await server.close();
  await within(serving, 'the end of serve()');
  assert.deepEqual([process.listenerCount('SIGTERM'), process.listenerCount('SIGINT')], before);
});
