import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import { USMPServer, type USMPSession } from '#dist/index.js';
import { SeededRandom } from '../support/random.js';
import { Command, connectArgs, KEY, run } from './command.js';
import { echo } from './servers.js';

const simulate = (url: string, ...args: string[]) => ['simulate', url, '--psk', KEY, ...args];

/** A USMP server over UDP. */
async function listen(
  t: TestContext,
  handler: (session: USMPSession) => unknown,
): Promise<{ server: USMPServer; url: string }> {
  const server = new USMPServer({ listen: 'udp://127.0.0.1:0', psk: KEY });
  server.onSession(handler);
  await server.listen();
  t.after(() => server.close({ timeout: 0 }));
  return { server, url: server.urls[0] };
}

/** Loses this share of all datagrams on their way to and from a server. */
async function lossyRelay(t: TestContext, url: string, share: number): Promise<string> {
  const lines = new Map<string, dgram.Socket>();
  const relay = dgram.createSocket('udp4');
  t.after(() => {
    for (const socket of [relay, ...lines.values()]) socket.close();
  });
  const random = new SeededRandom(1);
  const arrives = () => random.next() >= share;
  relay.on('message', (datagram, { address, port }) => {
    const from = `${address}:${port}`;
    let line = lines.get(from);
    if (line === undefined) {
      line = dgram.createSocket('udp4');
      line.on('message', (answer) => {
        if (arrives()) relay.send(answer, port, address);
      });
      lines.set(from, line);
    }
    if (arrives()) line.send(datagram, Number(new URL(url).port), '127.0.0.1');
  });
  relay.bind(0, '127.0.0.1');
  await once(relay, 'listening');
  return `udp://127.0.0.1:${relay.address().port}`;
}

test('over UDP a fleet gets all its echoes, each device from its own address', async (t) => {
  const peers = new Set<string>();
  const { url } = await listen(t, (session) => {
    peers.add(session.peer.split(':')[0]);
    return echo(session);
  });
  const args = simulate(url, '--devices', '4', '--rate', '5', '--duration', '0.6');
  const { code, stdout, stderr } = await run(t, args);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.match(stdout, /^devices: 4 connected, 0 failed, 0 ended early$/m);
  assert.match(stdout, /^messages: (\d+) sent, \1 echoed, 0 lost, 0 wrong, 0 doubled, 0 out of order$/m);
  assert.match(stdout, /^retransmitted: frames \d+, [\d.]+% of transmissions$/m);
  assert.ok(peers.size === 4 || process.platform === 'darwin', [...peers].join());
});

test('messages of several frames come back whole over a line that loses datagrams', async (t) => {
  const { url } = await listen(t, echo);
  const relay = await lossyRelay(t, url, 0.1);
  const args = ['--devices', '3', '--rate', '3', '--duration', '2', '--size', '1808', '--timeout', '10'];
  const command = new Command(t, simulate(relay, ...args, '--json'));
  const { code, stderr } = await command.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const { sent, skipped, echoed, retransmissions } = command.events.at(-1)!;
  assert.equal(Number(sent) + Number(skipped), 18);
  assert.equal(echoed, sent);
  const { frames, loss } = retransmissions as { frames: number; loss: number };
  assert.ok(frames > 0 && loss > 0 && loss < 100, `${frames} frames, ${loss} %`);
});

test('a server that leaves out an echo is found out over UDP too', async (t) => {
  const { url } = await listen(t, async (session) => {
    await session.recv();
    await echo(session);
  });
  const args = ['--devices', '2', '--rate', '10', '--duration', '0.5', '--timeout', '2'];
  const { code, stdout, stderr } = await run(t, simulate(url, ...args));
  assert.equal(code, 1);
  assert.match(stdout, /, 2 lost, 0 wrong, 0 doubled, 0 out of order$/m);
  assert.match(stderr, /^usmp: 2 messages lost\n$/);
});

test('a server that shuts down in the middle ends the run over UDP too', async (t) => {
  const { server, url } = await listen(t, echo);
  const args = ['--devices', '3', '--rate', '10', '--duration', '600', '--no-reconnect', '--json'];
  const command = new Command(t, simulate(url, ...args));
  await command.sees(/"progress".*"connected":3,.*"echoed":[1-9]/);
  await server.close();
  const { code, stderr } = await command.ended;
  assert.equal(code, 1);
  assert.match(stderr, /^usmp: 3 sessions ended early, the first because: the peer closed the session; /);
  assert.deepEqual(command.events.at(-1)!.errors, { bye: 3 });
});

test('nobody listening on a UDP port is exit code 4', async (t) => {
  const { server, url } = await listen(t, echo);
  await server.close();
  const { code, stdout, stderr } = await run(t, simulate(url, '--devices', '2'));
  assert.equal(code, 4);
  assert.match(stdout, /^errors: unreachable 2$/m);
  assert.match(stderr, /^usmp: .*nothing listens there.*\n$/);
});

test('connect --stats tells over UDP what was repeated and lost', async (t) => {
  const { url } = await listen(t, echo);
  const { code, stderr } = await run(t, connectArgs(url, '--stats', '--send', 'hello'));
  assert.equal(code, 0);
  const [head, trip, sent, received, repeated, again, ...rest] = stderr.split('\n');
  assert.equal(head, `--- ${url} session statistics ---`);
  assert.match(trip, /^round trip: \d+\.\d{3} ms$/);
  // The message and BYE; no PING, for acknowledgements tell the round trip.
  assert.equal(sent, 'sent: messages 1, bytes 5, frames 2');
  assert.equal(received, 'received: messages 1, bytes 5, frames 1');
  assert.match(repeated, /^retransmitted: frames \d+, [\d.]+% of transmissions$/);
  assert.match(again, /^received again: frames \d+; dropped: datagrams \d+; lost: messages 0$/);
  assert.deepEqual(rest, ['']);

  const lossy = await lossyRelay(t, url, 0.15);
  const messages = Array.from({ length: 30 }, (_, i) => ['--send', `message ${i}`]).flat();
  const command = new Command(t, connectArgs(lossy, '--stats', '--json', ...messages));
  assert.equal((await command.ended).code, 0);
  const stats = command.events.find(({ event }) => event === 'stats')!;
  assert.ok(Number(stats.framesRetransmitted) > 0 && Number(stats.loss) > 0, JSON.stringify(stats));
  assert.deepEqual([stats.messagesSent, stats.messagesReceived, stats.messagesLost], [30, 30, 0]);
});
