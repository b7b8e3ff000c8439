import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import net from 'node:net';
import test, { type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { USMPServer, type USMPSession } from '#dist/index.js';
import { Command, KEY, type Outcome, run, serve, USMP } from './command.js';
import { echo, listen, relayTo } from './servers.js';

const simulate = (url: string, ...args: string[]) => ['simulate', url, '--psk', KEY, ...args];

/** The last event of a run with `--json`. */
async function summaryOf(
  t: TestContext,
  args: string[],
): Promise<Outcome & { readonly summary: Record<string, unknown> }> {
  const command = new Command(t, [...args, '--json']);
  const outcome = await command.ended;
  const summary = command.events.at(-1)!;
  assert.equal(summary.event, 'summary');
  return { ...outcome, summary };
}

test('all devices connect, send at their rate, get their echoes, and a summary says so', async (t) => {
  const url = await listen(t, echo);
  const args = simulate(url, '--devices', '4', '--rate', '5', '--duration', '0.6');
  const { code, stdout, stderr } = await run(t, args);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines[0], `--- ${url} fleet statistics ---`);
  assert.equal(lines[1], 'devices: 4 connected, 0 failed, 0 ended early');
  const times = 'min/p50/p90/p99/max = ((?:\\d+\\.\\d{3}/){4}\\d+\\.\\d{3}) ms$';
  const [, handshakes] = new RegExp(`^handshake ${times}`).exec(lines[2])!;
  const [, count] = /^messages: (\d+) sent, \1 echoed, 0 lost, 0 wrong, 0 doubled, 0 out of order$/.exec(
    lines[3],
  )!;
  const [, skipped = '0'] = /^not sent: (\d+),/m.exec(stdout) ?? [];
  assert.equal(Number(count) + Number(skipped), 12);
  const [, trips] = new RegExp(`^round trip ${times}`, 'm').exec(stdout)!;
  for (const list of [handshakes, trips]) {
    const numbers = list.split('/').map(Number);
    assert.deepEqual(
      numbers,
      [...numbers].sort((a, b) => a - b),
    );
    assert.ok(numbers[0] > 0);
  }
  assert.match(lines.at(-1)!, /^rate: \d+\.\d messages a second for \d+\.\d s$/);
});

test('device ids are the same in every run, and others with another seed', async (t) => {
  const ids: string[] = [];
  const url = await listen(t, (session) => {
    ids.push(session.deviceId);
    return echo(session);
  });
  for (const seed of [[], [], ['--seed', '258']]) {
    await run(t, simulate(url, '--devices', '2', '--duration', '0.1', ...seed));
  }
  assert.deepEqual(ids.sort(), [
    '02:00:00:00:00:00',
    '02:00:00:00:00:00',
    '02:00:00:00:00:01',
    '02:00:00:00:00:01',
    '02:01:02:00:00:00',
    '02:01:02:00:00:01',
  ]);
});

test('on the loopback interface each device has its own address, also where the host is a name', async (t) => {
  const probe = net.createServer();
  const free = await new Promise<boolean>((resolve) => {
    probe.once('error', () => resolve(false)).listen({ host: '127.1.0.1', port: 0 }, () => resolve(true));
  });
  probe.close();
  if (!free) return t.skip('this system has 127.0.0.1 alone');
  for (const host of ['127.0.0.1', 'localhost']) {
    const peers = new Set<string>();
    const url = await listen(t, (session) => {
      peers.add(session.peer.split(':')[0]);
      return echo(session);
    });
    const { code } = await run(
      t,
      simulate(url.replace('127.0.0.1', host), '--devices', '3', '--duration', '0.1'),
    );
    assert.equal(code, 0);
    assert.deepEqual([...peers].sort(), ['127.1.0.1', '127.1.0.2', '127.1.0.3']);
  }
});

test('messages have the size that is asked for, and no two are the same', async (t) => {
  const seen: Uint8Array[] = [];
  const url = await listen(t, async (session) => {
    for await (const message of session) {
      seen.push(message);
      await session.send(message);
    }
  });
  const args = ['--devices', '2', '--rate', '10', '--duration', '0.3', '--size'];
  for (const size of ['16', '1808']) {
    assert.equal((await run(t, simulate(url, ...args, size))).code, 0);
    assert.ok(seen.length >= 2 && seen.every((message) => message.length === Number(size)));
    assert.equal(new Set(seen.map((message) => Buffer.from(message).toString('hex'))).size, seen.length);
    seen.length = 0;
  }
});

