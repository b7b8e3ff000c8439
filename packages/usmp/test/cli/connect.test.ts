import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { Command, connectArgs as client, KEY, run, temporaryFolder } from './command.js';
import { DEVICE, echo, keep, listen, listenOn } from './servers.js';

test('--send sends each message, waits for its reply and prints it', async (t) => {
  const url = await listen(t, echo);
  const result = await run(t, client(url, '--send', 'hello', '--send', '', '--send', '--21.5 °C'));
  assert.deepEqual(result, { code: 0, signal: null, stdout: 'hello\n\n--21.5 °C\n', stderr: '' });
});

test('messages wait for the reply to the one before', async (t) => {
  const order: string[] = [];
  const url = await listen(t, async (session) => {
    for await (const message of session) {
      order.push(`got ${Buffer.from(message)}`);
      await new Promise((resolve) => setTimeout(resolve, 30));
      order.push(`answered ${Buffer.from(message)}`);
      await session.send('ok');
    }
  });
  const { code } = await run(t, client(url, '--send', 'a', '--send', 'b'));
  assert.equal(code, 0);
  assert.deepEqual(order, ['got a', 'answered a', 'got b', 'answered b']);
});

test('without --send the lines of standard input are the messages', async (t) => {
  const url = await listen(t, echo);
  const result = await run(t, client(url), { input: 'one\n\ntwo' });
  assert.deepEqual(result, { code: 0, signal: null, stdout: 'one\n\ntwo\n', stderr: '' });
});

test('lines of standard input go out as they come, not when it ends', async (t) => {
  const url = await listen(t, echo);
  const command = new Command(t, client(url));
  command.process.stdin.write('first\n');
  await command.sees(/^first\n/);
  command.process.stdin.write('second\n');
  await command.sees(/^second\n/m);
  command.process.stdin.end();
  assert.equal((await command.ended).code, 0);
});

test('a message that nobody asked for is printed when it comes', async (t) => {
  const url = await listen(t, async (session) => {
    await session.send('good morning');
    await echo(session);
  });
  const command = new Command(t, client(url));
  await command.sees(/^good morning\n/);
  command.process.stdin.end('thanks\n');
  const { code, stdout } = await command.ended;
  assert.deepEqual({ code, stdout }, { code: 0, stdout: 'good morning\nthanks\n' });
});

test('a reply that is not text is printed in hexadecimal', async (t) => {
  const url = await listen(t, async (session) => {
    await session.recv();
    await session.send(Uint8Array.of(0xff, 0x01));
    await session.recv();
  });
  const { stdout } = await run(t, client(url, '--send', 'x'));
  assert.equal(stdout, 'ff01\n');
});

test('--file sends a file as one message, behind those of --send, up to 1,808 bytes', async (t) => {
  const sizes: number[] = [];
  const url = await listen(t, async (session) => {
    for await (const message of session) {
      sizes.push(message.length);
      await session.send('ok');
    }
  });
  const file = path.join(temporaryFolder(t), 'image.bin');
  writeFileSync(file, Buffer.alloc(1_808, 0xa5));
  const { code } = await run(t, client(url, '--file', file, '--send', 'x'));
  assert.equal(code, 0);
  assert.deepEqual(sizes, [1, 1_808]);
});

test('a message that is too large is a usage error, before anything is sent', async (t) => {
  const received: string[] = [];
  const url = await listen(t, keep(received));
  const file = path.join(temporaryFolder(t), 'image.bin');
  writeFileSync(file, Buffer.alloc(1_809));
  for (const args of [
    ['--file', file],
    ['--send', '°'.repeat(905)],
  ]) {
    const { code, stderr } = await run(t, client(url, '--send', 'first', ...args));
    assert.equal(code, 2);
    assert.match(stderr, /^usmp: .*18(09|10) bytes, but a message has at most 1808: send it in parts\n$/);
  }
  const line = await run(t, client(url), { input: `${'x'.repeat(1_809)}\n` });
  assert.equal(line.code, 2);
  assert.match(line.stderr, /^usmp: .*1809 bytes, at most 1808.*\n$/);
  assert.deepEqual(received, []);
});

test('a file that is missing is a usage error', async (t) => {
  const { code, stderr } = await run(t, client('tcp://127.0.0.1:1', '--file', '/no/such/file'));
  assert.equal(code, 2);
  assert.equal(stderr, 'usmp: cannot read /no/such/file: no such file or folder\n');
});

test('--interval waits between messages, and not before the first or after the last', async (t) => {
  const times: number[] = [];
  const url = await listen(t, async (session) => {
    for await (const message of session) {
      times.push(performance.now());
      await session.send(message);
    }
  });
  const { code } = await run(
    t,
    client(url, '--interval', '150', '--send', 'a', '--send', 'b', '--send', 'c'),
  );
  assert.equal(code, 0);
  assert.equal(times.length, 3);
  // Timers may fire a millisecond early.
  assert.ok(times[1] - times[0] > 148 && times[2] - times[1] > 148, String(times));
});

test('--no-reply waits for none, and everything still arrives', async (t) => {
  const received: string[] = [];
  let whole!: () => void;
  const ended = new Promise<void>((resolve) => {
    whole = resolve;
  });
  const url = await listen(t, async (session) => {
    await keep(received)(session);
    whole();
  });
  const { code, stdout } = await run(t, client(url, '--no-reply', '--send', 'a', '--send', 'b'));
  assert.deepEqual({ code, stdout }, { code: 0, stdout: '' });
  await ended;
  assert.deepEqual(received, ['a', 'b']);
});

