import assert from 'node:assert/strict';
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { readKeys } from '#dist/cli/keys-file.js';
import { type Key, USMPClient, type USMPSession } from '#dist/index.js';
import { type Command, serve, temporaryFolder } from './command.js';

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';
const C = '02:00:00:00:00:0c';
const KEY_A = 'the key of device a';
const KEY_B = 'the key of device b';
const NEW_A = 'the new key of device a';
const DEFAULT = 'the key of all others';

const keyFile = (t: TestContext) => path.join(temporaryFolder(t), 'keys.json');

function write(file: string, content: unknown): void {
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o600 });
}

function connect(url: string, deviceId: string, psk: Key): Promise<USMPSession> {
  return new USMPClient({ url, psk, deviceId }).connect();
}

async function refused(url: string, deviceId: string, psk: Key): Promise<void> {
  await assert.rejects(connect(url, deviceId, psk), { code: 'refused' });
}

async function endedByServer(session: USMPSession): Promise<void> {
  await assert.rejects(session.recv({ timeout: 10_000 }), { code: 'bye' });
}

async function isAlive(session: USMPSession): Promise<void> {
  await session.send('still there?');
  assert.equal(new TextDecoder().decode(await session.recv({ timeout: 10_000 })), 'still there?');
}

/** The log since the last call shows `pattern`, sooner or later. */
async function logs(server: Command, pattern: RegExp): Promise<void> {
  await server.sees(pattern, 'stderr');
  server.stderr = '';
}

async function start(t: TestContext, keys: unknown): Promise<{ server: Command; url: string; file: string }> {
  const file = keyFile(t);
  write(file, keys);
  return { file, ...(await serve(t, ['--keys', file, '--echo'])) };
}

test('each device has its own key, or new and old, and all others the default', async (t) => {
  const { url } = await start(t, { [A.toUpperCase()]: [NEW_A, KEY_A], [B]: KEY_B, '*': DEFAULT });
  for (const [id, key] of [
    [A, NEW_A],
    [A, KEY_A],
    [B, KEY_B],
    [C, DEFAULT],
  ]) {
    const session = await connect(url, id, key);
    await isAlive(session);
    await session.close();
  }
  await refused(url, A, DEFAULT);
  await refused(url, B, KEY_A);
});

test('the prefixes hold in a file of keys', async (t) => {
  const bytes = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
  const { url } = await start(t, {
    [A]: `hex:${bytes.toString('hex')}`,
    [B]: [`base64:${bytes.toString('base64')}`, KEY_B],
  });
  await (await connect(url, A, bytes)).close();
  await (await connect(url, B, bytes)).close();
});

test('SIGHUP reads the keys again: sessions of removed and of changed keys end, others go on', async (t) => {
  const { server, url, file } = await start(t, { [A]: KEY_A, [B]: KEY_B, [C]: DEFAULT });
  const [a, b, c] = [
    await connect(url, A, KEY_A),
    await connect(url, B, KEY_B),
    await connect(url, C, DEFAULT),
  ];
  write(file, { [A]: NEW_A, [C]: DEFAULT });
  server.kill('SIGHUP');
  await Promise.all([endedByServer(a), endedByServer(b)]);
  await isAlive(c);
  await logs(server, /keys reloaded from .*keys\.json: 2 entries/);
  await refused(url, A, KEY_A);
  await refused(url, B, KEY_B);
  await (await connect(url, A, NEW_A)).close();
  await c.close();
});

test('a change of the file is noticed without any signal', async (t) => {
  const { url, file } = await start(t, { [A]: KEY_A, [B]: KEY_B });
  const [a, b] = [await connect(url, A, KEY_A), await connect(url, B, KEY_B)];
  write(file, { [B]: KEY_B });
  await endedByServer(a);
  await isAlive(b);
  await b.close();
});

test('a file that is replaced by renaming, as editors do, is noticed again and again', async (t) => {
  const { url, file } = await start(t, { [A]: KEY_A });
  for (const key of [NEW_A, KEY_A, NEW_A]) {
    const session = await connect(url, A, key === NEW_A ? KEY_A : NEW_A);
    write(`${file}.tmp`, { [A]: key });
    renameSync(`${file}.tmp`, file);
    await endedByServer(session);
  }
});

