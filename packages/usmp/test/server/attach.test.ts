import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { type Refusal, USMPClient, USMPServer, type USMPServerOptions, type USMPSession } from 'usmp';
import { WebSocketServer } from 'ws';
import { RawWebSocket } from '../support/raw-websocket.js';
import { coded, echo, eventually, nextSession, PSK, stateOf, text, within } from './live.js';
import { startSecureServer, startWebServer } from './web-server.js';

/** An echo server that listens nowhere. */
function makeServer(t: TestContext, options: Partial<USMPServerOptions> = {}): USMPServer {
  const server = new USMPServer({ psk: PSK, listen: [], ...options });
  server.onSession(echo);
  t.after(() => server.close({ timeout: 0 }));
  return server;
}

async function connect(t: TestContext, url: string): Promise<USMPSession> {
  const session = await new USMPClient({ psk: PSK, url }).connect();
  t.after(() => session.close());
  return session;
}

async function assertEchoes(session: USMPSession): Promise<void> {
  await session.send('are you there?');
  assert.equal(text(await within(session.recv(), 'the echo')), 'are you there?');
}

const turnedAway = (message?: RegExp) => coded('HandshakeError', 'turned_away', message);

test('a server attached to an HTTP server takes its WebSockets, without listening anywhere itself', async (t) => {
  const web = await startWebServer(t);
  const server = makeServer(t);
  server.attach(web.server);
  const arriving = nextSession(server);
  const here = await connect(t, web.url('/any/path?at=all'));
  await assertEchoes(here);
  const there = await arriving;
  assert.equal(there.transport, 'ws');
  assert.equal(there.peer.split(':')[0], '127.0.0.1');
  assert.deepEqual(server.urls, []);
  assert.equal(await (await fetch(web.url().replace('ws:', 'http:'))).text(), 'hello');
});

test('attaching works before listen(), after it, and to several HTTP servers', async (t) => {
  const [first, second] = [await startWebServer(t), await startWebServer(t)];
  const server = makeServer(t, { listen: 'tcp://127.0.0.1:0' });
  server.attach(first.server);
  await assertEchoes(await connect(t, first.url()));
  await server.listen();
  server.attach(second.server);
  for (const url of [first.url(), second.url(), server.urls[0]!]) await assertEchoes(await connect(t, url));
});

test('serve() with nothing but an attachment serves until the server is closed', async (t) => {
  const web = await startWebServer(t);
  const server = makeServer(t);
  await assert.rejects(
    server.listen(),
    coded('ArgumentError', 'invalid_argument', /listen is empty.*attach/),
  );
  server.attach(web.server);
  const serving = server.serve();
  await assertEchoes(await connect(t, web.url()));
  assert.equal(await stateOf(serving), 'pending');
  await server.close();
  await within(serving, 'the end of serve()');
});

test('only the path is taken; other upgrades go to whoever waits for them, and get 404 where nobody does', async (t) => {
  const web = await startWebServer(t);
  const server = makeServer(t);
  server.attach(web.server, { path: '/usmp' });
  await assertEchoes(await connect(t, web.url('/usmp?site=3')));
  for (const path of ['/', '/other', '/usmp/', '/usmp2'])
    await assert.rejects(connect(t, web.url(path)), turnedAway(/HTTP 404/), path);

  const others = new WebSocketServer({ noServer: true });
  const taken: string[] = [];
  web.server.on('upgrade', (request, socket, head) => {
    if (request.url !== '/other') return;
    others.handleUpgrade(request, socket, head, (ws) => {
      taken.push(request.url!);
      ws.close();
    });
  });
  await assert.rejects(connect(t, web.url('/other')), turnedAway());
  assert.deepEqual(taken, ['/other']);
  await assertEchoes(await connect(t, web.url('/usmp')));
});

test('several servers share an HTTP server by path; what is for none of them gets 404', async (t) => {
  const web = await startWebServer(t);
  const [north, south] = [makeServer(t), makeServer(t)];
  north.attach(web.server, { path: '/north' });
  const detach = south.attach(web.server, { path: '/south' });
  await assertEchoes(await connect(t, web.url('/north')));
  await assertEchoes(await connect(t, web.url('/south')));
  assert.deepEqual([north.stats.accepted, south.stats.accepted], [1, 1]);
  await assert.rejects(connect(t, web.url('/east')), turnedAway(/HTTP 404/));
  assert.throws(
    () => south.attach(web.server, { path: '/north' }),
    coded('ArgumentError', 'invalid_argument', /attached at \/north already/),
  );
  detach();
  await assert.rejects(connect(t, web.url('/south')), turnedAway(/HTTP 404/));
  south.attach(web.server, { path: '/south' });
  await assertEchoes(await connect(t, web.url('/south')));
  const rest = makeServer(t);
  rest.attach(web.server);
  await assertEchoes(await connect(t, web.url('/east')));
  assert.deepEqual([north.stats.accepted, rest.stats.accepted], [1, 1]);
});

