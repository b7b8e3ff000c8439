import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RunningCommand } from './command.js';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const USMP = path.join(ROOT, 'packages/usmp/bin/usmp.js');
const GATEWAY = path.join(ROOT, 'packages/gateway/bin/usmp-gateway.js');

/** A folder that looks like a clone, so that the data of the real one is left alone. */
function clone(t: TestContext, { built = true } = {}): { root: string; script: string } {
  const root = mkdtempSync(path.join(tmpdir(), 'usmp-clone-'));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(path.join(root, 'packages'));
  mkdirSync(path.join(root, 'scripts'));
  if (built)
    symlinkSync(path.join(ROOT, 'packages/gateway'), path.join(root, 'packages/gateway'), 'junction');
  const script = path.join(root, 'scripts/start.mjs');
  cpSync(path.join(ROOT, 'scripts/start.js'), script);
  return { root, script };
}

const ANY_PORT = { PORT: '0', HTTP_PORT: '0' };

test('npm start runs the gateway, and prints lines that connect a simulated device and send to it', async (t) => {
  const { root, script } = clone(t);
  const first = new RunningCommand(t, script, [], { env: ANY_PORT });
  await first.sees(/^dashboard http:\/\/127\.0\.0\.1:\d+\/login\?ticket=\S+ /m);
  const [, tcp] = await first.sees(/^npx usmp (connect tcp.*)\n/m);
  const [, udp] = await first.sees(/^npx usmp (connect udp.*)\n/m);
  const [, send] = await first.sees(/^npx usmp-gateway (send .*)$/m);
  for (const line of [tcp!, udp!]) {
    const device = new RunningCommand(t, USMP, line.split(' '), { cwd: root });
    await first.sees(/"msg":"connected /, 'stderr');
    const sent = new RunningCommand(t, GATEWAY, [...send!.split(' '), '--wait'], { cwd: root });
    assert.equal((await sent.ended).code, 0);
    await device.sees(/^hello\n/);
    device.process.kill('SIGINT');
    await device.ended;
  }

  const keyFile = path.join(root, 'usmp-gateway-data/simulated.key');
  const key = readFileSync(keyFile, 'utf8');
  if (process.platform !== 'win32') {
    assert.equal(statSync(keyFile).mode & 0o777, 0o600);
    assert.equal(statSync(path.dirname(keyFile)).mode & 0o777, 0o700);
  }
  first.process.kill('SIGTERM');
  assert.equal((await first.ended).code, 0);
  const second = new RunningCommand(t, script, [], { env: ANY_PORT });
  await second.sees(/^npx usmp connect tcp/m);
  assert.equal(readFileSync(keyFile, 'utf8'), key);
  second.process.kill('SIGINT');
  assert.equal((await second.ended).code, 0);
});

test('npm start makes the simulated device again that was removed, and passes on that a port is in use', async (t) => {
  const { root, script } = clone(t);
  const keyFile = path.join(root, 'usmp-gateway-data/simulated.key');
  mkdirSync(path.dirname(keyFile), { mode: 0o700 });
  writeFileSync(keyFile, 'of the device that was removed');
  const other = net.createServer();
  await new Promise<void>((resolve) => other.listen(0, '0.0.0.0', resolve));
  t.after(() => other.close());
  const port = String((other.address() as net.AddressInfo).port);
  const start = new RunningCommand(t, script, [], { env: { PORT: port, HTTP_PORT: '0' } });
  const { code, stdout, stderr } = await start.ended;
  assert.deepEqual({ code, stdout }, { code: 1, stdout: '' });
  assert.match(stderr, new RegExp(`^usmp-gateway: 0\\.0\\.0\\.0:${port} is in use: `, 'm'));
  assert.doesNotMatch(readFileSync(keyFile, 'utf8'), /removed/);
});

test('npm start in a clone that is not built says what to run', async (t) => {
  const { script } = clone(t, { built: false });
  const { code, stderr } = await new RunningCommand(t, script, [], {}).ended;
  assert.equal(code, 1);
  assert.match(stderr, /^not built yet: run npm ci\n$/);
});
