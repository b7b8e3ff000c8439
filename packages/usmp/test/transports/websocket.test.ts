import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { StreamConnection } from '#dist/core/stream-connection.js';
import { TransportRegistry } from '#dist/transports/registry.js';
import type { Link, Listener } from '#dist/transports/transport.js';
import { ws, wss } from '#dist/transports/websocket.js';
import { coded, eventually, within } from '../server/live.js';
import { BINARY, CLOSE, PING, PONG, RawWebSocket, TEXT } from '../support/raw-websocket.js';
import { Recorder, testStreamLinks } from './stream-links.js';

testStreamLinks(ws, () => 'ws://127.0.0.1:0');

interface Door {
  readonly listener: Listener;
  readonly ends: Recorder[];
  readonly strays: string[];
  readonly port: number;
}

/** A listener whose links are recorded. */
async function open(t: TestContext, path = '', attach?: (link: Link) => void): Promise<Door> {
  const ends: Recorder[] = [];
  const strays: string[] = [];
  const listener = await ws.listen(
    new URL(`ws://127.0.0.1:0${path}`),
    (link) => {
      ends.push(new Recorder(link));
      attach?.(link);
    },
    (_, { message }) => strays.push(message),
  );
  t.after(async () => {
    await listener.close();
    for (const end of ends) end.link.destroy();
  });
  return { listener, ends, strays, port: Number(new URL(listener.url).port) };
}

const never = new AbortController().signal;

async function connect(t: TestContext, url: string): Promise<Recorder> {
  const here = new Recorder(await ws.connect(new URL(url), { signal: never }));
  t.after(() => here.link.destroy());
  return here;
}

async function joined(t: TestContext): Promise<Door & { here: Recorder; there: Recorder }> {
  const door = await open(t);
  const here = await connect(t, door.listener.url);
  return { ...door, here, there: door.ends[0]! };
}

test('each end knows where the other is', async (t) => {
  const { listener, here, there } = await joined(t);
  assert.equal(`ws://${here.link.peer}`, listener.url);
  assert.equal(here.link.address, '127.0.0.1');
  assert.equal(there.link.address, '127.0.0.1');
  assert.equal(there.link.transport, 'ws');
});

test('the bytes of a message arrive whatever it is cut into: frames, fragments, segments', async (t) => {
  const { ends, port } = await open(t);
  const raw = await RawWebSocket.open({ port });
  t.after(() => raw.destroy());
  raw.send(TEXT_OF_BYTES);
  raw.fragment(
    BINARY,
    [...TEXT_OF_BYTES].map((byte) => Buffer.of(byte)),
  );
  for (const byte of raw.frame(BINARY, TEXT_OF_BYTES)) await raw.flush(Buffer.of(byte));
  await raw.flush(Buffer.concat([1, 2, 3].map(() => raw.frame(BINARY, TEXT_OF_BYTES))));
  const all = TEXT_OF_BYTES.toString().repeat(6);
  await eventually(() => ends[0]!.received.length === all.length, 'the bytes');
  assert.equal(ends[0]!.received, all);
});

const TEXT_OF_BYTES = Buffer.from('cut anywhere');

test('what comes together with the request for the upgrade is not lost', async (t) => {
  const { ends, port } = await open(t);
  const raw = await RawWebSocket.connect({ port });
  t.after(() => raw.destroy());
  raw.socket.write(Buffer.concat([raw.request(), raw.frame(BINARY, Buffer.from('early bird'))]));
  await eventually(() => ends[0]?.received === 'early bird', 'the bytes');
});

test('a write of more than a message may hold goes in several messages', async (t) => {
  const { ends, port } = await open(t);
  const raw = await RawWebSocket.open({ port });
  t.after(() => raw.destroy());
  ends[0]!.write('x'.repeat(150_000));
  await eventually(() => raw.frames.length === 3, 'the messages');
  assert.deepEqual(
    raw.frames.map(({ opcode, payload }) => [opcode, payload.length]),
    [
      [BINARY, 65_536],
      [BINARY, 65_536],
      [BINARY, 150_000 - 2 * 65_536],
    ],
  );
});

