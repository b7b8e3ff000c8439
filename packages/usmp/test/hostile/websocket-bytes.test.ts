import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { test } from 'node:test';
import { assertServes, echo, eventually, PSK, refusal, startServer, text, within } from '../server/live.js';
import { BINARY, CLOSE, CONTINUATION, PING, RawWebSocket, TEXT } from '../support/raw-websocket.js';
import { BYE, DATA, frame, HELLO, RawGreeting, readFrame } from '../support/raw-wire.js';

const listen = 'ws://127.0.0.1:0/usmp';
const path = '/usmp';

/** What may come instead of a request for a WebSocket; each is answered with a status and the end. */
const REQUESTS: [name: string, bytes: string | Buffer, status: number, message: RegExp][] = [
  ['a plain GET', 'GET /usmp HTTP/1.1\r\nHost: x\r\n\r\n', 426, /plain HTTP request \(GET\)/],
  ['an old GET', 'GET /usmp HTTP/1.0\r\n\r\n', 426, /plain HTTP request/],
  ['a HEAD', 'HEAD / HTTP/1.1\r\nHost: x\r\n\r\n', 426, /\(HEAD\)/],
  [
    'a POST with a body that never ends',
    `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n${'x'.repeat(30_000)}`,
    426,
    /\(POST\)/,
  ],
  ['a request for another path', upgrade('/other'), 404, /no USMP server at \/other/],
  ['an upgrade to HTTP/2', upgrade('/usmp').replace('websocket', 'h2c'), 400, /none to a WebSocket/],
  ['a key that is none', upgrade('/usmp').replace('==', ''), 400, /none to a WebSocket/],
  ['a POST that wants to be upgraded', upgrade('/usmp').replace('GET', 'POST'), 405, /none to a WebSocket/],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 426, /plain HTTP request/],
  ['an expectation', 'GET / HTTP/1.1\r\nHost: x\r\nExpect: much\r\n\r\n', 426, /plain HTTP request/],
  [
    'a question whether to go on',
    'POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n',
    426,
    /plain HTTP request/,
  ],
  [
    'a header that is too large',
    `GET / HTTP/1.1\r\nHost: x\r\nCookie: ${'x'.repeat(20_000)}`,
    431,
    /no request/,
  ],
  ['more headers than fit', `GET / HTTP/1.1\r\n${'name: value\r\n'.repeat(4_000)}`, 431, /no request/],
  [
    'two lengths',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    400,
    /no request/,
  ],
  ['a USMP device over TCP', frame(HELLO, 0, randomBytes(38)), 400, /no request for a WebSocket/],
  ['a TLS ClientHello', Buffer.from(`16030100f8010000f40303${'ab'.repeat(32)}`, 'hex'), 400, /no request/],
  ['an SSH banner', 'SSH-2.0-OpenSSH_9.6\r\n', 400, /no request/],
  ['zeros', Buffer.alloc(4_096), 400, /no request/],
];

function upgrade(target: string): string {
  const headers = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';
  return `GET ${target} HTTP/1.1\r\nHost: x\r\n${headers}Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`;
}

for (const [name, bytes, status, message] of REQUESTS) {
  test(`${name} gets ${status} and the end of the connection, and the honest are served`, async (t) => {
    const live = await startServer(t, echo, { listen });
    const raw = await RawWebSocket.connect({ port: live.port });
    raw.socket.write(bytes);
    assert.match(await within(raw.response, 'an answer'), new RegExp(`^HTTP/1\\.1 ${status} `));
    await within(raw.ending, 'the end of the connection');
    const { reason, message: said } = await refusal(live);
    assert.equal(reason, 'bad-frame');
    assert.match(said, message);
    await assertServes(live);
    assert.equal(live.refusals.length, 1);
    assert.equal(live.server.stats.halfOpen, 0);
    assert.deepEqual(live.log.errors, []);
  });
}

