/** Servers that are none, and what a page makes of them. After each, an honest one serves the same page. */

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { type WebSocket, WebSocketServer } from 'ws';
import type * as Usmp from '#dist/browser.js';
import { PSK } from '../server/live.js';
import { startWebServer } from './bed.js';
import { testInChromium } from './chromium.js';

/** What the pages know. */
declare const usmp: typeof Usmp;

interface Attempt {
  readonly promise: string;
  /** What the server does with a WebSocket; undefined to answer plain HTTP. */
  readonly serve: ((socket: WebSocket) => void) | undefined;
  readonly code: string;
  readonly message?: RegExp;
}

const MEGABYTE = 1_048_576;

const ATTEMPTS: readonly Attempt[] = [
  {
    promise: 'one that speaks HTTP only cannot be reached',
    serve: undefined,
    code: 'unreachable',
    message: /does the server listen there for WebSockets/,
  },
  {
    promise: 'one that closes at once turns away',
    serve: (socket) => socket.close(),
    code: 'turned_away',
  },
  {
    promise: 'one that sends text is another protocol',
    serve: (socket) => socket.send('{"welcome":true}'),
    code: 'bad_magic',
    message: /sent text/,
  },
  {
    promise: 'one that sends other bytes is another protocol',
    serve: (socket) => socket.send(Buffer.from('welcome to this chat')),
    code: 'bad_magic',
  },
  {
    promise: 'one that says nothing is given up',
    serve: () => {},
    code: 'handshake_timeout',
  },
  {
    promise: 'one that sends nothing, very often, is given up as well',
    serve: (socket) => {
      for (let i = 0; i < 20_000; i++) socket.send(Buffer.alloc(0));
    },
    code: 'handshake_timeout',
  },
  {
    promise: 'one that sends more than a message may be is cut off',
    serve: (socket) => socket.send(Buffer.alloc(2 * MEGABYTE)),
    code: 'receive_overflow',
  },
  {
    promise: 'one that sends a frame for ever, byte by byte, is given up',
    serve: (socket) => {
      const timer = setInterval(() => socket.send(Buffer.from([0xcd])), 50);
      // The header of a CHALLENGE of 64 bytes: at this rate it would take 3 s.
      socket.send(Buffer.from('cdab0202000000004000', 'hex'));
      socket.on('close', () => clearInterval(timer));
    },
    code: 'handshake_timeout',
  },
];

for (const { promise, serve, code, message } of ATTEMPTS) {
  testInChromium(`a server that is none: ${promise}`, async (t, openPage) => {
    const page = await openPage();
    const failed = await connect(page, await startImpostor(t, serve), 1_500);
    assert.equal(failed.code, code, failed.message);
    if (message !== undefined) assert.match(failed.message, message);

    const honest = await startWebServer(t);
    assert.deepEqual(await connect(page, honest.url, 10_000), { code: 'none', message: 'hello' });
  });
}

async function startImpostor(t: TestContext, serve: Attempt['serve']): Promise<string> {
  const server = createServer((_request, response) => response.end('hello'));
  if (serve !== undefined) new WebSocketServer({ server }).on('connection', serve);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** What comes of an attempt of the page: an error, or an echo. */
function connect(
  page: Page,
  url: string,
  handshakeTimeout: number,
): Promise<{ code: string; message: string }> {
  return page.evaluate(
    async (options) => {
      try {
        const session = await new usmp.USMPClient(options).connect();
        await session.send('hello');
        const echo = new TextDecoder().decode(await session.recv());
        await session.close();
        return { code: 'none', message: echo };
      } catch (error) {
        const { code, message } = error as Usmp.USMPError;
        return { code, message };
      }
    },
    { url, psk: PSK, handshakeTimeout },
  );
}
