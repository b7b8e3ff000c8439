import assert from 'node:assert/strict';
import test from 'node:test';
import { FrameStream } from '#dist/cli/frame-stream.js';
import { type Budget, MAX_HELD, MAX_HELD_IN_ALL, TCPDirection } from '#dist/cli/tcp-streams.js';
import { hex } from '../support/bytes.js';
import { SeededRandom } from '../support/random.js';
import { sessionNamed } from '../support/vectors.js';
import { CLIENT, type End, noise, pcap, SERVER, tcpPacket } from './capture-builder.js';
import { decodeCapture } from './decoding.js';

const ONE = sessionNamed('one');
const PARTS = [
  ONE.hello,
  ONE.hello_ack,
  ...ONE.messages.flatMap(({ from, frames }) => (from === 'client' ? frames : [])),
];
const STREAM = new Uint8Array(Buffer.concat(PARTS.map(hex)));
const FRAMES = ['HELLO 0', 'HELLO_ACK 2', 'DATA 0', 'DATA 1', 'DATA_FRAG 2', 'DATA 3'].map(
  (name) => `frame ${name}`,
);
/** The numbers wrap in the middle of the stream. */
const FIRST = 0xffffff00;
const NOTHING = new Uint8Array(0);

interface Piece {
  readonly from: number;
  readonly to: number;
}

const SYN = tcpPacket(CLIENT, SERVER, FIRST - 1, NOTHING, { syn: true });
const FIN = tcpPacket(CLIENT, SERVER, FIRST + STREAM.length, NOTHING, { fin: true });
const segment = ({ from, to }: Piece) => tcpPacket(CLIENT, SERVER, FIRST + from, STREAM.subarray(from, to));
const decode = (packets: readonly Uint8Array[], port?: number) =>
  decodeCapture(pcap(packets.map((data) => ({ data }))), port === undefined ? {} : { port });

function cutAt(size: number): Piece[] {
  const pieces: Piece[] = [];
  for (let from = 0; from < STREAM.length; from += size) pieces.push({ from, to: from + size });
  return pieces;
}

test('a stream is put together however it was cut', async () => {
  for (const size of [1, 7, 50, 492, STREAM.length]) {
    const decoded = await decode([SYN, ...cutAt(size).map(segment), FIN]);
    assert.deepEqual(decoded.frames, FRAMES);
    assert.deepEqual(decoded.notes, []);
    assert.equal(decoded.counts!.other, 0);
  }
});

test('order, repeats and overlaps of segments do not matter', async () => {
  const random = new SeededRandom(7);
  for (let round = 0; round < 50; round++) {
    const pieces = cutAt(random.integer(20, 200)).flatMap(({ from, to }) => [
      { from: Math.max(0, from - random.integer(0, 60)), to },
      ...(random.next() < 0.3 ? [{ from, to: to + random.integer(0, 60) }] : []),
    ]);
    for (let i = pieces.length - 1; i > 0; i--) {
      const j = random.integer(Math.max(0, i - 4), i);
      [pieces[i], pieces[j]] = [pieces[j]!, pieces[i]!];
    }
    const packets = pieces.map(segment);
    packets.splice(random.integer(0, packets.length), 0, SYN);
    const decoded = await decode([SYN, ...packets, FIN, FIN, segment({ from: 0, to: 50 })]);
    assert.deepEqual(decoded.frames, FRAMES);
    assert.deepEqual(decoded.notes, []);
  }
});

