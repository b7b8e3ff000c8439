import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { USMPClient, USMPServer } from '#dist/index.js';
import { unix } from '#dist/transports/unix.js';
import { assertServes, coded, echo, eventually, PSK, type Scope, startServer } from '../server/live.js';
import { startServerProcess } from '../server/process.js';
import { joined, patiently, testStreamLinks } from './stream-links.js';

/** For processes of their own. */
const library = new URL('../../dist/index.js', import.meta.url).href;

testStreamLinks(unix, async (scope) => `unix:${await freePath(scope)}`);

// ── The URL ──────────────────────────────────────────────────────────────────────────────────────────────────────

test('a URL has a path, absolute or relative, whose special characters can be written in hexadecimal', async (t) => {
  const folder = await freeFolder(t);
  const before = process.cwd();
  process.chdir(folder);
  t.after(() => process.chdir(before));
  for (const [url, path] of [
    [`unix:${folder}/plain.sock`, 'plain.sock'],
    [`unix://${folder}/slashes.sock`, 'slashes.sock'],
    ['unix:./dot.sock', 'dot.sock'],
    ['unix:bare.sock', 'bare.sock'],
    [`unix:${folder}/a%20b%3F%23%25.sock`, 'a b?#%.sock'],
    [`unix:${folder}/ä.sock`, 'ä.sock'],
  ]) {
    const live = await startServer(t, echo, { listen: [url!] });
    assert.ok((await lstat(join(folder, path!))).isSocket(), url);
    await assertServes(live);
    await live.server.close();
    assert.deepEqual(await readdir(folder), [], 'something is left');
  }
});

test('what cannot be a path is refused, with what to write instead', () => {
  for (const [url, message] of [
    ['unix:', /names no path/],
    ['unix:/run/', /folder/],
    ['unix://run/usmp.sock', /names a host, "run".*unix:\/run\/usmp\.sock/],
    ['unix:/run/x#y', /%23/],
    ['unix:/run/50%.sock', /%25/],
    ['unix:/run/%ff.sock', /UTF-8/],
    ['unix:/run/x%00y', /zero byte/],
    ['unix:/run/x?mode=888', /octal/],
    ['unix:/run/x?mode=66', /octal/],
    ['unix:/run/x?mode=4755', /octal/],
    ['unix:/run/x?mode=660&x', /octal/],
    ['unix:/run/x?owner=me', /octal/],
  ] as const) {
    assert.throws(
      () => new USMPServer({ listen: url, psk: PSK }),
      coded('ArgumentError', 'invalid_argument', message),
    );
    assert.throws(
      () => new USMPClient({ url, psk: PSK }),
      coded('ArgumentError', 'invalid_argument', message),
    );
  }
});

test('a path that is too long for the system is refused, and the longest that is not works', async (t) => {
  const folder = await freeFolder(t);
  const longest = process.platform === 'linux' ? 107 : 103;
  const name = 'x'.repeat(longest - Buffer.byteLength(folder) - 1);
  assert.throws(
    () => new USMPServer({ listen: `unix:${folder}/${name}x`, psk: PSK }),
    coded('ArgumentError', 'invalid_argument', /1 bytes longer than/),
  );
  await assertServes(await startServer(t, echo, { listen: [`unix:${folder}/${name}`] }));
  // On its way there, a socket is in a folder with a name of its own.
  const deep = `${folder}/${'d'.repeat(longest - Buffer.byteLength(folder) - 4)}/x`;
  assert.throws(
    () => new USMPServer({ listen: `unix:${deep}`, psk: PSK }),
    coded('ArgumentError', 'invalid_argument'),
  );
  assert.ok(new USMPClient({ url: `unix:${deep}`, psk: PSK }));
});

test('on Windows it is said that there is no such transport', (t) => {
  const platform = Object.getOwnPropertyDescriptor(process, 'platform')!;
  t.after(() => Object.defineProperty(process, 'platform', platform));
  Object.defineProperty(process, 'platform', { ...platform, value: 'win32' });
  assert.throws(
    () => new USMPServer({ listen: 'unix:/run/usmp.sock', psk: PSK }),
    coded(
      'ArgumentError',
      'invalid_argument',
      /no Unix sockets on Windows, and named pipes are not supported/,
    ),
  );
});

