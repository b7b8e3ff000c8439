/** The exit codes of `usmp connect`, and the one line that tells what to do. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import test from 'node:test';
import { Command, connectArgs as client, run } from './command.js';
import { DEVICE, echo, keep, listen, listenOn } from './servers.js';

/** One line that says what to do. */
function assertFails(
  result: { code: number | null; stdout: string; stderr: string },
  code: number,
  line: RegExp,
): void {
  assert.equal(result.code, code, result.stderr);
  assert.match(result.stderr, /^usmp: [^\n]+\n$/);
  assert.match(result.stderr, line);
  assert.equal(result.stdout, '');
}

test('exit code 2: usage', async (t) => {
  const url = 'tcp://127.0.0.1:1';
  const mistakes: [args: string[], line: RegExp][] = [
    [client('localhost:9000'), /write it like tcp:\/\//],
    [client(url, '--device-id', 'lamp'), /not a device id/],
    [['connect', url, '--send', 'x'], /no key: give --psk-file/],
  ];
  await Promise.all(mistakes.map(async ([args, line]) => assertFails(await run(t, args), 2, line)));
});

test('exit code 2: options that cannot be parsed', async (t) => {
  const mistakes: [args: string[], line: RegExp][] = [
    [client('tcp://127.0.0.1:1', '--timeout', '0'), /'--timeout <s>' argument '0' is invalid/],
    [client('tcp://127.0.0.1:1', '--timeout', 'soon'), /'--timeout <s>' argument 'soon' is invalid/],
    [client('tcp://127.0.0.1:1', '--interval', '-1'), /'--interval <ms>' argument '-1' is invalid/],
    [['connect'], /missing required argument 'url'/],
  ];
  await Promise.all(
    mistakes.map(async ([args, line]) => {
      const { code, stderr } = await run(t, args);
      assert.equal(code, 2);
      assert.match(stderr, line);
    }),
  );
});

test('exit code 3: closed after HELLO_ACK, for a wrong key and an unknown device alike', async (t) => {
  const url = await listen(t, echo, { [DEVICE]: 'another key, 16+ bytes' });
  const line = /the server closed after HELLO_ACK: .*; check the key, and --device-id/;
  assertFails(await run(t, client(url, '--device-id', DEVICE, '--send', 'x')), 3, line);
  assertFails(await run(t, client(url, '--send', 'x')), 3, line);
});

test('exit code 3: closed before CHALLENGE', async (t) => {
  const url = await listenOn(
    t,
    net.createServer((socket) => socket.destroy()),
  );
  assertFails(await run(t, client(url, '--send', 'x')), 3, /closed before CHALLENGE.*check the port/);
  const politely = await listenOn(
    t,
    net.createServer((socket) => socket.on('error', () => {}).end()),
  );
  assertFails(await run(t, client(politely, '--send', 'x')), 3, /closed before CHALLENGE/);
});

test('exit code 3: a server that does not know the key', async (t) => {
  const frame = (type: number, payload: Buffer) => {
    const header = Buffer.from([0xcd, 0xab, 2, type, 0, 0, 0, 0, payload.length, 0, 0, 0]);
    return Buffer.concat([header, payload]);
  };
  const publicKey = Buffer.alloc(32, 9);
  const rogue = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(frame(0x02, Buffer.concat([Buffer.alloc(32), publicKey])));
      socket.once('data', () => socket.write(frame(0x04, Buffer.alloc(48))));
    });
  });
  const url = await listenOn(t, rogue);
  assertFails(
    await run(t, client(url, '--send', 'x')),
    3,
    /possible rogue server; check the URL and the key/,
  );
});

test('exit code 4: nothing listens there', async (t) => {
  const server = net.createServer();
  const url = await listenOn(t, server);
  server.close();
  await once(server, 'close');
  assertFails(
    await run(t, client(url, '--send', 'x')),
    4,
    /cannot connect to 127\.0\.0\.1:\d+: nothing listens/,
  );
});

test('exit code 5: no reply in time', async (t) => {
  const url = await listen(t, keep([]));
  const result = await run(t, client(url, '--timeout', '0.2', '--send', 'x', '--send', 'y'));
  assertFails(result, 5, /no reply within 0\.2 s; raise --timeout, or give --no-reply/);
  const lines = await run(t, client(url, '--timeout', '0.2'), { input: 'x\ny\n' });
  assertFails(lines, 5, /no reply within 0\.2 s/);
});

test('exit code 5: the session ended before the reply', async (t) => {
  const url = await listen(t, (session) => session.recv());
  assertFails(await run(t, client(url, '--send', 'x')), 5, /the peer closed the session; look at the log/);
});

test('exit code 5: the session ended while standard input was still open', async (t) => {
  // With nothing to do the server says BYE right behind SESSION_OK.
  const url = await listen(t, () => {});
  const command = new Command(t, client(url, '--json'));
  const { code, stderr } = await command.ended;
  assert.equal(code, 5);
  assert.match(stderr, /^usmp: the peer closed the session; look at the log of the server\n$/);
  const told = command.events.map(({ event, reason }) => [event, reason]);
  assert.deepEqual(told, [
    ['connected', undefined],
    ['disconnected', 'bye'],
  ]);
});

test('exit code 6: what answers does not speak the protocol', async (t) => {
  const url = await listenOn(t, http.createServer());
  assertFails(await run(t, client(url, '--send', 'x')), 6, /not a USMP frame.*; check the port in the URL/);
});

test('exit code 6: a version 1 server is named', async (t) => {
  const old = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.write(Buffer.from([0xcd, 0xab, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0])));
  });
  const url = await listenOn(t, old);
  assertFails(await run(t, client(url, '--send', 'x')), 6, /version 1/);
});

test('--json tells who was refused, as far as a device can know', async (t) => {
  const url = await listen(t, echo, { '*': 'another key, 16+ bytes' });
  const command = new Command(t, client(url, '--json', '--device-id', DEVICE, '--send', 'x'));
  assert.equal((await command.ended).code, 3);
  const [{ time, ...event }, ...rest] = command.events;
  assert.deepEqual(event, {
    event: 'refused',
    deviceId: DEVICE,
    peer: new URL(url).host,
    reason: 'wrong-key',
  });
  assert.deepEqual(rest, []);
});
