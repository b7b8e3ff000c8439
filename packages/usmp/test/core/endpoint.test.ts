import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Farewell } from '#dist/core/connection.js';
import { Endpoint, type EndpointPeer, type Source, type Verdict } from '#dist/core/endpoint.js';
import { encodeFrame, FrameType } from '#dist/core/frame.js';
import {
  COOKIE_BURST,
  COOKIE_PERIOD,
  COOKIE_RATE,
  DEPARTED_PEERS,
  FAREWELL_TIME,
  STRAY_REPORTS,
} from '#dist/core/limits.js';
import { utackHeader } from '#dist/core/utack.js';
import { nodeCrypto } from '#dist/crypto/node.js';
import { pattern, toHex } from '../support/bytes.js';

type Answer = Extract<Verdict, { type: 'answer' }>;

class FakePeer implements EndpointPeer {
  authenticated = false;
  displaced = 0;
  readonly got: string[] = [];

  handleDatagram(datagram: Uint8Array): void {
    this.got.push(toHex(datagram));
  }

  handleDisplaced(): void {
    this.displaced++;
  }
}

function source(host: string, port = 4711): Source {
  return { id: `${host}:${port}`, limitKey: host };
}

const HERE = source('192.0.2.1');
const ID_AND_KEY = pattern(7, 38);

function hello(payload: Uint8Array = ID_AND_KEY, cookie: Uint8Array = new Uint8Array(0)): Uint8Array {
  return encodeFrame(FrameType.HELLO, cookie.length > 0 ? 1 : 0, Uint8Array.of(...payload, ...cookie));
}

/** Of the client with this number, so that its public key is its own. */
function payloadOf(client: number): Uint8Array {
  return pattern(client * 3 + 1, 38);
}

const DATA = encodeFrame(FrameType.DATA, 0, pattern(1, 40));
const HELLO_ACK = encodeFrame(FrameType.HELLO_ACK, 2, pattern(1, 32));

function makeEndpoint(): Endpoint<FakePeer> {
  return new Endpoint<FakePeer>(nodeCrypto);
}

/** The cookie for a source, or undefined when none is handed out. */
function cookieFor(endpoint: Endpoint<FakePeer>, from: Source, now: number): Uint8Array | undefined {
  const verdict = endpoint.handleDatagram(hello(), from, now);
  if (verdict === undefined) return undefined;
  assert.equal(verdict.type, 'answer');
  const [utack, retry] = (verdict as Answer).datagrams;
  assert.equal(toHex(utack!), toHex(utackHeader(FrameType.HELLO, 0)));
  assert.equal(retry![3], FrameType.HELLO_RETRY);
  return retry!.subarray(12);
}

/** Begins a handshake and adds its peer. */
function begin(endpoint: Endpoint<FakePeer>, from: Source, client: number, now = 0): FakePeer {
  const datagram = hello(payloadOf(client), cookieFor(endpoint, from, now));
  const verdict = endpoint.handleDatagram(datagram, from, now);
  assert.equal(verdict?.type, 'begin');
  const peer = new FakePeer();
  endpoint.add(from, datagram, peer);
  return peer;
}