// ── The mode ─────────────────────────────────────────────────────────────────────────────────────────────────────

test('the mode is that of the URL, and else what the umask leaves', async (t) => {
  const before = process.umask(0o027);
  t.after(() => process.umask(before));
  for (const [query, mode] of [
    ['', 0o750],
    ['?mode=660', 0o660],
    ['?mode=0600', 0o600],
    ['?mode=777', 0o777],
  ] as const) {
    const path = await freePath(t);
    const live = await startServer(t, echo, { listen: [`unix:${path}${query}`] });
    assert.equal((await lstat(path)).mode & 0o7777, mode, query);
    assert.equal(live.url, `unix:${path}`);
    assert.equal(process.umask(), 0o027, 'the umask of the process was changed');
    await assertServes(live, { url: `unix:${path}${query}` });
  }
});

test('before its mode holds, nobody can reach a socket', async (t) => {
  const path = await freePath(t);
  const stop = new Uint8Array(new SharedArrayBuffer(1));
  // In a thread of its own, so that it sees what is there between two calls of this one.
  const watcher = new Worker(
    `const { lstatSync } = require('node:fs');
     const { parentPort, workerData } = require('node:worker_threads');
     const modes = new Set();
     const { path, stop } = workerData;
     parentPort.postMessage('ready');
     while (stop[0] === 0) {
       const stat = lstatSync(path, { throwIfNoEntry: false });
       if (stat !== undefined) modes.add(stat.mode & 0o777);
     }
     parentPort.postMessage([...modes]);`,
    { eval: true, workerData: { path, stop } },
  );
  t.after(() => watcher.terminate());
  await once(watcher, 'message');
  for (let i = 0; i < 200; i++) {
    const listener = await unix.listen(new URL(`unix:${path}?mode=600`), () => {});
    await listener.close();
  }
  const told = once(watcher, 'message');
  stop[0] = 1;
  const [modes] = (await told) as [number[]];
  assert.deepEqual(
    modes.filter((mode) => mode !== 0o600),
    [],
  );
});

test('who may not connect is told so, and who may not listen', async (t) => {
  const folder = await freeFolder(t);
  await startServer(t, echo, { listen: [`unix:${folder}/x.sock?mode=000`] });
  await chmod(folder, 0o777);
  const [connecting, replacing] = await withoutPrivileges(folder, 'x.sock');
  assert.match(connecting!, /^unreachable .*no permission; the mode/);
  assert.match(replacing!, /^address_in_use .*socket of another user/);
  await chmod(folder, 0o555);
  const [, listening] = await withoutPrivileges(folder, 'y.sock');
  assert.match(listening!, /^unreachable .*no permission to make or replace it/);
  assert.deepEqual(await readdir(folder), ['x.sock']);
});

// ── What is there already ────────────────────────────────────────────────────────────────────────────────────────

test('a socket whose server was killed is replaced', async (t) => {
  const path = await freePath(t);
  const listen = [`unix:${path}`];
  for (let i = 0; i < 3; i++) {
    const server = await startServerProcess(t, { listen });
    await assertServes({ ...server, url: `unix:${path}` } as never);
    server.child.kill('SIGKILL');
    await server.exit;
    assert.ok((await lstat(path)).isSocket(), 'the file was left behind');
    await assert.rejects(
      new USMPClient({ url: `unix:${path}`, psk: PSK }).connect(),
      coded('TransportError', 'unreachable', /nothing listens there any more/),
    );
  }
  await assertServes(await startServer(t, echo, { listen }));
});

test('a socket that somebody listens on stays, and serves on', async (t) => {
  const path = await freePath(t);
  const live = await startServer(t, echo, { listen: [`unix:${path}`] });
  await assert.rejects(
    startServer(t, echo, { listen: [`unix:${path}`] }),
    coded('TransportError', 'address_in_use', /stop the other program/),
  );
  await assertServes(live);
});