test('a link that is turned to another file is noticed', {
  skip: process.platform === 'win32',
}, async (t) => {
  const folder = temporaryFolder(t);
  const link = path.join(folder, 'keys.json');
  write(path.join(folder, 'one.json'), { [A]: KEY_A });
  write(path.join(folder, 'other.json'), { [A]: NEW_A });
  symlinkSync('one.json', link);
  const { url } = await serve(t, ['--keys', link]);
  const session = await connect(url, A, KEY_A);
  symlinkSync('other.json', `${link}.tmp`);
  renameSync(`${link}.tmp`, link);
  await endedByServer(session);
});

test('two keys let a device change from old to new without an interruption', async (t) => {
  const { server, url, file } = await start(t, { [A]: KEY_A });
  const session = await connect(url, A, KEY_A);
  write(file, { [A]: [NEW_A, KEY_A] });
  server.kill('SIGHUP');
  await logs(server, /keys reloaded/);
  await isAlive(session);
  write(file, { [A]: NEW_A });
  server.kill('SIGHUP');
  await endedByServer(session);
});

test('a file that is broken, or missing, is logged and changes nothing', async (t) => {
  const { server, url, file } = await start(t, { [A]: KEY_A });
  const session = await connect(url, A, KEY_A);
  const broken = [
    { content: `{"${A}": "the key of`, message: /keys stay as they were: .*keys\.json is not valid JSON/ },
    { content: '', message: /keys stay as they were: .*keys\.json is not valid JSON/ },
    {
      content: { [A]: 'short' },
      message: /keys stay as they were: .*entry "02:00:00:00:00:0a": key is 5 bytes/,
    },
  ];
  for (const { content, message } of broken) {
    write(file, content);
    server.kill('SIGHUP');
    await logs(server, message);
    await isAlive(session);
  }
  rmSync(file);
  server.kill('SIGHUP');
  await logs(server, /keys stay as they were: cannot read .*keys\.json: no such file or folder/);
  await isAlive(session);
  await session.close();
  await (await connect(url, A, KEY_A)).close();
  write(file, { [B]: KEY_B });
  await logs(server, /keys reloaded/);
  await refused(url, A, KEY_A);
});

test('errors name the file and the entry, and never show a key', (t) => {
  const file = keyFile(t);
  const cases: [content: unknown, message: RegExp][] = [
    ['{"*": "secret', /keys\.json is not valid JSON/],
    ['{\n"*": "secretsecretsecret",\nsecret', /keys\.json is not valid JSON/],
    ['"secretsecretsecret"', /keys\.json: must hold an object like /],
    ['["secretsecretsecret"]', /keys\.json: must hold an object like /],
    ['null', /keys\.json: must hold an object like /],
    [{ [A]: 'secret' }, /keys\.json: entry "02:00:00:00:00:0a": key is 6 bytes, at least 16/],
    [{ '*': ['secretsecretsecret', 'secret'] }, /keys\.json: entry "\*": key is 6 bytes/],
    [{ [A]: 'hex:secret' }, /entry "02:00:00:00:00:0a": hex: must be followed by/],
    [{ [A]: 17 }, /entry "02:00:00:00:00:0a": must be a key or \[new, old\], each a string/],
    [{ [A]: [] }, /entry "02:00:00:00:00:0a": must be a key or/],
    [{ [A]: ['secretsecretsecret', 'secretsecretsecre2', 'secretsecretsecre3'] }, /must be a key or/],
    [{ lamp: 'secretsecretsecret' }, /keys\.json: entry "lamp" is not a device id: .*, or "\*"/],
    [
      { [A]: 'secretsecretsecret', [A.toUpperCase()]: 'secretsecretsecre2' },
      /entry "02:00:00:00:00:0A": .* twice/,
    ],
  ];
  for (const [content, message] of cases) {
    write(file, content);
    assert.throws(
      () => readKeys(file),
      (error: Error) => {
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      },
    );
  }
});

test('a JSON error names the line, where the parser knows it', (t) => {
  const file = keyFile(t);
  write(file, `{\n  "${A}": "${KEY_A}"\n  "${B}": "${KEY_B}"\n}`);
  assert.throws(() => readKeys(file), /keys\.json is not valid JSON in line 3$/);
});