test('--json tells of every device, of the progress, and in the end of everything', async (t) => {
  const url = await listen(t, echo);
  const command = new Command(
    t,
    simulate(url, '--devices', '2', '--rate', '10', '--duration', '1.5', '--json'),
  );
  const { code, stderr } = await command.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const of = (name: string) => command.events.filter(({ event }) => event === name);
  const ids = ['02:00:00:00:00:00', '02:00:00:00:00:01'];
  assert.deepEqual(
    of('connected')
      .map(({ deviceId }) => deviceId)
      .sort(),
    ids,
  );
  assert.deepEqual(
    of('disconnected')
      .map(({ deviceId }) => deviceId)
      .sort(),
    ids,
  );
  for (const { reason } of of('disconnected')) assert.equal(reason, 'closed');
  const [progress] = of('progress');
  assert.deepEqual([progress.devices, progress.connected, progress.lost], [2, 2, 0]);
  assert.ok(Number(progress.sent) >= Number(progress.echoed));
  const { time, handshake, roundTrip, seconds, perSecond, sent, echoed, skipped, ...summary } =
    command.events.at(-1)!;
  assert.equal(Number(sent) + Number(skipped), 30);
  assert.equal(echoed, sent);
  assert.deepEqual(summary, {
    event: 'summary',
    url,
    devices: 2,
    connected: 2,
    failed: 0,
    endedEarly: 0,
    lost: 0,
    late: 0,
    wrong: 0,
    doubled: 0,
    outOfOrder: 0,
    errors: {},
  });
  for (const times of [handshake, roundTrip]) {
    assert.deepEqual(Object.keys(times as object), ['min', 'p50', 'p90', 'p99', 'max']);
  }
  assert.ok(Number(seconds) >= 1.5 && Number(perSecond) > 0);
});

/** Echoes with a mistake about the second and third message. */
type Fault = (session: USMPSession, second: Uint8Array, third: Uint8Array) => Promise<void>;

const FAULTS: Record<string, { fault: Fault; counts: Record<string, number>; says: RegExp }> = {
  drops: {
    fault: (session, _second, third) => session.send(third),
    counts: { lost: 1 },
    says: /^usmp: 1 message lost\n$/,
  },
  doubles: {
    async fault(session, second, third) {
      for (const message of [second, second, third]) await session.send(message);
    },
    counts: { doubled: 1 },
    says: /^usmp: 1 echo too many\n$/,
  },
  swaps: {
    async fault(session, second, third) {
      for (const message of [third, second]) await session.send(message);
    },
    counts: { outOfOrder: 1 },
    says: /^usmp: 1 echo overtaken by later ones\n$/,
  },
  alters: {
    async fault(session, second, third) {
      const altered = second.slice();
      altered[altered.length - 1] ^= 0x01;
      for (const message of [altered, third]) await session.send(message);
    },
    counts: { wrong: 1, lost: 1 },
    says: /^usmp: 1 message lost; 1 echo not as sent\n$/,
  },
  'cuts off': {
    async fault(session, second, third) {
      for (const message of [second.subarray(1), third]) await session.send(message);
    },
    counts: { wrong: 1, lost: 1 },
    says: /1 echo not as sent\n$/,
  },
};

for (const [name, { fault, counts, says }] of Object.entries(FAULTS)) {
  test(`a server that ${name} one echo is found out, with exit code 1`, async (t) => {
    const url = await listen(t, async (session) => {
      await session.send(await session.recv());
      await fault(session, await session.recv(), await session.recv());
      await echo(session);
    });
    const args = simulate(url, '--devices', '1', '--rate', '20', '--duration', '0.5', '--timeout', '2');
    const { code, stderr, summary } = await summaryOf(t, args);
    assert.equal(code, 1);
    assert.match(stderr, says);
    const { sent, echoed, lost, wrong, doubled, outOfOrder } = summary;
    assert.deepEqual(
      { lost, wrong, doubled, outOfOrder },
      { lost: 0, wrong: 0, doubled: 0, outOfOrder: 0, ...counts },
    );
    assert.equal(Number(sent) - Number(echoed), Number(lost));
  });
}

test('a server that does not echo is asked about, with exit code 1', async (t) => {
  const url = await listen(t, async (session) => {
    for await (const _ of session);
  });
  const args = simulate(url, '--devices', '2', '--rate', '5', '--duration', '0.2', '--timeout', '0.2');
  const { code, stdout, stderr } = await run(t, args);
  assert.equal(code, 1);
  assert.match(stdout, /^messages: (\d+) sent, 0 echoed, \1 lost,/m);
  assert.match(stderr, /^usmp: \d+ messages lost, .*does the server echo \(usmp serve --echo\)\?\n$/);
});

