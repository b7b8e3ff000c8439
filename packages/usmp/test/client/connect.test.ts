import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { getEventListeners } from 'node:events';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { USMPClient } from '#dist/index.js';
import {
  clientFor,
  coded,
  echo,
  eventually,
  nextSession,
  PSK,
  park,
  startServer,
  text,
  WRONG_PSK,
  within,
} from '../server/live.js';

test('nothing listening is unreachable, with advice', async () => {
  const free = net.createServer();
  await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
  const { port } = free.address() as net.AddressInfo;
  await new Promise((resolve) => free.close(resolve));
  const client = new USMPClient({ psk: PSK, port });
  await assert.rejects(
    client.connect(),
    coded('TransportError', 'unreachable', new RegExp(`127\\.0\\.0\\.1:${port}.*is the server running`)),
  );
  await assert.rejects(
    new USMPClient({ psk: PSK, host: '::1', port }).connect(),
    coded('TransportError', 'unreachable', /\[::1\]:\d+/),
  );
});

test('a host that has no name is unreachable, with advice', async () => {
  const client = new USMPClient({ psk: PSK, host: 'no-such-host.invalid', port: 9000 });
  await assert.rejects(
    client.connect(),
    coded('TransportError', 'unreachable', /no-such-host\.invalid.*(spelling|address)/),
  );
});

test('a wrong key is refused, with the class and code that say so', async (t) => {
  const live = await startServer(t);
  await assert.rejects(clientFor(live, { psk: WRONG_PSK }).connect(), coded('AuthError', 'refused'));
});

test('a server that does not know the key is called a rogue', async (t) => {
  const port = await listener(t, (socket) => {
    // Any answer of the right shape: its MAC cannot be right.
    let turns = 0;
    socket.on('data', () => socket.write(turns++ === 0 ? reply(0x02, 64) : reply(0x04, 48)));
  });
  await assert.rejects(new USMPClient({ psk: PSK, port }).connect(), coded('AuthError', 'rogue_server'));
});

test('a server that hangs up before CHALLENGE has turned the client away', async (t) => {
  const leavings = [
    (socket: net.Socket) => socket.end(),
    (socket: net.Socket) => socket.once('data', () => socket.resetAndDestroy()),
  ];
  for (const leave of leavings) {
    const port = await listener(t, leave);
    await assert.rejects(
      new USMPClient({ psk: PSK, port }).connect(),
      coded('HandshakeError', 'turned_away'),
    );
  }
});

test('something else that listens there is told apart', async (t) => {
  const ssh = await listener(t, (socket) => socket.write('SSH-2.0-OpenSSH_9.6\r\n'));
  await assert.rejects(new USMPClient({ psk: PSK, port: ssh }).connect(), coded('MagicError', 'bad_magic'));
  const old = await listener(t, (socket) => socket.write(Buffer.from('cdab0102', 'hex')));
  await assert.rejects(
    new USMPClient({ psk: PSK, port: old }).connect(),
    coded('VersionError', 'version_1', /0\.5\.1/),
  );
  const point = await listener(t, (socket) => socket.write(reply(0x02, 64, 0)));
  await assert.rejects(
    new USMPClient({ psk: PSK, port: point }).connect(),
    coded('HandshakeError', 'low_order_point'),
  );
});

test('a server that stays silent costs the handshake time, and the error says at which step', async (t) => {
  const port = await listener(t, () => {});
  const client = new USMPClient({ psk: PSK, port, handshakeTimeout: 100 });
  await assert.rejects(
    client.connect(),
    coded('USMPTimeoutError', 'handshake_timeout', /waiting for CHALLENGE/),
  );
  const half = await listener(t, (socket) => socket.once('data', () => socket.write(reply(0x02, 64))));
  const further = new USMPClient({ psk: PSK, port: half, handshakeTimeout: 100 });
  await assert.rejects(
    further.connect(),
    coded('USMPTimeoutError', 'handshake_timeout', /waiting for SESSION_OK/),
  );
});

test('a connection that is not accepted in time is given up', async (t) => {
  const port = await deafPort(t);
  const client = new USMPClient({ psk: PSK, port });
  await assert.rejects(client.connect({ timeout: 100 }), coded('USMPTimeoutError', 'connect_timeout'));
});

test('an abort ends the attempt at every step, with the reason of the signal', async (t) => {
  const reason = new Error('changed my mind');
  const deaf = await deafPort(t);
  const silent = await listener(t, () => {});
  const half = await listener(t, (socket) => socket.once('data', () => socket.write(reply(0x02, 64))));
  for (const port of [deaf, silent, half]) {
    const aborter = new AbortController();
    const attempt = new USMPClient({ psk: PSK, port }).connect({ signal: aborter.signal });
    setTimeout(() => aborter.abort(reason), 60);
    await assert.rejects(within(attempt, 'the end of the attempt'), reason);
    assert.equal(getEventListeners(aborter.signal, 'abort').length, 0);
  }
  const early = new USMPClient({ psk: PSK, port: silent }).connect({ signal: AbortSignal.abort(reason) });
  await assert.rejects(early, reason);
});

