/** The client of browsers, on Node: the WebSocket is that of a package, or a fake. Real pages are in `browser/`. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { USMPClient, USMPError } from '#dist/browser.js';
import { startWebServer } from '../browser/bed.js';
import { coded, eventually, nextSession, PSK, park, text, WRONG_PSK } from '../server/live.js';
import { FakeWebSocket, replaceGlobal } from '../transports/fake-websocket.js';

test('a session from the first message to the last', async (t) => {
  replaceGlobal(t, 'WebSocket', WebSocket);
  const { url } = await startWebServer(t);
  const session = await new USMPClient({ url, psk: PSK }).connect();
  for (const message of ['21.5 °C', '', 'x'.repeat(1_807)]) {
    await session.send(message);
    assert.equal(text(await session.recv({ timeout: 10_000 })), message);
  }
  await session.rekey({ timeout: 10_000 });
  assert.ok((await session.ping()) >= 0);
  await session.close();
  assert.equal(session.error?.code, 'closed');
});

test('a server that closes is heard', async (t) => {
  replaceGlobal(t, 'WebSocket', WebSocket);
  const live = await startWebServer(t, park);
  const arriving = nextSession(live.server);
  const session = await new USMPClient({ url: live.url, psk: PSK }).connect();
  await (await arriving).close();
  await assert.rejects(session.recv(), coded('ConnectionClosedError', 'bye'));
});

test('a wrong key is refused', async (t) => {
  replaceGlobal(t, 'WebSocket', WebSocket);
  const { url } = await startWebServer(t);
  const connecting = new USMPClient({ url, psk: WRONG_PSK }).connect();
  await assert.rejects(connecting, coded('AuthError', 'refused'));
});

test('what a link knows about its end is what the client says of it', async (t) => {
  for (const [message, code] of [
    ['welcome', 'bad_magic'],
    [new Uint8Array(2_000_000), 'receive_overflow'],
  ] as const) {
    const { client, socket } = await halfOpen(t);
    socket.message(message);
    await assert.rejects(client, (error) => error instanceof USMPError && error.code === code);
  }
});

test('a server that hangs up before it has said anything turns away', async (t) => {
  const { client, socket } = await halfOpen(t);
  socket.end();
  await assert.rejects(client, coded('HandshakeError', 'turned_away'));
});

/** A client that has sent HELLO over a fake. */
async function halfOpen(t: TestContext): Promise<{ client: Promise<unknown>; socket: FakeWebSocket }> {
  FakeWebSocket.install(t);
  const before = FakeWebSocket.last;
  const client = new USMPClient({ url: 'ws://127.0.0.1:9001/', psk: PSK }).connect();
  await eventually(() => FakeWebSocket.last !== before, 'a WebSocket');
  const socket = FakeWebSocket.last;
  socket.open();
  await eventually(() => socket.sent.length > 0, 'HELLO');
  return { client, socket };
}
