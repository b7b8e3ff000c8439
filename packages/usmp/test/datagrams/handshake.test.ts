/** The handshake over UDP: whatever is lost or repeated once, one attempt is enough and gives one session. */

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { type Refusal, USMPClient, type USMPSession } from '#dist/index.js';
import { coded, eventually, PSK, park, startServer, WRONG_PSK } from '../server/live.js';
import { openProxy, type Passing } from '../support/udp-proxy.js';
import { carry, type Line, MIXED, openServer, PATIENCE } from './lossy.js';

const HANDSHAKE = { HELLO: 0x01, CHALLENGE: 0x02, HELLO_ACK: 0x03, SESSION_OK: 0x04, HELLO_RETRY: 0x0a };
const TYPES: readonly number[] = Object.values(HANDSHAKE);

/** For the whole of a handshake on a busy machine. Milliseconds. */
const ENOUGH = 60_000;

/** For one that must fail. */
const SOON = 1_500;

const isHandshake = ({ type }: Passing): boolean => TYPES.includes(type);

/** Connects once over such a line, and has messages sent both ways. */
async function connectOnce(t: TestContext, line: Line): Promise<void> {
  const { live, proxy } = await openServer(t, {
    line,
    server: { handshakeTimeout: ENOUGH },
  });
  const arrived: USMPSession[] = [];
  live.server.on('connect', (session) => arrived.push(session));
  const here = await new USMPClient({ url: proxy.url, psk: PSK, handshakeTimeout: ENOUGH }).connect();
  proxy.beforeClose(() => here.close());
  await eventually(() => arrived.length > 0, 'the session at the server', PATIENCE);
  const there = arrived[0]!;
  assert.equal(there.id, here.id);
  for (const [from, to] of [
    [here, there],
    [there, here],
  ] as const) {
    assert.equal((await carry(from, to, MIXED.length, MIXED)).received, MIXED.length);
  }
  assert.equal(arrived.length, 1, 'one session for one attempt');
}

describe('one attempt to connect is enough', { concurrency: true }, () => {
  for (const [name, type] of Object.entries(HANDSHAKE)) {
    for (const kind of ['frame', 'utack'] as const) {
      const what = kind === 'frame' ? name : `the UTACK of ${name}`;
      test(`where ${what} is lost twice`, (t) =>
        connectOnce(t, {
          decide: (passing) =>
            passing.type === type && passing.kind === kind && passing.transmission <= 2 ? 'drop' : undefined,
        }));
    }
  }

  test('where the first transmission of everything is lost', (t) =>
    connectOnce(t, {
      decide: (passing) => (isHandshake(passing) && passing.transmission === 1 ? 'drop' : undefined),
    }));

  test('where the first transmission of everything is damaged', (t) =>
    connectOnce(t, {
      decide: (passing) => (isHandshake(passing) && passing.transmission === 1 ? 'corrupt' : undefined),
    }));

  test('where all UTACKs are lost, because each answer says the same', (t) =>
    connectOnce(t, {
      decide: (passing) => (isHandshake(passing) && passing.kind === 'utack' ? 'drop' : undefined),
    }));

  test('where everything comes twice', (t) => connectOnce(t, { duplication: 1 }));

  test('where everything comes twice and late', (t) => connectOnce(t, { duplication: 1, delay: [0, 300] }));

  test('where everything is held back for the next', (t) => connectOnce(t, { reordering: 1 }));
});