test('detaching takes no more, leaves open sessions alone, and the HTTP server without a listener of ours', async (t) => {
  const web = await startWebServer(t);
  const server = makeServer(t);
  const detach = server.attach(web.server);
  const session = await connect(t, web.url());
  detach();
  detach();
  assert.equal(web.server.listenerCount('upgrade'), 0);
  await assert.rejects(connect(t, web.url()), turnedAway());
  await assertEchoes(session);
});

test('pages of other origins get 403, those of the list and devices are taken', async (t) => {
  const web = await startWebServer(t);
  const refusals: Refusal[] = [];
  const server = makeServer(t);
  server.on('refused', (refusal) => refusals.push(refusal));
  server.attach(web.server, {
    origins: ['https://App.example', 'http://localhost:5173', 'capacitor://localhost'],
  });
  const statusFor = async (headers: Record<string, string>) => {
    const raw = await RawWebSocket.connect({ port: web.port, headers });
    t.after(() => raw.destroy());
    raw.socket.write(raw.request());
    return Number((await within(raw.response, 'a response')).split(' ')[1]);
  };
  const taken = ['https://app.example', 'http://localhost:5173', 'capacitor://localhost'];
  for (const Origin of taken) assert.equal(await statusFor({ Origin }), 101, Origin);
  const refused = [
    'https://evil.example',
    'http://app.example',
    'https://app.example:8443',
    'https://app.example.evil.example',
    'null',
    '',
  ];
  for (const Origin of refused) assert.equal(await statusFor({ Origin }), 403, Origin);
  assert.equal(await statusFor({ 'Sec-WebSocket-Origin': 'https://evil.example' }), 403);
  assert.deepEqual(
    refusals.map(({ reason, transport, address }) => [reason, transport, address]),
    Array(refused.length + 1).fill(['bad-frame', 'ws', '127.0.0.1']),
  );
  assert.match(refusals[0]!.message, /origin https:\/\/evil\.example is not allowed/);
  await assertEchoes(await connect(t, web.url()));
});

test('close() says BYE to its sessions, detaches, and leaves the HTTP server running', async (t) => {
  const web = await startWebServer(t);
  const server = makeServer(t);
  server.attach(web.server);
  const session = await connect(t, web.url());
  await server.close();
  await eventually(() => session.closed, 'the end of the session');
  assert.equal(session.error?.code, 'bye');
  assert.equal(web.server.listenerCount('upgrade'), 0);
  assert.equal(await (await fetch(web.url().replace('ws:', 'http:'))).text(), 'hello');
  assert.throws(() => server.attach(web.server), coded('ArgumentError', 'invalid_argument', /closed/));
});

test('limits and deadlines of handshakes hold for attached servers', async (t) => {
  const web = await startWebServer(t);
  const refusals: Refusal[] = [];
  const server = makeServer(t, { handshakeTimeout: 200, maxSessions: 1 });
  server.on('refused', (refusal) => refusals.push(refusal));
  server.attach(web.server);
  const raw = await RawWebSocket.open({ port: web.port });
  await within(raw.ending, 'the end of a silent client');
  assert.equal(refusals[0]!.reason, 'timeout');
  await connect(t, web.url());
  await assert.rejects(connect(t, web.url()), turnedAway(/busy/));
  await eventually(() => refusals.length === 2, 'the refusal');
  assert.equal(refusals[1]!.reason, 'busy');
});

