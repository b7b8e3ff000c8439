/** One server on everything at once, and commands that reach it by each of its URLs. */

import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { USMPServer } from '#dist/index.js';
import { testWithPorts } from '../support/ports.js';
import { Command, connectArgs, KEY, run, temporaryFolder } from './command.js';
import { echo } from './servers.js';

const LISTEN = [
  'tcp://127.0.0.1:0',
  'udp://127.0.0.1:0',
  'ws://127.0.0.1:0',
  'serial+tcp://127.0.0.1:0',
  'unix:./x.sock',
];

test('serve listens on every kind of URL at once, and connect reaches each', async (t) => {
  const cwd = temporaryFolder(t);
  const listeners = LISTEN.flatMap((url) => ['--listen', url]);
  const args = ['serve', ...listeners, '--psk', KEY, '--echo', '--log-level', 'silent'];
  const server = new Command(t, args, { cwd });
  await server.sees(/(?:listening .*\n){5}/);
  const urls = [...server.stdout.matchAll(/^listening (\S+)$/gm)].map(([, url]) => url!);
  assert.deepEqual(
    urls.map((url) => url.replace(/\d+$/, '0')),
    LISTEN,
  );
  const reach = async (url: string) => {
    const { code, stdout, stderr } = await run(t, connectArgs(url, '--send', 'hello', '--stats'), { cwd });
    assert.deepEqual({ code, stdout }, { code: 0, stdout: 'hello\n' }, stderr);
    assert.ok(stderr.startsWith(`--- ${url} session statistics ---\n`), stderr);
  };
  await Promise.all(urls.map(reach));
  server.kill('SIGTERM');
  assert.equal((await server.ended).code, 0);
});

testWithPorts('serve and connect take serial ports', async (t, bench) => {
  const cable = await bench.cable();
  const args = ['serve', '--listen', cable.server.url, '--psk', KEY, '--echo', '--log-level', 'silent'];
  const server = new Command(t, args);
  await server.sees(/^listening serial:.*\?baud=115200$/m);
  const { code, stdout, stderr } = await run(t, connectArgs(cable.device.url, '--send', 'hello', '--stats'));
  assert.deepEqual({ code, stdout }, { code: 0, stdout: 'hello\n' }, stderr);
  assert.match(stderr, /^--- serial:\/\S+ session statistics ---/);
});

test('ping and simulate take every kind of URL', async (t) => {
  const folder = temporaryFolder(t);
  const server = new USMPServer({ psk: KEY, listen: [...LISTEN.slice(0, -1), `unix:${folder}/x.sock`] });
  server.onSession(echo);
  await server.listen();
  t.after(() => server.close({ timeout: 0 }));
  for (const url of server.urls) {
    const simulate = ['simulate', url, '--psk', KEY, '--devices', '3', '--rate', '10', '--duration', '0.3'];
    const [pinged, simulated] = await Promise.all([
      run(t, ['ping', url, '--psk', KEY, '--count', '2', '--interval', '10']),
      run(t, simulate),
    ]);
    assert.equal(pinged.code, 0, pinged.stderr);
    assert.match(simulated.stdout, /^devices: 3 connected, 0 failed, 0 ended early$/m, simulated.stderr);
    assert.equal(simulated.code, 0, simulated.stderr);
  }
});

test('a wrong key is refused over each of them that can say so at once', async (t) => {
  const cwd = temporaryFolder(t);
  const listeners = ['tcp://127.0.0.1:0', 'ws://127.0.0.1:0', 'unix:./x.sock'];
  const args = listeners.flatMap((url) => ['--listen', url]);
  const server = new Command(t, ['serve', ...args, '--psk', KEY, '--json', '--log-level', 'silent'], { cwd });
  await server.sees(/(?:.*"listening".*\n){3}/);
  for (const { url } of server.events) {
    const wrong = ['connect', String(url), '--psk', 'some other key, 16+', '--send', 'x', '--json'];
    const { code, stdout, stderr } = await run(t, wrong, { cwd });
    assert.equal(code, 3);
    assert.match(stderr, /wrong key or unknown device id/);
    const [{ event, peer, reason }] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual([event, reason], ['refused', 'wrong-key']);
    assert.ok(String(url).includes(peer) || path.basename(peer) === 'x.sock', peer);
  }
});

test('URLs that cannot be used are usage errors that say what to write instead', async (t) => {
  const cases: [string[], RegExp][] = [
    [
      ['connect', 'mqtt://127.0.0.1'],
      /unknown transport "mqtt", known: tcp, udp, ws, wss, serial, serial\+tcp, unix/,
    ],
    [['connect', 'unix://run/usmp.sock'], /unix:\/run\/usmp\.sock/],
    [['connect', 'serial:/dev/ttyUSB0?speed=9600'], /"speed" is no parameter: there is only baud/],
    [['connect', 'ws://127.0.0.1/#there'], /fragment/],
    [['serve', '--listen', 'wss://0.0.0.0'], /attach/],
    [['serve', '--listen', 'tcp://0.0.0.0/path'], /more than transport, host and port/],
  ];
  for (const [args, says] of cases) {
    const { code, stderr } = await run(t, [...args, '--psk', KEY]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, says);
    assert.equal(stderr.trim().split('\n').length, 1);
  }
});
