import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeFrame, type Frame, FrameDecoder, FrameType } from '#dist/core/frame.js';
import { Handshake } from '#dist/core/handshake.js';
import { rxKey, txKey } from '#dist/core/key-schedule.js';
import { hex, toHex, utf8 } from '../support/bytes.js';
import { isWiped, scriptedCrypto, WatchedCrypto } from '../support/crypto.js';
import { INVALID } from '../support/vectors.js';

const PSK = utf8('the key of the device');
const OLD_PSK = utf8('the key that it replaces');
const DECOY = utf8('a key that nobody has');
const DEVICE_ID = hex('02aabbccddee');

function parse(bytes: Uint8Array | undefined): Frame {
  assert.ok(bytes, 'a frame to send');
  const decoder = new FrameDecoder();
  decoder.push(bytes);
  return decoder.next()!;
}

function pair(clientKey = PSK) {
  const crypto = { client: new WatchedCrypto(), server: new WatchedCrypto() };
  const client = new Handshake(crypto.client, { deviceId: DEVICE_ID, psk: clientKey });
  return { client, server: new Handshake(crypto.server), crypto };
}

/** As far as the server having HELLO_ACK. Returns SESSION_OK, when the keys were already there. */
function untilAck({ client, server }: ReturnType<typeof pair>): Uint8Array | undefined {
  const challenge = server.handleFrame(parse(client.hello()));
  return server.handleFrame(parse(client.handleFrame(parse(challenge))));
}

describe('an honest handshake', () => {
  for (const order of ['before', 'after'] as const) {
    test(`leaves both sides with the same secrets when the keys come ${order} HELLO_ACK`, () => {
      const both = pair();
      const { client, server } = both;
      const challenge = server.handleFrame(parse(client.hello()));
      if (order === 'before') assert.equal(server.provideKeys([PSK], DECOY), undefined);
      let sessionOk = server.handleFrame(parse(client.handleFrame(parse(challenge))));
      if (order === 'after') {
        assert.equal(sessionOk, undefined, 'nothing leaves before the keys are there');
        assert.equal(server.state, 'keys');
        sessionOk = server.provideKeys([PSK], DECOY);
      }
      assert.equal(client.secrets, undefined, 'the client is not done before it has seen the proof');
      assert.equal(client.handleFrame(parse(sessionOk)), undefined);

      assert.deepEqual([client.state, server.state], ['done', 'done']);
      const [mine, theirs] = [client.secrets!, server.secrets!];
      assert.equal(toHex(mine.deviceId), toHex(DEVICE_ID));
      assert.equal(toHex(theirs.deviceId), toHex(DEVICE_ID));
      assert.equal(toHex(mine.sessionId), toHex(theirs.sessionId));
      assert.equal(toHex(txKey(mine.keys)), toHex(rxKey(theirs.keys)));
      assert.equal(toHex(rxKey(mine.keys)), toHex(txKey(theirs.keys)));
      assert.notEqual(toHex(txKey(mine.keys)), toHex(rxKey(mine.keys)));
    });
  }

  test('names the states by the frame that is waited for', () => {
    const both = pair();
    assert.deepEqual([both.client.state, both.server.state], ['CHALLENGE', 'HELLO']);
    untilAck(both);
    assert.deepEqual([both.client.state, both.server.state], ['SESSION_OK', 'keys']);
  });

  test('has fresh keys, nonce and session id each time', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 5; i++) {
      const both = pair();
      untilAck(both);
      both.server.provideKeys([PSK], DECOY);
      const { sessionId, keys } = both.server.secrets!;
      for (const value of [sessionId, txKey(keys), rxKey(keys)]) seen.add(toHex(value));
    }
    assert.equal(seen.size, 15);
  });
});

describe('two keys at once', () => {
  test('the server tells which one the device has proved', () => {
    for (const [clientKey, keyIndex] of [
      [PSK, 0],
      [OLD_PSK, 1],
    ] as const) {
      const both = pair(clientKey);
      untilAck(both);
      const sessionOk = both.server.provideKeys([PSK, OLD_PSK], DECOY);
      assert.equal(both.server.secrets!.keyIndex, keyIndex);
      both.client.handleFrame(parse(sessionOk));
      assert.equal(both.client.state, 'done', 'SESSION_OK is proved under the same key');
    }
  });
});