test('an abort while the previous session still closes is not lost', async (t) => {
  const live = await startServer(t);
  const client = clientFor(live);
  await client.connect();
  const aborter = new AbortController();
  const reason = new Error('changed my mind');
  const attempt = client.connect({ signal: aborter.signal });
  aborter.abort(reason);
  await assert.rejects(attempt, reason);
  await client.disconnect();
});

test('a signal that outlives the attempt does not end the session', async (t) => {
  const live = await startServer(t);
  const aborter = new AbortController();
  const session = await clientFor(live).connect({ signal: aborter.signal });
  t.after(() => session.close());
  aborter.abort();
  await session.send('still here');
  assert.equal(text(await session.recv()), 'still here');
  assert.equal(getEventListeners(aborter.signal, 'abort').length, 0);
});

test('without a session the client says that it has none', async (t) => {
  const live = await startServer(t);
  const client = clientFor(live);
  assert.equal(client.session, undefined);
  for (const use of [() => client.send('x'), () => client.recv(), () => client.ping()]) {
    await assert.rejects(use(), coded('NotConnectedError', 'not_connected', /connect\(\)/));
  }
  await client.disconnect();
});

test('the shortcuts of the client use its session', async (t) => {
  const live = await startServer(t);
  const client = clientFor(live);
  const told: string[] = [];
  client.on('connect', (session) => told.push(`connect ${session.deviceId}`));
  const ended = new Promise<void>((resolve) => {
    client.on('disconnect', (_, error) => {
      told.push(error.code);
      resolve();
    });
  });
  const session = await client.connect();
  assert.equal(client.session, session);
  await client.send('hello');
  assert.equal(text(await client.recv()), 'hello');
  assert.ok((await client.ping()) >= 0);
  await client.disconnect();
  await ended;
  assert.equal(client.session, undefined);
  assert.deepEqual(told, [`connect ${client.deviceId}`, 'closed']);
  await assert.rejects(client.send('too late'), { name: /NotConnectedError|ConnectionClosedError/ });
});

test('connecting again closes the session before, keeps the device id and takes a new session id', async (t) => {
  const live = await startServer(t);
  const client = clientFor(live);
  const first = await client.connect();
  const arriving = nextSession(live.server);
  const second = await client.connect();
  t.after(() => client.disconnect());
  assert.equal(first.error?.code, 'closed');
  assert.equal(second.deviceId, first.deviceId);
  assert.notEqual(second.id, first.id);
  assert.equal((await arriving).deviceId, client.deviceId);
});

test('a client can connect again after its server went away', async (t) => {
  const first = await startServer(t, park);
  const client = clientFor(first);
  const session = await client.connect();
  await first.server.close({ timeout: 0 });
  await eventually(() => session.closed, 'the end of the session');
  const again = await startServer(t, echo, { port: first.port });
  assert.equal(again.port, first.port);
  await client.connect();
  await client.send('back again');
  assert.equal(text(await client.recv()), 'back again');
  await client.disconnect();
});

test('localAddress is the address that the server sees', async (t) => {
  const live = await startServer(t);
  const arriving = nextSession(live.server);
  const session = await clientFor(live, { localAddress: '127.9.8.7' }).connect();
  t.after(() => session.close());
  assert.match((await arriving).peer, /^127\.9\.8\.7:\d+$/);
});

test('a localAddress that is no IP address is refused at once, with what to write', () => {
  for (const localAddress of ['localhost', '127.0.0.1:9000', '', 7 as unknown as string]) {
    assert.throws(
      () => new USMPClient({ psk: PSK, localAddress }),
      coded('ArgumentError', 'invalid_argument', /^localAddress is ".*": give an IP address of this machine/),
    );
  }
});

/** Something that listens and is not a USMP server. */
async function listener(t: TestContext, onSocket: (socket: net.Socket) => void): Promise<number> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as net.AddressInfo).port;
}

/** A port whose owner never accepts and whose queue is full, so that a further connection has to wait. */
async function deafPort(t: TestContext): Promise<number> {
  const script = `
    const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      require('node:fs').writeSync(1, String(server.address().port));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const owner = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => owner.kill('SIGKILL'));
  const port = Number(await new Promise((resolve) => owner.stdout.once('data', resolve)));
  for (let i = 0; i < 6; i++) {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    t.after(() => socket.destroy());
  }
  return port;
}

/** A frame of the right shape with nothing in it. */
function reply(type: number, length: number, fill = 7): Buffer {
  const frame = Buffer.alloc(12 + length, fill);
  frame.set([0xcd, 0xab, 0x02, type]);
  frame.writeUInt16LE(length, 8);
  return frame;
}
