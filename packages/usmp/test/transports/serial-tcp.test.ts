import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { MAX_IDLE_LINES_PER_ADDRESS } from '#dist/core/limits.js';
import { USMPClient } from '#dist/index.js';
import {
  assertServes,
  bothEnds,
  coded,
  connect,
  echo,
  eventually,
  PSK,
  park,
  startServer,
  text,
  WRONG_PSK,
  within,
} from '../server/live.js';
import { pattern } from '../support/bytes.js';
import { BYE, CHALLENGE, frame, HELLO, RawGreeting, RawTCPLine } from '../support/raw-line.js';

const LISTEN = { listen: 'serial+tcp://127.0.0.1:0' };

async function rawLine(t: Parameters<typeof startServer>[0], port: number): Promise<RawTCPLine> {
  const line = await RawTCPLine.open(port);
  t.after(() => line.destroy());
  return line;
}

test('messages of every size come back', async (t) => {
  const live = await startServer(t, echo, LISTEN);
  const session = await connect(t, live);
  const receiving = (async () => {
    for (let size = 0; size <= 1_808; size++) assert.deepEqual(await session.recv(), pattern(size, size));
  })();
  for (let size = 0; size <= 1_808; size++) await session.send(pattern(size, size));
  await within(receiving, 'the echoes', 60_000);
});

