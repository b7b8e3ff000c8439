// npm start: a server to try things out with, and the line that connects to it.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const usmp = 'packages/usmp/bin/usmp.js';
const keyFolder = '.usmp';
const keyFile = '.usmp/key';
const port = process.env.PORT ?? '9000';
const TRANSPORTS = ['tcp', 'udp'];

// The paths that are printed hold where npm start was called.
process.chdir(root);
if (existsSync('packages/usmp/dist/cli/main.js')) serve();
else {
  console.error('not built yet: run npm ci');
  process.exitCode = 1;
}

function serve() {
  if (!existsSync(keyFile) && !makeKey()) return;
  const listeners = TRANSPORTS.flatMap((transport) => ['--listen', `${transport}://0.0.0.0:${port}`]);
  const args = [usmp, 'serve', ...listeners, '--psk-file', keyFile, '--echo'];
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const urls = [];
  createInterface({ input: server.stdout }).on('line', (line) => {
    console.log(line);
    const url = /^listening (\S+)/.exec(line)?.[1];
    if (url !== undefined) urls.push(url);
    if (url !== undefined && urls.length === TRANSPORTS.length) printInvitation(urls);
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.kill(signal));
  process.stdout.on('error', () => server.kill());
  server.on('close', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}

/** Once: whoever has connected with a key must not find another one after the next start. */
function makeKey() {
  mkdirSync(keyFolder, { recursive: true, mode: 0o700 });
  const stdio = ['ignore', 'ignore', 'inherit'];
  const { status } = spawnSync(process.execPath, [usmp, 'keygen', '--out', keyFile], { stdio });
  if (status !== 0) process.exitCode = 1;
  return status === 0;
}

function printInvitation(urls) {
  console.log('in a second terminal, over TCP or UDP:');
  for (const url of urls) {
    const reachable = url.replace('0.0.0.0', '127.0.0.1');
    console.log(`npx usmp connect ${reachable} --psk-file ${keyFile} --send hello`);
  }
}