/** What breaks the rules of WebSockets, and the code that the server closes with. */
const VIOLATIONS: [name: string, make: (ws: RawWebSocket) => Buffer, code: number][] = [
  ['a message of text', (ws) => ws.frame(TEXT, Buffer.from('hello')), 1003],
  ['an empty message of text', (ws) => ws.frame(TEXT, Buffer.alloc(0)), 1003],
  ['a frame without a mask', (ws) => ws.frame(BINARY, Buffer.from('x'), { masked: false }), 1002],
  ['the first reserved bit', (ws) => ws.frame(BINARY, Buffer.from('x'), { reserved: 0x40 }), 1002],
  ['the other reserved bits', (ws) => ws.frame(BINARY, Buffer.from('x'), { reserved: 0x30 }), 1002],
  ['an unknown opcode', (ws) => ws.frame(0x3, Buffer.from('x')), 1002],
  ['an unknown control opcode', (ws) => ws.frame(0xb, Buffer.alloc(0)), 1002],
  ['a continuation of nothing', (ws) => ws.frame(CONTINUATION, Buffer.from('x')), 1002],
  [
    'a message inside of a message',
    (ws) => Buffer.concat([1, 2].map(() => ws.frame(BINARY, Buffer.from('x'), { fin: false }))),
    1002,
  ],
  ['a ping in parts', (ws) => ws.frame(PING, Buffer.from('x'), { fin: false }), 1002],
  ['a ping of 126 bytes', (ws) => ws.frame(PING, Buffer.alloc(126)), 1002],
  ['a close frame of one byte', (ws) => ws.frame(CLOSE, Buffer.of(3)), 1002],
  ['a close code that is none', (ws) => ws.frame(CLOSE, Buffer.of(0, 1)), 1002],
  ['a length over the limit', (ws) => ws.frame(BINARY, Buffer.alloc(0), { length: 65_537 }), 1009],
  ['a length of 2^53', (ws) => ws.frame(BINARY, Buffer.alloc(0), { length: 2 ** 53 }), 1009],
  [
    'parts that are too long together',
    (ws) =>
      Buffer.concat([
        ws.frame(BINARY, Buffer.alloc(40_000), { fin: false }),
        ws.frame(CONTINUATION, Buffer.alloc(0), { length: 40_000 }),
      ]),
    1009,
  ],
  ['an HTTP request behind the upgrade', () => Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), 1002],
];

for (const [name, make, code] of VIOLATIONS) {
  test(`${name} is refused with ${code} in a handshake and ends a session, and the honest are served`, async (t) => {
    const live = await startServer(t, echo, { listen });
    const ws = await RawWebSocket.open({ port: live.port, path });
    ws.socket.write(make(ws));
    assert.equal(await within(ws.closeCode, 'the close frame'), code);
    ws.socket.end();
    await within(ws.ending, 'the end of the connection');
    assert.equal((await refusal(live)).reason, 'bad-frame');
    assert.equal(live.refusals.length, 1);

    const inSession = await RawWebSocket.open({ port: live.port, path });
    await inSession.handshake({ psk: PSK });
    inSession.socket.write(make(inSession));
    assert.equal(await within(inSession.closeCode, 'the close frame'), code);
    inSession.socket.end();
    await eventually(() => live.server.stats.sessions === 0, 'the end of the session');
    assert.equal(live.refusals.length, 1);
    await assertServes(live);
    assert.equal(live.server.stats.halfOpen, 0);
    assert.deepEqual(live.log.errors, []);
  });
}

test('an honest session in fragments, with empty ones and pings between them, works', async (t) => {
  const live = await startServer(t, echo, { listen });
  const ws = await RawWebSocket.open({ port: live.port, path });
  t.after(() => ws.destroy());
  const session = await ws.handshake({ psk: PSK });
  const bytes = session.seal(DATA, 'in pieces');
  const part = (data: Uint8Array, first: boolean, fin: boolean) =>
    ws.frame(first ? BINARY : CONTINUATION, data, { fin });
  const empty = Buffer.alloc(0);
  await ws.flush(
    Buffer.concat([
      part(empty, true, false),
      ws.frame(PING, empty),
      part(bytes.subarray(0, 20), false, false),
      part(empty, false, false),
      ws.frame(PING, Buffer.from('between')),
      part(bytes.subarray(20), false, false),
      part(empty, false, true),
    ]),
  );
  assert.equal(text(session.open(readFrame(await within(ws.message(), 'the echo')))), 'in pieces');
});

