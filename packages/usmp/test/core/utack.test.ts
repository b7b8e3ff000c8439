import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { ReceiveWindow } from '#dist/core/arq.js';
import { Endpoint } from '#dist/core/endpoint.js';
import { FrameType } from '#dist/core/frame.js';
import { RecordLayer } from '#dist/core/record.js';
import { isUtack, parseUtack, UTACK_HEADER_LENGTH, UTACK_LENGTH, utackHeader } from '#dist/core/utack.js';
import { nodeCrypto } from '#dist/crypto/node.js';
import { hex, pattern, toHex } from '../support/bytes.js';
import { type DatagramEnd, DatagramPair } from '../support/datagram-pair.js';
import { type Role, rekeyNamed, sessionNamed } from '../support/vectors.js';

interface Vector {
  type: keyof typeof FrameType;
  seq: number;
  key?: string;
  bytes: string;
}

/** From `dist-test/core/`. */
const VECTORS = JSON.parse(
  readFileSync(new URL('../../../../spec/vectors/utack.json', import.meta.url), 'utf8'),
) as {
  handshake: Vector[];
  session: Vector[];
  rekey: { script: string; from: Role; type: string; seq: number; old: string; new: string }[];
  invalid: { name: string; session: string; from: Role; bytes: string }[];
  invalid_datagrams: { name: string; bytes: string }[];
  cookie: { cookie: string; hello: string; hello_retry: string; hello_with_cookie: string };
};

/** The records of the side that has sent what is acknowledged. */
function recordsOf(from: Role, sessionId: string, c2s: string, s2c: string): RecordLayer {
  const keys = from === 'client' ? c2s + s2c : s2c + c2s;
  return new RecordLayer(nodeCrypto, hex(sessionId), hex(keys), ReceiveWindow);
}

function accepts(records: RecordLayer, utack: Uint8Array, ofRekey = false): boolean {
  const header = utack.subarray(0, UTACK_HEADER_LENGTH);
  return records.verifyAcknowledgement(header, utack.subarray(UTACK_HEADER_LENGTH), ofRekey);
}

describe('the acknowledgements of the vectors', () => {
  for (const { type, seq, key, bytes } of [...VECTORS.handshake, ...VECTORS.session]) {
    test(`${type} ${seq}${key === undefined ? '' : `, key ${key.slice(0, 8)}`}`, () => {
      const utack = hex(bytes);
      assert.ok(isUtack(utack));
      assert.deepEqual(parseUtack(utack), { type: FrameType[type], seq });
      const made = utackHeader(FrameType[type], seq, utack.length - UTACK_HEADER_LENGTH);
      if (key !== undefined) {
        const mac = nodeCrypto.hmacSha256(hex(key), made.subarray(0, UTACK_HEADER_LENGTH)).subarray(0, 8);
        made.set(mac, UTACK_HEADER_LENGTH);
      }
      assert.equal(toHex(made), bytes);
    });
  }
});

describe('what acknowledges nothing, in the vectors', () => {
  for (const { name, session, from, bytes } of VECTORS.invalid) {
    test(name, () => {
      const { session_id, k_c2s, k_s2c } = sessionNamed(session);
      const utack = hex(bytes);
      const records = recordsOf(from, session_id, k_c2s, k_s2c);
      const known = parseUtack(utack);
      const isMeant = isUtack(utack) && known?.type === FrameType.DATA && known.seq === 7;
      assert.ok(!(isMeant && accepts(records, utack)));
    });
  }
});

describe('the acknowledgement of REKEY', () => {
  for (const { script, from, old, new: present } of VECTORS.rekey) {
    test(`${script}: under the old key and the new, until it has come; then under the new alone`, () => {
      const { session, rekeys } = rekeyNamed(script);
      const { salt, old_k_c2s, old_k_s2c } = rekeys[0]!;
      const records = recordsOf(from, sessionNamed(session).session_id, old_k_c2s, old_k_s2c);
      records.rekeyAsInitiator(hex(salt), true);
      for (const bytes of [old, present]) assert.ok(accepts(records, hex(bytes), true));
      assert.ok(!accepts(records, hex(old)), 'other frames are under the new key');
      records.rekeyAcknowledged();
      assert.ok(!accepts(records, hex(old), true));
      assert.ok(accepts(records, hex(present), true));
    });
  }
});

