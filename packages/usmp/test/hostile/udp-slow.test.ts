/** Peers that fall silent: what they cost takes as long to end as the protocol waits. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { assertServes, eventually, nextSession, PSK, within } from '../server/live.js';
import { BYE, DATA, RawGreeting, REKEY, SESSION_OK } from '../support/raw-datagrams.js';
import { openSocket, scene, startUDP } from './udp-bed.js';

// Side by side: they only wait.
suite('silence', { concurrency: true }, () => {
  test('a peer that never acknowledges ends the session as not_acknowledged, not earlier than promised', async (t) => {
    const { live, socket, session, there } = await scene(t);
    session.silent = true;
    const started = performance.now();
    const [first, second] = [there.send('to whom', { acknowledged: true }), there.send('it may concern')];
    second.catch(() => {});
    await assert.rejects(within(first, 'the end', 60_000), {
      name: 'DeliveryError',
      code: 'not_acknowledged',
    });
    const took = performance.now() - started;
    // Timers are a little early at times.
    assert.ok(took >= 12_400, `given up after ${took} ms`);
    assert.equal(there.error?.code, 'not_acknowledged');
    await assert.rejects(there.send('one more'), { code: 'not_acknowledged' });
    const copies = socket.drain().filter(({ isAck, type }) => !isAck && type === DATA);
    assert.ok(copies.length >= 3, `sent ${copies.length} times`);
    // Two messages, a handful of times each, and always as the same bytes.
    assert.ok(copies.length <= 40, `sent ${copies.length} times`);
    assert.ok(new Set(copies.map(({ bytes }) => bytes.toString('hex'))).size <= 2);
    await eventually(() => live.server.stats.sessions === 0, 'the end at the server');
    await assertServes(live);
  });

  test('a peer that never acknowledges SESSION_OK and never says a word is given up as well', async (t) => {
    const live = await startUDP(t);
    const arriving = nextSession(live.server);
    const socket = await openSocket(t, live);
    const attempt = new RawGreeting({ psk: PSK });
    const challenge = await socket.challenge(attempt);
    const started = performance.now();
    socket.send(attempt.helloAck(challenge));
    const there = await arriving;
    await eventually(() => there.closed, 'the end of the session', 60_000);
    assert.ok(performance.now() - started >= 12_400, 'given up early');
    assert.equal(there.error?.code, 'not_acknowledged');
    const copies = socket.drain().filter(({ isAck, type }) => !isAck && type === SESSION_OK);
    assert.ok(copies.length >= 3 && copies.length <= 30, `sent ${copies.length} times`);
    await assertServes(live);
  });

  test('a peer that never acknowledges REKEY ends the session, and so does one that stops right behind it', async (t) => {
    const [ignoring, stopping] = [await scene(t), await scene(t)];
    for (const { session } of [ignoring, stopping]) session.silent = true;
    const failures = [ignoring, stopping].map(({ there }) =>
      assert.rejects(there.rekey({ timeout: 60_000 }), { code: 'not_acknowledged' }),
    );
    const rekey = await stopping.socket.frame(REKEY);
    stopping.socket.send(stopping.session.ackFor(rekey));
    await Promise.all(failures);
    for (const { live, there } of [ignoring, stopping]) {
      assert.equal(there.error?.code, 'not_acknowledged');
      await assertServes(live);
    }
  });

  test('a peer that never acknowledges BYE is not waited for without end', async (t) => {
    const { live, socket, session, there } = await scene(t);
    session.silent = true;
    await within(there.close(), 'the end of closing', 60_000);
    assert.equal(there.error?.code, 'closed');
    const byes = socket.drain().filter(({ isAck, type }) => !isAck && type === BYE);
    assert.ok(byes.length >= 2 && byes.length <= 20, `sent ${byes.length} times`);
    assert.equal(live.server.stats.sessions, 0);
    await assertServes(live);
  });

  test('a gap that is never filled holds later messages back for a while and not for ever', async (t) => {
    const here = await scene(t);
    const { session } = here;
    session.skip(1);
    const started = performance.now();
    await session.acknowledged(session.send('behind the gap'));
    await session.acknowledged(session.send('and one more'));
    assert.deepEqual(here.received, []);
    await eventually(() => here.received.length === 2, 'the messages', 60_000);
    assert.ok(
      performance.now() - started >= 12_500,
      'the gap was given up while its sender may still repeat',
    );
    assert.deepEqual(here.received, ['behind the gap', 'and one more']);
    assert.equal(here.there.stats.messagesLost, 1);
    assert.equal(here.there.closed, false);
    await assertServes(here.live);
  });
});