test('messages of every length arrive whole, both ways', async (t) => {
  const { here, there } = await joined(t);
  const lengths = [1, 2, 125, 126, 127, 4_095, 4_096, 4_097, 65_535, 65_536];
  const all = lengths.map((length, i) => String(i).repeat(length));
  for (const text of all) {
    here.write(text);
    there.write(text);
  }
  const expected = all.join('');
  await eventually(
    () => [here, there].every(({ received }) => received.length >= expected.length),
    'the bytes',
  );
  assert.ok(here.received === expected && there.received === expected);
});

test('the server closes in the same way', async (t) => {
  const { here, there } = await joined(t);
  there.write('x'.repeat(300_000));
  there.link.close();
  await eventually(() => there.happened.includes('closed') && here.happened.includes('closed'), 'the end');
  assert.equal(here.received.length, 300_000);
  assert.deepEqual(here.happened, ['end', 'closed']);
  assert.equal(there.happened.filter((what) => what === 'closed').length, 1);
});

for (const end of ['close', 'destroy'] as const) {
  test(`${end}() before the upgrade ends the connection`, async (t) => {
    const { ends, port } = await open(t, '', (link) => link[end]());
    const raw = await RawWebSocket.connect({ port });
    raw.socket.write(raw.request());
    await within(raw.ending, 'the end');
    await eventually(() => ends[0]?.happened.includes('closed') === true, 'the end of the link');
    assert.deepEqual(ends[0]!.happened, ['closed']);
  });
}

test('a link that was paused before the upgrade reads nothing until it is resumed', async (t) => {
  const { ends, port } = await open(t, '', (link) => link.pause());
  const raw = await RawWebSocket.open({ port });
  t.after(() => raw.destroy());
  for (let i = 0; i < 10; i++) await raw.flush(raw.frame(BINARY, Buffer.from('x')));
  // Anything that it reads it would have by the time of an exchange on another connection.
  const other = await RawWebSocket.open({ port });
  t.after(() => other.destroy());
  assert.equal(ends[0]!.received, '');
  ends[0]!.link.resume();
  await eventually(() => ends[0]!.received.length === 10, 'the bytes');
});

test('an address that is taken is an error with its name and the cause', async (t) => {
  const { listener } = await open(t);
  await assert.rejects(
    ws.listen(new URL(listener.url), () => {}),
    (error: Error) =>
      (error.cause as { code: string }).code === 'EADDRINUSE' &&
      error.message.includes(new URL(listener.url).host),
  );
});

test('an aborted attempt leaves no socket open, whether HTTP has been spoken or not', async (t) => {
  const sockets = new Set<net.Socket>();
  let requests = 0;
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('data', () => requests++);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  for (const wait of [0, 1]) {
    const aborter = new AbortController();
    const reason = new Error('changed my mind');
    const attempt = ws.connect(new URL(`ws://127.0.0.1:${port}`), { signal: aborter.signal });
    attempt.catch(() => {});
    await eventually(() => requests >= wait, 'the request');
    aborter.abort(reason);
    await assert.rejects(attempt, reason);
    await eventually(() => sockets.size === 0, 'the end of the socket');
  }
});

test('localAddress is where a connection comes from, also to a host that is a name', async (t) => {
  const { ends, port } = await open(t);
  for (const [index, host] of ['127.0.0.1', 'localhost'].entries()) {
    const link = await ws.connect(new URL(`ws://${host}:${port}`), {
      signal: never,
      localAddress: '127.1.2.3',
    });
    t.after(() => link.destroy());
    assert.equal(ends[index]!.link.address, '127.1.2.3');
  }
});

test('a local address that cannot be used is an error with both addresses and what is wrong', async (t) => {
  const { listener } = await open(t);
  const { host } = new URL(listener.url);
  await assert.rejects(
    ws.connect(new URL(listener.url), { signal: never, localAddress: '192.0.2.1' }),
    coded('TransportError', 'unreachable', new RegExp(`to ${host} from 192\\.0\\.2\\.1: no such address`)),
  );
});