test('what is no socket of this kind stays', async (t) => {
  const folder = await freeFolder(t);
  await writeFile(join(folder, 'file'), 'precious');
  await mkdir(join(folder, 'folder'));
  await symlink(join(folder, 'file'), join(folder, 'link'));
  await symlink(join(folder, 'nothing'), join(folder, 'broken'));
  const before = (await readdir(folder)).sort();
  for (const name of before) {
    await assert.rejects(
      unix.listen(new URL(`unix:${folder}/${name}`), () => {}),
      coded('TransportError', 'address_in_use', /file of another kind, and is left alone/),
      name,
    );
    await assert.rejects(
      unix.connect(new URL(`unix:${folder}/${name}`), patiently()),
      coded('TransportError', 'unreachable', /something else than a stream socket|nothing listens|any more/),
      name,
    );
  }
  assert.deepEqual((await readdir(folder)).sort(), before);
  assert.equal(await readFile(join(folder, 'file'), 'utf8'), 'precious');
});

test('a folder that is missing, or is none, is an error that says so', async (t) => {
  const folder = await freeFolder(t);
  await writeFile(join(folder, 'file'), '');
  const listenAt = (path: string) => unix.listen(new URL(`unix:${folder}/${path}`), () => {});
  await assert.rejects(
    listenAt('missing/x.sock'),
    coded('TransportError', 'unreachable', /there is no folder .*missing/),
  );
  await assert.rejects(listenAt('file/x.sock'), coded('TransportError', 'unreachable', /file is no folder/));
});

test('of servers that start at once at a stale socket one wins, and is the one that serves', async (t) => {
  for (let round = 0; round < 20; round++) {
    const path = await freePath(t);
    await leaveStale(path);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, () => startServer(t, echo, { listen: [`unix:${path}`] })),
    );
    const won = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    assert.equal(won.length, 1, 'not exactly one server listens');
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') assert.equal(outcome.reason.code, 'address_in_use');
    }
    await assertServes(won[0]!.value);
    assert.equal(won[0]!.value.server.stats.accepted, 1);
    await won[0]!.value.server.close();
    assert.deepEqual(await readdir(join(path, '..')), [], 'something is left');
  }
});

test('of processes that start at once at a stale socket one wins', { timeout: 120_000 }, async (t) => {
  const code = `
    import { createInterface } from 'node:readline';
    import { USMPServer } from ${JSON.stringify(library)};
    console.log('ready');
    for await (const path of createInterface({ input: process.stdin })) {
      const server = new USMPServer({ listen: 'unix:' + path, psk: '${PSK}' });
      server.onSession(() => {});
      console.log(await server.listen().then(() => 'won', ({ code }) => code));
    }
    process.exit();`;
  const children = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  t.after(() => children.map((child) => child.kill('SIGKILL')));
  const answers = () =>
    Promise.all(children.map(async ({ stdout }) => String((await once(stdout, 'data'))[0]).trim()));
  await answers();
  for (let round = 0; round < 20; round++) {
    const path = await freePath(t);
    await leaveStale(path);
    const outcomes = answers();
    for (const child of children) child.stdin.write(`${path}\n`);
    assert.deepEqual((await outcomes).sort(), [...Array(3).fill('address_in_use'), 'won'], `round ${round}`);
    const here = await unix.connect(new URL(`unix:${path}`), patiently());
    here.destroy();
    assert.deepEqual(await readdir(join(path, '..')), ['x.sock']);
  }
});

test('a server that was killed while it replaced a stale socket holds up the next for a while only', async (t) => {
  const path = await freePath(t);
  await leaveStale(path);
  await link(path, join(path, '../.usmp-stale'));
  const live = await startServer(t, echo, { listen: [`unix:${path}`] });
  await assertServes(live);
  assert.deepEqual(await readdir(join(path, '..')), ['x.sock']);
});

// ── What is left ─────────────────────────────────────────────────────────────────────────────────────────────────

