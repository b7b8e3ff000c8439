import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hex } from '../support/bytes.js';
import { Pair } from '../support/pair.js';

describe('deadlines', () => {
  test('the handshake has its time from the start, and arriving bytes do not restart it', () => {
    const pair = new Pair({ serverKeys: undefined, delay: [4_000, 4_000] });
    pair.advance(9_999);
    assert.deepEqual(
      pair.ends.map((end) => end.connection.state),
      ['handshake', 'handshake'],
    );
    assert.deepEqual(
      pair.ends.map((end) => end.connection.pollTimeout()),
      [10_000, 10_000],
    );
    pair.advance(1);
    assert.deepEqual(
      pair.ends.map((end) => [end.closed?.code, end.closed?.name, end.closed?.message]),
      [
        ['handshake_timeout', 'USMPTimeoutError', 'handshake timed out waiting for SESSION_OK'],
        ['handshake_timeout', 'USMPTimeoutError', 'handshake timed out waiting for HELLO_ACK'],
      ],
    );
  });

  test('a session that opens in time is not touched by the time of the handshake', () => {
    const pair = Pair.open({ delay: [10, 10] });
    assert.equal(pair.client.connection.pollTimeout(), Number.POSITIVE_INFINITY);
    pair.advance(100_000);
    assert.deepEqual(
      pair.ends.map((end) => end.connection.state),
      ['open', 'open'],
    );
  });

  test('a client that has nothing to say sends PING, and both sides stay', () => {
    const pair = Pair.open({
      delay: [50, 50],
      client: { keepaliveInterval: 30_000, idleTimeout: 90_000 },
      server: { idleTimeout: 60_000 },
    });
    pair.advance(300_500);
    assert.deepEqual(
      pair.ends.map((end) => end.connection.state),
      ['open', 'open'],
    );
    const pongs = pair.client.of('pong');
    assert.equal(pongs.length, 10);
    assert.ok(pongs.every(({ rtt }) => rtt === 100));
  });

  test('a client that only sends asks for a sign of life all the same', () => {
    const pair = Pair.open({ client: { keepaliveInterval: 30_000, idleTimeout: 90_000 } });
    for (let second = 0; second < 200; second += 10) {
      pair.client.send(hex('01'));
      pair.advance(10_000);
    }
    assert.equal(pair.client.connection.state, 'open');
    assert.equal(pair.client.of('pong').length, 6);
  });

  test('a line that falls silent ends the session at both sides, each in its time', () => {
    const pair = Pair.open({
      client: { keepaliveInterval: 30_000, idleTimeout: 90_000 },
      server: { idleTimeout: 60_000 },
    });
    for (const end of pair.ends) end.line.fallSilent();
    pair.advance(59_999);
    assert.equal(pair.server.connection.state, 'open');
    pair.advance(1);
    assert.equal(pair.server.closed?.code, 'idle_timeout');
    assert.equal(pair.server.closed?.name, 'ConnectionClosedError');
    pair.advance(29_999);
    assert.equal(pair.client.connection.state, 'open');
    pair.advance(1);
    assert.equal(pair.client.closed?.code, 'idle_timeout');
  });

  const WATCHFUL = { keepaliveInterval: 30_000, keepaliveTimeout: 20_000, keepaliveMisses: 2 };

  test('a peer that answers no PING is dead after the interval and one deadline more than may be missed', () => {
    const pair = Pair.open({ client: WATCHFUL });
    for (const end of pair.ends) end.line.fallSilent();
    const sent: number[] = [];
    for (let second = 1; second < 90; second++) {
      pair.advance(1_000);
      sent.push(pair.client.connection.stats.framesSent);
      assert.equal(pair.client.connection.state, 'open', `after ${second} s`);
    }
    assert.deepEqual(
      [29, 30, 49, 50, 69, 70, 89].map((second) => sent[second - 1]),
      [0, 1, 1, 2, 2, 3, 3],
    );
    pair.advance(1_000);
    assert.equal(pair.client.closed?.code, 'idle_timeout');
  });

  test('any sign of life sets the count of missed PINGs back', () => {
    const pair = Pair.open({ client: WATCHFUL });
    pair.client.line.fallSilent();
    for (let round = 0; round < 5; round++) {
      pair.advance(55_000);
      assert.equal(pair.client.connection.state, 'open', `in round ${round}`);
      pair.server.send(hex('01'));
    }
    pair.advance(90_000);
    assert.equal(pair.client.closed?.code, 'idle_timeout');
  });

  test('PINGs of the application do not put off the verdict on a dead peer', () => {
    const pair = Pair.open({ client: WATCHFUL });
    for (const end of pair.ends) end.line.fallSilent();
    for (let second = 0; second < 90; second++) {
      pair.advance(1_000);
      if (pair.client.connection.state === 'open') pair.client.ping();
    }
    assert.equal(pair.client.closed?.code, 'idle_timeout');
  });

  test('one late call of the clock is one missed PING, however late it is', () => {
    const pair = Pair.open({ client: WATCHFUL });
    for (const end of pair.ends) end.line.fallSilent();
    pair.advance(30_000);
    const { connection } = pair.client;
    for (const late of [3_600_000, 7_200_000]) {
      connection.handleTimeout(late);
      assert.equal(connection.state, 'open');
    }
    connection.handleTimeout(7_200_000 + 20_000);
    assert.equal(connection.state, 'closed');
  });

  test('any frame is a sign of life, a part of one is not', () => {
    const pair = Pair.open({ server: { idleTimeout: 1_000 } });
    pair.advance(900);
    pair.client.ping();
    pair.advance(900);
    assert.equal(pair.server.connection.state, 'open');
    pair.client.send(hex('01'));
    pair.deliver(pair.server, 20);
    pair.client.line.fallSilent();
    pair.client.line.take(1000);
    pair.advance(100);
    assert.equal(pair.server.closed?.code, 'idle_timeout');
  });

  test('a driver that has stopped reading can put the idle deadline off', () => {
    const pair = Pair.open({ server: { idleTimeout: 1_000 } });
    pair.advance(900);
    pair.server.connection.postponeIdle(pair.now);
    assert.equal(pair.server.connection.pollTimeout(), pair.now + 1_000);
  });

  test('calling early does nothing', () => {
    const pair = Pair.open({ client: { keepaliveInterval: 500, idleTimeout: 1_000 } });
    pair.client.connection.handleTimeout(pair.now + 499);
    assert.equal(pair.client.connection.wantsTransmit, false);
    assert.equal(pair.client.connection.pollEvent(), undefined);
    const waiting = new Pair();
    waiting.server.connection.handleTimeout(9_999);
    assert.equal(waiting.server.connection.state, 'handshake');
  });
});