test('an echo that takes longer than --timeout is lost, and told to be late', async (t) => {
  const url = await listen(t, async (session) => {
    const first = await session.recv();
    // Behind the second message, which is two seconds later.
    const second = await session.recv();
    await session.send(first);
    await session.send(second);
    await echo(session);
  });
  const args = simulate(url, '--devices', '1', '--rate', '0.5', '--duration', '2.1', '--timeout', '1.5');
  const { code, stdout, stderr } = await run(t, args);
  assert.equal(code, 1);
  assert.match(stdout, /^late: 1 of the lost came after 1\.5 s$/m);
  assert.match(stderr, /^usmp: 1 message lost\n$/);
});

test('with --no-reconnect sessions that break are counted by the reason, and it ends when none is left', async (t) => {
  const relay = await relayTo(t, await listen(t, echo));
  const command = new Command(
    t,
    simulate(relay.url, '--devices', '3', '--rate', '10', '--duration', '600', '--no-reconnect', '--json'),
  );
  await command.sees(/"progress".*"connected":3,.*"echoed":[1-9]/);
  relay.cut();
  const { code, stderr } = await command.ended;
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^usmp: 3 sessions ended early, the first because: the connection broke without BYE; /,
  );
  const { endedEarly, errors, sent, echoed, lost } = command.events.at(-1)!;
  assert.deepEqual({ endedEarly, errors }, { endedEarly: 3, errors: { connection_lost: 3 } });
  assert.equal(Number(sent), Number(echoed) + Number(lost));
});

test('with --no-reconnect a server that is shut down in the middle is exit code 1', async (t) => {
  const { server, url } = await serve(t, ['--psk', KEY, '--echo', '--log-level', 'silent']);
  const command = new Command(
    t,
    simulate(url, '--devices', '3', '--rate', '10', '--duration', '600', '--no-reconnect', '--json'),
  );
  await command.sees(/"progress".*"connected":3,.*"echoed":[1-9]/);
  server.kill('SIGTERM');
  const { code, stderr } = await command.ended;
  assert.equal(code, 1);
  assert.match(stderr, /^usmp: 3 sessions ended early, the first because: the peer closed the session; /);
  assert.deepEqual(command.events.at(-1)!.errors, { bye: 3 });
});

test('devices that are refused among others are exit code 1, and the others go on', async (t) => {
  const url = await listen(t, echo, { '02:00:00:00:00:00': KEY, '02:00:00:00:00:02': KEY });
  const { code, stdout, stderr } = await run(t, simulate(url, '--devices', '4', '--duration', '0.2'));
  assert.equal(code, 1);
  assert.match(stdout, /^devices: 2 connected, 2 failed, 0 ended early\n/m);
  assert.match(stdout, /^messages: (\d+) sent, \1 echoed, 0 lost/m);
  assert.match(stdout, /^errors: refused 2$/m);
  assert.match(
    stderr,
    /^usmp: 2 of 4 devices could not connect, one because: the server closed after HELLO_ACK/,
  );
});

test('when no device can connect the exit code is that of connect', async (t) => {
  const url = await listen(t, echo);
  const wrongKey = await run(t, ['simulate', url, '--psk', 'another key, 16+ bytes', '--devices', '2']);
  assert.equal(wrongKey.code, 3);
  assert.match(wrongKey.stdout, /^devices: 0 connected, 2 failed, .*\n(.*\n)*errors: refused 2\n$/m);
  assert.match(wrongKey.stderr, /^usmp: .*wrong key or unknown device id.*\n$/);
  const nobody = await run(t, simulate('tcp://127.0.0.1:1', '--devices', '2'));
  assert.equal(nobody.code, 4);
  assert.match(nobody.stderr, /^usmp: cannot connect to 127\.0\.0\.1:1 .*nothing listens there.*\n$/);
});

test('when all fail the same way it does not try thousands more', async (t) => {
  const { code, summary } = await summaryOf(t, simulate('tcp://127.0.0.1:1', '--devices', '5000'));
  assert.equal(code, 4);
  assert.ok(Number(summary.failed) >= 1 && Number(summary.failed) < 500, `tried ${summary.failed}`);
});