test('closing removes the file that is still its own, wherever the process has gone meanwhile', async (t) => {
  const folder = await freeFolder(t);
  const before = process.cwd();
  t.after(() => process.chdir(before));
  process.chdir(folder);
  const listener = await unix.listen(new URL('unix:./x.sock'), () => {});
  await mkdir('elsewhere');
  process.chdir('elsewhere');
  await listener.close();
  process.chdir(before);
  assert.deepEqual(await readdir(folder), ['elsewhere']);
});

test('closing leaves alone what has taken its place', async (t) => {
  const path = await freePath(t);
  const first = await unix.listen(new URL(`unix:${path}`), () => {});
  await rename(path, `${path}.moved`);
  const live = await startServer(t, echo, { listen: [`unix:${path}`] });
  await first.close();
  await assertServes(live);
});

test('a file that was removed by somebody else is no reason not to close', async (t) => {
  const path = await freePath(t);
  const { listener, here, there } = await joined(t, unix, `unix:${path}`);
  await rm(path);
  await listener.close();
  here.write('still open');
  await eventually(() => there.received === 'still open', 'the bytes');
});

test('a listener that fails leaves nothing behind', async (t) => {
  const folder = await freeFolder(t);
  await mkdir(join(folder, 'x.sock'));
  for (let i = 0; i < 3; i++) await assert.rejects(unix.listen(new URL(`unix:${folder}/x.sock`), () => {}));
  assert.deepEqual(await readdir(folder), ['x.sock']);
});

// ── Links ────────────────────────────────────────────────────────────────────────────────────────────────────────

test('an aborted attempt leaves no socket open', async (t) => {
  const path = await freePath(t);
  const links: net.Socket[] = [];
  const server = net.createServer((socket) => links.push(socket.resume()));
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const aborter = new AbortController();
  const reason = new Error('changed my mind');
  const attempt = unix.connect(new URL(`unix:${path}`), { signal: aborter.signal });
  aborter.abort(reason);
  await assert.rejects(attempt, reason);
  await eventually(() => links.every(({ destroyed }) => destroyed), 'the end of the socket');
});

test('there is no local address to connect from', async (t) => {
  const client = new USMPClient({ url: `unix:${await freePath(t)}`, psk: PSK, localAddress: '127.0.0.1' });
  await assert.rejects(
    client.connect(),
    coded('ArgumentError', 'invalid_argument', /leave localAddress out/),
  );
});

test('clients of one machine come back all at once, whatever the limits for an address are', async (t) => {
  const listen = [`unix:${await freePath(t)}`];
  const live = await startServer(t, echo, { listen, maxHalfOpenPerAddress: 1, maxSessionsPerAddress: 1 });
  const sessions = await Promise.all(
    Array.from({ length: 500 }, () => new USMPClient({ url: live.url, psk: PSK }).connect()),
  );
  assert.equal(live.server.stats.sessions, 500);
  assert.deepEqual(live.refusals, []);
  assert.equal(sessions[0]!.peer, live.url);
  assert.equal([...live.server.sessions.values()][0]!.peer, live.url);
  await Promise.all(sessions.map((session) => session.close()));
});

async function freeFolder(scope: Scope): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'usmp-'));
  scope.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A path in a folder of its own. */
async function freePath(scope: Scope): Promise<string> {
  return join(await freeFolder(scope), 'x.sock');
}

/** What a server leaves that was killed. */
async function leaveStale(path: string): Promise<void> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.bound`, resolve));
  // Node removes the path that it has bound.
  await rename(`${path}.bound`, path);
  server.close();
  await once(server, 'close');
}

/** How connecting and listening end for an ordinary user: `code message` each. */
async function withoutPrivileges(folder: string, name: string): Promise<string[]> {
  const code = `
    import { USMPClient, USMPServer } from ${JSON.stringify(library)};
    if (process.getuid() === 0) process.setuid(65534);
    const url = 'unix:${folder}/${name}';
    const server = new USMPServer({ listen: url, psk: '${PSK}' });
    server.onSession(() => {});
    for (const attempt of [new USMPClient({ url, psk: '${PSK}' }).connect(), server.listen()])
      console.log(await attempt.then(() => 'no error', ({ code, message }) => code + ' ' + message));
    await server.close();`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code]);
  return stdout.split('\n');
}
