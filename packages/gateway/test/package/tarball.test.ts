import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { RunningCommand } from '../cli/command.js';

const run = promisify(execFile);
const PACKAGE = fileURLToPath(new URL('../../', import.meta.url));
const ROOT = path.join(PACKAGE, '../..');
const tools = path.join(ROOT, 'node_modules/.bin');

/** Of a user who has installed the package. */
let modules: string;
let tarball: string;

before(
  async () => {
    const project = await mkdtemp(path.join(tmpdir(), 'usmp-gateway-package-'));
    modules = path.join(project, 'node_modules');
    // As it is built: the build is the same, and others use it at this moment.
    const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', project];
    const { stdout } = await run('npm', pack, { cwd: PACKAGE });
    tarball = path.join(project, stdout.trim().split('\n').at(-1)!);
    const folder = path.join(modules, '@usmp/gateway');
    await mkdir(folder, { recursive: true });
    await run('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1']);
    // What npm would install beside it, and nothing else.
    const { dependencies } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
    for (const name of Object.keys(dependencies)) {
      await mkdir(path.dirname(path.join(modules, name)), { recursive: true });
      const own = path.join(PACKAGE, 'node_modules', name);
      const source = existsSync(own) ? own : path.join(ROOT, 'node_modules', name);
      await symlink(source, path.join(modules, name), 'junction');
    }
  },
  { timeout: 60_000 },
);

after(() => rm(path.dirname(modules), { recursive: true, force: true }));

test('the package holds the gateway, its page, its papers and examples, and nothing else', async () => {
  const folder = path.join(modules, '@usmp/gateway');
  const wanted = ['LICENSE', 'README.md', 'bin', 'dist', 'examples', 'openapi.json', 'package.json'];
  assert.deepEqual((await readdir(folder)).sort(), wanted);
  const files = await readdir(path.join(folder, 'dist'), { recursive: true });
  assert.deepEqual(
    files.filter((file) => /\.test\.|tsbuildinfo/.test(file)),
    [],
  );
  assert.ok(files.includes(path.join('dashboard', 'index.html')));
});

test('publint has nothing to say about it', async () => {
  const { stdout } = await run(path.join(tools, 'publint'), ['--strict', tarball], { cwd: PACKAGE });
  assert.match(stdout, /All good/);
});

test('what is installed runs: a gateway with its page, and a device in it', async (t) => {
  const bin = path.join(modules, '@usmp/gateway/bin/usmp-gateway.js');
  const data = path.join(path.dirname(modules), 'data');
  const added = new RunningCommand(t, bin, ['device', 'add', '--name', 'lamp', '--data', data], {});
  assert.equal((await added.ended).code, 0);
  const listen = ['--listen', 'tcp://127.0.0.1:0', '--http-listen', '127.0.0.1:0', '--login-link'];
  const gateway = new RunningCommand(t, bin, ['start', '--data', data, ...listen], {});
  const [, link] = await gateway.sees(/^dashboard (\S+)/m);
  const login = await fetch(link!, { redirect: 'manual' });
  assert.equal(login.status, 303);
  const page = await fetch(new URL('/', link), { headers: { cookie: login.headers.getSetCookie()[0]! } });
  const [, script] = /<script[^>]* src="([^"]+)"/.exec(await page.text()) ?? [];
  assert.ok(script !== undefined);
  assert.equal((await fetch(new URL(script, link))).status, 200);
});
