import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ConnectionEvent } from '#dist/core/connection.js';
import { ConnectionClosedError } from '#dist/core/errors.js';
import { encodeFrame, FrameDecoder, FrameType, frameTypeName } from '#dist/core/frame.js';
import { MAX_PONGS_OWED } from '#dist/core/limits.js';
import { StreamConnection } from '#dist/core/stream-connection.js';
import { hex, pattern, toHex, utf8 } from '../support/bytes.js';
import { isWiped, WatchedCrypto } from '../support/crypto.js';
import { DEVICE_ID, type End, Pair, PSK } from '../support/pair.js';

const SIZES = [0, 1, 2, 451, 452, 453, 904, 905, 1356, 1357, 1807, 1808];

function types(end: End): ConnectionEvent['type'][] {
  return end.events.map(({ type }) => type);
}

/** The names of the frames that a side would send now. */
function framesOf(end: End, now: number): string[] {
  const decoder = new FrameDecoder();
  decoder.push(end.connection.pollTransmit(now) ?? hex(''));
  const names: string[] = [];
  for (let frame = decoder.next(); frame !== undefined; frame = decoder.next())
    names.push(frameTypeName(frame.type));
  return names;
}

describe('handshake', () => {
  test('opens both ends, and tells each who the other is', () => {
    const pair = new Pair({ delay: [5, 20], largestPiece: 7 });
    pair.settle();
    assert.deepEqual(types(pair.client), ['open']);
    assert.deepEqual(types(pair.server), ['keys-wanted', 'open']);
    const [mine, theirs] = [pair.client.of('open')[0]!, pair.server.of('open')[0]!];
    assert.equal(toHex(theirs.deviceId), toHex(DEVICE_ID));
    assert.equal(toHex(mine.sessionId), toHex(theirs.sessionId));
    assert.equal(pair.server.connection.handshakeState, 'done');
  });

  test('asks for the keys as soon as the device has named itself, and lets the answer come late', () => {
    const pair = new Pair({ serverKeys: undefined });
    pair.settle();
    assert.deepEqual(types(pair.server), ['keys-wanted']);
    assert.equal(toHex(pair.server.connection.claimedDeviceId!), toHex(DEVICE_ID));
    assert.equal(pair.server.connection.handshakeState, 'keys');
    pair.advance(9_000);
    pair.server.connection.provideKeys([PSK], pair.now);
    pair.settle();
    assert.equal(pair.client.connection.state, 'open');
  });

  test('CHALLENGE leaves before the keys are known', () => {
    const pair = new Pair({ serverKeys: undefined });
    pair.client.drain();
    pair.server.input(pair.client.line.take(50));
    assert.deepEqual(framesOf(pair.server, 0), ['CHALLENGE']);
  });

  test('with a wrong key, or an unknown id, the server falls silent after the same frames', () => {
    for (const serverKeys of [[], [utf8('some other device key')]]) {
      const pair = new Pair({ serverKeys });
      pair.settle();
      assert.equal(pair.server.closed?.code, 'wrong_key');
      assert.equal(pair.server.closed?.fault, 'peer');
      assert.equal(pair.server.line.written, 12 + 64, 'CHALLENGE and nothing else');
      pair.client.connection.handleEnd();
      pair.client.drain();
      assert.equal(pair.client.closed?.code, 'refused');
      assert.equal(pair.client.closed?.name, 'AuthError');
    }
  });

  test('the end of the line tells at which point it came', () => {
    const early = new Pair();
    early.client.connection.handleEnd();
    early.client.drain();
    assert.equal(early.client.closed?.code, 'turned_away');

    for (const [settled, state] of [
      [false, 'HELLO'],
      [true, 'keys'],
    ] as const) {
      const pair = new Pair({ serverKeys: undefined });
      if (settled) pair.settle();
      pair.server.connection.handleEnd();
      pair.server.drain();
      assert.equal(pair.server.closed?.message, `connection lost waiting for ${state}`);
      assert.equal(pair.server.closed?.code, 'connection_lost');
      assert.equal(pair.server.connection.claimedDeviceId === undefined, !settled);
    }

    const open = Pair.open();
    open.client.connection.handleEnd();
    open.client.drain();
    assert.equal(open.client.closed?.code, 'connection_lost');
  });

  test('keys that come after the end have no effect', () => {
    const pair = new Pair({ serverKeys: undefined });
    pair.settle();
    pair.server.connection.handleEnd();
    pair.server.connection.provideKeys([PSK], pair.now);
    pair.settle();
    assert.deepEqual(types(pair.server), ['keys-wanted', 'closed']);
  });

  test('commands wait for the open session', () => {
    const pair = new Pair();
    for (const end of pair.ends) {
      for (const command of [() => end.send(hex('01')), () => end.ping(), () => end.rekey()]) {
        assert.throws(command, { name: 'NotConnectedError', code: 'not_connected' });
      }
    }
  });

  test('closing before the session is open sends no BYE', () => {
    const pair = new Pair();
    pair.server.close();
    pair.server.drain();
    assert.deepEqual(types(pair.server), ['closed']);
    assert.equal(pair.server.line.written, 0);
  });
});

