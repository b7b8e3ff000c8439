import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { PACKAGE_ROOT, run, temporaryFolder, USMP } from './command.js';

test('the version is that of the package', async (t) => {
  const { version } = JSON.parse(readFileSync(path.join(PACKAGE_ROOT, 'package.json'), 'utf8'));
  const { code, stdout } = await run(t, ['--version']);
  assert.deepEqual({ code, stdout }, { code: 0, stdout: `${version}\n` });
});

test('the help of every command has an example to paste', async (t) => {
  for (const command of ['serve', 'connect', 'ping', 'simulate', 'keygen', 'decode']) {
    const { code, stdout } = await run(t, [command, '--help']);
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`Example:\\n {2}npx usmp ${command} `));
    assert.doesNotMatch(stdout.split('Example:')[1], /--psk /, 'an example shows no key');
  }
});

test('the help lists every command and has an example', async (t) => {
  const { code, stdout } = await run(t, ['--help']);
  assert.equal(code, 0);
  for (const command of ['serve', 'connect', 'ping', 'simulate', 'keygen', 'decode']) {
    assert.match(stdout, new RegExp(`^ {2}${command} `, 'm'));
  }
  assert.match(stdout, /Example:\n {2}npx usmp /);
});

test('an unknown option is a usage error and suggests the nearest', async (t) => {
  const cases = {
    '--eco': ['serve', '--eco'],
    '--sent': ['connect', 'tcp://127.0.0.1:1', '--sent', 'hello'],
    '--cuont': ['ping', 'tcp://127.0.0.1:1', '--cuont', '1'],
    '--ou': ['keygen', '--ou', 'f'],
  };
  const nearest = { '--eco': '--echo', '--sent': '--send', '--cuont': '--count', '--ou': '--out' };
  for (const [option, args] of Object.entries(cases)) {
    const { code, stdout, stderr } = await run(t, args);
    assert.deepEqual({ code, stdout }, { code: 2, stdout: '' });
    assert.match(stderr, new RegExp(`unknown option '${option}'`));
    assert.match(stderr, new RegExp(`Did you mean ${nearest[option as keyof typeof nearest]}\\?`));
  }
});

test('an unknown command is a usage error and suggests the nearest', async (t) => {
  const { code, stderr } = await run(t, ['conect', 'tcp://127.0.0.1:1']);
  assert.equal(code, 2);
  assert.match(stderr, /Did you mean connect\?/);
});

test('no command at all is a usage error that shows the help', async (t) => {
  const { code, stderr } = await run(t, []);
  assert.equal(code, 2);
  assert.match(stderr, /Usage: usmp/);
});

test('the command can be executed as a file', { skip: process.platform === 'win32' }, () => {
  assert.equal(statSync(USMP).mode & 0o111, 0o111);
  assert.match(readFileSync(USMP, 'utf8'), /^#!\/usr\/bin\/env node\n/);
});

test('a clone that is not built says what to run', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(path.join(folder, 'bin'));
  const script = path.join(folder, 'bin/usmp.mjs');
  cpSync(USMP, script);
  const { code, stderr } = await run(t, ['--version'], { script });
  assert.equal(code, 1);
  assert.match(stderr, /npm run build/);
});
