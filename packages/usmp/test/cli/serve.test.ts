import assert from 'node:assert/strict';
import test from 'node:test';
import type { USMPSession } from '#dist/index.js';
import { Command, KEY, run, serve } from './command.js';
import { connect, DEVICE, relayTo } from './servers.js';

const OTHER = '02:00:00:00:00:02';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

async function text(session: USMPSession): Promise<string> {
  return new TextDecoder().decode(await session.recv({ timeout: 10_000 }));
}

/** Why a session ended, once it has. */
async function end(session: USMPSession): Promise<string | undefined> {
  await assert.rejects(session.recv({ timeout: 10_000 }));
  return session.error?.code;
}

test('stdout has one listening line a listener, with the real port, and nothing else', async (t) => {
  const server = new Command(t, [
    ...['serve', '--psk', KEY, '--echo'],
    ...['--listen', 'tcp://127.0.0.1:0', '--listen', 'tcp://[::1]:0'],
  ]);
  await server.sees(/listening tcp:\/\/127\.0\.0\.1:\d+\n/);
  await server.sees(/listening tcp:\/\/\[::1\]:\d+\n/);
  for (const [url] of server.stdout.matchAll(/tcp:\S+/g)) {
    assert.notEqual(new URL(url).port, '0');
    const session = await connect(t, url);
    await session.send('ping');
    assert.equal(await text(session), 'ping');
    await session.close();
  }
  server.kill('SIGTERM');
  const { stdout } = await server.ended;
  assert.match(stdout, /^(listening tcp:\S+\n){2}$/);
});

test('without --listen it is port 9000 on all IPv4 addresses', async (t) => {
  const { stdout } = await run(t, ['serve', '--help']);
  assert.match(stdout, /"tcp:\/\/0\.0\.0\.0:9000"/);
});

test('--echo sends every message back', async (t) => {
  const { url } = await serve(t, ['--psk', KEY, '--echo']);
  const session = await connect(t, url);
  for (const message of ['hello', '', 'x'.repeat(1_808)]) {
    await session.send(message);
    assert.equal(await text(session), message);
  }
});