describe('messages', () => {
  for (const largestPiece of [1, 13, 700, Number.POSITIVE_INFINITY]) {
    test(`of every size arrive once and in order, in pieces of at most ${largestPiece}`, () => {
      const pair = Pair.open({ seed: 7, delay: [0, 30], largestPiece });
      for (const [i, size] of SIZES.entries()) {
        pair.client.send(pattern(i, size));
        pair.server.send(pattern(100 + i, size));
        if (i % 3 === 0) pair.advance(3);
      }
      pair.settle();
      assert.deepEqual(
        pair.server.messages.map(toHex),
        SIZES.map((size, i) => toHex(pattern(i, size))),
      );
      assert.deepEqual(
        pair.client.messages.map(toHex),
        SIZES.map((size, i) => toHex(pattern(100 + i, size))),
      );
    });
  }

  test('are plain bytes, of memory that nothing else uses', () => {
    for (const size of SIZES) {
      const pair = Pair.open();
      pair.client.send(pattern(1, size));
      pair.client.drain();
      const arriving = Buffer.from(pair.client.line.take(10_000));
      pair.server.input(arriving);
      arriving.fill(0);
      pair.settle();
      const [message] = pair.server.messages;
      assert.equal(Object.getPrototypeOf(message), Uint8Array.prototype);
      assert.equal(toHex(message!), toHex(pattern(1, size)));
    }
  });

  test('of one turn leave in one write', () => {
    const pair = Pair.open();
    for (const size of [100, 0, 1808]) pair.client.send(pattern(1, size));
    assert.equal(pair.client.connection.pendingTransmit, 100 + 1808 + 6 * 40);
    assert.deepEqual(framesOf(pair.client, 0), [
      'DATA',
      'DATA',
      'DATA_FRAG',
      'DATA_FRAG',
      'DATA_FRAG',
      'DATA',
    ]);
    assert.equal(pair.client.connection.pendingTransmit, 0);
    assert.equal(pair.client.connection.wantsTransmit, false);
    assert.equal(pair.client.connection.pollTransmit(0), undefined);
  });

  test('belong to the caller: the memory may be reused at once', () => {
    const pair = Pair.open();
    const message = pattern(1, 1000);
    pair.client.send(message);
    message.fill(0);
    pair.settle();
    assert.equal(toHex(pair.server.messages[0]!), toHex(pattern(1, 1000)));
  });

  test('of 1,809 bytes are refused, and the session lives on', () => {
    const pair = Pair.open();
    assert.throws(() => pair.client.send(new Uint8Array(1809)), { code: 'message_too_large' });
    pair.client.send(hex('01'));
    pair.settle();
    assert.deepEqual(pair.server.messages.map(toHex), ['01']);
  });

  test('are counted, bytes as well as frames', () => {
    const pair = Pair.open();
    pair.client.send(pattern(1, 1000));
    pair.client.send(hex(''));
    pair.client.ping();
    pair.settle();
    assert.deepEqual(pair.client.connection.stats, {
      messagesSent: 2,
      messagesReceived: 0,
      bytesSent: 1000,
      bytesReceived: 0,
      framesSent: 5,
      framesReceived: 1,
      ...UNUSED,
    });
    assert.deepEqual(pair.server.connection.stats, {
      messagesSent: 0,
      messagesReceived: 2,
      bytesSent: 0,
      bytesReceived: 1000,
      framesSent: 1,
      framesReceived: 5,
      ...UNUSED,
    });
  });
});

