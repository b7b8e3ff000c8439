import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { packageFolder, repository } from './paths.js';

const run = promisify(execFile);
const tools = join(repository, 'node_modules/.bin');
const NPM = {
  ...process.env,
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
};

let tarball: string;
/** What a user has: an empty project that has installed the package. */
let project: string;

before(
  async () => {
    project = await mkdtemp(join(tmpdir(), 'usmp-package-'));
    const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', project], {
      cwd: packageFolder,
      env: NPM,
    });
    tarball = join(project, stdout.trim().split('\n').at(-1)!);
    await writeFile(
      join(project, 'package.json'),
      JSON.stringify({ name: 'device-hub', private: true, type: 'module' }),
    );
    await run('npm', ['install', '--prefer-offline', '--no-save', tarball], { cwd: project, env: NPM });
    await mkdir(join(project, 'node_modules/@types'), { recursive: true });
    await symlink(join(repository, 'node_modules/@types/node'), join(project, 'node_modules/@types/node'));
    await symlink(join(repository, 'node_modules/undici-types'), join(project, 'node_modules/undici-types'));
  },
  { timeout: 120_000 },
);

after(() => rm(project, { recursive: true, force: true }));

test('the package holds the library, its command and its papers, and nothing else', async () => {
  const folder = join(project, 'node_modules/usmp');
  assert.deepEqual((await readdir(folder)).sort(), ['LICENSE', 'README.md', 'bin', 'dist', 'package.json']);
  const files = await readdir(join(folder, 'dist'), { recursive: true });
  assert.deepEqual(
    files.filter((file) => /test|tsbuildinfo/.test(file)),
    [],
  );
});

test('an installation brings the parser of the command line, WebSockets, and the cryptography of browsers', async () => {
  const modules = join(project, 'node_modules');
  const installed = (await readdir(modules)).filter((name) => !name.startsWith('.') && !name.startsWith('@'));
  assert.deepEqual(installed.sort(), ['commander', 'undici-types', 'usmp', 'ws']);
  assert.deepEqual((await readdir(join(modules, '@noble'))).sort(), ['ciphers', 'curves', 'hashes']);
});

/** The modules that are loaded by importing an entry of the package. */
async function loadedBy(entry: string): Promise<string[]> {
  await writeFile(
    join(project, 'loaded.mjs'),
    `import { register } from 'node:module';
     register('data:text/javascript,' + encodeURIComponent(\`
       import { writeSync } from 'node:fs';
       export async function resolve(specifier, context, next) {
         const result = await next(specifier, context);
         writeSync(1, result.url + '\\\\n');
         return result;
       }\`));
     await import('${entry}');`,
  );
  const { stdout } = await run(process.execPath, ['loaded.mjs'], { cwd: project });
  return stdout.trim().split('\n');
}

test('importing the library loads nothing but the library and Node', async () => {
  const loaded = await loadedBy('usmp');
  assert.ok(
    loaded.some((url) => url.endsWith('usmp/dist/index.js')),
    loaded.join('\n'),
  );
  assert.deepEqual(
    loaded.filter((url) => !url.startsWith('node:') && !url.includes('/node_modules/usmp/dist/')),
    [],
  );
});

