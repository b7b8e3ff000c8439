/** What a session over UDP promises beside order: acknowledgement, liveness, addresses, sizes. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_MESSAGE, USMPClient, type USMPSession } from '#dist/index.js';
import { sendForEcho } from '../interop/traffic.js';
import { coded, echo, eventually, PSK, startServer, stateOf } from '../server/live.js';
import { hasIPv6 } from '../support/ipv6.js';
import { assertDelivered, carry, connectThrough, MIXED, openBed, openServer, PATIENCE } from './lossy.js';

const DATA = 0x05;
const DATA_FRAG = 0x09;

describe('send() with `acknowledged`', { concurrency: true }, () => {
  for (const size of [0, 64, MAX_MESSAGE]) {
    test(`waits for all of ${size} bytes`, async (t) => {
      let open = false;
      const { here, there, proxy } = await openBed(t, {
        line: {
          decide: ({ kind, type }) => (kind === 'frame' && type === DATA && !open ? 'drop' : undefined),
        },
      });
      const sent = here.send(new Uint8Array(size), { acknowledged: true, timeout: PATIENCE });
      await eventually(() => proxy.tally['to-server'].lost >= 2, 'it to be repeated');
      assert.equal(await stateOf(sent), 'pending');
      assert.equal(there.stats.messagesReceived, 0);
      open = true;
      await sent;
      // It is there before anything else happens.
      assert.equal((await there.recv({ timeout: PATIENCE })).length, size);
    });
  }

  test('waits for the UTACK, though the message has arrived', async (t) => {
    let open = false;
    const { here, there } = await openBed(t, {
      line: { decide: ({ kind, type }) => (kind === 'utack' && type === DATA && !open ? 'drop' : undefined) },
    });
    const sent = here.send('hello', { acknowledged: true, timeout: PATIENCE });
    await there.recv({ timeout: PATIENCE });
    await eventually(() => there.stats.framesRepeated >= 2, 'it to be repeated');
    assert.equal(await stateOf(sent), 'pending');
    open = true;
    await sent;
    assert.ok(here.stats.framesRetransmitted >= 2);
    assert.equal(there.stats.messagesReceived, 1);
  });

  test('many at once resolve in order over a bad line', async (t) => {
    const { here, there } = await openBed(t, { line: { loss: 0.1, duplication: 0.1, lossesOfExchange: 3 } });
    const order: number[] = [];
    const count = 60;
    const sending = Array.from({ length: count }, async (_, number) => {
      await here.send(new Uint8Array(number), { acknowledged: true, timeout: PATIENCE });
      order.push(number);
    });
    for (let number = 0; number < count; number++) {
      assert.equal((await there.recv({ timeout: PATIENCE })).length, number);
    }
    await Promise.all(sending);
    assert.deepEqual(
      [...order].sort((a, b) => a - b),
      Array.from({ length: count }, (_, i) => i),
    );
  });
});

describe('liveness', { concurrency: true }, () => {
  test('PING keeps a session open that has nothing to say', async (t) => {
    const { here, there } = await openBed(t, {
      line: { loss: 0.1, lossesOfExchange: 2 },
      client: { keepaliveInterval: 200 },
      server: { idleTimeout: 10_000 },
    });
    await eventually(() => there.stats.framesReceived >= 10, 'PINGs', PATIENCE);
    assert.deepEqual([here.closed, there.closed], [false, false]);
    assert.ok(here.rtt! >= 0);
  });

  test('a session that hears nothing ends', async (t) => {
    const { here, there, proxy } = await openBed(t, {
      client: { keepaliveInterval: 0, idleTimeout: 1_000 },
      server: { idleTimeout: 1_000 },
    });
    proxy.treatment['to-client'] = proxy.treatment['to-server'] = { loss: 1 };
    const idle = coded('ConnectionClosedError', 'idle_timeout');
    await assert.rejects(here.recv({ timeout: PATIENCE }), idle);
    await assert.rejects(there.recv({ timeout: PATIENCE }), idle);
  });

  test('ping() measures the line, losses or not', async (t) => {
    const { here } = await openBed(t, {
      line: { delay: [20, 20], loss: 0.2, lossesOfExchange: 2 },
    });
    for (let i = 0; i < 5; i++) assert.ok((await here.ping({ timeout: PATIENCE })) >= 20);
  });
});

describe('a session', { concurrency: true }, () => {
  test('knows its transport and its peer', async (t) => {
    const { here, there, proxy } = await openBed(t);
    assert.equal(here.peer, `127.0.0.1:${proxy.port}`);
    assert.match(there.peer, /^127\.0\.0\.1:\d+$/);
    assert.notEqual(there.peer, here.peer);
    assert.deepEqual([here.transport, there.transport], ['udp', 'udp']);
  });

  test('runs over IPv6', async (t) => {
    if (!hasIPv6) return t.skip('this machine has no IPv6');
    const bed = await openBed(t, { host: '::1', line: { loss: 0.05, duplication: 0.1, reordering: 0.1 } });
    assert.equal(bed.here.peer, `[::1]:${bed.proxy.port}`);
    assert.match(bed.there.peer, /^\[::1\]:\d+$/);
    const directions = await Promise.all([
      carry(bed.here, bed.there, 40, MIXED),
      carry(bed.there, bed.here, 40, MIXED),
    ]);
    assertDelivered(bed, directions);
  });

  test('carries the longest messages both ways over a bad line', async (t) => {
    const bed = await openBed(t, {
      line: { loss: 0.05, duplication: 0.1, reordering: 0.2, corruption: 0.03 },
    });
    const sizes = [MAX_MESSAGE];
    const directions = await Promise.all([
      carry(bed.here, bed.there, 20, sizes),
      carry(bed.there, bed.here, 20, sizes),
    ]);
    assertDelivered(bed, directions);
  });

  test('begins anew from the same device while the old one hangs', async (t) => {
    const { live, proxy } = await openServer(t, {});
    const deviceId = '02:00:00:00:00:77';
    const first = await connectThrough(live, proxy, { deviceId });
    const second = await connectThrough(live, proxy, { deviceId });
    await assert.rejects(first.there.recv({ timeout: PATIENCE }), coded('ConnectionClosedError', 'replaced'));
    assert.equal((await carry(second.here, second.there, 10, MIXED)).received, 10);
  });
});

test('one server serves TCP and UDP at once', async (t) => {
  const live = await startServer(t, echo, { listen: ['tcp://127.0.0.1:0', 'udp://127.0.0.1:0'] });
  assert.deepEqual(
    live.server.urls.map((url) => new URL(url).protocol),
    ['tcp:', 'udp:'],
  );
  const sessions: USMPSession[] = [];
  for (const url of live.server.urls) {
    const session = await new USMPClient({ url, psk: PSK }).connect();
    t.after(() => session.close());
    sessions.push(session);
  }
  assert.deepEqual(
    sessions.map(({ transport }) => transport),
    ['tcp', 'udp'],
  );
  await Promise.all(sessions.map((session) => sendForEcho(session, { count: 50, sizes: MIXED, window: 8 })));
  for (const session of sessions) await session.close();
});

test('counters tell what the line did', async (t) => {
  const drops = new Set([3, 5]);
  const bed = await openBed(t, {
    line: {
      decide: ({ kind, type, seq, direction, transmission }) => {
        if (kind !== 'frame' || (type !== DATA && type !== DATA_FRAG) || direction !== 'to-server')
          return 'pass';
        if (transmission > 1) return 'pass';
        if (drops.has(seq)) return 'drop';
        return seq === 7 ? 'duplicate' : seq === 9 ? 'corrupt' : 'pass';
      },
    },
  });
  assert.equal((await carry(bed.here, bed.there, 20, [64])).received, 20);
  assert.ok(
    bed.here.stats.framesRetransmitted >= 3,
    `${bed.here.stats.framesRetransmitted} frames sent again`,
  );
  assert.ok(bed.there.stats.framesRepeated >= 1);
  assert.ok(bed.there.stats.datagramsDropped >= 1);
  assert.equal(bed.there.stats.messagesLost, 0);
  assert.ok(bed.here.rtt! >= 0);
});
