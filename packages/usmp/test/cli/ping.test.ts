import assert from 'node:assert/strict';
import test from 'node:test';
import { Command, KEY, run } from './command.js';
import { echo, listen, relayTo } from './servers.js';

const ping = (url: string, ...args: string[]) => ['ping', url, '--psk', KEY, ...args];

test('each round trip is one line, and a summary comes behind', async (t) => {
  const url = await listen(t, echo);
  const { code, stdout, stderr } = await run(t, ping(url, '--count', '3', '--interval', '5'));
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const lines = stdout.trimEnd().split('\n');
  const { host } = new URL(url);
  const trips = lines.slice(0, 3).map((line, index) => {
    const [, time] = new RegExp(`^pong from ${host}: seq=${index + 1} time=(\\d+\\.\\d{3}) ms$`).exec(line)!;
    return Number(time);
  });
  assert.equal(lines[3], `--- ${url} ping statistics ---`);
  assert.equal(lines[4], '3 sent, 3 received, 0% loss');
  const [, ...numbers] = /^round trip min\/avg\/max\/mdev = ([\d.]+)\/([\d.]+)\/([\d.]+)\/([\d.]+) ms$/.exec(
    lines[5],
  )!;
  const [min, avg, max, mdev] = numbers.map(Number);
  assert.equal(min, Math.min(...trips));
  assert.equal(max, Math.max(...trips));
  const mean = trips.reduce((sum, trip) => sum + trip) / 3;
  const deviation = Math.sqrt(trips.reduce((sum, trip) => sum + (trip - mean) ** 2, 0) / 3);
  assert.ok(Math.abs(avg - mean) < 0.002 && Math.abs(mdev - deviation) < 0.002);
  assert.equal(lines.length, 6);
});

test('it goes on until Ctrl-C, then sums up, says BYE and exits 0', async (t) => {
  let tell!: (code: string | undefined) => void;
  const ended = new Promise<string | undefined>((resolve) => {
    tell = resolve;
  });
  const url = await listen(t, async (session) => {
    await session.recv().catch(() => {});
    tell(session.error?.code);
  });
  const command = new Command(t, ping(url, '--interval', '20'));
  await command.sees(/seq=4/);
  command.kill('SIGINT');
  const { code, stdout, stderr } = await command.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.match(stdout, /ping statistics ---\n\d+ sent, \d+ received, \d+% loss\nround trip /);
  assert.equal(await ended, 'bye');
});

test('--interval is from one PING to the next; without it, it is a second', async (t) => {
  const url = await listen(t, echo);
  const began = performance.now();
  const { code } = await run(t, ping(url, '--count', '3', '--interval', '200'));
  assert.equal(code, 0);
  assert.ok(performance.now() - began >= 400);
  const { stdout } = await run(t, ['ping', '--help']);
  assert.match(stdout, /--interval <ms> .*\(default:\s+1000\)/s);
});

test('--json prints events that a program can read', async (t) => {
  const url = await listen(t, echo);
  const command = new Command(t, ping(url, '--count', '2', '--interval', '1', '--json'));
  assert.equal((await command.ended).code, 0);
  const [connected, first, second, summary, disconnected] = command.events;
  assert.deepEqual(
    command.events.map(({ event }) => event),
    ['connected', 'pong', 'pong', 'summary', 'disconnected'],
  );
  const { deviceId, sessionId, peer } = connected;
  for (const [index, pong] of [first, second].entries()) {
    const { time, rtt, ...rest } = pong;
    assert.deepEqual(rest, { event: 'pong', deviceId, sessionId, peer, seq: index + 1 });
    assert.ok(Number(rtt) > 0);
  }
  assert.deepEqual([summary.sent, summary.received, summary.loss], [2, 2, 0]);
  for (const name of ['min', 'avg', 'max', 'mdev']) assert.equal(typeof summary[name], 'number');
  assert.equal(disconnected.reason, 'closed');
});

test('a PONG that does not come counts as lost, and is exit code 5', async (t) => {
  const relay = await relayTo(t, await listen(t, echo));
  const command = new Command(t, ping(relay.url, '--count', '4', '--interval', '300', '--timeout', '0.25'));
  await command.sees(/seq=1 time=/);
  relay.swallow();
  const { code, stdout, stderr } = await command.ended;
  assert.equal(code, 5);
  assert.match(stdout, /no pong from 127\.0\.0\.1:\d+: seq=4\n/);
  assert.match(stdout, /\n4 sent, 1 received, 75% loss\nround trip/);
  assert.match(stderr, /^usmp: no PONG arrived in time; raise --timeout.*\n$/);
});

test('a connection that breaks is summed up, and is exit code 5', async (t) => {
  const relay = await relayTo(t, await listen(t, echo));
  const command = new Command(t, ping(relay.url, '--interval', '10'));
  await command.sees(/seq=2/);
  relay.cut();
  const { code, stdout, stderr } = await command.ended;
  assert.equal(code, 5);
  assert.match(stdout, /ping statistics/);
  assert.match(stderr, /^usmp: the connection broke without BYE; .*\n$/);
});

test('its other exit codes are those of connect', async (t) => {
  const url = await listen(t, echo);
  assert.equal((await run(t, ['ping', url, '--psk', 'another key, 16+ bytes', '--count', '1'])).code, 3);
  assert.equal((await run(t, ping('tcp://127.0.0.1:1', '--count', '1'))).code, 4);
  for (const count of ['0', '-1', '1.5', 'many']) {
    const { code, stderr } = await run(t, ping(url, '--count', count));
    assert.equal(code, 2);
    assert.match(stderr, /'--count <n>' argument '.*' is invalid/);
  }
});

test('a reader of stdout that goes away ends it without a word', async (t) => {
  const url = await listen(t, echo);
  const command = new Command(t, ping(url, '--interval', '10'));
  await command.sees(/seq=1/);
  command.process.stdout.destroy();
  const { code, stderr } = await command.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
});
