// npm start: a gateway to try things out with, and the line that connects a simulated device to it.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const gateway = 'packages/gateway/bin/usmp-gateway.js';
const device = 'simulated';
const keyFile = `usmp-gateway-data/${device}.key`;
const port = process.env.PORT ?? '9000';
const httpPort = process.env.HTTP_PORT ?? '8080';
const TRANSPORTS = ['tcp', 'udp'];

// The paths that are printed hold where npm start was called.
process.chdir(root);
if (existsSync('packages/gateway/dist/cli/main.js')) start();
else {
  console.error('not built yet: run npm ci');
  process.exitCode = 1;
}

function start() {
  if (!existsSync(keyFile) && !makeDevice()) return;
  const found = command('device', 'show', device, '--json');
  if (found.status !== 0) return giveUp(found.stderr);
  const { id } = JSON.parse(found.stdout);
  const listeners = TRANSPORTS.flatMap((transport) => ['--listen', `${transport}://0.0.0.0:${port}`]);
  const args = [gateway, 'start', '--login-link', ...listeners, '--http-listen', `127.0.0.1:${httpPort}`];
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const urls = [];
  createInterface({ input: server.stdout }).on('line', (line) => {
    console.log(line);
    const url = /^listening (\S+)/.exec(line)?.[1];
    if (url !== undefined) urls.push(url);
    if (line.startsWith('dashboard ')) printInvitation(urls, id);
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => server.kill(signal));
  process.stdout.on('error', () => server.kill());
  server.on('close', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}

/** Once: whoever has connected with a key must not find another one after the next start. */
function makeDevice() {
  const found = command('device', 'show', device, '--json').status === 0;
  // Its key was lost.
  const how = found ? ['device', 'rotate', device] : ['device', 'add', '--name', device];
  const { status, stderr } = command(...how, '--out', keyFile, '--json');
  if (status !== 0) giveUp(stderr);
  return status === 0;
}

function giveUp(why) {
  process.stderr.write(why);
  process.exitCode = 1;
}

function command(...args) {
  return spawnSync(process.execPath, [gateway, ...args], { encoding: 'utf8' });
}

function printInvitation(urls, id) {
  console.log('\nin a second terminal, a simulated device, over TCP or UDP:');
  for (const url of urls) {
    const reachable = url.replace('0.0.0.0', '127.0.0.1');
    console.log(`npx usmp connect ${reachable} --device-id ${id} --psk-file ${keyFile}`);
  }
  console.log(`\nin a third one, a message to it:\nnpx usmp-gateway send ${device} hello`);
}