test('Ctrl-C ends it early, with the summary, BYE and exit code 0', async (t) => {
  const ends: (string | undefined)[] = [];
  const url = await listen(t, async (session) => {
    await echo(session);
    ends.push(session.error?.code);
  });
  const command = new Command(
    t,
    simulate(url, '--devices', '3', '--rate', '10', '--duration', '0', '--json'),
  );
  await command.sees(/"progress".*"echoed":[1-9]/);
  command.kill('SIGINT');
  const { code, stderr } = await command.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const { event, connected, sent, echoed } = command.events.at(-1)!;
  assert.deepEqual({ event, connected, sent }, { event: 'summary', connected: 3, sent: echoed });
  assert.deepEqual(ends, ['bye', 'bye', 'bye']);
});

test('Ctrl-C while devices still connect blames nobody', async (t) => {
  const url = await listen(t, echo);
  const command = new Command(t, simulate(url, '--devices', '100', '--connect-rate', '1', '--json'));
  await command.sees(/"connected"/);
  command.kill('SIGINT');
  const { code, stderr } = await command.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const { connected, failed } = command.events.at(-1)!;
  assert.ok(Number(connected) >= 1 && Number(connected) < 100);
  assert.equal(failed, 0);
});

test('--connect-rate is how many devices start in a second', async (t) => {
  const url = await listen(t, echo);
  const began = performance.now();
  const { code } = await run(
    t,
    simulate(url, '--devices', '11', '--connect-rate', '10', '--duration', '0.1'),
  );
  assert.equal(code, 0);
  assert.ok(performance.now() - began >= 1_000);
});

test('devices that share an address do not start faster than a server takes them', async (t) => {
  const server = new USMPServer({ listen: 'tcp://[::1]:0', psk: KEY });
  server.onSession(echo);
  const listening = await server.listen().then(
    () => true,
    () => false,
  );
  if (!listening) return t.skip('this system has no IPv6');
  t.after(() => server.close({ timeout: 0 }));
  const began = performance.now();
  const { code } = await run(
    t,
    simulate(server.urls[0], '--devices', '151', '--rate', '0', '--duration', '0.1'),
  );
  assert.equal(code, 0);
  assert.ok(performance.now() - began >= 1_500);
});

test('with --rate 0 devices connect and stay', async (t) => {
  const url = await listen(t, echo);
  const { code, stdout, stderr } = await run(
    t,
    simulate(url, '--devices', '3', '--rate', '0', '--duration', '0.3'),
  );
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.match(stdout, /^devices: 3 connected, 0 failed, 0 ended early\nhandshake .*\nmessages: 0 sent, /m);
});

test('too few file descriptors are told, with what to raise', {
  skip: process.platform === 'win32',
}, async (t) => {
  const url = await listen(t, echo);
  const args = simulate(url, '--devices', '350', '--duration', '0.1');
  // Enough for all modules of the command at once, as Node.js may open them.
  const limited = promisify(execFile)(
    'sh',
    ['-c', 'ulimit -n 300; exec "$0" "$@"', process.execPath, USMP, ...args],
    { timeout: 30_000 },
  );
  await assert.rejects(limited, ({ code, stderr }: Outcome) => {
    // On a busy machine the progress comes first.
    assert.match(stderr, /^usmp: \d+ of 350 devices could not connect, .*file descriptor.*ulimit -n/m);
    return code === 1;
  });
});

test('values that cannot be used are usage errors with the range', async (t) => {
  const cases: [string, string, RegExp][] = [
    ['--devices', '0', /from 1 to 100000/],
    ['--devices', '1.5', /whole number/],
    ['--rate', '-1', /from 0 to 10000/],
    ['--rate', 'fast', /from 0 to 10000/],
    ['--duration', '-1', /seconds/],
    ['--size', '15', /from 16 to 1808/],
    ['--size', '1809', /from 16 to 1808/],
    ['--timeout', '0', /seconds/],
    ['--connect-rate', '0', /from 0\.1/],
    ['--seed', '65536', /from 0 to 65535/],
  ];
  for (const [option, value, says] of cases) {
    const { code, stdout, stderr } = await run(t, simulate('tcp://127.0.0.1:1', option, value));
    assert.deepEqual({ code, stdout }, { code: 2, stdout: '' });
    assert.match(stderr, new RegExp(`'${option} <.*>' argument '${value}' is invalid`));
    assert.match(stderr, says);
  }
  for (const url of ['127.0.0.1:9000', 'tcp://127.0.0.1:0', 'nonsense']) {
    const { code, stdout, stderr } = await run(t, simulate(url));
    assert.deepEqual({ code, stdout }, { code: 2, stdout: '' });
    assert.match(stderr, new RegExp(`^usmp: .*${url}`));
  }
});
