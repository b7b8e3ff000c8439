import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { USMPSession } from '#dist/index.js';
import {
  bothEnds,
  coded,
  connect,
  echo,
  eventually,
  nextSession,
  PSK,
  park,
  startServer,
  text,
  within,
} from '../server/live.js';
import { BYE, RawClient } from '../support/raw-client.js';

test('close() says BYE: the other end learns that it was on purpose', async (t) => {
  const live = await startServer(t, park);
  const { here, there } = await bothEnds(t, live);
  const told = assert.rejects(there.recv(), coded('ConnectionClosedError', 'bye'));
  await here.close();
  await told;
  assert.equal(there.closed, true);
  assert.equal(there.error?.code, 'bye');
  assert.equal(there.error?.fault, 'peer');
  assert.equal(here.error?.code, 'closed');
});

test('what waits at the closing end rejects with ConnectionClosedError, and so does what comes later', async (t) => {
  const live = await startServer(t, park);
  const { here } = await bothEnds(t, live);
  const waiting = [here.recv(), here.recv({ timeout: 60_000 }), here.ping()];
  const settled = Promise.allSettled(waiting);
  const closing = here.close();
  for (const result of await settled) {
    assert.equal(result.status === 'rejected' && result.reason.code, 'closed');
  }
  await closing;
  for (const use of [() => here.send('x'), () => here.recv(), () => here.ping(), () => here.rekey()]) {
    await assert.rejects(use(), coded('ConnectionClosedError', 'closed'));
  }
  await here.close();
});

test('what was sent before close() arrives, also without having waited for it', async (t) => {
  const received: string[] = [];
  const live = await startServer(t, async (session) => {
    for await (const message of session) received.push(text(message));
    received.push('the end');
  });
  const session = await connect(t, live);
  // The last of them are over the limit of the backlog: their promises do not outlive the session.
  for (let i = 0; i < 300; i++) session.send(`${i} ${'x'.repeat(1_000)}`).catch(() => {});
  await session.close();
  await eventually(() => received.at(-1) === 'the end', 'the end of the loop');
  assert.equal(received.length, 301);
});

test('messages that arrived before the end are still delivered after it, then the error', async (t) => {
  const live = await startServer(t, park);
  const { here, there } = await bothEnds(t, live);
  for (const word of ['one', 'two', 'three']) await here.send(word);
  await here.close();
  await eventually(() => there.closed, 'the end of the session');
  for (const word of ['one', 'two', 'three']) assert.equal(text(await there.recv()), word);
  await assert.rejects(there.recv(), coded('ConnectionClosedError', 'bye'));
  await assert.rejects(there.recv(), coded('ConnectionClosedError', 'bye'));
});

test('for await ends on BYE from either side', async (t) => {
  const ended: string[] = [];
  const live = await startServer(t, async (session) => {
    for await (const message of session) ended.push(text(message));
    ended.push('loop over there');
  });
  const { here } = await bothEnds(t, live);
  await here.send('a message');
  const looping = (async () => {
    for await (const message of here) assert.fail(`nothing was sent, got ${message.length} bytes`);
  })();
  await eventually(() => ended.length === 1, 'the message');
  await here.close();
  await within(looping, 'the end of the loop here');
  await eventually(() => ended.at(-1) === 'loop over there', 'the end of the loop there');
});

test('for await throws when the connection breaks, after what had arrived', async (t) => {
  let outcome: unknown;
  const received: string[] = [];
  const live = await startServer(t, async (session) => {
    try {
      for await (const message of session) received.push(text(message));
      outcome = 'an orderly end';
    } catch (error) {
      outcome = error;
    }
  });
  for (const breaking of ['end', 'reset'] as const) {
    outcome = undefined;
    received.length = 0;
    const raw = await RawClient.open({ port: live.port });
    const session = await raw.handshake({ psk: PSK });
    session.send('before it broke');
    await eventually(() => received.length === 1, 'the message');
    raw[breaking]();
    await eventually(() => outcome !== undefined, 'the end of the loop');
    assert.equal((outcome as { code: string }).code, 'connection_lost', breaking);
    assert.deepEqual(received, ['before it broke']);
  }
});

test('leaving a for await loop does not close the session', async (t) => {
  const live = await startServer(t);
  const session = await connect(t, live);
  await session.send('one');
  for await (const message of session) {
    assert.equal(text(message), 'one');
    break;
  }
  assert.equal(session.closed, false);
  await session.send('two');
  assert.equal(text(await session.recv()), 'two');
});

test('close() resolves when the line is closed, also from both ends at once and from within the handler', async (t) => {
  const live = await startServer(t, async (session) => {
    await session.recv();
    await session.close();
  });
  const { here, there } = await bothEnds(t, live);
  await here.send('go');
  await within(Promise.all([here.close(), there.close(), here.close()]), 'the ends');
  await eventually(() => live.server.stats.sessions === 0, 'the end at the server');
});

test('a peer that does not hang up after BYE is cut off', async (t) => {
  const arriving: Promise<USMPSession>[] = [];
  const live = await startServer(t, park);
  arriving.push(nextSession(live.server));
  const raw = await RawClient.open({ port: live.port });
  t.after(() => raw.destroy());
  await raw.handshake({ psk: PSK });
  const [there] = await Promise.all(arriving);
  raw.stopReading();
  await within(there!.close(), 'close()', 8_000);
});

test('a BYE is answered by hanging up', async (t) => {
  const live = await startServer(t, echo);
  const raw = await RawClient.open({ port: live.port });
  const session = await raw.handshake({ psk: PSK });
  raw.write(session.seal(BYE));
  await within(raw.ending, 'the end of the connection');
  await eventually(() => live.server.stats.sessions === 0, 'the end of the session');
});

test('asyncDispose closes', async (t) => {
  const live = await startServer(t, park);
  const { here, there } = await bothEnds(t, live);
  await here[Symbol.asyncDispose]();
  assert.equal(here.error?.code, 'closed');
  await eventually(() => there.error?.code === 'bye', 'BYE at the other end');
});
