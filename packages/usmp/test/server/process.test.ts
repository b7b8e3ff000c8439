import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { USMPClient } from '#dist/index.js';
import { RawClient } from '../support/raw-client.js';
import { coded, eventually, PSK, text, within } from './live.js';
import { FLOODED, startServerProcess } from './process.js';

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`serve() ends on ${signal} with BYE to all, and the process exits by itself`, async (t) => {
    const server = await startServerProcess(t);
    const session = await new USMPClient({ psk: PSK, url: server.url }).connect();
    await session.send('before the end');
    assert.equal(text(await session.recv()), 'before the end');
    const halfOpen = await RawClient.open({ port: server.port });
    t.after(() => halfOpen.destroy());
    server.child.kill(signal);
    await assert.rejects(within(session.recv(), 'BYE'), coded('ConnectionClosedError', 'bye'));
    assert.equal(await within(server.exit, 'the exit of the process'), 0);
  });
}

test('nothing keeps a process alive after client and server are closed', async (t) => {
  const output = await run(
    t,
    `
    const server = new USMPServer({ psk: 'sixteen bytes !!', host: '127.0.0.1', port: 0 });
    server.onSession(async (session) => { for await (const message of session) await session.send(message); });
    await server.listen();
    const client = new USMPClient({ psk: 'sixteen bytes !!', url: server.urls[0] });
    const session = await client.connect({ timeout: 60_000, signal: new AbortController().signal });
    await session.ping({ timeout: 60_000 });
    await session.rekey({ timeout: 60_000 });
    await session.send('x');
    await session.recv({ timeout: 60_000 });
    await session.close();
    await server.close();
    console.log('closed');
    `,
  );
  assert.equal(output, 'closed\n');
});

test('nothing keeps a process alive after refused and failed attempts', async (t) => {
  const output = await run(
    t,
    `
    const server = new USMPServer({ psk: 'sixteen bytes !!', host: '127.0.0.1', port: 0 });
    server.onSession(() => {});
    await server.listen();
    const url = server.urls[0];
    const codes = [];
    await new USMPClient({ psk: 'another sixteen bytes', url }).connect().catch((error) => codes.push(error.code));
    await server.close();
    await new USMPClient({ psk: 'sixteen bytes !!', url }).connect().catch((error) => codes.push(error.code));
    console.log(codes.join(' '));
    `,
  );
  assert.equal(output, 'refused unreachable\n');
});

test('making clients and servers starts nothing that keeps a process alive', async (t) => {
  const output = await run(
    t,
    `new USMPServer({ psk: 'sixteen bytes !!' }); new USMPClient({ psk: 'sixteen bytes !!' });`,
  );
  assert.equal(output, '');
});

test('a server that is closed while it begins to listen does not listen afterwards', async (t) => {
  const output = await run(
    t,
    `
    const server = new USMPServer({ psk: 'sixteen bytes !!', host: '127.0.0.1', port: 0 });
    server.onSession(() => {});
    server.on('listening', (url) => console.log(url));
    const listening = server.listen().catch(() => {});
    await server.close();
    await listening;
    console.log(server.urls.length);
    `,
  );
  assert.equal(output, '0\n');
});

test('a handler that sends without end to a fast reader does not keep the server from the others', async (t) => {
  const server = await startServerProcess(t);
  const reader = await RawClient.open({ port: server.port });
  t.after(() => reader.destroy());
  await reader.handshake({ psk: PSK, deviceId: FLOODED });
  // Reading without opening what comes is faster than sealing it.
  reader.socket.removeAllListeners('data');
  let bytes = 0;
  reader.socket.on('data', (chunk) => {
    bytes += chunk.length;
  });
  reader.socket.resume();
  const session = await within(new USMPClient({ psk: PSK, url: server.url }).connect(), 'another session');
  for (let i = 0; i < 20; i++) {
    await session.send('me too');
    assert.equal(text(await within(session.recv(), 'an answer')), 'me too');
  }
  await session.close();
  await eventually(() => bytes > 5_000_000, 'a flood worth the name');
});

/** Runs a script with the library in a process of its own, which must exit by itself. Returns what it printed. */
async function run(t: TestContext, script: string): Promise<string> {
  const source = `import { USMPClient, USMPServer } from 'usmp';\n${script}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    cwd: new URL('../../', import.meta.url),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const code = await within(new Promise((resolve) => child.on('close', resolve)), 'the exit of the process');
  assert.equal(code, 0);
  return output;
}
