import assert from 'node:assert/strict';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { PSK, within } from '../server/live.js';
import { FLOODED, PARKED, type ServerProcess, startServerProcess } from '../server/process.js';
import {
  DATA,
  PING,
  RawClient,
  RawHandshake,
  type RawSession,
  randomDeviceId,
} from '../support/raw-client.js';
import { assertAlive, assertServes, connect } from './honest-clients.js';

/** More of them would show a leak of fewer bytes each. */
const [VISITS, WRONG_KEYS] = process.env.USMP_LONG ? [18_000, 1_500] : [4_000, 600];

const MiB = 2 ** 20;

test('2,000 half-open connections from one address keep nobody out and touch no session', async (t) => {
  const server = await startServerProcess(t);
  const bystander = await connect(t, server);
  const before = await server.weigh();
  const flood = await halfOpen(t, server, 2_000, () => '127.0.0.1');
  await assertServes(server);
  await assertAlive(bystander);
  const { stats, rss } = await server.weigh();
  assert.ok(stats.halfOpen <= 256, `${stats.halfOpen} half-open`);
  assert.ok(rss - before.rss < 60 * MiB, `${(rss - before.rss) / MiB} MiB more`);
  for (const raw of flood) raw.destroy();
});

test('2,000 half-open connections from 1,000 addresses keep nobody out and touch no session', async (t) => {
  const server = await startServerProcess(t);
  const bystander = await connect(t, server);
  const flood = await halfOpen(t, server, 2_000, (i) => `127.0.${1 + ((i % 1_000) >> 8)}.${i & 0xff}`);
  await assertServes(server);
  await assertAlive(bystander);
  const { stats } = await server.weigh();
  assert.ok(stats.halfOpen <= 1_024, `${stats.halfOpen} half-open`);
  assert.ok((stats.refused.busy ?? 0) >= 2_000 - 1_024, `${stats.refused.busy} turned away`);
  for (const raw of flood) raw.destroy();
});

