import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeFrame, FrameType } from '#dist/core/frame.js';
import { MAX_COOKIES_TRIED } from '#dist/core/limits.js';
import { isUtack, utackHeader } from '#dist/core/utack.js';
import { pattern, toHex, utf8 } from '../support/bytes.js';
import { DatagramPair, type DatagramPairOptions, type Sent, typeOf } from '../support/datagram-pair.js';

const NEAR = { weather: { delay: [10, 10] } } as const;

function isFrame({ from, bytes }: Sent, end: string, type: number): boolean {
  return from === end && !isUtack(bytes) && typeOf(bytes) === type;
}

/** Of a session, not of a handshake. */
function isSessionFrame({ from, bytes }: Sent, end: string): boolean {
  return (
    from === end &&
    !isUtack(bytes) &&
    typeOf(bytes) >= FrameType.DATA &&
    typeOf(bytes) !== FrameType.HELLO_RETRY
  );
}

function assertOpens(pair: DatagramPair, within = 9_000): void {
  pair.advanceUntil(() => pair.ends.every(({ connection }) => connection.state === 'open'), within);
  pair.weather = { ...pair.weather, loss: 0 };
  pair.client.send(pattern(1, 10), true);
  pair.server.send(pattern(2, 10), true);
  pair.advance(2_000);
  assert.deepEqual(pair.server.messages.map(toHex), [toHex(pattern(1, 10))]);
  assert.deepEqual(pair.client.messages.map(toHex), [toHex(pattern(2, 10))]);
  for (const end of pair.ends) assert.equal(end.of('acknowledged').length, 1);
}

for (const endpoint of [false, true]) {
  describe(`a handshake ${endpoint ? 'with a cookie' : 'without one'}`, () => {
    test('needs two round trips, and one for the cookie', () => {
      const pair = new DatagramPair({ ...NEAR, endpoint });
      pair.advanceUntil(() => pair.client.connection.state === 'open', 1_000);
      assert.equal(pair.now, endpoint ? 60 : 40);
      assert.equal(pair.client.connection.stats.datagramsDropped, 0);
      assertOpens(pair);
      const [open] = pair.server.of('open');
      assert.equal(open?.deviceId.length, 6);
      assert.equal(pair.client.connection.roundTrip, 20);
    });

    test('is over in time on a line that loses a third', () => {
      for (let seed = 1; seed <= 10; seed++) {
        assertOpens(new DatagramPair({ seed, endpoint, weather: { loss: 0.33, delay: [5, 30] } }));
      }
    });

    test('fails silently at the server with another key, and is refused for the client after its time', () => {
      const pair = new DatagramPair({ ...NEAR, endpoint, clientKey: utf8('this is another key') });
      pair.advance(9_999);
      assert.equal(pair.server.closed?.code, 'wrong_key');
      assert.equal(pair.client.connection.state, 'handshake');
      pair.advance(1);
      assert.equal(pair.client.closed?.code, 'refused');
    });
  });
}

describe('when SESSION_OK is lost', () => {
  test('the repeated HELLO_ACK gets the same SESSION_OK, and no other HELLO_ACK does', () => {
    const pair = new DatagramPair(NEAR);
    const answers: string[] = [];
    pair.intercept = (sent) => {
      if (!isFrame(sent, 'server', FrameType.SESSION_OK)) return undefined;
      answers.push(toHex(sent.bytes));
      return answers.length < 4 ? [] : undefined;
    };
    pair.advanceUntil(() => pair.server.connection.state === 'open', 1_000);
    const helloAck = pair.sent.find((sent) => isFrame(sent, 'client', FrameType.HELLO_ACK))!.bytes;
    const before = answers.length;
    pair.server.input(encodeFrame(FrameType.HELLO_ACK, 2, pattern(3, 32)));
    pair.server.drain();
    assert.equal(answers.length, before, 'a stranger is not answered');
    pair.server.input(helloAck);
    pair.server.drain();
    assert.equal(answers.length, before + 1);
    assertOpens(pair);
    assert.equal(new Set(answers).size, 1);
    assert.equal(pair.server.of('open').length, 1);
  });

  test('the server sends no frame of the session until it has UTACK or a frame of the client', () => {
    const pair = new DatagramPair(NEAR);
    let lost = 0;
    pair.intercept = (sent) => (isFrame(sent, 'server', FrameType.SESSION_OK) && lost++ < 3 ? [] : undefined);
    pair.advanceUntil(() => pair.server.connection.state === 'open', 1_000);
    pair.server.send(pattern(1, 10));
    pair.server.ping();
    pair.advanceUntil(() => pair.client.connection.state === 'open', 5_000);
    assert.ok(!pair.sent.some((sent) => isSessionFrame(sent, 'server')));
    pair.advance(100);
    assert.equal(pair.client.messages.length, 1);
    assert.equal(pair.server.of('pong').length, 1);
  });

  test('for ever, the session ends after 12.5 s, and a close of it in the same time without a spinning clock', () => {
    for (const closes of [false, true]) {
      const pair = new DatagramPair(NEAR);
      pair.intercept = (sent) => (isFrame(sent, 'server', FrameType.SESSION_OK) ? [] : undefined);
      pair.advanceUntil(() => pair.server.connection.state === 'open', 1_000);
      const begin = pair.now;
      if (closes) pair.server.close();
      pair.advanceUntil(() => pair.server.over, 20_000);
      assert.equal(pair.now - begin, 12_500);
      assert.equal(pair.server.closed?.code, closes ? 'closed' : 'not_acknowledged');
    }
  });

  test('the first frame of the client tells as well as a UTACK', () => {
    const pair = new DatagramPair(NEAR);
    pair.intercept = ({ from, bytes }) =>
      from === 'client' && isUtack(bytes) && typeOf(bytes) === FrameType.SESSION_OK ? [] : undefined;
    pair.advanceUntil(() => pair.client.connection.state === 'open', 1_000);
    pair.client.send(pattern(1, 10));
    pair.server.send(pattern(2, 10));
    pair.advance(100);
    assert.equal(pair.client.messages.length, 1);
    pair.advance(20_000);
    assert.equal(pair.server.closed, undefined);
  });
});