describe('an attempt fails with a reason', { concurrency: true }, () => {
  test('handshake_timeout where nothing answers', async (t) => {
    const { proxy } = await openServer(t, { line: { loss: 1 } });
    await assert.rejects(
      new USMPClient({ url: proxy.url, psk: PSK, handshakeTimeout: SOON }).connect(),
      coded('USMPTimeoutError', 'handshake_timeout'),
    );
  });

  test('handshake_timeout where cookies never arrive', async (t) => {
    const { proxy } = await openServer(t, {
      line: { decide: ({ type }) => (type === HANDSHAKE.HELLO_RETRY ? 'drop' : undefined) },
    });
    await assert.rejects(
      new USMPClient({ url: proxy.url, psk: PSK, handshakeTimeout: SOON }).connect(),
      coded('USMPTimeoutError', 'handshake_timeout'),
    );
  });

  test('refused where SESSION_OK never arrives', async (t) => {
    const { proxy } = await openServer(t, {
      line: { decide: ({ type }) => (type === HANDSHAKE.SESSION_OK ? 'drop' : undefined) },
    });
    await assert.rejects(
      new USMPClient({ url: proxy.url, psk: PSK, handshakeTimeout: SOON }).connect(),
      coded('AuthError', 'refused'),
    );
  });

  test('refused for a wrong key, over a bad line, too, and the server knows why', async (t) => {
    const { live, proxy } = await openServer(t, { line: { loss: 0.3, lossesOfExchange: 2 } });
    await assert.rejects(
      new USMPClient({ url: proxy.url, psk: WRONG_PSK, handshakeTimeout: 5 * SOON }).connect(),
      coded('AuthError', 'refused'),
    );
    await eventually(() => live.refusals.length > 0, 'the refusal');
    assert.deepEqual(
      live.refusals.map(({ reason }: Refusal) => reason),
      ['wrong-key'],
    );
  });
});

// By itself: the port must not have been given to another test.
test('unreachable where nobody listens', async (t) => {
  const live = await startServer(t, park, { listen: ['udp://127.0.0.1:0'] });
  await live.server.close({ timeout: 0 });
  await assert.rejects(
    new USMPClient({ url: live.url, psk: PSK }).connect(),
    coded('TransportError', 'unreachable'),
  );
});

test('a recorded session played again delivers nothing, and harms neither the next session nor itself', async (t) => {
  const { live, proxy } = await openServer(t, {});
  const arrived: USMPSession[] = [];
  live.server.on('connect', (session) => arrived.push(session));
  const here = await new USMPClient({ url: proxy.url, psk: PSK }).connect();
  proxy.beforeClose(() => here.close());
  await eventually(() => arrived.length === 1, 'the session at the server');
  const there = arrived[0]!;
  const first = await carry(here, there, 20, MIXED);
  assert.equal(first.received, 20);

  const recorded = [...proxy.passed];
  for (const passed of recorded) proxy.inject(passed);
  const second = await carry(there, here, 20, MIXED);
  assert.equal(second.received, 20);
  await here.send('after all');
  assert.equal(new TextDecoder().decode(await there.recv({ timeout: PATIENCE })), 'after all');
  assert.ok(there.stats.framesRepeated > 0, 'the repeats were seen as such');
  assert.equal(there.stats.messagesReceived, 21);

  // From another address, too.
  const strangers = await openProxy(t, { server: live.url });
  const next = await new USMPClient({ url: strangers.url, psk: PSK }).connect();
  strangers.beforeClose(() => next.close());
  for (const passed of recorded)
    if (passed.direction === 'to-server') strangers.inject({ ...passed, flow: 0 });
  await eventually(() => arrived.length === 2, 'the next session');
  await next.send(new Uint8Array(64));
  assert.equal((await arrived[1]!.recv({ timeout: PATIENCE })).length, 64);
  assert.equal(arrived[1]!.stats.messagesReceived, 1);
  assert.equal(arrived.length, 2);
});

test('a session goes on while others at the same proxy come and go', async (t) => {
  const { live, proxy } = await openServer(t, { line: { loss: 0.05, duplication: 0.1, reordering: 0.1 } });
  const arrived: USMPSession[] = [];
  live.server.on('connect', (session) => arrived.push(session));
  const sessions = await Promise.all(
    Array.from({ length: 5 }, () =>
      new USMPClient({ url: proxy.url, psk: PSK, handshakeTimeout: ENOUGH }).connect(),
    ),
  );
  for (const session of sessions) proxy.beforeClose(() => session.close());
  await eventually(() => arrived.length >= sessions.length, 'their sessions', PATIENCE);
  await Promise.all(
    sessions.map(async (session, i) => {
      for (let number = 0; number <= 5 * i; number++) {
        await session.send(new Uint8Array(4 * number), { timeout: PATIENCE });
      }
      await session.close();
    }),
  );
  for (const [i, session] of sessions.entries()) {
    const there = arrived.find(({ id }) => id === session.id)!;
    let messages = 0;
    for await (const message of there) assert.equal(message.length, 4 * messages++);
    assert.equal(messages, 5 * i + 1);
  }
});