/** What only connections over datagrams count. */
const UNUSED = { framesRetransmitted: 0, framesRepeated: 0, datagramsDropped: 0, messagesLost: 0 };

describe('PING and PONG', () => {
  test('measure the round trip on the clock that is handed in', () => {
    const pair = Pair.open({ delay: [40, 40] });
    const first = pair.client.ping();
    pair.advance(10);
    const second = pair.client.ping();
    pair.settle();
    assert.deepEqual(pair.client.of('pong'), [
      { type: 'pong', ping: first, rtt: 80 },
      { type: 'pong', ping: second, rtt: 80 },
    ]);
    assert.notEqual(first, second);
  });

  test('PONG never stands between the parts of a message', () => {
    const pair = Pair.open();
    pair.client.ping();
    pair.client.send(pattern(1, 1808));
    pair.client.ping();
    pair.client.drain();
    pair.server.send(pattern(2, 1808));
    pair.server.input(pair.client.line.take(10_000));
    pair.server.send(pattern(3, 905));
    assert.equal(pair.server.connection.wantsTransmit, true);
    assert.deepEqual(framesOf(pair.server, 0), [
      ...['DATA_FRAG', 'DATA_FRAG', 'DATA_FRAG', 'DATA'],
      ...['DATA_FRAG', 'DATA_FRAG', 'DATA'],
      ...['PONG', 'PONG'],
    ]);
  });

  test('a peer that pings and does not read is owed a few PONGs and no more', () => {
    const pair = Pair.open();
    for (let i = 0; i < 1000; i++) pair.client.ping();
    pair.client.drain();
    pair.server.input(pair.client.line.take(1_000_000));
    assert.equal(pair.server.connection.pendingTransmit, 0);
    assert.equal(framesOf(pair.server, 0).length, MAX_PONGS_OWED);
  });

  test('a PONG that nobody asked for is a sign of life and nothing else', () => {
    const pair = Pair.open({ client: { idleTimeout: 1000 } });
    pair.client.ping();
    for (let i = 0; i < 20; i++) pair.client.ping();
    pair.settle();
    const pongs = pair.client.of('pong').length;
    assert.ok(pongs > 0 && pongs <= 16);
    assert.equal(pair.client.connection.state, 'open');
  });

  test('no PONG is sent by a connection that has closed', () => {
    const pair = Pair.open();
    pair.client.ping();
    pair.client.drain();
    pair.server.input(pair.client.line.take(1000));
    pair.server.close();
    assert.equal(pair.server.connection.wantsTransmit, true);
    assert.deepEqual(framesOf(pair.server, 0), ['BYE']);
    assert.equal(pair.server.connection.wantsTransmit, false);
  });
});