test('an upgrade that is none to a WebSocket, or a wrong one, is answered and let go', async (t) => {
  const web = await startWebServer(t);
  const server = makeServer(t);
  server.attach(web.server);
  const wrong: Record<string, string>[] = [
    { Upgrade: 'h2c' },
    { 'Sec-WebSocket-Key': 'short' },
    { 'Sec-WebSocket-Version': '7' },
  ];
  for (const headers of wrong) {
    const raw = await RawWebSocket.connect({ port: web.port, headers });
    raw.socket.write(raw.request());
    assert.match(await within(raw.response, 'a response'), /^HTTP\/1\.1 400 /);
    await within(raw.ending, 'the end');
  }
  await eventually(() => server.stats.refused['bad-frame'] === wrong.length, 'the refusals');
  assert.equal(server.stats.halfOpen, 0);
  await assertEchoes(await connect(t, web.url()));
});

test('a socket that another listener of the HTTP server has upgraded already ends, and nothing else', async (t) => {
  const web = await startWebServer(t);
  const others = new WebSocketServer({ server: web.server });
  others.on('connection', (ws) => ws.on('error', () => {}));
  const server = makeServer(t);
  server.attach(web.server);
  const raw = await RawWebSocket.open({ port: web.port });
  await within(raw.ending, 'the end');
  others.close();
  await eventually(() => web.server.listenerCount('upgrade') === 1, 'the other listener is gone');
  await assertEchoes(await connect(t, web.url()));
});

test('over HTTPS the transport is wss, and an unknown authority is an error that says what to do', async (t) => {
  const web = await startSecureServer(t);
  const server = makeServer(t);
  const arriving = nextSession(server);
  server.attach(web.server, { path: '/usmp' });
  await assert.rejects(
    connect(t, web.url('/usmp')),
    coded('TransportError', 'unreachable', /authority that is not known here.*NODE_EXTRA_CA_CERTS/),
  );
  const folder = await mkdtemp(join(tmpdir(), 'usmp-wss-'));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'ca.pem'), web.cert);
  const client = `
    import { USMPClient } from 'usmp';
    const client = new USMPClient({ psk: ${JSON.stringify(PSK)}, url: '${web.url('/usmp')}' });
    const session = await client.connect();
    await session.send('over TLS');
    console.log(session.transport, new TextDecoder().decode(await session.recv()));
    await session.close();`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', client], {
    cwd: import.meta.dirname,
    env: { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') },
    timeout: 30_000,
  });
  assert.equal(stdout, 'wss over TLS\n');
  assert.equal((await arriving).transport, 'wss');
});

test('a ws:// client of an HTTPS server, and the other way round, are told what is wrong', async (t) => {
  const [web, secure] = [await startWebServer(t), await startSecureServer(t)];
  await assert.rejects(
    connect(t, secure.url().replace('wss://localhost', 'ws://127.0.0.1')),
    turnedAway(/closed the connection; it is busy, or wants TLS \(wss:\/\/\)|HTTP 400/),
  );
  await assert.rejects(
    connect(t, web.url().replace('ws:', 'wss:')),
    coded('TransportError', 'unreachable', /no TLS is spoken there; is it a ws:\/\/ server/),
  );
});

test('options that cannot be used are named, and nothing is attached', async (t) => {
  const web = http.createServer();
  const server = makeServer(t);
  const cases: [options: object, message: RegExp][] = [
    [{ paths: '/usmp' }, /no option "paths"; it has path, origins/],
    [{ path: 'usmp' }, /path is "usmp": write it like \/usmp/],
    [{ path: '/usmp?x=1' }, /without a query/],
    [{ path: '/usmp#x' }, /path is/],
    [{ path: 7 }, /path is "7"/],
    [{ origins: 'https://app.example' }, /origins must be a list/],
    [{ origins: ['app.example'] }, /"app\.example" in origins/],
    [{ origins: ['https://app.example/'] }, /write it like https:\/\/app\.example/],
    [{ origins: ['https://user@app.example'] }, /write it like https:\/\/app\.example/],
    [{ origins: ['https://app.example?x'] }, /write it like/],
    [{ origins: ['null'] }, /"null" in origins/],
    [{ origins: ['*'] }, /"\*" in origins/],
    [{ origins: [7] }, /"7" in origins/],
  ];
  for (const [options, message] of cases)
    assert.throws(() => server.attach(web, options), coded('ArgumentError', 'invalid_argument', message));
  assert.throws(
    () => server.attach({} as never),
    coded('ArgumentError', 'invalid_argument', /HTTP or HTTPS server/),
  );
  assert.throws(
    () => new USMPServer({ psk: PSK, listen: [] }).attach(web),
    coded('ArgumentError', 'invalid_argument', /onSession.*before attaching/),
  );
  assert.equal(web.listenerCount('upgrade'), 0);
});
