import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { KEY, run, serve, temporaryFolder } from './command.js';
import { connect } from './servers.js';

test('a server without any key is a usage error that says how to make one', async (t) => {
  const { code, stderr } = await run(t, ['serve']);
  assert.equal(code, 2);
  assert.match(
    stderr,
    /^usmp: no key: give --psk-file key\.txt \(npx usmp keygen --out key\.txt makes one\)\n$/,
  );
});

test('two sources of keys at once are a usage error', async (t) => {
  for (const two of [
    ['--psk', KEY, '--psk-file', 'f'],
    ['--psk', KEY, '--keys', 'f'],
    ['--psk-file', 'f', '--keys', 'f'],
  ]) {
    const { code, stderr } = await run(t, ['serve', ...two]);
    assert.equal(code, 2);
    assert.match(stderr, /cannot be used with option/);
  }
});

test('the key may come from the environment, where options win', async (t) => {
  const fromEnvironment = await serve(t, [], { env: { USMP_PSK: KEY } });
  await connect(t, fromEnvironment.url);
  const file = path.join(temporaryFolder(t), 'key.txt');
  writeFileSync(file, 'the key in the file', { mode: 0o600 });
  const fromFile = await serve(t, ['--psk-file', file], { env: { USMP_PSK: KEY } });
  await connect(t, fromFile.url, { psk: 'the key in the file' });
});

test('a key file loses one line end, no more', async (t) => {
  const folder = temporaryFolder(t);
  const contents = { '\n': '', '\r\n': '', '': '', '\n\n': '\n', ' \n': ' ' };
  await Promise.all(
    Object.entries(contents).map(async ([end, kept], index) => {
      const file = path.join(folder, `key-${index}`);
      writeFileSync(file, KEY + end, { mode: 0o600 });
      const { url } = await serve(t, ['--psk-file', file]);
      await connect(t, url, { psk: KEY + kept });
    }),
  );
});

test('hex: and base64: are understood on the command line, in the environment and in key files', async (t) => {
  const psk = Uint8Array.from({ length: 16 }, (_, index) => index * 17);
  const hex = `hex:${Buffer.from(psk).toString('hex')}`;
  const base64 = `base64:${Buffer.from(psk).toString('base64')}`;
  const file = path.join(temporaryFolder(t), 'key.txt');
  writeFileSync(file, `${base64}\n`, { mode: 0o600 });
  const servers = await Promise.all([
    serve(t, ['--psk', hex]),
    serve(t, [], { env: { USMP_PSK: base64 } }),
    serve(t, ['--psk-file', file]),
  ]);
  for (const { url } of servers) await connect(t, url, { psk });
});

test('a key that cannot be used is a usage error that says where it stands and does not show it', async (t) => {
  const file = path.join(temporaryFolder(t), 'key.txt');
  writeFileSync(file, 'secret\n', { mode: 0o600 });
  const cases = [
    { args: ['--psk', 'secret'], message: /^usmp: --psk: key is 6 bytes, at least 16/ },
    { args: ['--psk', 'hex:secret'], message: /^usmp: --psk: hex: must be followed by/ },
    { args: ['--psk-file', file], message: /^usmp: .*key\.txt: key is 6 bytes/ },
    {
      args: ['--psk-file', `${file}.not`],
      message: /^usmp: cannot read .*key\.txt\.not: no such file or folder/,
    },
    { args: ['--psk-file', path.dirname(file)], message: /^usmp: cannot read .*: it is a folder/ },
    { args: [], env: { USMP_PSK: 'base64:secret!' }, message: /^usmp: USMP_PSK: base64: must be/ },
  ];
  for (const { args, env = {}, message } of cases) {
    const { code, stderr } = await run(t, ['serve', ...args], { env: env as Record<string, string> });
    assert.equal(code, 2);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /secret|\n./, 'one line, without the key');
  }
});

test('an empty key file says how to make a key', async (t) => {
  const file = path.join(temporaryFolder(t), 'key.txt');
  writeFileSync(file, '\n', { mode: 0o600 });
  const { code, stderr } = await run(t, ['serve', '--psk-file', file]);
  assert.equal(code, 2);
  assert.match(stderr, /is empty: make a key with npx usmp keygen --out FILE/);
});

test('a key file that everybody can read is warned about', {
  skip: process.platform === 'win32',
}, async (t) => {
  const file = path.join(temporaryFolder(t), 'key.txt');
  writeFileSync(file, KEY);
  chmodSync(file, 0o644);
  const exposed = await serve(t, ['--psk-file', file]);
  await exposed.server.sees(
    /warn .*key\.txt can be read by every user of this machine: chmod 600 it/,
    'stderr',
  );
  chmodSync(file, 0o640);
  const fine = await serve(t, ['--psk-file', file]);
  fine.server.kill('SIGTERM');
  const { stderr } = await fine.server.ended;
  assert.doesNotMatch(stderr, /warn/);
});