describe('a cookie', () => {
  test('costs its asker more bytes than it brings', () => {
    const verdict = makeEndpoint().handleDatagram(hello(), HERE, 0);
    const { datagrams } = verdict as Answer;
    assert.ok(datagrams.reduce((sum, { length }) => sum + length, 0) <= hello().length);
  });

  test('opens the door in the period of its making and in the next, not after', () => {
    for (const madeAt of [0, COOKIE_PERIOD - 1]) {
      const endpoint = makeEndpoint();
      const cookie = cookieFor(endpoint, HERE, madeAt)!;
      const verdictAt = (now: number) => endpoint.handleDatagram(hello(ID_AND_KEY, cookie), HERE, now)?.type;
      assert.equal(verdictAt(madeAt), 'begin');
      assert.equal(verdictAt(COOKIE_PERIOD), 'begin');
      assert.equal(verdictAt(2 * COOKIE_PERIOD - 1), 'begin');
      assert.equal(verdictAt(2 * COOKIE_PERIOD), undefined);
    }
  });

  test('is for one address and port, and of one server', () => {
    const endpoint = makeEndpoint();
    const cookie = cookieFor(endpoint, HERE, 0)!;
    const datagram = hello(ID_AND_KEY, cookie);
    assert.equal(endpoint.handleDatagram(datagram, source('192.0.2.1', 4712), 0), undefined);
    assert.equal(endpoint.handleDatagram(datagram, source('192.0.2.2'), 0), undefined);
    assert.equal(makeEndpoint().handleDatagram(datagram, HERE, 0), undefined);
    for (let bit = 0; bit < 128; bit += 9) {
      const wrong = cookie.with(bit >>> 3, cookie[bit >>> 3]! ^ (1 << (bit & 7)));
      assert.equal(endpoint.handleDatagram(hello(ID_AND_KEY, wrong), HERE, 0), undefined);
    }
    assert.equal(endpoint.handleDatagram(datagram, HERE, 0)?.type, 'begin');
  });

  test('is handed out 256 times at once and 128 times a second to one address, whatever its ports', () => {
    const endpoint = makeEndpoint();
    const handed = (now: number, asked: number, host = '192.0.2.1') => {
      let count = 0;
      for (let i = 0; i < asked; i++) if (cookieFor(endpoint, source(host, i + 1), now)) count++;
      return count;
    };
    assert.equal(handed(0, 1_000), COOKIE_BURST);
    assert.equal(handed(500, 1_000), COOKIE_RATE / 2);
    assert.equal(handed(500, 100, '192.0.2.2'), 100, 'another address has its own');
    assert.equal(handed(1_500, 1_000), COOKIE_RATE);
    assert.equal(handed(60_000, 1_000), COOKIE_BURST, 'no more is saved up');
  });

  test('begins no more handshakes than cookies are handed out, however often it is used', () => {
    const endpoint = makeEndpoint();
    const cookie = cookieFor(endpoint, HERE, 0)!;
    const begun = (now: number) => {
      let count = 0;
      for (let client = 0; client < 1_000; client++) {
        const payload = Uint8Array.from(ID_AND_KEY);
        payload.set([client, client >>> 8], 6);
        if (endpoint.handleDatagram(hello(payload, cookie), HERE, now)?.type === 'begin') count++;
      }
      return count;
    };
    assert.equal(begun(0), COOKIE_BURST);
    assert.equal(begun(1_000), COOKIE_RATE);
  });

  test('is counted for at most 4,096 addresses: of 20,000 the oldest are forgotten', () => {
    const endpoint = makeEndpoint();
    const spend = (host: number) => {
      for (let i = 0; i < COOKIE_BURST; i++) endpoint.handleDatagram(hello(), source(`a${host}`), 0);
    };
    spend(0);
    assert.equal(cookieFor(endpoint, source('a0'), 0), undefined);
    for (let host = 1; host <= 4_095; host++) cookieFor(endpoint, source(`a${host}`), 0);
    assert.equal(cookieFor(endpoint, source('a0'), 0), undefined, '4,096 are remembered');
    for (let host = 4_096; host <= 20_000; host++) cookieFor(endpoint, source(`a${host}`), 0);
    assert.ok(cookieFor(endpoint, source('a0'), 0), 'and no more');
    assert.equal([...endpoint.peers()].length, 0);
  });
});

