import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeCobs } from '#dist/core/cobs.js';
import { encodeFrame, FrameType } from '#dist/core/frame.js';
import { pattern, toHex, utf8 } from '../support/bytes.js';
import { PSK } from '../support/pair.js';
import { type Path, type SerialEnd, SerialPair } from '../support/serial-pair.js';

const { HELLO, CHALLENGE, HELLO_ACK, SESSION_OK, DATA, PING, BYE } = FrameType;

/** Loses the frames of a type, as many as are said. */
function losing(type: number, count = Number.POSITIVE_INFINITY): Path {
  let left = count;
  return (line) => {
    // In the block, the type is behind the first code, magic and version.
    if (line[5] !== type || left === 0) return line;
    left--;
    return undefined;
  };
}

/** Turns a bit of the next frame of a type. */
function damaging(type: number): Path {
  let done = false;
  return (line) => {
    if (line[5] !== type || done) return line;
    done = true;
    const damaged = line.slice();
    damaged[line.length - 3]! ^= 0x10;
    return damaged;
  };
}

/** Why an end has closed; undefined while it has not. */
function codeOf(end: SerialEnd): string | undefined {
  return end.closed?.code;
}

/** The frame of a line. */
function decodeLine(line: Uint8Array): Uint8Array {
  const frame = new Uint8Array(line.length);
  return frame.slice(0, decodeCobs(line.slice(1, -1), frame));
}

function assertTalks(pair: SerialPair): void {
  const [before, after] = [pair.server.messages.length, pair.client.messages.length];
  pair.client.connection.send(utf8('up'), pair.now);
  pair.server.connection.send(utf8('down'), pair.now);
  pair.settle();
  assert.equal(toHex(pair.server.messages[before]!), toHex(utf8('up')));
  assert.equal(toHex(pair.client.messages[after]!), toHex(utf8('down')));
}

