import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { writeRunFile } from '#dist/run-file.js';
import { Storage } from '#dist/storage/storage.js';
import { answerOf, runAll, start, temporaryFolder } from './command.js';
import { ask, connectDevice, LISTEN, serveHTTP, startGateway } from './gateway.js';

test('commands find the gateway that runs on the data folder, and what they do reaches live sessions', async (t) => {
  const data = temporaryFolder(t);
  const gateway = await startGateway(t, data);
  const { id, session } = await connectDevice(t, data, 'lamp');
  const received: string[] = [];
  const reading = (async () => {
    for await (const message of session) received.push(Buffer.from(message).toString());
  })();
  await session.send('good\u001b[2Jmorning');
  const on = (...args: string[]) => [...args, '--data', data];
  const outcomes = await runAll(t, [
    on('status'),
    on('send', 'lamp', 'hello', '--wait'),
    on('send', 'lamp', '--base64', '/wA=', '--wait', '--json'),
    on('session', 'list'),
    on('session', 'ping', 'lamp'),
    on('message', 'list', 'lamp'),
    on('message', 'show', '1'),
    on('device', 'rotate', 'lamp', '--json'),
    on('device', 'list', '--online', '--json'),
    on('events', '--types', 'message-state,key-rotated', '--device', 'lamp'),
    on('login-link', '--role', 'read', '--json'),
    on('master-key', 'rotate'),
    on('device', 'revoke', 'lamp'),
    on('session', 'end', 'lamp'),
  ]);
  const [
    status,
    sent,
    binary,
    sessions,
    ping,
    messages,
    message,
    rotated,
    online,
    events,
    link,
    sealed,
    revoked,
    ended,
  ] = outcomes;
  assert.match(status!.stdout, /^gateway {3}the gateway on .* is ready$/m);
  assert.match(status!.stdout, /^devices {3}1 registered, 1 online$/m);
  assert.match(sent!.stdout, /^message \d+ to lamp: confirmed after \d+ ms\n$/);
  assert.equal(answerOf<{ message: { state: string } }>(binary!).message.state, 'confirmed');
  assert.match(sessions!.stdout, /^DEVICE .*\nlamp {4}\S.* tcp 127\.0\.0\.1:\d+ /);
  assert.match(ping!.stdout, /^lamp has answered after [\d.]+ ms\n$/);
  // What a device sends moves no cursor.
  assert.match(messages!.stdout, /from {2}lamp {4}received {3}good\\x1b\[2Jmorning\n/);
  assert.match(messages!.stdout, /to {4}lamp {4}confirmed {2}base64:\/wA=\n/);
  assert.equal(message!.code, 1);
  assert.equal(rotated!.code, 0);
  assert.equal(answerOf<{ devices: { id: string }[] }>(online!).devices[0]!.id, id);
  assert.match(events!.stdout, /message-state {3}lamp {15}message \d+ is confirmed\n[\s\S]*key-rotated/);
  const { url } = answerOf<{ url: string }>(link!);
  assert.ok(url.startsWith(gateway.baseURL));
  assert.equal((await fetch(url, { redirect: 'manual' })).status, 303);
  assert.equal(sealed!.code, 1);
  assert.match(sealed!.stderr, /\(process \d+\) runs: stop it, rotate the master key, and start it again\n$/);
  assert.equal(revoked!.code, 0);
  assert.equal(ended!.code, 1);
  await reading.catch(() => {});
  assert.deepEqual(received[0], 'hello');
});

test('events are followed across a restart of the gateway without a gap, until Ctrl-C', async (t) => {
  const data = temporaryFolder(t);
  const first = await startGateway(t, data);
  const follow = start(t, ['events', '--follow', '--after', '0', '--json', '--data', data]);
  await follow.sees(/"type":"gateway-started"/);
  await ask(data, '/devices', { name: 'lamp' });
  await follow.sees(/"type":"device-added"/);
  await first.stop();
  await follow.sees(/trying to come back\n/, 'stderr');
  await startGateway(t, data);
  await follow.sees(/"type":"gateway-started"[\s\S]*"type":"gateway-started"/);
  assert.match(follow.stderr, /the gateway is back\n$/);
  follow.process.kill('SIGINT');
  const { code, stdout } = await follow.ended;
  assert.equal(code, 0);
  const ids = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).id);
  assert.deepEqual(
    ids,
    ids.map((_, index) => ids[0] + index),
  );
});