test('importing the entry for browsers loads the library and its cryptography, and nothing of Node', async () => {
  const loaded = await loadedBy('usmp/browser');
  assert.ok(
    loaded.some((url) => url.endsWith('usmp/dist/browser.js')),
    loaded.join('\n'),
  );
  assert.deepEqual(
    loaded.filter((url) => !/\/node_modules\/(?:usmp\/dist|@noble\/(?:ciphers|curves|hashes))\//.test(url)),
    [],
  );
});

test('the types stand by themselves under --strict, without those of Node or a browser', async () => {
  await writeFile(
    join(project, 'types.ts'),
    `import { AuthError, type Link, registerTransport, type Transport, USMPClient, USMPError, USMPServer, type USMPSession } from 'usmp';
     const server = new USMPServer({ psk: (id: string) => (id === '' ? undefined : ['new key of 16 bytes', new Uint8Array(16)]) });
     server.onSession(async (session: USMPSession) => {
       await using closing = session;
       for await (const message of closing) await session.send(message);
     });
     const off: () => void = server.on('refused', ({ reason, deviceId }) => [reason satisfies string, deviceId]);
     const web = { on() {}, removeListener() {}, listenerCount: () => 0 };
     const detach: () => void = server.attach(web, { path: '/usmp', origins: ['https://app.example'] });
     const client = new USMPClient({ url: 'tcp://127.0.0.1', psk: 'your-psk-here-16+' });
     const bytes: Promise<Uint8Array> = client.connect().then((session) => session.recv({ timeout: 5 }));
     const code: 'refused' | string = new AuthError('refused').code;
     // @ts-expect-error: the code is checked
     new USMPError('no_such_code');
     // @ts-expect-error: the key is missing
     new USMPClient({ host: 'localhost' });
     declare const link: Link;
     const transport: Transport = {
       framing: 'stream',
       example: 'mine:lab',
       async listen({ href }, onLink) {
         onLink(link);
         return { url: href, close: async () => {} };
       },
       async connect(url, { signal }) {
         if (signal.aborted) throw signal.reason;
         return link;
       },
     };
     const remove: () => void = registerTransport('mine', transport);
     export { bytes, code, detach, off, remove };`,
  );
  await compile([...STRICT_ALONE, '--lib', 'es2022', 'types.ts']);
});

test('so do the types of the entry for browsers, with and without those of a browser', async () => {
  await writeFile(
    join(project, 'browser.ts'),
    `import { AuthError, MAX_MESSAGE, USMPClient, type USMPClientOptions, USMPError, type USMPSession } from 'usmp/browser';
     const options: USMPClientOptions = { url: 'wss://usmp.example.org/', psk: 'your-psk-here-16+' };
     const client = new USMPClient(options);
     const off: () => void = client.on('disconnect', (session: USMPSession, error: USMPError) => [session.id, error.code]);
     const bytes: Promise<Uint8Array> = client.connect({ timeout: 5 }).then((session) => session.recv({ timeout: 5 }));
     const code: 'refused' | string = new AuthError('refused').code;
     // @ts-expect-error: the address is missing
     new USMPClient({ psk: 'your-psk-here-16+' });
     // @ts-expect-error: what only Node has
     new USMPClient({ ...options, localAddress: '127.0.0.1' });
     export { bytes, code, MAX_MESSAGE, off };`,
  );
  for (const lib of ['es2022', 'es2022,dom']) {
    await compile([...STRICT_ALONE, '--lib', lib, 'browser.ts']);
    await compile([...STRICT_BUNDLED, '--lib', lib, 'browser.ts']);
  }
});

test('the examples of the README compile under --strict and run as printed', async () => {
  const readme = await readFile(join(project, 'node_modules/usmp/README.md'), 'utf8');
  const [server, client] = [...readme.matchAll(/```ts\n(.*?)```/gs)].map((match) => match[1]);
  const port = await freePort();
  // As printed, but for the port, which may be taken on this machine.
  await writeFile(join(project, 'server.ts'), server.replace('port: 9000', `port: ${port}`));
  await writeFile(join(project, 'client.ts'), client.replace('port: 9000', `port: ${port}`));
  await compile([...STRICT_NODE, 'server.ts', 'client.ts']);

  const running = spawn(process.execPath, ['server.js'], { cwd: project });
  try {
    await waitForPort(port);
    const connected = once(running.stdout, 'data');
    const { stdout } = await run(process.execPath, ['client.js'], { cwd: project, timeout: 20_000 });
    assert.equal(stdout, 'got it\n');
    assert.match(String(await connected), /^Device connected: [0-9a-f:]{17}\n/);
    running.kill('SIGTERM');
    const [code] = await once(running, 'exit');
    assert.equal(code, 0);
  } finally {
    running.kill('SIGKILL');
  }
});

test('the examples of the guide compile under --strict and run to their end', {
  timeout: 180_000,
}, async () => {
  const examples: string[] = [];
  for (const page of ['library.md', 'udp.md', 'reconnect.md', 'websocket.md', 'transports.md', 'serial.md']) {
    const text = await readFile(join(packageFolder, '../../docs', page), 'utf8');
    for (const [i, [, code]] of [...text.matchAll(/```ts\n(.*?)```/gs)].entries()) {
      const name = `${page.replace('.md', '')}-${i + 1}`;
      await writeFile(join(project, `${name}.ts`), code);
      examples.push(name);
    }
  }
  assert.ok(examples.length > 5, 'there are examples');
  await compile([...STRICT_NODE, ...examples.map((name) => `${name}.ts`)]);
  for (const name of examples) {
    await run(process.execPath, [`${name}.js`], { cwd: project, timeout: 60_000 }).catch((error) =>
      assert.fail(`${name}: ${error.stderr || error.message}`),
    );
  }
});

test('the command is there and knows its version', async () => {
  const { stdout } = await run(join(project, 'node_modules/.bin/usmp'), ['--version'], { cwd: project });
  const { version } = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8'));
  assert.equal(stdout.trim(), version);
});

test('publint and attw find nothing', { timeout: 120_000 }, async () => {
  await run(join(tools, 'publint'), ['--strict', tarball]);
  await run(join(tools, 'attw'), [tarball, '--profile', 'esm-only']);
});

/** As strict as can be, and with no types but those of the package. */
const STRICT_ALONE = [
  '--strict',
  '--noEmit',
  '--module',
  'nodenext',
  '--target',
  'es2022',
  '--exactOptionalPropertyTypes',
  '--types',
  '',
];

/** The same in an application that a bundler puts together. */
const STRICT_BUNDLED = [...STRICT_ALONE, '--module', 'esnext', '--moduleResolution', 'bundler'];

/** Examples are compiled like this. */
const STRICT_NODE = [
  '--strict',
  '--module',
  'nodenext',
  '--target',
  'es2022',
  '--lib',
  'es2023',
  '--types',
  'node',
];

async function compile(options: string[]): Promise<void> {
  await run(join(tools, 'tsc'), options, { cwd: project }).catch((error) => assert.fail(error.stdout));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function waitForPort(port: number): Promise<void> {
  const { connect } = await import('node:net');
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
    const socket = connect(port, '127.0.0.1');
    const open = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'close').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`nothing listens on port ${port}`);
}
