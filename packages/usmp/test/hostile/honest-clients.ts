/** Honest clients of an echo server that runs in a process of its own. */

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { USMPClient, type USMPSession } from '#dist/index.js';
import { PSK, text, within } from '../server/live.js';
import type { ServerProcess } from '../server/process.js';

/** A session that ends with the test. */
export async function connect(t: TestContext, server: ServerProcess): Promise<USMPSession> {
  const session = await new USMPClient({ psk: PSK, url: server.url }).connect();
  t.after(() => session.close());
  return session;
}

/** The server still takes an honest client, and answers it. */
export async function assertServes(server: ServerProcess): Promise<void> {
  const session = await within(
    new USMPClient({ psk: PSK, url: server.url }).connect(),
    'an honest handshake',
  );
  await assertAlive(session);
  await session.close();
}

/** A session still carries messages both ways. */
export async function assertAlive(session: USMPSession): Promise<void> {
  await session.send('are you there?');
  assert.equal(text(await within(session.recv(), 'the echo')), 'are you there?');
}