describe('forged datagrams do not stall a handshake', () => {
  const forgedRetry = (number: number) => encodeFrame(FrameType.HELLO_RETRY, 0, pattern(number + 50, 16));
  const opens = (forge: (pair: DatagramPair) => void, options: DatagramPairOptions = {}) => {
    const pair = new DatagramPair({ ...NEAR, endpoint: true, ...options });
    pair.flush();
    forge(pair);
    assertOpens(pair);
  };

  test('UTACKs of every handshake frame, in both directions, all the time', () => {
    for (const endpoint of [false, true]) {
      opens(
        (pair) => {
          for (let at = 0; at < 3_000; at += 7) {
            for (const type of [1, 2, 3, 4, 10]) {
              for (const seq of [0, 1, 2]) {
                pair.inject('client', utackHeader(type, seq), at);
                pair.inject('server', utackHeader(type, seq), at);
              }
            }
          }
        },
        { endpoint, weather: { loss: 0.2, delay: [10, 20] } },
      );
    }
  });

  test('a HELLO_RETRY in front of the true one', () =>
    opens((pair) => pair.inject('client', forgedRetry(1), 1)));

  test('a HELLO_RETRY and a UTACK for the HELLO that it has caused', () =>
    opens((pair) => {
      pair.inject('client', forgedRetry(1), 1);
      pair.inject('client', utackHeader(FrameType.HELLO, 1), 2);
    }));

  test('more HELLO_RETRYs than a client tries at once', () =>
    opens((pair) => {
      for (let i = 0; i < 3 * MAX_COOKIES_TRIED; i++) pair.inject('client', forgedRetry(i), 1);
      pair.advance(9);
      const hellos = pair.sent.filter((sent) => isFrame(sent, 'client', FrameType.HELLO)).length;
      assert.ok(hellos <= 1 + MAX_COOKIES_TRIED, `${hellos} HELLOs`);
    }));

  test('session frames and SESSION_OK before their time', () =>
    opens((pair) => {
      for (const end of ['client', 'server'] as const) {
        for (let type = 5; type <= 11; type++)
          pair.inject(end, encodeFrame(type as FrameType, 0, pattern(1, 60)), 1);
        pair.inject(end, utackHeader(FrameType.DATA, 0, 8), 1);
      }
      pair.inject('client', encodeFrame(FrameType.SESSION_OK, 0, pattern(1, 48)), 1);
      pair.inject('client', encodeFrame(FrameType.HELLO, 0, pattern(1, 38)), 1);
      pair.inject('client', encodeFrame(FrameType.CHALLENGE, 0, pattern(1, 63)), 1);
      pair.inject('server', encodeFrame(FrameType.CHALLENGE, 0, pattern(1, 64)), 1);
      pair.inject('server', encodeFrame(FrameType.HELLO_RETRY, 0, pattern(1, 16)), 1);
    }));
});

describe('how a client ends without an answer', () => {
  test('nothing at all came: a time-out; nobody listens: unreachable', () => {
    const silent = new DatagramPair({ weather: { loss: 1 } });
    silent.advance(10_000);
    assert.equal(silent.client.closed?.code, 'handshake_timeout');
    const nobody = new DatagramPair({ weather: { loss: 1 } });
    nobody.flush();
    nobody.client.connection.handleEnd();
    nobody.flush();
    assert.equal(nobody.client.closed?.code, 'unreachable');
  });

  test('a cookie came and no CHALLENGE: turned away; and a link that breaks then is lost', () => {
    for (const breaks of [false, true]) {
      const pair = new DatagramPair({ ...NEAR, endpoint: true });
      pair.intercept = (sent) => (isFrame(sent, 'server', FrameType.CHALLENGE) ? [] : undefined);
      pair.advance(100);
      if (breaks) pair.client.connection.handleEnd();
      pair.advance(9_900);
      assert.equal(pair.client.closed?.code, breaks ? 'connection_lost' : 'turned_away');
    }
  });
});