describe('the end', () => {
  test('BYE reaches the peer behind all messages, and each side is told once', () => {
    const pair = Pair.open({ delay: [10, 50], largestPiece: 100 });
    pair.client.send(pattern(1, 1808));
    pair.client.close();
    pair.client.close();
    pair.settle();
    assert.deepEqual(types(pair.client), ['closed']);
    assert.equal(pair.client.closed?.code, 'closed');
    assert.deepEqual(types(pair.server), ['message', 'closed']);
    assert.equal(pair.server.closed?.code, 'bye');
  });

  test('the reason that the caller gives is the one that is told', () => {
    const pair = Pair.open();
    pair.server.connection.close(pair.now, new ConnectionClosedError('revoked'));
    pair.settle();
    assert.equal(pair.server.closed?.code, 'revoked');
    assert.equal(pair.client.closed?.code, 'bye');
  });

  test('after it nothing is taken, sent or told, and no deadline is left', () => {
    const pair = Pair.open({ client: { keepaliveInterval: 10, idleTimeout: 20 } });
    pair.server.send(hex('01'));
    pair.server.drain();
    const late = pair.server.line.take(1000);
    pair.client.close();
    pair.client.drain();
    const told = pair.client.events.length;
    const { connection } = pair.client;
    connection.handleInput(late, 5);
    connection.handleInput(hex('ff'), 5);
    connection.handleEnd();
    connection.handleTimeout(1e9);
    assert.equal(connection.pollEvent(), undefined);
    assert.equal(connection.pollTransmit(1e9), undefined);
    assert.equal(connection.pollTimeout(), Number.POSITIVE_INFINITY);
    assert.equal(pair.client.events.length, told);
    assert.throws(() => connection.send(hex('01'), 5), { code: 'not_connected' });
  });

  test('both sides closing at once is an orderly end for both', () => {
    const pair = Pair.open({ delay: [10, 10] });
    for (const end of pair.ends) end.close();
    pair.settle();
    assert.deepEqual(
      pair.ends.map((end) => end.closed?.code),
      ['closed', 'closed'],
    );
    for (const end of pair.ends) assert.deepEqual(types(end), ['closed']);
  });

  test('a handshake that fails leaves no key either', () => {
    const silent = new Pair({ serverKeys: undefined });
    const refused = new Pair({ serverKeys: [] });
    const rogue = new Pair({ serverKeys: undefined });
    rogue.settle();
    rogue.client.input(encodeFrame(FrameType.SESSION_OK, 0, new Uint8Array(48)));
    refused.settle();
    refused.client.connection.handleEnd();
    silent.advance(10_000);
    const codes = [silent, refused, rogue].map((pair) => {
      pair.settle();
      assert.ok(pair.client.crypto.secrets.length === 2 && pair.client.crypto.secrets.every(isWiped));
      return pair.client.closed?.code;
    });
    assert.deepEqual(codes, ['handshake_timeout', 'refused', 'rogue_server']);
  });

  test('no key is left in memory of ours, however it comes', () => {
    const ends: Record<string, (pair: Pair) => void> = {
      close: (pair) => pair.client.close(),
      'lost line': (pair) => pair.ends.forEach(({ connection }) => void connection.handleEnd()),
      garbage: (pair) => pair.ends.forEach((end) => void end.input(hex('00'))),
      silence: (pair) => pair.advance(2_000),
      'in the middle of a rekey': (pair) => {
        pair.client.rekey();
        pair.client.drain();
        pair.ends.forEach((end) => void end.close());
      },
      'in a crossing': (pair) => {
        pair.ends.forEach((end) => void end.rekey());
        pair.ends.forEach((end) => void end.drain());
        pair.deliver(pair.client);
        pair.ends.forEach((end) => void end.close());
      },
      'after many rekeys': (pair) => {
        for (let i = 0; i < 5; i++) {
          pair.server.rekey();
          pair.settle();
        }
        pair.client.close();
      },
    };
    for (const [name, end] of Object.entries(ends)) {
      const pair = Pair.open({ client: { idleTimeout: 1000 }, server: { idleTimeout: 1000 } });
      end(pair);
      pair.settle();
      for (const side of pair.ends) {
        assert.equal(side.connection.state, 'closed', `${name}: ${side.name}`);
        assert.ok(side.crypto.secrets.length >= 2);
        assert.ok(
          [...side.crypto.secrets, ...side.crypto.cipherKeys].every(isWiped),
          `${name}: ${side.name}`,
        );
      }
    }
  });
});

test('a broken crypto provider is not mistaken for a fault of the peer', () => {
  const crypto = new WatchedCrypto();
  const settings = { crypto, handshakeTimeout: 1, keepaliveInterval: 0, idleTimeout: 0, decoyKey: PSK };
  const pair = new Pair();
  pair.client.drain();
  crypto.generateKeyPair = () => {
    throw new TypeError('out of memory');
  };
  assert.throws(
    () => new StreamConnection(settings, 0).handleInput(pair.client.line.take(100), 0),
    TypeError,
  );
});