describe('who is not let in', () => {
  test('a device with another key', () => {
    const both = pair(utf8('a key that is wrong'));
    untilAck(both);
    assert.throws(() => both.server.provideKeys([PSK, OLD_PSK], DECOY), {
      name: 'AuthError',
      code: 'wrong_key',
    });
    assert.equal(both.server.secrets, undefined);
  });

  test('a device that nobody knows, even if it knows the decoy', () => {
    const both = pair(DECOY);
    untilAck(both);
    assert.throws(() => both.server.provideKeys([], DECOY), { name: 'AuthError', code: 'wrong_key' });
  });

  test('an unknown device costs as many MACs as a known one, and neither costs an agreement', () => {
    const counts = [[], [PSK], [PSK, OLD_PSK]].map((candidates) => {
      let [macs, agreements] = [0, 0];
      const counting = new (class extends WatchedCrypto {
        override hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array {
          macs++;
          return super.hmacSha256(key, data);
        }
        override generateKeyPair() {
          const real = super.generateKeyPair();
          return {
            publicKey: real.publicKey,
            agree(peer: Uint8Array) {
              agreements++;
              return real.agree(peer);
            },
          };
        }
      })();
      const client = new Handshake(new WatchedCrypto(), {
        deviceId: DEVICE_ID,
        psk: utf8('a key that is wrong'),
      });
      const server = new Handshake(counting);
      untilAck({ client, server, crypto: { client: new WatchedCrypto(), server: counting } });
      assert.throws(() => server.provideKeys(candidates, DECOY), { code: 'wrong_key' });
      return { macs, agreements };
    });
    assert.deepEqual(counts, [
      { macs: 2, agreements: 0 },
      { macs: 2, agreements: 0 },
      { macs: 2, agreements: 0 },
    ]);
  });

  test('a server that does not know the key', () => {
    const { client } = pair();
    const rogue = new Handshake(new WatchedCrypto());
    const ack = client.handleFrame(parse(rogue.handleFrame(parse(client.hello()))));
    assert.equal(parse(ack).type, FrameType.HELLO_ACK);
    const guess = encodeFrame(FrameType.SESSION_OK, 0, new Uint8Array(48));
    assert.throws(() => client.handleFrame(parse(guess)), { name: 'AuthError', code: 'rogue_server' });
    assert.equal(client.secrets, undefined);
  });

  test('a server that sends the proof of the client back', () => {
    const { client, server } = pair();
    const ack = client.handleFrame(parse(server.handleFrame(parse(client.hello()))))!;
    const reflected = encodeFrame(
      FrameType.SESSION_OK,
      0,
      new Uint8Array([...new Uint8Array(16), ...parse(ack).payload]),
    );
    assert.throws(() => client.handleFrame(parse(reflected)), { code: 'rogue_server' });
  });

  test('a point of low order from either side, whoever holds the key', () => {
    const points = INVALID.handshake
      .filter(({ error, role }) => error === 'low_order_point' && role === 'client')
      .map(({ bytes }) => hex(bytes).slice(-32));
    for (const publicKey of points) {
      const lowOrder = { publicKey, agree: () => hex('11'.repeat(32)) };
      const script = { privateKeys: [lowOrder], random: [hex('22'.repeat(32)), hex('33'.repeat(16))] };

      const client = new Handshake(scriptedCrypto(script), { deviceId: DEVICE_ID, psk: PSK });
      const server = new Handshake(new WatchedCrypto());
      const challenge = server.handleFrame(parse(client.hello()));
      server.handleFrame(parse(client.handleFrame(parse(challenge))));
      assert.throws(() => server.provideKeys([PSK], DECOY), {
        name: 'HandshakeError',
        code: 'low_order_point',
      });

      const victim = new Handshake(new WatchedCrypto(), { deviceId: DEVICE_ID, psk: PSK });
      const rogue = new Handshake(scriptedCrypto(script));
      const point = rogue.handleFrame(parse(victim.hello()));
      assert.throws(() => victim.handleFrame(parse(point)), { code: 'low_order_point' });
    }
  });
});

describe('order and length', () => {
  const LENGTHS: [FrameType, number][] = [
    [FrameType.HELLO, 38],
    [FrameType.CHALLENGE, 64],
    [FrameType.HELLO_ACK, 32],
    [FrameType.SESSION_OK, 48],
  ];
  /** Sides in each state that waits for a frame. */
  const STATES: Record<string, () => Handshake> = {
    HELLO: () => pair().server,
    CHALLENGE: () => {
      const { client } = pair();
      client.hello();
      return client;
    },
    HELLO_ACK: () => {
      const { client, server } = pair();
      server.handleFrame(parse(client.hello()));
      return server;
    },
    keys: () => {
      const both = pair();
      untilAck(both);
      return both.server;
    },
    SESSION_OK: () => {
      const both = pair();
      untilAck(both);
      return both.client;
    },
    done: () => {
      const both = pair();
      untilAck(both);
      both.server.provideKeys([PSK], DECOY);
      return both.server;
    },
  };

  for (const [state, make] of Object.entries(STATES)) {
    test(`waiting for ${state}, nothing else is taken`, () => {
      for (const type of Object.values(FrameType)) {
        const expected = LENGTHS.find(
          ([candidate]) => candidate === FrameType[state as keyof typeof FrameType],
        );
        if (type === expected?.[0]) {
          for (const length of [0, expected[1] - 1, expected[1] + 1, 54, 480]) {
            const side = make();
            const frame = parse(encodeFrame(type, 0, new Uint8Array(length)));
            assert.throws(() => side.handleFrame(frame), { name: 'PayloadError', code: 'bad_length' });
            assert.equal(side.state, state, 'and the state stays');
          }
          continue;
        }
        const side = make();
        assert.equal(side.state, state);
        const frame = parse(encodeFrame(type, 0, new Uint8Array(38)));
        assert.throws(() => side.handleFrame(frame), { name: 'HandshakeError', code: 'unexpected_frame' });
      }
    });
  }
});

test('the shared secret does not outlive the handshake', () => {
  const both = pair();
  untilAck(both);
  both.client.handleFrame(parse(both.server.provideKeys([PSK], DECOY)));
  for (const crypto of [both.crypto.client, both.crypto.server]) {
    assert.equal(crypto.secrets.length, 2);
    assert.equal(isWiped(crypto.secrets[0]!), true);
  }
  for (const side of [both.client, both.server]) {
    assert.equal(isWiped(side.secrets!.keys), false, 'the keys of the session live on');
  }
});

test('a client that gives up after HELLO_ACK keeps no traffic keys', () => {
  const both = pair();
  untilAck(both);
  assert.equal(both.crypto.client.secrets.length, 2);
  both.client.wipe();
  assert.ok(both.crypto.client.secrets.every(isWiped));
});
