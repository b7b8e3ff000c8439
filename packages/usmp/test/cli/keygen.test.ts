import assert from 'node:assert/strict';
import { type StdioOptions, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { run, temporaryFolder, USMP } from './command.js';

test('a key is 43 base64url characters of 32 random bytes', async (t) => {
  const first = await run(t, ['keygen']);
  const second = await run(t, ['keygen']);
  for (const { code, stdout } of [first, second]) {
    assert.equal(code, 0);
    assert.match(stdout, /^[\w-]{43}\n$/);
    assert.equal(Buffer.from(stdout.trim(), 'base64url').length, 32);
  }
  assert.notEqual(first.stdout, second.stdout);
});

test('a key file is for its owner only, ends in one line end, and the next command is printed', async (t) => {
  const out = path.join(temporaryFolder(t), 'key.txt');
  const { code, stdout, stderr } = await run(t, ['keygen', '--out', out]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.equal(stdout, `npx usmp serve --psk-file ${out}\n`);
  assert.match(readFileSync(out, 'utf8'), /^[\w-]{43}\n$/);
  if (process.platform !== 'win32') assert.equal(statSync(out).mode & 0o777, 0o600);
});

test('the command printed survives a file name with spaces', async (t) => {
  const out = path.join(temporaryFolder(t), "my device's key");
  const { stdout } = await run(t, ['keygen', '--out', out]);
  assert.equal(stdout, `npx usmp serve --psk-file '${out.replace("'", "'\\''")}'\n`);
});

test('a file that exists is never overwritten', async (t) => {
  const out = path.join(temporaryFolder(t), 'key.txt');
  writeFileSync(out, 'precious');
  const { code, stdout, stderr } = await run(t, ['keygen', '--out', out]);
  assert.deepEqual({ code, stdout }, { code: 1, stdout: '' });
  assert.match(stderr, /^usmp: cannot write .*key\.txt: it exists already; choose another name\n$/);
  assert.equal(readFileSync(out, 'utf8'), 'precious');
});

test('a folder that is missing is told in one line', async (t) => {
  const out = path.join(temporaryFolder(t), 'no/such/key.txt');
  const { code, stderr } = await run(t, ['keygen', '--out', out]);
  assert.equal(code, 1);
  assert.match(stderr, /^usmp: cannot write .*: no such file or folder; .*\n$/);
});

test('a key that could not be written is no success', { skip: !existsSync('/dev/full') }, (t) => {
  const full = openSync('/dev/full', 'w');
  t.after(() => closeSync(full));
  const stdio: StdioOptions = ['ignore', full, 'pipe'];
  const { status, stderr } = spawnSync(process.execPath, [USMP, 'keygen'], { stdio, encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(stderr, /^usmp: cannot write what there is to say: .*ENOSPC.*\n$/);
});
