/**
 * A server for browsers, and the page that talks to it. Everything stays on this machine.
 *
 *   node examples/browser/serve.js
 */

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { USMPServer } from 'usmp';

const FOLDER = new URL('.', import.meta.url);

/** Scripts and styles of this server alone; WebSockets anywhere, as the address can be chosen in the page. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Greets, and sends everything back. Resolves when it listens. */
export async function startUsmp(listen, psk) {
  const server = new USMPServer({ listen, psk });
  server.onSession(async (session) => {
    console.log(`${session.deviceId} is here`);
    await session.send('Hello from the server. What you write comes back.');
    for await (const message of session) await session.send(message);
    console.log(`${session.deviceId} has gone`);
  });
  await server.listen();
  return server;
}

/** Serves the page. Resolves with its address. */
export async function startPages(port) {
  const files = {
    '/': ['text/html; charset=utf-8', await readFile(new URL('index.html', FOLDER))],
    '/style.css': ['text/css', await readFile(new URL('style.css', FOLDER))],
    '/page.js': ['text/javascript', await bundle('page.js')],
  };
  const server = createServer((request, response) => {
    const [type, body] = files[new URL(request.url, 'http://localhost').pathname] ?? [];
    if (body === undefined) return response.writeHead(404).end();
    response.writeHead(200, { 'Content-Type': type, 'Content-Security-Policy': CONTENT_SECURITY_POLICY });
    response.end(body);
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

/** The page's module with all that it imports, in one file. */
async function bundle(file) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(file, FOLDER))],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  });
  return outputFiles[0].contents;
}

async function main() {
  const key = randomBytes(16).toString('hex');
  const sessions = new Set();
  const server = await startUsmp('ws://127.0.0.1:9001', key);
  server.on('connect', (session) => sessions.add(session));
  server.on('disconnect', (session) => sessions.delete(session));
  const pages = await startPages(8080);
  console.log(`Open ${pages.url} and paste this key there: ${key}`);
  console.log('Lines that you write here go to every page. Ctrl-C ends.');
  for await (const line of createInterface(process.stdin)) {
    for (const session of sessions) session.send(line).catch((error) => console.error(error.message));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main().catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
}
