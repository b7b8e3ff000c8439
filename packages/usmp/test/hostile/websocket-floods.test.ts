import assert from 'node:assert/strict';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { USMPClient } from '#dist/index.js';
import { PSK, within } from '../server/live.js';
import { FLOODED, PARKED, type ServerProcess, startServerProcess } from '../server/process.js';
import { BINARY, CONTINUATION, PING, RawWebSocket } from '../support/raw-websocket.js';
import { DATA, type RawRecords, randomDeviceId } from '../support/raw-wire.js';
import { assertAlive, assertServes, connect } from './honest-clients.js';

/** A busy server reads several of them at once. */
const MOST_BYTES = 400_000;

/** More of them would show a leak of fewer bytes each. */
const VISITS = process.env.USMP_LONG ? 4_000 : 1_000;

/** More than may be half open. */
const SILENT = process.env.USMP_LONG ? 1_000 : 300;

const MiB = 2 ** 20;
const path = '/usmp';
const EMPTY = Buffer.alloc(0);

const start = (t: TestContext) => startServerProcess(t, { listen: `ws://127.0.0.1:0${path}` });

/** How far a connection gets before it falls silent. */
const STAGES: Record<string, (ws: RawWebSocket) => Uint8Array> = {
  'that say nothing': () => EMPTY,
  'with half a header': () => Buffer.from(`GET ${path} HTTP/1.1\r\n${'X-Filler: yes\r\n'.repeat(700)}`),
  'that are upgraded': (ws) => ws.request(),
  'with half a message': (ws) =>
    Buffer.concat([ws.request(), ws.frame(BINARY, Buffer.alloc(60_000), { length: 65_536 })]),
};

for (const [stage, bytes] of Object.entries(STAGES)) {
  test(`${SILENT} connections ${stage} keep nobody out, touch no session and cost little`, async (t) => {
    const server = await start(t);
    const bystander = await connect(t, server);
    const before = await server.weigh();
    for (let i = 0; i < SILENT; i += 100) {
      const open = async () => {
        const ws = await RawWebSocket.connect({ port: server.port });
        t.after(() => ws.destroy());
        ws.socket.write(bytes(ws));
      };
      await within(Promise.all(Array.from({ length: 100 }, open)), 'a hundred connections');
    }
    await assertServes(server);
    await assertAlive(bystander);
    const { stats, rss } = await server.weigh();
    assert.ok(stats.halfOpen <= 256, `${stats.halfOpen} half-open`);
    assert.ok(rss - before.rss < 80 * MiB, `${(rss - before.rss) / MiB} MiB more`);
  });
}