test('without --echo messages are printed: text as text, other bytes in hexadecimal', async (t) => {
  const { server, url } = await serve(t, ['--psk', KEY]);
  const session = await connect(t, url);
  await session.send('21.5 °C');
  await session.send(Uint8Array.of(0xff, 0x00, 0x7f));
  await session.send('two\nlines\u001b[2J');
  await server.sees(/^02:00:00:00:00:01 21\.5 °C\n/m);
  await server.sees(/^02:00:00:00:00:01 ff007f\n/m);
  await server.sees(/^02:00:00:00:00:01 two\\x0alines\\x1b\[2J\n/m);
});

test('what is typed goes to all devices, or to the one that is named', async (t) => {
  const { server, url } = await serve(t, ['--psk', KEY]);
  const one = await connect(t, url);
  const two = await connect(t, url, { deviceId: OTHER });
  server.process.stdin.write(`for all\n\n@${OTHER.toUpperCase()} for one only\nthe end\n`);
  assert.deepEqual([await text(one), await text(one)], ['for all', 'the end']);
  assert.deepEqual(
    [await text(two), await text(two), await text(two)],
    ['for all', 'for one only', 'the end'],
  );
});

test('what cannot be sent is answered with what to do', async (t) => {
  const { server, url } = await serve(t, ['--psk', KEY]);
  server.process.stdin.write('is anybody there?\n');
  await server.sees(/no device is connected/, 'stderr');
  const session = await connect(t, url);
  server.process.stdin.write(`@${OTHER} hello\n`);
  await server.sees(/02:00:00:00:00:02 is not connected; connected: 02:00:00:00:00:01/, 'stderr');
  server.process.stdin.write('@all hello\n');
  await server.sees(/"all" is not a device id: write it like aa:bb:cc:dd:ee:ff/, 'stderr');
  server.process.stdin.write(`@${DEVICE}\n`);
  await server.sees(/write @aa:bb:cc:dd:ee:ff and the text behind a space/, 'stderr');
  server.process.stdin.write(`${'x'.repeat(1_809)}\n`);
  await server.sees(/not sent to 02:00:00:00:00:01: .*at most 1808/, 'stderr');
  server.process.stdin.write('after all that\n');
  assert.equal(await text(session), 'after all that');
});

test('the end of stdin does not stop the server', async (t) => {
  const { server, url } = await serve(t, ['--psk', KEY]);
  const session = await connect(t, url);
  server.process.stdin.end('last words\n');
  assert.equal(await text(session), 'last words');
  await session.send('still there?');
  await server.sees(/still there\?/);
  server.kill('SIGTERM');
  assert.equal((await server.ended).code, 0);
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} says BYE to all devices and exits 0`, async (t) => {
    const { server, url } = await serve(t, ['--psk', KEY]);
    const sessions = [await connect(t, url), await connect(t, url, { deviceId: OTHER })];
    server.kill(signal);
    assert.deepEqual(await Promise.all(sessions.map(end)), ['bye', 'bye']);
    const { code, signal: killed } = await server.ended;
    assert.deepEqual({ code, killed }, { code: 0, killed: null });
  });
}

test('a second signal ends the server at once, while a device still keeps it waiting', async (t) => {
  const { server, url } = await serve(t, ['--psk', KEY]);
  const session = await connect(t, (await relayTo(t, url, { stubborn: true })).url);
  server.kill('SIGTERM');
  assert.equal(await end(session), 'bye');
  // A signal right behind the first counts as the same key press; so go on until one does not.
  const again = setInterval(() => server.kill('SIGTERM'), 50);
  t.after(() => clearInterval(again));
  const { code, signal } = await server.ended;
  assert.deepEqual({ code, signal }, { code: null, signal: 'SIGTERM' });
});

test('the same key press, passed on by npm, is no second signal', async (t) => {
  const { server, url } = await serve(t, ['--psk', KEY]);
  const relay = await relayTo(t, url, { stubborn: true });
  const session = await connect(t, relay.url);
  server.kill('SIGINT');
  assert.equal(await end(session), 'bye');
  server.kill('SIGINT');
  relay.cut();
  const { code, signal } = await server.ended;
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});

test('--json prints every event as one object a line', async (t) => {
  const { server, url } = await serve(t, ['--psk', KEY, '--echo', '--json']);
  const session = await connect(t, url);
  await session.send('21.5 °C');
  await text(session);
  await session.send(Uint8Array.of(0xff, 0x00));
  await session.recv();
  await session.close();
  await assert.rejects(connect(t, url, { psk: 'another key, 16+ bytes' }));
  await server.sees(/"refused"/);
  server.kill('SIGTERM');
  assert.equal((await server.ended).code, 0);

  const events = server.events.map(({ time, ...event }) => {
    assert.match(String(time), TIME);
    return event;
  });
  const peers = events.map(({ peer }) => peer).filter((peer) => peer !== undefined);
  for (const peer of peers) assert.match(String(peer), /^127\.0\.0\.1:\d+$/);
  const of = { deviceId: DEVICE, sessionId: session.id, peer: peers[0] };
  const word = { bytes: 8, text: '21.5 °C' };
  const bytes = { bytes: 2, hex: 'ff00' };
  assert.deepEqual(events, [
    { event: 'listening', url },
    { event: 'connected', ...of },
    { event: 'message', ...of, direction: 'in', ...word },
    { event: 'message', ...of, direction: 'out', ...word },
    { event: 'message', ...of, direction: 'in', ...bytes },
    { event: 'message', ...of, direction: 'out', ...bytes },
    { event: 'disconnected', ...of, reason: 'bye' },
    { event: 'refused', deviceId: DEVICE, peer: peers.at(-1), reason: 'wrong-key' },
  ]);
});

test('--json tells what was typed, too, and keeps logs on stderr', async (t) => {
  const { server, url } = await serve(t, ['--psk', KEY, '--json']);
  const session = await connect(t, url);
  server.process.stdin.write('hello\n');
  assert.equal(await text(session), 'hello');
  await server.sees(/"direction":"out","bytes":5,"text":"hello"/);
  await server.sees(/info {2}connected 02:00:00:00:00:01/, 'stderr');
});

test('--log-level says from which level on stderr is told', async (t) => {
  const levels = { debug: 'dcw', info: 'cw', warn: 'w', error: '', silent: '' };
  await Promise.all(
    Object.entries(levels).map(async ([level, expected]) => {
      const { server, url } = await serve(t, ['--psk', KEY, '--log-level', level, '--json']);
      await connect(t, url);
      await assert.rejects(connect(t, url, { psk: 'another key, 16+ bytes' }));
      await server.sees(/"refused"/);
      server.kill('SIGTERM');
      const { stderr } = await server.ended;
      const lines = { d: / debug listening/, c: / info {2}connected/, w: / warn {2}refused .*wrong key/ };
      const told = Object.entries(lines).map(([letter, line]) => (line.test(stderr) ? letter : ''));
      assert.equal(told.join(''), expected, `${level}:\n${stderr}`);
      if (level === 'silent') assert.equal(stderr, '');
    }),
  );
  const { code, stderr } = await run(t, ['serve', '--psk', KEY, '--log-level', 'loud']);
  assert.equal(code, 2);
  assert.match(stderr, /debug, info, warn, error, silent/);
});

test('a reader of stdout that goes away ends the server in good order', async (t) => {
  const { server, url } = await serve(t, ['--psk', KEY]);
  const session = await connect(t, url);
  server.process.stdout.destroy();
  await session.send('nobody reads this');
  assert.equal(await end(session), 'bye');
  const { code, stderr } = await server.ended;
  assert.equal(code, 0);
  assert.doesNotMatch(stderr, /EPIPE|at .*\.js:/);
});

test('a port in use is told in one line, with exit code 1', async (t) => {
  const { url } = await serve(t, ['--psk', KEY]);
  const { code, stdout, stderr } = await run(t, ['serve', '--psk', KEY, '--listen', url]);
  assert.deepEqual({ code, stdout }, { code: 1, stdout: '' });
  assert.match(stderr, /^usmp: 127\.0\.0\.1:\d+ is in use: stop the other program or choose another port\n$/);
});

test('a listener that is no URL of a transport is a usage error', async (t) => {
  const { code, stderr } = await run(t, ['serve', '--psk', KEY, '--listen', '127.0.0.1:9000']);
  assert.equal(code, 2);
  assert.match(stderr, /^usmp: "127\.0\.0\.1:9000".*write it like tcp:\/\/127\.0\.0\.1:9000\n$/);
});
