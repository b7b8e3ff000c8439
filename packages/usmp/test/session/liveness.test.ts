import assert from 'node:assert/strict';
import { test } from 'node:test';
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
import { PING, PONG, RawClient } from '../support/raw-client.js';

test('ping() measures a round trip, also while nobody receives', async (t) => {
  const live = await startServer(t, park);
  const { here, there } = await bothEnds(t, live);
  assert.equal(here.rtt, undefined);
  for (const end of [here, there]) {
    const rtt = await within(end.ping(), 'PONG');
    assert.ok(rtt >= 0 && rtt < 10_000, `${rtt} ms`);
    assert.equal(end.rtt, rtt);
  }
});

test('pings overtake nothing and disturb no messages', async (t) => {
  const live = await startServer(t);
  const session = await connect(t, live);
  const pings: Promise<number>[] = [];
  for (let i = 0; i < 200; i++) {
    void session.send(`${i} ${'x'.repeat((i % 4) * 600)}`.slice(0, 1_808));
    // The other end owes no more than a few PONGs at a time.
    if (i % 40 === 0) pings.push(session.ping());
  }
  for (let i = 0; i < 200; i++) assert.equal(text(await session.recv()).split(' ')[0], String(i));
  await within(Promise.all(pings), 'the PONGs');
});

test('a ping without an answer is given up in its time, and by its signal', async (t) => {
  const live = await startServer(t, park);
  const arriving = nextSession(live.server);
  const raw = await RawClient.open({ port: live.port });
  t.after(() => raw.destroy());
  await raw.handshake({ psk: PSK });
  const there = await arriving;
  await assert.rejects(there.ping({ timeout: 30 }), coded('USMPTimeoutError', 'ping_timeout'));
  const reason = new Error('enough');
  await assert.rejects(there.ping({ signal: AbortSignal.timeout(30) }), { name: 'TimeoutError' });
  await assert.rejects(there.ping({ signal: AbortSignal.abort(reason) }), reason);
  assert.equal(there.closed, false);
});

test('the server closes a session that it hears nothing of', async (t) => {
  const live = await startServer(t, park, { idleTimeout: 120 });
  const ended = new Promise<string>((resolve) =>
    live.server.on('disconnect', (_, error) => resolve(error.code)),
  );
  const raw = await RawClient.open({ port: live.port });
  const started = performance.now();
  await raw.handshake({ psk: PSK });
  assert.equal(await within(ended, 'the end of the session'), 'idle_timeout');
  assert.ok(performance.now() - started >= 115, 'closed too early');
  await within(raw.ending, 'the end of the connection');
});

test('any frame is a sign of life', async (t) => {
  const live = await startServer(t, echo, { idleTimeout: 1_000 });
  const raw = await RawClient.open({ port: live.port });
  t.after(() => raw.destroy());
  const session = await raw.handshake({ psk: PSK });
  const started = performance.now();
  while (performance.now() - started < 2_200) {
    raw.write(session.seal(PING));
    session.open(await within(raw.expect(PONG), 'PONG'));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  session.send('still here');
  assert.equal(text(await session.receive()), 'still here');
});

test('keepalive keeps a silent session open from the side that sends it', async (t) => {
  const live = await startServer(t, park, { idleTimeout: 1_000 });
  const { here, there } = await bothEnds(t, live, { keepaliveInterval: 100 });
  await eventually(() => there.stats.framesReceived >= 20, 'twenty PINGs');
  assert.equal(there.closed, false);
  assert.equal(here.closed, false);
  assert.notEqual(here.rtt, undefined);
});

test('a client notices that its server has fallen silent', async (t) => {
  const live = await startServer(t, park);
  const silent = await connect(t, live, { keepaliveInterval: 0, idleTimeout: 120 });
  await assert.rejects(
    within(silent.recv(), 'the end of the session'),
    coded('ConnectionClosedError', 'idle_timeout'),
  );
  const lively = await connect(t, live, { keepaliveInterval: 40, idleTimeout: 800 });
  await eventually(() => lively.stats.framesReceived >= 25, 'PONGs');
  assert.equal(lively.closed, false);
});

test('a session whose application reads nothing is not called idle while its peer waits', async (t) => {
  const live = await startServer(t, park, { idleTimeout: 400, receiveQueue: 2_000 });
  const { here, there } = await bothEnds(t, live, { keepaliveInterval: 50 });
  for (let i = 0; i < 40; i++) void here.send(new Uint8Array(1_000));
  const started = performance.now();
  await eventually(() => performance.now() - started > 1_300, 'three times the idle time');
  assert.equal(there.closed, false);
  for (let i = 0; i < 40; i++) assert.equal((await there.recv({ timeout: 10_000 })).length, 1_000);
});

test('0 switches idle time-out and keepalive off', async (t) => {
  const live = await startServer(t, park, { idleTimeout: 0 });
  const { here, there } = await bothEnds(t, live, { keepaliveInterval: 0, idleTimeout: 0 });
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(there.closed, false);
  assert.equal(here.stats.framesSent, 0);
  await here.send('x');
  assert.equal(text(await there.recv()), 'x');
});