test(`${500 + VISITS} connections that come and go leave nothing behind`, async (t) => {
  const server = await start(t);
  const bystander = await connect(t, server);
  await comeAndGo(server, 500);
  const before = await server.weigh();
  await comeAndGo(server, VISITS);
  await assertServes(server);
  await assertAlive(bystander);
  const after = await server.weigh();
  assert.equal(after.stats.halfOpen, 0);
  assert.ok(after.held - before.held < 2 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
});

test('pings without end from a client that never reads cost nothing', async (t) => {
  const server = await start(t);
  // What the server sends it unasked fills the line, so that no pong can leave.
  const { ws } = await hostile(t, server, FLOODED);
  ws.stopReading();
  await assertServes(server);
  const before = await server.weigh();
  const ping = ws.frame(PING, Buffer.alloc(125));
  assert.equal(await pour(ws, () => ping, 60_000), 60_000, 'the server stopped reading');
  await assertServes(server);
  const after = await server.weigh();
  assert.ok(after.held - before.held < 8 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
});

test('pings without end before any handshake cost nothing either', async (t) => {
  const server = await start(t);
  const ws = await RawWebSocket.open({ port: server.port, path });
  t.after(() => ws.destroy());
  ws.stopReading();
  const before = await server.weigh();
  const ping = ws.frame(PING, Buffer.alloc(125));
  await pour(ws, () => ping, 60_000);
  await assertServes(server);
  const after = await server.weigh();
  assert.ok(after.held - before.held < 4 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
});

for (const [name, part] of [
  ['empty', EMPTY],
  ['of one byte', Buffer.of(0)],
] as const) {
  test(`fragments without end, ${name}, are refused with 1008`, async (t) => {
    const server = await start(t);
    const before = await server.weigh();
    const ws = await RawWebSocket.open({ port: server.port, path });
    t.after(() => ws.destroy());
    ws.socket.write(ws.frame(BINARY, part, { fin: false }));
    const next = ws.frame(CONTINUATION, part, { fin: false });
    await pour(ws, () => next, 10_000);
    assert.equal(await within(ws.closeCode, 'the close frame'), 1008);
    await assertServes(server);
    const after = await server.weigh();
    assert.ok(after.held - before.held < 4 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
  });
}

test('a message that comes byte by byte is held in bounded memory, and refused beyond it', async (t) => {
  const server = await start(t);
  const before = await server.weigh();
  const drip = async () => {
    const { ws } = await hostile(t, server);
    await ws.flush(ws.frame(BINARY, EMPTY, { length: 65_536 }));
    await trickle(ws, 1_900);
    return ws;
  };
  const slow = await within(Promise.all(Array.from({ length: 20 }, drip)), 'the bytes', 60_000);
  const { held } = await server.weigh();
  assert.ok(held - before.held < slow.length * MiB, `${(held - before.held) / MiB} MiB more are held`);
  assert.ok((await trickle(slow[0]!, MOST_BYTES)) < MOST_BYTES, 'any number of reads is kept');
  await assertServes(server);
});

test('before a handshake is done few pieces are taken, one by one', async (t) => {
  const server = await start(t);
  const ws = await RawWebSocket.open({ port: server.port, path });
  t.after(() => ws.destroy());
  await ws.flush(ws.frame(BINARY, EMPTY, { length: 65_536 }));
  assert.ok((await trickle(ws, MOST_BYTES)) < MOST_BYTES, 'any number of reads is kept');
  await assertServes(server);
  const { stats } = await server.weigh();
  assert.equal(stats.refused['bad-frame'], 1);
});

test('messages without end to an echo from a client that never reads cost a bounded amount', async (t) => {
  const server = await start(t);
  const { ws, session } = await hostile(t, server);
  ws.stopReading();
  const before = await server.weigh();
  await pour(ws, () => ws.frame(BINARY, session.seal(DATA, 'x'.repeat(440))), 10_000);
  await assertServes(server);
  const after = await server.weigh();
  assert.ok(after.held - before.held < 8 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
});

test('messages without end to an application that reads nothing cost a bounded amount', async (t) => {
  const server = await start(t);
  const { ws, session } = await hostile(t, server, PARKED);
  const before = await server.weigh();
  await pour(ws, () => ws.frame(BINARY, session.seal(DATA, '')), 20_000);
  await assertServes(server);
  const after = await server.weigh();
  assert.ok(after.held - before.held < 4 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
  assert.ok(after.stats.messagesReceived < 10_000, `${after.stats.messagesReceived} messages taken unread`);
});

test('a device that never reads what the server sends it without end costs a bounded amount', async (t) => {
  const server = await start(t);
  const before = await server.weigh();
  const { ws } = await hostile(t, server, FLOODED);
  ws.stopReading();
  for (let i = 0; i < 10; i++) await assertServes(server);
  const after = await server.weigh();
  assert.ok(after.held - before.held < 8 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
  ws.socket.resetAndDestroy();
  while ((await server.weigh()).stats.sessions > 0) await new Promise((resolve) => setTimeout(resolve, 20));
});

test('a server that claims to be one and floods its client ends the attempt, not the client', async (t) => {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const flood = () => {
        while (!socket.destroyed && socket.write(`X-Filler: ${'x'.repeat(1_000)}\r\n`));
      };
      socket.on('drain', flood);
      flood();
    });
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const client = new USMPClient({ psk: PSK, url: `ws://127.0.0.1:${port}` });
  await assert.rejects(within(client.connect(), 'an error'), { code: 'turned_away' });
});

async function hostile(
  t: TestContext,
  server: ServerProcess,
  deviceId: string = randomDeviceId(),
): Promise<{ ws: RawWebSocket; session: RawRecords }> {
  const ws = await RawWebSocket.open({ port: server.port, path });
  t.after(() => ws.destroy());
  return { ws, session: await ws.handshake({ psk: PSK, deviceId }) };
}

/** Sends bytes one by one, so that the server reads most of them so, until it has had enough. */
async function trickle(ws: RawWebSocket, count: number): Promise<number> {
  let over = false;
  const end = () => {
    over = true;
  };
  ws.closeCode.then(end);
  let sent = 0;
  for (; sent < count && !over; sent++) {
    ws.socket.write(Buffer.of(0));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return sent;
}

/** Sends as many frames as the server takes, up to `count`; gives up where it stops reading or hangs up. */
async function pour(ws: RawWebSocket, next: () => Buffer, count: number): Promise<number> {
  let sent = 0;
  while (sent < count) {
    const block = Buffer.concat(Array.from({ length: 1_000 }, next));
    const stuck = new Promise<'stuck'>((resolve) => setTimeout(resolve, 500, 'stuck').unref());
    const flushed = ws.flush(block).catch(() => 'stuck');
    if ((await Promise.race([flushed, stuck])) === 'stuck') break;
    sent += 1_000;
  }
  return sent;
}

/** Opens connections and hangs up in every way, from several addresses so that no port runs out. */
async function comeAndGo(server: ServerProcess, count: number): Promise<void> {
  const visit = async (number: number) => {
    const localAddress = `127.0.2.${1 + (number % 200)}`;
    const ws = await RawWebSocket.connect({ port: server.port, localAddress, path });
    if (number % 3 > 0) {
      ws.socket.write(ws.request());
      if (number % 3 === 2) await ws.response;
    }
    if (number % 2 === 0) ws.socket.resetAndDestroy();
    else ws.destroy();
  };
  const worker = async (first: number) => {
    for (let i = first; i < count; i += 50) await visit(i);
  };
  await within(Promise.all(Array.from({ length: 50 }, (_, i) => worker(i))), 'the connections', 60_000);
}