describe('a handshake', () => {
  test('opens both ends, and messages of all sizes go both ways', () => {
    const pair = SerialPair.open();
    for (let size = 0; size <= 1_808; size += 113) {
      pair.client.connection.send(pattern(size, size), 0);
      pair.server.connection.send(pattern(size + 1, size), 0);
      pair.settle();
      assert.equal(toHex(pair.server.messages.at(-1)!), toHex(pattern(size, size)));
      assert.equal(toHex(pair.client.messages.at(-1)!), toHex(pattern(size + 1, size)));
    }
  });

  for (const [name, type] of [
    ['HELLO', HELLO],
    ['CHALLENGE', CHALLENGE],
  ] as const) {
    test(`begins anew, with new keys, 5 s after a lost ${name}`, () => {
      const pair = new SerialPair();
      const hellos: string[] = [];
      const lose = losing(type, 2);
      pair.path = (line, from) => {
        if (line[5] === HELLO) hellos.push(toHex(line));
        return lose(line, from);
      };
      pair.advance(9_999);
      assert.equal(pair.client.connection.state, 'handshake');
      pair.advance(1);
      assert.equal(pair.client.connection.state, 'open');
      assert.equal(new Set(hellos).size, 3);
      assertTalks(pair);
    });
  }

  for (const [name, type] of [
    ['HELLO_ACK', HELLO_ACK],
    ['SESSION_OK', SESSION_OK],
  ] as const) {
    test(`begins anew 10 s after a lost ${name}`, () => {
      const pair = new SerialPair();
      pair.path = losing(type, 1);
      pair.advance(9_999);
      assert.equal(pair.client.connection.state, 'handshake');
      pair.advance(1);
      assert.equal(pair.client.connection.state, 'open');
      assertTalks(pair);
    });
  }

  for (const [name, type] of [
    ['HELLO', HELLO],
    ['CHALLENGE', CHALLENGE],
    ['HELLO_ACK', HELLO_ACK],
    ['SESSION_OK', SESSION_OK],
  ] as const) {
    test(`survives a damaged ${name}`, () => {
      const pair = new SerialPair();
      pair.path = damaging(type);
      pair.advance(10_000);
      assert.equal(pair.client.connection.state, 'open');
      assertTalks(pair);
    });
  }

  test('that nobody answers is handshake_timeout after 30 s, and HELLO has been sent every 5 s', () => {
    const pair = new SerialPair();
    pair.path = losing(HELLO);
    pair.advance(29_999);
    assert.equal(codeOf(pair.client), undefined);
    pair.advance(1);
    assert.equal(codeOf(pair.client), 'handshake_timeout');
    assert.deepEqual(pair.typesFrom('client'), Array(6).fill(HELLO));
  });

  test('with a wrong key is refused after 30 s, and counts as three failures', () => {
    const pair = new SerialPair({ clientKey: utf8('not the key of the server') });
    pair.advance(30_000);
    assert.equal(codeOf(pair.client), 'refused');
    assert.deepEqual(pair.peers.map(codeOf), ['wrong_key', 'wrong_key', 'wrong_key']);
  });

  test('with a server that has another key is rogue_server at once', () => {
    const pair = new SerialPair();
    pair.path = (line, from) => {
      if (from === 'client' || line[5] !== SESSION_OK) return line;
      pair.inject('server', encodeFrame(SESSION_OK, 0, new Uint8Array(48)));
      return undefined;
    };
    pair.settle();
    assert.equal(codeOf(pair.client), 'rogue_server');
  });

  test('that the line breaks is connection_lost, since no server has said anything', () => {
    const pair = new SerialPair();
    pair.client.connection.handleEnd();
    pair.settle();
    assert.equal(codeOf(pair.client), 'connection_lost');
  });

  test('takes what belongs to a session before for what it is: nothing', () => {
    const pair = SerialPair.open();
    pair.resetClient();
    // The server has not heard of it yet, and goes on talking.
    pair.server.connection.send(utf8('to whom it may concern'), 0);
    pair.settle();
    assert.equal(pair.client.connection.state, 'open');
    assert.deepEqual(pair.client.messages, []);
    assertTalks(pair);
  });

  test('takes a second CHALLENGE, and a SESSION_OK before CHALLENGE, for nothing', () => {
    const pair = new SerialPair({ serverKeys: undefined });
    pair.inject('server', encodeFrame(SESSION_OK, 0, new Uint8Array(48)));
    pair.inject('server', encodeFrame(CHALLENGE, 0, new Uint8Array(64).fill(9)));
    pair.inject('server', encodeFrame(HELLO, 0, new Uint8Array(38)));
    assert.equal(codeOf(pair.client), undefined);
    pair.provideKeys(pair.server, [PSK]);
    assert.equal(pair.client.connection.state, 'open');
  });

  test('answers the same HELLO once more by the same CHALLENGE, and the handshake goes on', () => {
    const pair = new SerialPair();
    const challenges: string[] = [];
    let hello: Uint8Array = new Uint8Array(0);
    pair.path = (line, from) => {
      if (line[5] === HELLO && from === 'client') hello = line;
      if (line[5] === CHALLENGE) challenges.push(toHex(line));
      return line[5] === HELLO_ACK ? undefined : line;
    };
    pair.settle();
    pair.path = (line) => {
      if (line[5] === CHALLENGE) challenges.push(toHex(line));
      return line;
    };
    for (let i = 0; i < 3; i++) pair.inject('client', decodeLine(hello));
    assert.equal(challenges.length, 4);
    assert.equal(new Set(challenges).size, 1);
    assert.equal(pair.peers.length, 1);
    assert.equal(codeOf(pair.server), undefined);
  });

  test('answers a HELLO that comes again and again at most once in what it has not sent yet', () => {
    const pair = new SerialPair();
    pair.path = losing(HELLO_ACK);
    pair.settle();
    const { connection } = pair.server;
    const hello = encodeFrame(HELLO, 0, new Uint8Array(38));
    for (let i = 0; i < 1_000; i++) connection.handleInput(hello, 0);
    assert.equal(connection.pendingTransmit, 12 + 64);
  });

  test('has its time from its own HELLO at the server', () => {
    const pair = new SerialPair({ serverKeys: undefined });
    pair.path = (line) => (line[5] === HELLO && pair.now > 0 ? undefined : line);
    pair.advance(29_999);
    assert.equal(codeOf(pair.server), undefined);
    pair.advance(1);
    assert.equal(codeOf(pair.server), 'handshake_timeout');
    assert.equal(codeOf(pair.client), 'refused');
  });

  test('drops what it could not send when it begins anew', () => {
    const pair = new SerialPair();
    const { connection } = pair.client;
    for (let now = 0; now < 30_000; now += 1_000) connection.handleTimeout(now);
    assert.equal(connection.pendingTransmit, 12 + 38);
  });
});

