// npm start: a gateway to try things out with, and the line that connects a simulated device to it.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const gateway = 'packages/gateway/bin/usmp-gateway.js';
const device = 'simulated';
const keyFile = `usmp-gateway-data/${device}.key`;
const database = 'usmp-gateway-data/gateway.db';
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
  const id = deviceId();
  if (id === undefined) return;
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

/** That of the simulated device, which is made once: whoever has its key must not find another one after the next start. */
function deviceId() {
  if (existsSync(keyFile) && existsSync(database)) {
    const shown = command('device', 'show', device);
    if (shown.error?.code !== 'not_found') return idOf(shown, shown.answer);
  }
  // The key of a device that was removed is good for nothing.
  rmSync(keyFile, { force: true });
  const added = command('device', 'add', '--name', device, '--out', keyFile);
  if (added.error?.code !== 'conflict') return idOf(added, added.answer?.device);
  // It is there, and its key was lost.
  const rotated = command('device', 'rotate', device, '--out', keyFile);
  return idOf(rotated, rotated.answer?.device);
}

/** Undefined where the command has failed, which it then has said. */
function idOf({ error, stderr }, found) {
  if (found !== undefined) return found.id;
  process.stderr.write(error === undefined ? stderr : `usmp-gateway: ${error.message}\n`);
  process.exitCode = 1;
}

function command(...args) {
  const { stdout, stderr } = spawnSync(process.execPath, [gateway, ...args, '--json'], { encoding: 'utf8' });
  if (stdout === '') return { stderr };
  const answer = JSON.parse(stdout);
  return answer.error === undefined ? { answer, stderr } : { error: answer.error, stderr };
}

function printInvitation(urls, id) {
  console.log('\nin a second terminal, a simulated device, over TCP or UDP:');
  for (const url of urls) {
    const reachable = url.replace('0.0.0.0', '127.0.0.1');
    console.log(`npx usmp connect ${reachable} --device-id ${id} --psk-file ${keyFile}`);
  }
  console.log(`\nin a third one, a message to it:\nnpx usmp-gateway send ${device} hello`);
}