describe('a HELLO', () => {
  test('of another length begins nothing and is not answered', () => {
    const endpoint = makeEndpoint();
    for (const length of [0, 37, 39, 53, 55, 480]) {
      assert.equal(endpoint.handleDatagram(hello(pattern(1, length)), HERE, 0), undefined);
    }
    assert.equal(endpoint.handleDatagram(hello().subarray(0, 49), HERE, 0), undefined);
    assert.equal(endpoint.handleDatagram(Uint8Array.of(...hello(), 0), HERE, 0), undefined);
  });

  test('of version 1 is reported 20 times a second, that of another version never', () => {
    const endpoint = makeEndpoint();
    const reports = (version: number, now: number) => {
      let count = 0;
      for (let i = 0; i < 100; i++) {
        const verdict = endpoint.handleDatagram(hello().with(2, version), HERE, now);
        if (verdict === undefined) continue;
        assert.ok(verdict.type === 'stray' && verdict.error.code === 'version_1');
        count++;
      }
      return count;
    };
    for (const version of [0, 3, 255]) assert.equal(reports(version, 0), 0);
    assert.equal(reports(1, 0), STRAY_REPORTS);
    assert.equal(reports(1, 999), 0);
    assert.equal(reports(1, 1_000), STRAY_REPORTS);
  });

  test('that is repeated goes to the peer that it began, and begins no other', () => {
    const endpoint = makeEndpoint();
    const peer = begin(endpoint, HERE, 1);
    const repeat = hello(payloadOf(1), cookieFor(endpoint, HERE, 0));
    assert.equal(endpoint.handleDatagram(repeat, HERE, 3 * COOKIE_PERIOD), undefined);
    assert.deepEqual(peer.got, [toHex(repeat)]);
    assert.equal(peer.displaced, 0);
  });
});

describe('datagrams', () => {
  test('of strangers, and what is no frame, are for nobody', () => {
    const endpoint = makeEndpoint();
    const peer = begin(endpoint, HERE, 1);
    for (const datagram of [DATA, HELLO_ACK, utackHeader(FrameType.CHALLENGE, 0)]) {
      assert.equal(endpoint.handleDatagram(datagram, source('192.0.2.9'), 0), undefined);
    }
    for (const bytes of [
      [],
      [0xcd],
      [0xac, 0xac, 5],
      [...DATA].with(0, 0),
      [...DATA].with(1, 0),
      [...DATA].with(2, 1),
    ]) {
      assert.equal(endpoint.handleDatagram(Uint8Array.from(bytes), HERE, 0), undefined);
    }
    assert.deepEqual(peer.got, []);
  });

  test('of a source go to its peer, UTACKs of a HELLO too', () => {
    const endpoint = makeEndpoint();
    const peer = begin(endpoint, HERE, 1);
    const all = [HELLO_ACK, DATA, utackHeader(FrameType.HELLO, 0), utackHeader(FrameType.DATA, 3, 8)];
    for (const datagram of all) endpoint.handleDatagram(datagram, HERE, 0);
    assert.deepEqual(peer.got, all.map(toHex));
  });

  test('go on to the session while a new handshake from its source is under way', () => {
    const endpoint = makeEndpoint();
    const session = begin(endpoint, HERE, 1);
    session.authenticated = true;
    const attempt = begin(endpoint, HERE, 2);
    assert.equal(session.displaced, 0);
    endpoint.handleDatagram(DATA, HERE, 0);
    endpoint.handleDatagram(utackHeader(FrameType.DATA, 3, 8), HERE, 0);
    assert.equal(session.got.length, 2);
    endpoint.handleDatagram(HELLO_ACK, HERE, 0);
    endpoint.handleDatagram(utackHeader(FrameType.CHALLENGE, 0), HERE, 0);
    assert.equal(attempt.got.length, 2);
    // A repeat of the HELLO of either finds its peer.
    endpoint.handleDatagram(hello(payloadOf(1), new Uint8Array(16)), HERE, 0);
    assert.equal(session.got.length, 3);
    assert.deepEqual([...endpoint.peers()], [attempt, session]);
    attempt.authenticated = true;
    endpoint.handleDatagram(DATA, HERE, 0);
    assert.equal(session.displaced, 1);
    assert.equal(attempt.got.length, 3);
    assert.deepEqual([...endpoint.peers()], [attempt]);
  });

  test('go to the session again when the attempt fails, and to the attempt when the session ends', () => {
    for (const ends of ['attempt', 'session'] as const) {
      const endpoint = makeEndpoint();
      const peers = { session: begin(endpoint, HERE, 1), attempt: new FakePeer() };
      peers.session.authenticated = true;
      peers.attempt = begin(endpoint, HERE, 2);
      endpoint.remove(HERE.id, peers[ends], undefined, 0);
      endpoint.remove(HERE.id, new FakePeer(), undefined, 0);
      endpoint.handleDatagram(DATA, HERE, 0);
      const stays = ends === 'attempt' ? peers.session : peers.attempt;
      assert.deepEqual(stays.got, [toHex(DATA)]);
      endpoint.remove(HERE.id, stays, undefined, 0);
      assert.deepEqual([...endpoint.peers()], []);
      endpoint.remove(HERE.id, stays, undefined, 0);
    }
  });
});