test('--device-id is what the server sees', async (t) => {
  const url = await listen(t, (session) => session.send(session.deviceId), { [DEVICE]: KEY });
  const { stdout } = await run(t, client(url, '--device-id', DEVICE.toUpperCase(), '--send', 'who am I?'));
  assert.equal(stdout, `${DEVICE}\n`);
});

test('the key may come from a file or the environment', async (t) => {
  const url = await listen(t, echo);
  const file = path.join(temporaryFolder(t), 'key.txt');
  writeFileSync(file, `${KEY}\n`, { mode: 0o644 });
  const fromFile = await run(t, ['connect', url, '--psk-file', file, '--send', 'x']);
  assert.equal(fromFile.code, 0);
  assert.match(
    fromFile.stderr,
    /^usmp: .*key\.txt can be read by every user of this machine: chmod 600 it\n$/,
  );
  const fromEnvironment = await run(t, ['connect', url, '--send', 'x'], { env: { USMP_PSK: KEY } });
  assert.deepEqual([fromEnvironment.code, fromEnvironment.stderr], [0, '']);
});

test('--json prints every event as one object a line', async (t) => {
  const url = await listen(t, async (session) => {
    await session.recv();
    await session.send(Uint8Array.of(0xff));
    await session.recv();
  });
  const command = new Command(t, client(url, '--json', '--device-id', DEVICE, '--send', '21.5 °C'));
  assert.equal((await command.ended).code, 0);
  const events = command.events.map(({ time, ...event }) => {
    assert.equal(new Date(String(time)).toISOString(), time);
    return event;
  });
  const of = { deviceId: DEVICE, sessionId: events[0].sessionId, peer: new URL(url).host };
  assert.match(String(of.sessionId), /^[0-9a-f]{32}$/);
  assert.deepEqual(events, [
    { event: 'connected', ...of },
    { event: 'message', ...of, direction: 'out', bytes: 8, text: '21.5 °C' },
    { event: 'message', ...of, direction: 'in', bytes: 1, hex: 'ff' },
    { event: 'disconnected', ...of, reason: 'closed' },
  ]);
});

test('--stats prints on stderr what the session has carried and the round trip', async (t) => {
  const url = await listen(t, echo);
  const args = client(url, '--stats', '--send', 'hello', '--send', '°C');
  const { code, stdout, stderr } = await run(t, args);
  assert.deepEqual({ code, stdout }, { code: 0, stdout: 'hello\n°C\n' });
  const lines = stderr.trimEnd().split('\n');
  assert.equal(lines[0], `--- ${url} session statistics ---`);
  assert.match(lines[1], /^round trip: \d+\.\d{3} ms$/);
  // Two messages, PING and BYE; two messages and PONG.
  assert.equal(lines[2], 'sent: messages 2, bytes 8, frames 4');
  assert.equal(lines[3], 'received: messages 2, bytes 8, frames 3');
  assert.equal(lines.length, 4);
});

test('--stats --json is an event before the end', async (t) => {
  const url = await listen(t, echo);
  const command = new Command(t, client(url, '--stats', '--json', '--send', 'hello'));
  assert.equal((await command.ended).code, 0);
  const [connected, , , stats, disconnected] = command.events;
  const { time, rtt, ...rest } = stats;
  const { deviceId, sessionId, peer } = connected;
  assert.ok(Number(rtt) > 0);
  assert.deepEqual(rest, {
    event: 'stats',
    deviceId,
    sessionId,
    peer,
    messagesSent: 1,
    messagesReceived: 1,
    bytesSent: 5,
    bytesReceived: 5,
    framesSent: 3,
    framesReceived: 2,
  });
  assert.equal(disconnected.event, 'disconnected');
});

test('--stats come also when a reply is missing, then without a round trip', async (t) => {
  const url = await listen(t, keep([]));
  const { code, stderr } = await run(t, client(url, '--stats', '--timeout', '0.1', '--send', 'hello'));
  assert.equal(code, 5);
  assert.match(
    stderr,
    /^--- .* ---\nround trip: unknown\nsent: messages 1, bytes 5, .*\nreceived: messages 0, /,
  );
  assert.match(stderr, /\nusmp: no reply within 0\.1 s; raise --timeout.*\n$/);
});

test('Ctrl-C says BYE and exits 0, whatever it was waiting for', async (t) => {
  const ends: (string | undefined)[] = [];
  const url = await listen(t, async (session) => {
    await session.send('hello').catch(() => {});
    await session.recv().catch(() => {});
    await session.recv().catch(() => {});
    ends.push(session.error?.code);
  });
  const waits = { stdin: [], reply: ['--send', 'x', '--timeout', '600'] };
  for (const args of Object.values(waits)) {
    const command = new Command(t, client(url, ...args));
    await command.sees(/hello/);
    command.kill('SIGINT');
    const { code, stderr } = await command.ended;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  }
  assert.deepEqual(ends, ['bye', 'bye']);
});

test('Ctrl-C also ends the wait for a connection', async (t) => {
  const sockets: net.Socket[] = [];
  const mute = net.createServer((socket) => sockets.push(socket.on('error', () => {})));
  const url = await listenOn(t, mute);
  const command = new Command(t, client(url, '--send', 'x'));
  const [socket] = await once(mute, 'connection');
  await once(socket, 'readable');
  command.kill('SIGINT');
  assert.equal((await command.ended).code, 0);
  for (const socket of sockets) socket.destroy();
});

test('a reader of stdout that goes away ends the command without a word', async (t) => {
  const url = await listen(t, async (session) => {
    await session.send('first');
    await session.recv();
    await session.send('second');
    await session.recv();
  });
  const command = new Command(t, client(url));
  await command.sees(/first/);
  command.process.stdout.destroy();
  command.process.stdin.write('go on\n');
  const { code, stderr } = await command.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
});
