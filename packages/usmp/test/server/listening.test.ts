import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ConnectionClosedError, USMPClient, USMPServer } from 'usmp';
import { RawClient } from '../support/raw-client.js';
import { assertServes, clientFor, coded, echo, eventually, PSK, startServer, text, within } from './live.js';

test('the server and client of the README talk to each other', async (t) => {
  const said: string[] = [];
  const server = new USMPServer({ host: '127.0.0.1', port: 0, psk: 'your-psk-here-16+' });
  server.onSession(async (session) => {
    said.push(`Device connected: ${session.deviceId}`);
    try {
      while (true) {
        const data = await session.recv();
        said.push(text(data));
        await session.send('got it');
      }
    } catch (error) {
      if (!(error instanceof ConnectionClosedError)) throw error;
      said.push(`Device disconnected: ${session.deviceId}`);
    }
  });
  const serving = server.serve();
  t.after(() => server.close());
  await eventually(() => server.urls.length > 0, 'the listener');

  const client = new USMPClient({
    host: '127.0.0.1',
    port: Number(new URL(server.urls[0]!).port),
    psk: 'your-psk-here-16+',
  });
  const session = await client.connect();
  try {
    await session.send('hello');
    assert.equal(text(await session.recv()), 'got it');
  } finally {
    await session.close();
  }
  await eventually(() => said.length === 3, 'the disconnection');
  const { deviceId } = client;
  assert.deepEqual(said, [`Device connected: ${deviceId}`, 'hello', `Device disconnected: ${deviceId}`]);
  await server.close();
  await within(serving, 'the end of serve()');
});

test('a session can be held by `await using` and read by `for await`', async (t) => {
  const live = await startServer(t, async (session) => {
    for (const word of ['one', 'two', 'three']) await session.send(word);
  });
  const words: string[] = [];
  let kept: { closed: boolean } | undefined;
  {
    await using session = await clientFor(live).connect();
    kept = session;
    for await (const message of session) words.push(text(message));
  }
  assert.deepEqual(words, ['one', 'two', 'three']);
  assert.equal(kept.closed, true);
});

test('`await using` closes a session that is still open', async (t) => {
  const live = await startServer(t);
  const gone = new Promise<string>((resolve) =>
    live.server.on('disconnect', (_, error) => resolve(error.code)),
  );
  {
    await using session = await clientFor(live).connect();
    await session.send('still here');
  }
  assert.equal(await within(gone, 'the BYE'), 'bye');
});

test('one server listens on several addresses, and each accepts', async (t) => {
  const told: string[] = [];
  const server = new USMPServer({
    psk: PSK,
    listen: ['tcp://127.0.0.1:0', 'tcp://127.0.0.2:0', 'tcp://[::1]:0'],
  });
  server.on('listening', (url) => told.push(url));
  server.onSession(echo);
  t.after(() => server.close());
  await server.listen();
  assert.equal(server.urls.length, 3);
  assert.deepEqual(told, server.urls);
  assert.deepEqual(
    server.urls.map((url) => new URL(url).hostname),
    ['127.0.0.1', '127.0.0.2', '[::1]'],
  );
  for (const url of server.urls) {
    const session = await new USMPClient({ psk: PSK, url }).connect();
    await session.send(url);
    assert.equal(text(await session.recv()), url);
    await session.close();
  }
});

test('port 0 becomes a real port, the same for all who ask', async (t) => {
  const live = await startServer(t);
  assert.ok(live.port > 0);
  assert.deepEqual(live.server.urls, [`tcp://127.0.0.1:${live.port}`]);
  await assertServes(live);
});

test('a session over IPv6 says so, and one over IPv4 to a dual-stack socket looks like IPv4', async (t) => {
  const live = await startServer(t, (session) => session.send(session.peer), { listen: 'tcp://[::]:0' });
  const seen: string[] = [];
  for (const host of ['::1', '127.0.0.1']) {
    const session = await new USMPClient({ psk: PSK, host, port: live.port }).connect();
    seen.push(text(await session.recv()));
    await session.close();
  }
  assert.match(seen[0]!, /^\[::1\]:\d+$/);
  assert.match(seen[1]!, /^127\.0\.0\.1:\d+$/);
});

test('an address in use is an error that says so, and no other address of the server stays open', async (t) => {
  const live = await startServer(t);
  const server = new USMPServer({ psk: PSK, listen: ['tcp://127.0.0.3:0', live.url] });
  server.onSession(echo);
  await assert.rejects(
    server.listen(),
    coded('TransportError', 'address_in_use', new RegExp(`127\\.0\\.0\\.1:${live.port} is in use`)),
  );
  assert.deepEqual(server.urls, []);
  await assertServes(live);
});

test('an address that is not ours is an error that says so', async () => {
  const server = new USMPServer({ psk: PSK, host: '192.0.2.1', port: 0 });
  server.onSession(echo);
  await assert.rejects(server.listen(), coded('TransportError', 'unreachable', /192\.0\.2\.1/));
});

test('listening without a handler, or twice, is a mistake with a name', async (t) => {
  const server = new USMPServer({ psk: PSK, host: '127.0.0.1', port: 0 });
  await assert.rejects(server.listen(), coded('ArgumentError', 'invalid_argument', /onSession/));
  const live = await startServer(t);
  await assert.rejects(live.server.listen(), coded('ArgumentError', 'already_listening'));
  await live.server.close();
  await assert.rejects(live.server.listen(), coded('ArgumentError', 'already_listening'));
  assert.throws(() => live.server.onSession(undefined as never), coded('ArgumentError', 'invalid_argument'));
});

test('small frames leave at once: neither end waits as Nagle would', async (t) => {
  const live = await startServer(t, async (session) => {
    for (;;) {
      await session.recv();
      await session.recv();
      await session.send('two');
      await nextTurn();
      await session.send('more');
    }
  });
  const session = await clientFor(live).connect();
  t.after(() => session.close());
  const started = performance.now();
  for (let i = 0; i < 60; i++) {
    await session.send('one');
    await nextTurn();
    await session.send('another');
    await session.recv();
    await session.recv();
  }
  // The second of two small writes would wait for the acknowledgement of the first, which the peer delays by 40 ms.
  const took = performance.now() - started;
  assert.ok(took < 1_500, `${took} ms for 60 turns`);
});

test('after close() the port is free', async (t) => {
  const live = await startServer(t);
  await live.server.close();
  await assert.rejects(RawClient.open({ port: live.port }), { code: 'ECONNREFUSED' });
  const next = new USMPServer({ psk: PSK, host: '127.0.0.1', port: live.port });
  next.onSession(echo);
  t.after(() => next.close());
  await next.listen();
  assert.deepEqual(next.urls, [live.url]);
});