test('both directions and several connections are kept apart', async () => {
  const other: End = { ...CLIENT, port: 40_001 };
  const hello = hex(ONE.hello);
  const challenge = hex(ONE.challenge);
  const decoded = await decode([
    tcpPacket(CLIENT, SERVER, 0, NOTHING, { syn: true }),
    tcpPacket(SERVER, CLIENT, 500, NOTHING, { syn: true }),
    tcpPacket(other, SERVER, 0, hello.subarray(0, 20), { syn: true }),
    tcpPacket(CLIENT, SERVER, 1, hello.subarray(0, 30)),
    tcpPacket(SERVER, CLIENT, 501, challenge.subarray(0, 10)),
    tcpPacket(CLIENT, SERVER, 31, hello.subarray(30)),
    tcpPacket(SERVER, CLIENT, 511, challenge.subarray(10)),
    tcpPacket(other, SERVER, 21, hello.subarray(20)),
    // The same ports again.
    tcpPacket(CLIENT, SERVER, 7_000, NOTHING, { syn: true }),
    tcpPacket(CLIENT, SERVER, 7_001, hello),
  ]);
  assert.deepEqual(
    decoded.shown.map(({ facts, place }) => [facts.type, place.src]),
    [
      ['HELLO', '10.0.0.2:40000'],
      ['CHALLENGE', '10.0.0.1:9000'],
      ['HELLO', '10.0.0.2:40001'],
      ['HELLO', '10.0.0.2:40000'],
    ],
  );
});

test('a capture that begins in the middle finds the next frame and says what it passed over', async () => {
  // From within HELLO on: HELLO_ACK is the first whole frame.
  const decoded = await decode([segment({ from: 3, to: 100 }), segment({ from: 100, to: STREAM.length })]);
  assert.deepEqual(decoded.frames, FRAMES.slice(1));
  assert.deepEqual(
    decoded.notes.map(({ kind, bytes }) => [kind, bytes]),
    [['skipped', 47]],
  );
  const atFrame = await decode([segment({ from: 50, to: STREAM.length })]);
  assert.deepEqual([atFrame.frames, atFrame.notes], [FRAMES.slice(1), []]);
});

test('bytes that only look like a frame are not taken for one in the middle of a stream', async () => {
  const decoy = hex('cdab020500000000e001ffff');
  const hello = hex('cdab0201000000000100ffff00');
  const bytes = Buffer.concat([decoy, decoy, noise('decoy', 300), hello, decoy, STREAM]);
  const decoded = await decode([tcpPacket(CLIENT, SERVER, 77, bytes)]);
  assert.deepEqual(decoded.frames, FRAMES);
  assert.deepEqual(
    decoded.notes.map(({ kind, bytes }) => [kind, bytes]),
    [['skipped', 349]],
  );
});

test('a gap is told, and the frames behind it are shown', async () => {
  const lost = { from: 60, to: 90 };
  const decoded = await decode([SYN, segment({ from: 0, to: 60 }), segment({ from: 90, to: STREAM.length })]);
  assert.deepEqual(decoded.frames, [FRAMES[0], ...FRAMES.slice(2)]);
  assert.deepEqual(
    decoded.notes.map(({ kind, bytes }) => [kind, bytes]),
    [
      ['unfinished', 10],
      ['gap', lost.to - lost.from],
      ['skipped', 4],
    ],
  );
});

test('what a capture cut off every segment is a gap each', async () => {
  const data = segment({ from: 0, to: 94 });
  const packets = [SYN, data.subarray(0, 140), segment({ from: 94, to: STREAM.length })];
  const file = pcap(packets.map((cut, i) => ({ data: cut, original: i === 1 ? data.length : cut.length })));
  const decoded = await decodeCapture(file);
  assert.deepEqual(decoded.frames, [FRAMES[0], ...FRAMES.slice(2)]);
  assert.deepEqual(
    decoded.notes.map(({ kind }) => kind),
    ['unfinished', 'gap'],
  );
});

test('a wrong byte is told with its place, and the rest of that direction is left alone', async () => {
  const stream = Uint8Array.from(STREAM);
  stream[50] = 0xce;
  const decoded = await decode([SYN, tcpPacket(CLIENT, SERVER, FIRST, stream), FIN]);
  assert.deepEqual(
    decoded.shown.map(({ facts, place }) => [facts.event, facts.code, place.offset]),
    [
      ['frame', undefined, 0],
      ['invalid', 'bad_magic', 50],
    ],
  );
  assert.deepEqual(
    decoded.notes.map(({ kind }) => kind),
    ['stopped'],
  );
});