test(`${1_000 + VISITS} connections that come and go leave nothing behind`, async (t) => {
  const server = await startServerProcess(t);
  const bystander = await connect(t, server);
  await comeAndGo(server, 1_000);
  const before = await server.weigh();
  await comeAndGo(server, VISITS);
  await assertServes(server);
  await assertAlive(bystander);
  const after = await settled(server, ({ stats }) => stats.halfOpen === 0);
  assert.equal(after.stats.halfOpen, 0);
  assert.ok(after.held - before.held < 2 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
});

test('a client that sends PING without end and never reads costs nothing', async (t) => {
  const server = await startServerProcess(t);
  // What the server sends it unasked fills the line, so that no PONG can leave.
  const session = await hostile(t, server, FLOODED);
  session.client.stopReading();
  await assertServes(server);
  const before = await server.weigh();
  const sent = await pour(session, PING, '', 60_000);
  await assertServes(server);
  const after = await server.weigh();
  assert.equal(sent, 60_000, 'the server stopped reading');
  assert.ok(after.held - before.held < 8 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
});

test('a client that sends messages without end to an echo and never reads costs a bounded amount', async (t) => {
  const server = await startServerProcess(t);
  const session = await hostile(t, server);
  session.client.stopReading();
  const before = await server.weigh();
  await pour(session, DATA, 'x'.repeat(440), 100_000);
  await assertServes(server);
  const after = await server.weigh();
  assert.ok(after.held - before.held < 8 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
});

test('empty messages without end to an application that reads nothing cost a bounded amount', async (t) => {
  const server = await startServerProcess(t);
  const session = await hostile(t, server, PARKED);
  const before = await server.weigh();
  await pour(session, DATA, '', 200_000);
  await assertServes(server);
  const after = await server.weigh();
  assert.ok(after.held - before.held < 4 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
  assert.ok(after.stats.messagesReceived < 10_000, `${after.stats.messagesReceived} messages taken unread`);
});

test('a device that never reads what the server sends it without end costs a bounded amount', async (t) => {
  const server = await startServerProcess(t);
  const before = await server.weigh();
  const session = await hostile(t, server, FLOODED);
  session.client.stopReading();
  for (let i = 0; i < 10; i++) await assertServes(server);
  const after = await server.weigh();
  assert.ok(after.held - before.held < 8 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
});

test('a reader that never reads is forgotten when it hangs up with RST', async (t) => {
  const server = await startServerProcess(t);
  const session = await hostile(t, server, FLOODED);
  session.client.stopReading();
  await assertServes(server);
  session.client.reset();
  const { stats } = await settled(server, (weight) => weight.stats.sessions === 0);
  assert.equal(stats.sessions, 0);
  await assertServes(server);
});

test('wrong keys without end cost no memory and keep nobody out', async (t) => {
  const server = await startServerProcess(t);
  await wrongKeys(server, 300);
  const before = await server.weigh();
  await wrongKeys(server, WRONG_KEYS);
  await assertServes(server);
  const after = await server.weigh();
  assert.equal(after.stats.refused['wrong-key'], 300 + WRONG_KEYS);
  assert.ok(after.held - before.held < 4 * MiB, `${(after.held - before.held) / MiB} MiB more are held`);
});

async function hostile(
  t: TestContext,
  server: ServerProcess,
  deviceId: string = randomDeviceId(),
): Promise<RawSession> {
  const raw = await RawClient.open({ port: server.port });
  t.after(() => raw.destroy());
  return raw.handshake({ psk: PSK, deviceId });
}

/** Connections of which every second has sent HELLO, and none goes on. */
async function halfOpen(
  t: TestContext,
  server: ServerProcess,
  count: number,
  addressOf: (index: number) => string,
): Promise<RawClient[]> {
  const hello = new RawHandshake({ psk: PSK }).hello();
  const clients: RawClient[] = [];
  while (clients.length < count) {
    const batch = Array.from({ length: 100 }, (_, i) =>
      RawClient.open({ port: server.port, localAddress: addressOf(clients.length + i) }),
    );
    clients.push(...(await within(Promise.all(batch), 'a hundred connections')));
  }
  for (const [i, raw] of clients.entries()) {
    t.after(() => raw.destroy());
    if (i % 2 === 0) raw.write(hello);
  }
  return clients;
}

/** Opens connections and hangs up in every way, from several addresses so that no port runs out. */
async function comeAndGo(server: ServerProcess, count: number): Promise<void> {
  const visit = (number: number) =>
    new Promise<void>((resolve, reject) => {
      const localAddress = `127.0.2.${1 + (number % 200)}`;
      const socket = net.connect({ port: server.port, host: '127.0.0.1', localAddress }, () => {
        if (number % 3 === 0) socket.resetAndDestroy();
        else if (number % 3 === 1) socket.destroy();
        else socket.end(Buffer.of(0xcd));
        resolve();
      });
      socket.on('error', reject);
    });
  const worker = async (first: number) => {
    for (let i = first; i < count; i += 50) await visit(i);
  };
  await within(Promise.all(Array.from({ length: 50 }, (_, i) => worker(i))), 'the connections', 60_000);
}

/** Sends as much of it as the server takes, up to `count`; gives up where the server stops reading. */
async function pour(session: RawSession, type: number, plaintext: string, count: number): Promise<number> {
  let sent = 0;
  while (sent < count) {
    const block = Buffer.concat(Array.from({ length: 1_000 }, () => session.seal(type, plaintext)));
    const stuck = new Promise<'stuck'>((resolve) => setTimeout(resolve, 500, 'stuck').unref());
    if ((await Promise.race([session.client.flush(block), stuck])) === 'stuck') break;
    sent += 1_000;
  }
  return sent;
}

async function wrongKeys(server: ServerProcess, count: number): Promise<void> {
  const worker = async () => {
    const raw = await RawClient.open({ port: server.port });
    const attempt = new RawHandshake({ psk: 'no key of this server' });
    raw.write(attempt.hello());
    raw.write(attempt.helloAck((await raw.next())!));
    await raw.ending;
    raw.destroy();
  };
  for (let i = 0; i < count; i += 50)
    await within(Promise.all(Array.from({ length: 50 }, worker)), 'fifty refusals');
}

/** Weighs until something holds. */
async function settled(
  server: ServerProcess,
  holds: (weight: Awaited<ReturnType<ServerProcess['weigh']>>) => boolean,
) {
  const deadline = performance.now() + 15_000;
  for (;;) {
    const weight = await server.weigh();
    if (holds(weight) || performance.now() > deadline) return weight;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