test('the URL has the real port, and both ends know each other', async (t) => {
  const live = await startServer(t, echo, LISTEN);
  assert.match(live.url, /^serial\+tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
  const { here, there } = await bothEnds(t, live);
  assert.equal(`serial+tcp://${here.peer}`, live.url);
  assert.deepEqual([here.transport, there.transport], ['serial+tcp', 'serial+tcp']);
});

test('sessions of several devices follow each other on one connection', async (t) => {
  const live = await startServer(t, echo, LISTEN);
  const line = await rawLine(t, live.port);
  for (let i = 0; i < 5; i++) {
    const session = await within(line.handshake({ psk: PSK }), 'the handshake');
    session.send(`session ${i}`);
    assert.equal(text(await within(session.receive(), 'the echo')), `session ${i}`);
    line.send(session.seal(BYE));
    await eventually(() => live.server.sessions.size === 0, 'the end of the session');
  }
  assert.equal(line.closed, false);
});

test('a session that the server closes leaves the connection open', async (t) => {
  const live = await startServer(t, (session) => session.recv().then(() => {}), LISTEN);
  const line = await rawLine(t, live.port);
  for (let i = 0; i < 3; i++) {
    const session = await within(line.handshake({ psk: PSK }), 'the handshake');
    session.send('and that is all');
    await within(line.nextOf(BYE), 'BYE');
  }
  assert.equal(line.closed, false);
});

test('a handshake that is refused is silent and leaves the connection open', async (t) => {
  const live = await startServer(t, echo, LISTEN);
  const line = await rawLine(t, live.port);
  const greeting = new RawGreeting({ psk: WRONG_PSK });
  line.send(greeting.hello());
  line.send(greeting.helloAck(await within(line.nextOf(CHALLENGE), 'CHALLENGE')));
  await eventually(() => live.refusals.length === 1, 'the refusal');
  assert.equal(live.refusals[0]!.reason, 'wrong-key');
  assert.equal(line.unread, 0);
  const session = await within(line.handshake({ psk: PSK }), 'the handshake');
  session.send('with the right key');
  await within(session.receive(), 'the echo');
});

test('a device that nobody has room for is refused without closing the connection', async (t) => {
  const live = await startServer(t, park, { ...LISTEN, maxSessions: 1 });
  await connect(t, live);
  const line = await rawLine(t, live.port);
  line.send(frame(HELLO, 0, Buffer.alloc(38, 1)));
  await eventually(() => live.refusals.length === 1, 'the refusal');
  assert.equal(live.refusals[0]!.reason, 'busy');
  assert.equal(line.closed, false);
});

test('a client closes its connection with its session', async (t) => {
  let closed = 0;
  const live = await startServer(t, echo, LISTEN);
  const relay = net.createServer((socket) => {
    const onward = net.connect(live.port, '127.0.0.1');
    socket.on('end', () => closed++);
    socket.pipe(onward).pipe(socket);
    for (const end of [socket, onward]) end.on('error', () => {});
  });
  t.after(() => relay.close());
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const { port } = relay.address() as net.AddressInfo;
  const client = new USMPClient({ psk: PSK, url: `serial+tcp://127.0.0.1:${port}` });
  const session = await client.connect();
  await session.close();
  assert.equal(closed, 1);
  await eventually(() => live.server.stats.sessions === 0, 'the end of the session');
});

test('a connection that breaks ends its session', async (t) => {
  const live = await startServer(t, park, LISTEN);
  const ended: string[] = [];
  live.server.on('disconnect', (_session, error) => ended.push(error.code));
  for (const breaking of ['end', 'resetAndDestroy'] as const) {
    const line = await rawLine(t, live.port);
    await line.handshake({ psk: PSK });
    line.socket[breaking]();
    await eventually(() => live.server.sessions.size === 0, 'the end of the session');
  }
  assert.deepEqual(ended, ['connection_lost', 'connection_lost']);
});

test('of silent connections the oldest give way; those with a session stay', async (t) => {
  const live = await startServer(t, echo, LISTEN);
  const busy = await rawLine(t, live.port);
  const session = await busy.handshake({ psk: PSK });
  const silent: RawTCPLine[] = [];
  for (let i = 0; i < MAX_IDLE_LINES_PER_ADDRESS + 3; i++) silent.push(await rawLine(t, live.port));
  await within(Promise.all(silent.slice(0, 3).map((line) => line.ending)), 'the end of the oldest');
  assert.equal(silent.filter((line) => line.closed).length, 3);
  session.send('still here');
  assert.equal(text(await within(session.receive(), 'the echo')), 'still here');

  // When its session is over, a line is one of the silent ones again, the youngest.
  busy.send(session.seal(BYE));
  await eventually(() => live.server.sessions.size === 0, 'the end of the session');
  await within(silent[3]!.ending, 'the end of the next one');
  assert.equal(busy.closed, false);
  await within(busy.handshake({ psk: PSK }), 'another handshake');
});

test('a listener that closes hangs up silent lines at once, and the others behind their sessions', async (t) => {
  const live = await startServer(t, echo, LISTEN);
  const silent = await rawLine(t, live.port);
  const busy = await rawLine(t, live.port);
  await busy.handshake({ psk: PSK });
  const closing = live.server.close();
  await within(busy.nextOf(BYE), 'BYE');
  await within(Promise.all([silent.ending, busy.ending]), 'the end of the connections');
  await within(closing, 'the end of the server');
  await assert.rejects(RawTCPLine.open(live.port));
});

test('nobody there is unreachable', async () => {
  const client = new USMPClient({ psk: PSK, url: 'serial+tcp://127.0.0.1:1' });
  await assert.rejects(client.connect(), coded('TransportError', 'unreachable', /127\.0\.0\.1:1/));
});

test('a URL with more than host and port is an error that says so', () => {
  const use = (url: string) => new USMPClient({ psk: PSK, url });
  assert.throws(
    () => use('serial+tcp://127.0.0.1:9000/dev?baud=9600'),
    coded('ArgumentError', 'invalid_argument'),
  );
  assert.throws(() => use('serial+tcp://'), coded('ArgumentError', 'invalid_argument'));
});

test('a handshake has 30 s unless told otherwise, and an answer within is in time', async (t) => {
  const live = await startServer(t, echo, { ...LISTEN, handshakeTimeout: 300 });
  const line = await rawLine(t, live.port);
  line.send(frame(HELLO, 0, Buffer.alloc(38, 1)));
  await eventually(() => live.refusals.length === 1, 'the refusal');
  assert.equal(live.refusals[0]!.reason, 'timeout');
  assert.equal(line.closed, false);
  await assertServes(live);
});