test('a connection that ends within a frame is told', async () => {
  const decoded = await decode([
    SYN,
    segment({ from: 0, to: 70 }),
    tcpPacket(CLIENT, SERVER, FIRST + 70, NOTHING, { fin: true }),
  ]);
  assert.deepEqual(decoded.frames, FRAMES.slice(0, 1));
  assert.deepEqual(
    decoded.notes.map(({ kind, bytes }) => [kind, bytes]),
    [['unfinished', 20]],
  );
});

test('what one direction holds is bounded, and so is what all hold together', () => {
  const budget: Budget = { held: 0 };
  const drain = (direction: TCPDirection, seq: number, payload: Uint8Array) => [
    ...direction.push({ seq, payload, missing: 0 }),
  ];
  const single = new TCPDirection(budget, 0);
  let gaps = 0;
  for (let i = 0; i < 10_000; i++) {
    // Every second byte.
    gaps += drain(single, 1 + 2 * i, Uint8Array.of(i)).filter(({ kind }) => kind === 'gap').length;
    assert.ok(budget.held <= MAX_HELD);
  }
  assert.ok(gaps > 9_000);
  single.drop();
  assert.equal(budget.held, 0);

  const many = Array.from({ length: 400 }, () => new TCPDirection(budget, 0));
  for (const direction of many) {
    drain(direction, 1, new Uint8Array(60_000));
    assert.ok(budget.held <= MAX_HELD_IN_ALL);
  }
  for (const direction of many) direction.drop();
  assert.equal(budget.held, 0);
});

test('thousands of connections are decoded, and the oldest are let go', async () => {
  const hello = hex(ONE.hello);
  const count = 20_000;
  const ends = Array.from(
    { length: count },
    (_, i): End => ({ address: [10, 1, i >>> 8, i & 0xff], port: 1_024 }),
  );
  const packets = ends.map((end) => tcpPacket(end, SERVER, 5, hello.subarray(0, 20), { syn: true }));
  for (const end of [ends[0]!, ends[count - 1]!])
    packets.push(tcpPacket(end, SERVER, 26, hello.subarray(20)));
  const decoded = await decode(packets);
  assert.deepEqual(
    decoded.shown.map(({ facts, place }) => [facts.type, place.src]),
    [['HELLO', '10.1.78.31:1024']],
  );
  assert.equal(decoded.notes.filter(({ kind }) => kind === 'unfinished').length, count - 1);
});

test('any segments at all neither crash nor hang', async () => {
  const random = new SeededRandom(46);
  for (let round = 0; round < 20; round++) {
    const packets = Array.from({ length: 300 }, () => {
      const from = random.integer(0, STREAM.length);
      const bytes = Buffer.from(STREAM.subarray(from, from + random.integer(0, 300)));
      if (random.next() < 0.1 && bytes.length > 0) bytes[random.integer(0, bytes.length - 1)] ^= 0x10;
      const flags = { syn: random.next() < 0.02, fin: random.next() < 0.02 };
      const jump = random.next() < 0.05 ? random.integer(0, 0xffffffff) : 0;
      return tcpPacket(random.pick([CLIENT, SERVER]), SERVER, FIRST + from + jump, bytes, flags);
    });
    for (const port of [undefined, 9_000]) {
      const decoded = await decode(packets, port);
      assert.equal(decoded.error, undefined);
      for (const words of decoded.words) assert.doesNotMatch(words, /undefined|NaN/);
    }
  }
});

test('a stream of random bytes holds no frame, and little of it is kept', () => {
  const stream = new FrameStream(false);
  for (let i = 0; i < 200; i++) assert.deepEqual([...stream.push(noise(`${i}`, 10_000))], []);
  assert.equal(stream.isUSMP, undefined);
  const end = [...stream.end()];
  assert.deepEqual(end, [{ kind: 'skipped', at: 0, bytes: 2_000_000 }]);
});