test('empty messages are nothing, however many', async (t) => {
  const live = await startServer(t, echo, { listen });
  const ws = await RawWebSocket.open({ port: live.port, path });
  t.after(() => ws.destroy());
  const session = await ws.handshake({ psk: PSK });
  await ws.flush(Buffer.concat(Array.from({ length: 10_000 }, () => ws.frame(BINARY, Buffer.alloc(0)))));
  ws.send(session.seal(DATA, 'at last'));
  assert.equal(text(session.open(readFrame(await within(ws.message(), 'the echo')))), 'at last');
});

test('the time for a handshake runs from the accepted connection: silence, half a header, half a HELLO', async (t) => {
  const live = await startServer(t, echo, { listen, handshakeTimeout: 400 });
  const hello = new RawGreeting({ psk: PSK }).hello();
  const silent = await RawWebSocket.connect({ port: live.port });
  const slow = await RawWebSocket.connect({ port: live.port });
  const late = await RawWebSocket.open({ port: live.port, path });
  const started = performance.now();
  slow.socket.write('GET /usmp HTTP/1.1\r\nHost: x\r\n');
  const drip = setInterval(() => slow.socket.write('X-Slow: yes\r\n'), 50);
  t.after(() => clearInterval(drip));
  late.send(hello.subarray(0, 20));
  await within(Promise.all([silent, slow, late].map((ws) => ws.ending)), 'the ends');
  assert.ok(performance.now() - started < 5_000);
  await eventually(() => live.refusals.length === 3, 'the refusals');
  for (const { reason, message } of live.refusals) {
    assert.equal(reason, 'timeout');
    assert.match(message, /waiting for HELLO/);
  }
  await assertServes(live);
});

test('requests that come behind one that was refused are not looked at', async (t) => {
  const live = await startServer(t, echo, { listen });
  const ws = await RawWebSocket.connect({ port: live.port });
  ws.socket.write(`GET / HTTP/1.1\r\nHost: x\r\n\r\n${upgrade(path)}`);
  await within(ws.ending, 'the end of the connection');
  await eventually(() => live.server.stats.halfOpen === 0, 'the end of the handshake');
  assert.equal(live.server.stats.accepted, 0);
  assert.equal(live.refusals.length, 1);
  await assertServes(live);
});

test('a peer that does not answer the closing handshake is cut off in time', async (t) => {
  const live = await startServer(t, (session) => session.recv(), { listen });
  const ws = await RawWebSocket.open({ port: live.port, path });
  t.after(() => ws.destroy());
  const session = await ws.handshake({ psk: PSK });
  // The handler returns, so the server says BYE and closes; nobody answers.
  ws.send(session.seal(DATA, 'that is all'));
  assert.equal(await within(ws.closeCode, 'the close frame'), 1000);
  await within(ws.ending, 'the end of the connection', 10_000);
  assert.equal(readFrame(await ws.message()).type, BYE);
});

test('a peer that closes its WebSocket and not its connection is cut off in time', async (t) => {
  const live = await startServer(t, echo, { listen });
  const socket = net.connect({ port: live.port, host: '127.0.0.1', allowHalfOpen: true });
  const ws = new RawWebSocket(socket, { port: live.port, path });
  t.after(() => ws.destroy());
  socket.write(ws.request());
  await within(ws.response, 'the upgrade');
  await ws.handshake({ psk: PSK });
  socket.write(ws.frame(CLOSE, Buffer.of(0x03, 0xe8)));
  await eventually(() => live.server.stats.sessions === 0, 'the end of the session', 10_000);
  await assertServes(live);
});
