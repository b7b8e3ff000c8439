import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { Command, PACKAGE_ROOT, run, temporaryFolder } from './command.js';

const START = path.join(PACKAGE_ROOT, '../../scripts/start.js');

/** A folder that looks like a clone, so that the key of the real one is left alone. */
function clone(t: TestContext, { built = true } = {}): { root: string; script: string } {
  const root = temporaryFolder(t);
  mkdirSync(path.join(root, 'packages'));
  mkdirSync(path.join(root, 'scripts'));
  if (built) symlinkSync(PACKAGE_ROOT, path.join(root, 'packages/usmp'), 'junction');
  const script = path.join(root, 'scripts/start.mjs');
  cpSync(START, script);
  return { root, script };
}

/** The words of the line to paste, without `npx usmp`. */
/** The arguments of the lines that connect, over TCP and over UDP. */
async function invitations(server: Command): Promise<string[][]> {
  const [, ...lines] = await server.sees(/^npx usmp (connect tcp.*)\nnpx usmp (connect udp.*)\n/m);
  return lines.map((words) => words.split(' '));
}

test('npm start makes a key once, serves, and prints lines that connect', async (t) => {
  const { root, script } = clone(t);
  const first = new Command(t, [], { script, env: { PORT: '0' } });
  for (const words of await invitations(first)) {
    const transport = new URL(words[1]).protocol;
    const { port } = new URL((await first.sees(new RegExp(`^listening (${transport}\\S+)\n`, 'm')))[1]);
    assert.deepEqual(words, [
      'connect',
      `${transport}//127.0.0.1:${port}`,
      '--psk-file',
      '.usmp/key',
      '--send',
      'hello',
    ]);
    const result = await run(t, words, { cwd: root });
    assert.deepEqual(result, { code: 0, signal: null, stdout: 'hello\n', stderr: '' });
  }

  const keyFile = path.join(root, '.usmp/key');
  const key = readFileSync(keyFile, 'utf8');
  if (process.platform !== 'win32') {
    assert.equal(statSync(keyFile).mode & 0o777, 0o600);
    assert.equal(statSync(path.dirname(keyFile)).mode & 0o777, 0o700);
  }
  first.kill('SIGTERM');
  assert.equal((await first.ended).code, 0);
  const second = new Command(t, [], { script, env: { PORT: '0' } });
  await invitations(second);
  assert.equal(readFileSync(keyFile, 'utf8'), key);
  second.kill('SIGINT');
  assert.equal((await second.ended).code, 0);
});

test('npm start serves port 9000 unless PORT says otherwise', async (t) => {
  const { script } = clone(t);
  const server = new Command(t, [], { script });
  // Whether it is free on this machine or not, the answer names it.
  const [line] = await Promise.any([
    server.sees(/listening tcp:\/\/0\.0\.0\.0:9000\n/),
    server.sees(/0\.0\.0\.0:9000 is in use/, 'stderr'),
  ]);
  assert.match(line, /9000/);
});

test('npm start with a port in use passes on the error and the exit code', async (t) => {
  const { script } = clone(t);
  const other = net.createServer();
  await new Promise<void>((resolve) => other.listen(0, '0.0.0.0', resolve));
  t.after(() => other.close());
  const { port } = other.address() as net.AddressInfo;
  const { code, stdout, stderr } = await run(t, [], { script, env: { PORT: String(port) } });
  assert.deepEqual({ code, stdout }, { code: 1, stdout: '' });
  assert.match(stderr, new RegExp(`^usmp: 0\\.0\\.0\\.0:${port} is in use: .*\\n$`));
});

test('npm start in a clone that is not built says what to run', async (t) => {
  const { script } = clone(t, { built: false });
  const { code, stderr } = await run(t, [], { script });
  assert.equal(code, 1);
  assert.match(stderr, /^not built yet: run npm ci\n$/);
});