test('a gateway that was killed leaves nothing behind that keeps commands from working', async (t) => {
  const data = temporaryFolder(t);
  const gateway = start(t, ['start', '--data', data, ...LISTEN]);
  await gateway.sees(/^api http/m);
  await ask(data, '/devices', { name: 'lamp' });
  gateway.process.kill('SIGKILL');
  await gateway.ended;
  assert.ok(existsSync(path.join(data, 'run.json')));
  const [list] = await runAll(t, [['device', 'list', '--data', data]]);
  assert.match(list!.stdout, /^lamp /m);
});

test('a command waits for a data folder that is in use, but not for long', async (t) => {
  const [held, released] = [temporaryFolder(t), temporaryFolder(t)];
  const holding = Storage.open(held);
  t.after(() => holding.close());
  const ending = Storage.open(released);
  // Somebody else has the port of a gateway that is gone. The command asks there before each attempt.
  let attempts = 0;
  const url = await serveHTTP(t, (_request, response) => {
    attempts++;
    if (attempts === 2) ending.close();
    response.writeHead(404).end('<html>');
  });
  writeRunFile(released, { pid: 1, url, api: url, token: 'of a gateway that is gone' });
  const [inVain, done] = await runAll(t, [
    ['device', 'list', '--data', held],
    ['device', 'list', '--data', released],
  ]);
  assert.equal(inVain!.code, 1);
  assert.match(
    inVain!.stderr,
    /^usmp-gateway: another process uses \S+: stop it, or use another data folder\n$/,
  );
  assert.deepEqual(done, { code: 0, stdout: done!.stdout, stderr: '' });
});

test('a gateway elsewhere is reached by its URL, with a token that is no argument', async (t) => {
  const data = temporaryFolder(t);
  const gateway = await startGateway(t, data);
  const { secret } = await ask<{ secret: string }>(data, '/tokens', { name: 'watcher', role: 'read' });
  const tokens: (string | undefined)[] = [];
  const other = await serveHTTP(t, (request, response) => {
    tokens.push(request.headers.authorization);
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
  });
  const redirect = await serveHTTP(t, (_request, response) =>
    response.writeHead(307, { location: `${other}/` }).end(),
  );
  const file = path.join(data, 'token');
  writeFileSync(file, `${'x'.repeat(48)}\n`, { mode: 0o600 });
  const at = (url: string, ...args: string[]) => [...args, '--url', url];
  const outcomes = await runAll(
    t,
    [
      at(`${gateway.baseURL}/`, 'device', 'list'),
      at(gateway.baseURL, 'device', 'add', '--name', 'lamp'),
      at(gateway.baseURL, 'device', 'list', '--token-file', file),
      at(redirect, 'device', 'list'),
      at(other, 'device', 'list', '--json'),
      at('http://user:pass@127.0.0.1', 'device', 'list'),
      at('ftp://127.0.0.1', 'device', 'list'),
      at(gateway.baseURL, 'master-key', 'rotate'),
    ],
    { env: { USMP_GATEWAY_TOKEN: secret } },
  );
  const [list, add, wrong, redirected, noGateway, withPassword, ftp, sealed] = outcomes;
  assert.match(list!.stdout, /^no devices yet/);
  assert.deepEqual([add!.code, wrong!.code], [1, 1]);
  assert.match(add!.stderr, /needs the role admin; watcher has the role read\n$/);
  assert.match(wrong!.stderr, /token/);
  assert.deepEqual([redirected!.code, noGateway!.code], [4, 4]);
  assert.match(
    redirected!.stderr,
    /answers with HTTP status 307, and not as a gateway does: check the address\n$/,
  );
  assert.equal(JSON.parse(noGateway!.stdout).error.code, 'unreachable');
  // Where a redirect leads, no token goes: the one it has seen is of the request to itself.
  assert.equal(tokens.length, 1);
  assert.deepEqual([withPassword!.code, ftp!.code, sealed!.code], [2, 2, 1]);
  assert.ok(!withPassword!.stderr.includes('pass@'));
  for (const { stdout, stderr } of outcomes) assert.ok(!(stdout + stderr).includes(secret));
});