describe('a new handshake from the same source', () => {
  test('displaces one that has not authenticated, never a session', () => {
    const endpoint = makeEndpoint();
    const session = begin(endpoint, HERE, 1);
    session.authenticated = true;
    const attempts = [2, 3, 4].map((client) => begin(endpoint, HERE, client));
    assert.deepEqual(
      attempts.map(({ displaced }) => displaced),
      [1, 1, 0],
    );
    assert.equal(session.displaced, 0);
    assert.deepEqual([...endpoint.peers()], [attempts[2], session]);
  });

  test('leaves no more than two peers of a source, however fast they authenticate', () => {
    const endpoint = makeEndpoint();
    const sessions: FakePeer[] = [];
    for (let client = 1; client <= 5; client++) {
      const peer = begin(endpoint, HERE, client);
      peer.authenticated = true;
      sessions.push(peer);
    }
    assert.deepEqual(
      sessions.map(({ displaced }) => displaced),
      [1, 1, 1, 0, 0],
    );
    assert.deepEqual([...endpoint.peers()], [sessions[4], sessions[3]]);
  });
});

describe('a session that BYE of the peer has ended', () => {
  const bye = encodeFrame(FrameType.BYE, 5, pattern(1, 28));
  const utack = utackHeader(FrameType.BYE, 5, 8);
  const farewell: Farewell = { bye, utack };

  function ended(endpoint: Endpoint<FakePeer>, from: Source, now = 0): void {
    const peer = begin(endpoint, from, 1, now);
    endpoint.remove(from.id, peer, farewell, now);
  }

  test('goes on answering that very frame, from that source, for 15 s', () => {
    const endpoint = makeEndpoint();
    ended(endpoint, HERE);
    assert.deepEqual(endpoint.handleDatagram(bye, HERE, FAREWELL_TIME), {
      type: 'answer',
      datagrams: [utack],
    });
    assert.equal(endpoint.handleDatagram(bye.with(20, 0xee), HERE, 0), undefined);
    assert.equal(endpoint.handleDatagram(DATA, HERE, 0), undefined);
    assert.equal(endpoint.handleDatagram(bye, source('192.0.2.9'), 0), undefined);
    assert.equal(endpoint.handleDatagram(bye, HERE, FAREWELL_TIME + 1), undefined);
    assert.equal(endpoint.handleDatagram(bye, HERE, 0), undefined, 'and it is forgotten then');
  });

  test('is remembered for the last 1,024 sources', () => {
    const endpoint = makeEndpoint();
    for (let i = 0; i <= DEPARTED_PEERS; i++) ended(endpoint, source(`b${i}`), 0);
    assert.equal(endpoint.handleDatagram(bye, source('b0'), 0), undefined);
    assert.equal(endpoint.handleDatagram(bye, source('b1'), 0)?.type, 'answer');
    assert.equal(endpoint.handleDatagram(bye, source(`b${DEPARTED_PEERS}`), 0)?.type, 'answer');
  });
});