describe('a server that knows nothing of a sender', () => {
  const source = { id: '192.0.2.1:4711', limitKey: '192.0.2.1' };
  for (const { name, bytes } of VECTORS.invalid_datagrams) {
    test(`does not answer: ${name}`, () => {
      const verdict = new Endpoint(nodeCrypto).handleDatagram(hex(bytes), source, 0);
      assert.ok(verdict === undefined || verdict.type === 'stray');
    });
  }

  test('answers the HELLO of the vectors with a HELLO_RETRY of that shape', () => {
    const { hello, hello_retry, hello_with_cookie } = VECTORS.cookie;
    const endpoint = new Endpoint(nodeCrypto);
    const verdict = endpoint.handleDatagram(hex(hello), source, 0);
    assert.ok(verdict?.type === 'answer');
    const [utack, retry] = verdict.datagrams;
    assert.equal(toHex(utack!), VECTORS.handshake[0]!.bytes);
    assert.equal(toHex(retry!.subarray(0, 10)), hello_retry.slice(0, 20));
    assert.equal(endpoint.handleDatagram(hex(hello_with_cookie), source, 0), undefined);
  });
});

test('a handshake frame has 7 bytes, a session frame 15, and no other size is one', () => {
  for (const { bytes } of [VECTORS.handshake[0]!, VECTORS.session[0]!]) {
    const utack = hex(bytes);
    for (let length = 0; length <= 20; length++) {
      const cut = new Uint8Array(length);
      cut.set(utack.subarray(0, Math.min(length, utack.length)));
      if (length === utack.length) assert.ok(parseUtack(cut));
      else assert.equal(parseUtack(cut), undefined, `${length} bytes`);
    }
  }
  assert.ok(!isUtack(hex('ac')));
  assert.ok(!isUtack(hex('abcd')));
});

describe('a session frame stays under way', () => {
  /** The client's DATA 0 is under way, and its UTACK is in the hands of the test. */
  function underWay(): { pair: DatagramPair; client: DatagramEnd; utack: Uint8Array } {
    const pair = DatagramPair.open();
    const utacks: Uint8Array[] = [];
    pair.intercept = ({ from, bytes }) => {
      if (from === 'server' && isUtack(bytes)) utacks.push(bytes);
      return from === 'server' ? [] : [[0, bytes]];
    };
    pair.client.send(pattern(1, 20), true);
    pair.settle();
    assert.equal(utacks.length, 1);
    return { pair, client: pair.client, utack: utacks[0]! };
  }

  const forgeries: Record<string, (utack: Uint8Array) => Uint8Array> = {
    'after a UTACK with one bit of the MAC changed': (utack) => utack.with(14, utack[14]! ^ 0x01),
    'after a UTACK without MAC': (utack) => utack.subarray(0, UTACK_HEADER_LENGTH),
    'after a UTACK with a MAC too short': (utack) => utack.subarray(0, UTACK_LENGTH - 1),
    'after a UTACK with a MAC too long': (utack) => Uint8Array.of(...utack, 0),
    'after the UTACK of another number': (utack) => utack.with(3, 1),
    'after the UTACK of another type': (utack) => utack.with(2, FrameType.PING),
    'after a UTACK under the key of the other direction': (utack) => {
      const other = DatagramPair.open();
      let own: Uint8Array | undefined;
      other.intercept = ({ bytes }) => {
        if (isUtack(bytes)) own = bytes;
        return [[0, bytes]];
      };
      other.server.send(pattern(1, 20));
      other.settle();
      return Uint8Array.of(...utack.subarray(0, UTACK_HEADER_LENGTH), ...own!.subarray(UTACK_HEADER_LENGTH));
    },
  };
  for (const [name, forge] of Object.entries(forgeries)) {
    test(name, () => {
      const { pair, client, utack } = underWay();
      client.input(forge(new Uint8Array(utack)));
      client.drain();
      assert.equal(client.connection.pendingTransmit > 0, true);
      assert.deepEqual(client.of('acknowledged'), []);
      client.input(utack);
      client.drain();
      assert.equal(client.connection.pendingTransmit, 0);
      assert.deepEqual(client.of('acknowledged'), [{ type: 'acknowledged', message: 1 }]);
      client.input(utack);
      assert.equal(client.of('acknowledged').length, 1, 'the second of the same says nothing');
      assert.equal(pair.client.closed, undefined);
    });
  }
});