describe('a session', () => {
  for (const from of ['client', 'server'] as const) {
    test(`ends with bad_sequence behind a damaged frame of the ${from}, and BYE tells the other side`, () => {
      const pair = SerialPair.open();
      const { client, server } = pair;
      pair.path = damaging(DATA);
      const [sender, receiver] = from === 'client' ? [client, server] : [server, client];
      sender.connection.send(utf8('damaged'), 0);
      pair.settle();
      assert.equal(codeOf(receiver), undefined);
      sender.connection.send(utf8('whole'), 0);
      pair.settle();
      assert.equal(codeOf(receiver), 'bad_sequence');
      assert.equal(codeOf(sender), 'bye');
      assert.deepEqual(receiver.messages, []);
    });
  }

  test('ends when nothing is heard, and BYE tells a device that cannot make itself heard', () => {
    const pair = SerialPair.open({ server: { idleTimeout: 60_000 } });
    const { server } = pair;
    pair.path = (line, from) => (from === 'client' ? undefined : line);
    pair.advance(60_000);
    assert.equal(codeOf(server), 'idle_timeout');
    assert.equal(codeOf(pair.client), 'bye');
  });

  test('ends when PING stays unanswered, and BYE tells a server that cannot make itself heard', () => {
    const pair = SerialPair.open({ client: { keepaliveInterval: 30_000, keepaliveTimeout: 20_000 } });
    pair.path = (line, from) => (from === 'server' ? undefined : line);
    pair.advance(50_000);
    assert.equal(codeOf(pair.client), 'idle_timeout');
    assert.equal(codeOf(pair.server), 'bye');
  });

  test('delivers a replayed frame once, ends, and BYE tells the other side', () => {
    const pair = SerialPair.open();
    const { server } = pair;
    let replayed = false;
    pair.path = (line) => {
      if (line[5] !== DATA || replayed) return line;
      replayed = true;
      return new Uint8Array(Buffer.concat([line, line]));
    };
    pair.client.connection.send(utf8('once'), 0);
    pair.settle();
    assert.equal(server.messages.length, 1);
    assert.equal(codeOf(server), 'bad_sequence');
    assert.equal(codeOf(pair.client), 'bye');
  });

  test('takes no notice of handshake frames at either end', () => {
    const pair = SerialPair.open();
    for (const type of [CHALLENGE, HELLO_ACK, SESSION_OK, FrameType.HELLO_RETRY, HELLO]) {
      pair.inject('server', encodeFrame(type, 0, new Uint8Array(48)));
      pair.inject('client', encodeFrame(type, 0, new Uint8Array(54)));
    }
    assertTalks(pair);
  });

  test('goes on beside a handshake of somebody without the key, however often he tries', () => {
    const pair = SerialPair.open();
    const session = pair.server;
    const { client } = pair;
    for (let i = 1; i < 10; i++) {
      pair.inject('client', encodeFrame(HELLO, 0, pattern(i, 38)));
      pair.inject('client', encodeFrame(HELLO_ACK, 2, pattern(i, 32)));
      client.connection.send(utf8('still here'), pair.now);
      session.connection.send(utf8('so am I'), pair.now);
      pair.settle();
      assert.equal(session.messages.length, i);
      assert.equal(client.messages.length, i);
    }
    assert.deepEqual([session, client].map(codeOf), [undefined, undefined]);
    assert.equal(codeOf(pair.peers[1]!), 'wrong_key');
  });

  test('ends when the handshake beside it has authenticated, and nothing of it reaches the line any more', () => {
    const pair = SerialPair.open();
    const old = pair.server;
    pair.resetClient();
    pair.settle();
    assert.equal(pair.client.connection.state, 'open');
    assert.equal(codeOf(old), 'connection_lost');
    assert.deepEqual(pair.typesFrom('server').slice(-2), [CHALLENGE, SESSION_OK]);
    assertTalks(pair);
  });

  test('that is being replaced says BYE to nobody', () => {
    const pair = SerialPair.open({ replacing: true });
    const old = pair.server;
    pair.resetClient();
    pair.settle();
    assert.equal(codeOf(old), 'closed');
    assert.ok(!pair.typesFrom('server').includes(BYE));
    assertTalks(pair);
  });

  test('keeps itself alive by PING', () => {
    const pair = SerialPair.open({ client: { keepaliveInterval: 30_000 }, server: { idleTimeout: 60_000 } });
    pair.advance(300_000);
    assert.equal(pair.client.connection.state, 'open');
    assert.equal(pair.typesFrom('client').filter((type) => type === PING).length, 10);
  });

  test('changes its keys', () => {
    const pair = SerialPair.open();
    pair.client.connection.rekey(0);
    pair.settle();
    assert.ok(pair.client.events.some((event) => event.type === 'rekeyed'));
    assertTalks(pair);
  });
});