test('a listener with a path takes only that one, and one without takes any, whatever the query', async (t) => {
  const any = await open(t);
  const one = await open(t, '/devices');
  assert.match(any.listener.url, /^ws:\/\/127\.0\.0\.1:\d+$/);
  assert.match(one.listener.url, /^ws:\/\/127\.0\.0\.1:\d+\/devices$/);
  for (const path of ['', '/', '/devices', '/else?site=3']) await connect(t, `${any.listener.url}${path}`);
  await connect(t, one.listener.url);
  await connect(t, `${one.listener.url}?site=3`);
  for (const path of ['/', '/devices/', '/else'])
    await assert.rejects(
      ws.connect(new URL(path, one.listener.url), { signal: never }),
      coded('HandshakeError', 'turned_away', /HTTP 404.*check the path/),
    );
  await eventually(() => one.strays.length === 3, 'the reports');
  assert.match(one.strays[0]!, /no USMP server at \//);
});

test('a plain HTTP request gets 426 and the end of the connection', async (t) => {
  const { listener, ends, strays } = await open(t);
  const response = await fetch(listener.url.replace('ws:', 'http:'));
  assert.equal(response.status, 426);
  assert.equal(response.headers.get('upgrade'), 'websocket');
  assert.match(await response.text(), /WebSockets/);
  await eventually(() => ends[0]!.happened.includes('closed'), 'the end');
  assert.match(strays[0]!, /a plain HTTP request \(GET\)/);
});

test('text is refused with 1003, what comes after it is not read, and the link ends once', async (t) => {
  const { ends, strays, port } = await open(t);
  const raw = await RawWebSocket.open({ port });
  ends[0]!.authenticated = false;
  await raw.flush(
    Buffer.concat([raw.frame(TEXT, Buffer.from('{}')), raw.frame(BINARY, Buffer.from('late'))]),
  );
  assert.equal(await within(raw.closeCode, 'the close frame'), 1003);
  raw.socket.write(raw.frame(CLOSE, Buffer.of(0x03, 0xeb)));
  await eventually(() => ends[0]!.happened.includes('closed'), 'the end');
  assert.deepEqual(
    ends[0]!.happened.filter((what) => what === 'closed'),
    ['closed'],
  );
  assert.equal(ends[0]!.received, '');
  assert.match(strays[0]!, /text/);
});

test('a message of 65,536 bytes is taken, one byte more is refused with 1009', async (t) => {
  const { ends, port } = await open(t);
  const raw = await RawWebSocket.open({ port });
  await raw.flush(raw.frame(BINARY, Buffer.alloc(65_536, 'x')));
  await eventually(() => ends[0]!.received.length === 65_536, 'the message');
  await raw.flush(raw.frame(BINARY, Buffer.alloc(65_537, 'x')));
  assert.equal(await within(raw.closeCode, 'the close frame'), 1009);
  raw.destroy();
  await eventually(() => ends[0]!.happened.includes('closed'), 'the end');
  assert.equal(ends[0]!.received.length, 65_536);
});

test('a ping is answered with its bytes; of many at once the last one is', async (t) => {
  const { port } = await open(t);
  const raw = await RawWebSocket.open({ port });
  t.after(() => raw.destroy());
  await raw.flush(raw.frame(PING, Buffer.from('first')));
  await eventually(() => raw.frames.length === 1, 'the pong');
  await raw.flush(Buffer.concat(['a', 'b', 'c'].map((text) => raw.frame(PING, Buffer.from(text)))));
  await eventually(() => raw.frames.at(-1)!.payload.toString() === 'c', 'the pong');
  assert.deepEqual(
    raw.frames.map(({ opcode, payload }) => [opcode, payload.toString()]),
    [
      [PONG, 'first'],
      [PONG, 'c'],
    ],
  );
});

test('what a server sends together with the upgrade is not lost', async (t) => {
  const server = http.createServer();
  server.on('upgrade', ({ headers }, socket: net.Socket) => {
    const accept = createHash('sha1').update(`${headers['sec-websocket-key']}${GUID}`).digest('base64');
    const head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}`;
    socket.on('error', () => {});
    socket.end(`${head}\r\n\r\n\x82\x05early\x88\x00`, 'latin1');
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const here = await connect(t, `ws://127.0.0.1:${(server.address() as net.AddressInfo).port}`);
  await eventually(() => here.happened.includes('closed'), 'the end');
  assert.equal(here.received, 'early');
  assert.deepEqual(here.happened, ['end', 'closed']);
});

/** RFC 6455 §1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

const ANSWERS: [status: number, name: string, code: string, message: RegExp][] = [
  [200, 'HandshakeError', 'turned_away', /HTTP 200, this is no USMP server/],
  [301, 'HandshakeError', 'turned_away', /HTTP 301, it is to be found at https:\/\/elsewhere\.example\//],
  [403, 'HandshakeError', 'turned_away', /HTTP 403, access is denied.*origins/],
  [404, 'HandshakeError', 'turned_away', /HTTP 404, .*check the path/],
  [503, 'HandshakeError', 'turned_away', /HTTP 503, .*busy/],
  [502, 'TransportError', 'unreachable', /HTTP 502, the server behind the proxy does not answer/],
];

test('an HTTP answer other than an upgrade is an error that says the status and what to check', async (t) => {
  let status = 0;
  const server = http.createServer((_, response) =>
    response.writeHead(status, status === 301 ? { Location: 'https://elsewhere.example/' } : {}).end(),
  );
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  for (const [answer, name, code, message] of ANSWERS) {
    status = answer;
    await assert.rejects(
      ws.connect(new URL(`ws://127.0.0.1:${port}/there`), { signal: never }),
      coded(name, code, new RegExp(`127\\.0\\.0\\.1:${port}/there.*${message.source}`)),
    );
  }
});

test('somebody who speaks no HTTP, no WebSocket or nothing is an error that says so', async (t) => {
  const said: [answer: string | undefined, message: RegExp][] = [
    ['SSH-2.0-OpenSSH_9.6\r\n', /speaks no HTTP/],
    [undefined, /closed the connection; it is busy, or wants TLS/],
    [
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n',
      /Sec-WebSocket-Accept/,
    ],
  ];
  for (const [answer, message] of said) {
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => (answer === undefined ? socket.destroy() : socket.end(answer)));
    });
    t.after(() => server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    await assert.rejects(
      within(ws.connect(new URL(`ws://127.0.0.1:${port}`), { signal: never }), 'an error'),
      coded('HandshakeError', 'turned_away', message),
    );
  }
});

test('a URL that cannot be used is quoted, with what is wrong', () => {
  const registry = new TransportRegistry({ ws, wss }, { stream: StreamConnection });
  const listen: [string, RegExp][] = [
    ['ws://127.0.0.1:8080?x=1', /query/],
    ['ws://user:secret@127.0.0.1', /name or password/],
    ['ws://127.0.0.1/#part', /fragment/],
    ['wss://0.0.0.0:443', /server\.attach\(\)/],
    ['ws://', /URL/],
  ];
  for (const [text, wrong] of listen)
    assert.throws(() => registry.find(text, 'listen'), coded('ArgumentError', 'invalid_argument', wrong));
  const connecting: [string, RegExp][] = [
    ['ws://127.0.0.1:0', /port 0/],
    ['wss://user@gateway.example', /name or password/],
    ['wss://gateway.example/usmp#part', /fragment/],
  ];
  for (const [text, wrong] of connecting)
    assert.throws(() => registry.find(text, 'connect'), coded('ArgumentError', 'invalid_argument', wrong));
  for (const text of ['ws://[::1]', 'wss://gateway.example/usmp?site=3', 'ws://gateway.example:80/a/b'])
    assert.equal(registry.find(text, 'connect').url.href, new URL(text).href);
  assert.ok(registry.find('ws://0.0.0.0:0/usmp', 'listen'));
});
