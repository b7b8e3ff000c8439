import assert from 'node:assert/strict';
import test from 'node:test';
import { UsageError } from '#dist/cli/exit-codes.js';
import { hex } from '../support/bytes.js';
import { SeededRandom } from '../support/random.js';
import { sessionNamed } from '../support/vectors.js';
import {
  CLIENT,
  CLIENT_6,
  type End,
  ethernet,
  ipv4,
  ipv6,
  LINK,
  noise,
  pcap,
  pcapngBlocks,
  SERVER,
  SERVER_6,
  TCP,
  tcp,
  tcpPacket,
  UDP,
  udp,
  udpPacket,
} from './capture-builder.js';
import { decodeCapture } from './decoding.js';

const ONE = sessionNamed('one');
const HELLO = hex(ONE.hello);
const CHALLENGE = hex(ONE.challenge);
const UTACK = hex('acac0100000000');
const CONVERSATION = [udpPacket(CLIENT, SERVER, HELLO), udpPacket(SERVER, CLIENT, UTACK)];
const FRAMES = ['frame HELLO 0', 'utack HELLO 0'];

/** IPv4 with a datagram in it. */
const inIP = (from: End, to: End, payload: Uint8Array) => ipv4(UDP, from, to, udp(from, to, payload));

test('a pcap file is read in both byte orders and both resolutions', async () => {
  for (const littleEndian of [true, false]) {
    for (const nanoseconds of [true, false]) {
      const packets = CONVERSATION.map((data, i) => ({
        data,
        time: 1_700_000_000_000_001_000n + BigInt(i) * 2_000_001_500n,
      }));
      const decoded = await decodeCapture(pcap(packets, { littleEndian, nanoseconds }));
      assert.equal(decoded.error, undefined);
      assert.deepEqual(decoded.frames, FRAMES);
      const [first, second] = decoded.shown.map(({ place }) => place);
      assert.deepEqual(first, { time: 0, transport: 'udp', src: '10.0.0.2:40000', dst: '10.0.0.1:9000' });
      assert.equal(second!.time, nanoseconds ? 2.0000015 : 2.000001);
      assert.equal(second!.src, '10.0.0.1:9000');
      assert.deepEqual(decoded.counts, { packets: 2, other: 0, fragments: 0, unknownLinks: 0 });
    }
  }
});

test('a pcapng file is read in both byte orders, byte by byte too, whatever other blocks it has', async () => {
  for (const littleEndian of [true, false]) {
    const b = pcapngBlocks(littleEndian);
    const other = pcapngBlocks(!littleEndian);
    const file = Buffer.concat([
      b.section(),
      b.interface({ resolution: 6 }),
      b.interface({ resolution: 9, offset: 1n, linkType: LINK.raw }),
      b.block(0x0bad, noise('another block', 3_000)),
      b.enhanced(CONVERSATION[0]!, 5_000_000_000_000n),
      b.enhanced(inIP(SERVER, CLIENT, UTACK), 4_999_500_000_000_000n, 1),
      b.simple(CONVERSATION[0]!),
      // A section of its own: another byte order, other interfaces, a clock in powers of two.
      other.section(),
      other.interface({ resolution: 0x80 | 10 }),
      other.enhanced(CONVERSATION[1]!, 5_000_000n * 1_024n + 512n),
    ]);
    for (const piece of [file.length, 1]) {
      const decoded = await decodeCapture(file, { piece });
      assert.equal(decoded.error, undefined);
      assert.deepEqual(decoded.frames, [...FRAMES, ...FRAMES]);
      assert.deepEqual(
        decoded.shown.map(({ place }) => place.time),
        [0, -499, undefined, 0.5],
      );
    }
  }
});

test('every kind of link is understood', async () => {
  const n = Buffer.alloc(0);
  const packet = inIP(CLIENT, SERVER, HELLO);
  const six = ipv6(UDP, CLIENT_6, SERVER_6, udp(CLIENT_6, SERVER_6, HELLO));
  const cases: [number, Uint8Array][] = [
    [LINK.ethernet, ethernet(packet)],
    [LINK.ethernet, ethernet(packet, [0x8100])],
    [LINK.ethernet, ethernet(packet, [0x88a8, 0x8100])],
    [LINK.ethernet, ethernet(six, [0x8100])],
    [LINK.sll, Buffer.concat([Buffer.alloc(14), Uint8Array.of(0x08, 0x00), packet])],
    [LINK.sll, Buffer.concat([Buffer.alloc(14), Uint8Array.of(0x86, 0xdd), six])],
    [LINK.sll2, Buffer.concat([Uint8Array.of(0x08, 0x00), Buffer.alloc(18), packet])],
    [LINK.null, Buffer.concat([Uint8Array.of(2, 0, 0, 0), packet])],
    [LINK.null, Buffer.concat([Uint8Array.of(0, 0, 0, 30), six])],
    [LINK.loop, Buffer.concat([Uint8Array.of(0, 0, 0, 24), six])],
    ...[LINK.raw, LINK.ipv4, 12, 14].map((link): [number, Uint8Array] => [link, Buffer.concat([n, packet])]),
    ...[LINK.raw, LINK.ipv6].map((link): [number, Uint8Array] => [link, six]),
  ];
  for (const [linkType, data] of cases) {
    const decoded = await decodeCapture(pcap([{ data }], { linkType }));
    assert.deepEqual(decoded.frames, ['frame HELLO 0'], `link type ${linkType}`);
  }
  const unknown = await decodeCapture(pcap([{ data: CONVERSATION[0]! }], { linkType: 127 }));
  assert.deepEqual([unknown.frames, unknown.counts!.unknownLinks], [[], 1]);
});

test('IPv4 options and IPv6 extension headers are stepped over', async () => {
  const datagram = udp(CLIENT_6, SERVER_6, HELLO);
  const packets = [
    ethernet(ipv4(UDP, CLIENT, SERVER, udp(CLIENT, SERVER, HELLO), { options: Buffer.alloc(8, 1) })),
    // What the network card was to fill in.
    Buffer.concat([ethernet(ipv4(UDP, CLIENT, SERVER, udp(CLIENT, SERVER, HELLO), { totalLength: 0 }))]),
    ethernet(
      ipv6(UDP, CLIENT_6, SERVER_6, datagram, [
        [0, Buffer.alloc(8)],
        [43, Uint8Array.from([0, 1, ...new Array(14).fill(0)])],
        [60, Buffer.alloc(8)],
        // A fragment that is all there is.
        [44, Buffer.alloc(8)],
      ]),
    ),
  ];
  const decoded = await decodeCapture(pcap(packets.map((data) => ({ data }))));
  assert.deepEqual(decoded.frames, new Array(3).fill('frame HELLO 0'));
  assert.equal(decoded.shown[2]!.place.src, '[2001:db8::2]:40000');
});

test('IP fragments are told and left out', async () => {
  const datagram = udp(CLIENT, SERVER, HELLO);
  const packets = [
    ethernet(ipv4(UDP, CLIENT, SERVER, datagram.subarray(0, 32), { moreFragments: true })),
    ethernet(ipv4(UDP, CLIENT, SERVER, datagram.subarray(32), { fragmentOffset: 4 })),
    ethernet(
      ipv6(UDP, CLIENT_6, SERVER_6, datagram.subarray(0, 32), [[44, Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 1)]]),
    ),
    ethernet(
      ipv6(UDP, CLIENT_6, SERVER_6, datagram.subarray(32), [[44, Uint8Array.of(0, 0, 0, 0x20, 0, 0, 0, 1)]]),
    ),
    // Of something else.
    ethernet(ipv4(UDP, CLIENT, SERVER, udp(CLIENT, SERVER, noise('x', 24)), { moreFragments: true })),
  ];
  const decoded = await decodeCapture(pcap(packets.map((data) => ({ data }))));
  assert.deepEqual(decoded.frames, []);
  assert.deepEqual(
    decoded.notes.map(({ kind, bytes }) => [kind, bytes]),
    [
      ['fragment', 24],
      ['fragment', 24],
    ],
  );
  assert.deepEqual(decoded.counts, { packets: 5, other: 0, fragments: 5, unknownLinks: 0 });
});

test('only what looks like USMP is shown, and the rest is counted', async () => {
  const foreign: End = { address: [10, 0, 0, 3], port: 53 };
  const packets = [
    ...CONVERSATION,
    udpPacket(foreign, CLIENT, noise('dns', 40)),
    tcpPacket(foreign, CLIENT, 99, new Uint8Array(0), { syn: true }),
    tcpPacket(foreign, CLIENT, 100, Buffer.from('HTTP/1.1 200 OK\r\n')),
    tcpPacket(foreign, CLIENT, 117, Buffer.from('\r\n')),
    Buffer.concat([Buffer.alloc(12), Uint8Array.of(0x08, 0x06), Buffer.alloc(28)]),
  ];
  const file = pcap(packets.map((data) => ({ data })));
  const decoded = await decodeCapture(file);
  assert.deepEqual(decoded.frames, FRAMES);
  assert.deepEqual(decoded.counts, { packets: 7, other: 4, fragments: 0, unknownLinks: 0 });

  const forced = await decodeCapture(file, { port: 53 });
  assert.deepEqual(
    forced.shown.map(({ facts }) => facts.code),
    ['bad_magic', 'bad_magic'],
  );
  assert.equal(forced.counts!.other, 3);
  assert.deepEqual((await decodeCapture(file, { port: 9_000 })).frames, FRAMES);
});

test('a datagram that the capture has cut is told as such', async () => {
  const whole = udpPacket(CLIENT, SERVER, CHALLENGE);
  const decoded = await decodeCapture(pcap([{ data: whole.subarray(0, 60), original: whole.length }]));
  assert.deepEqual(decoded.words, [
    'INVALID CHALLENGE seq 0, 64 bytes: only 18 of its 76 bytes were captured (bad_length)',
  ]);
});

test('invalid datagrams are told, and the next ones go on', async () => {
  const wrong = HELLO.slice(0, -1);
  const packets = [wrong, HELLO].map((payload) => ({ data: udpPacket(CLIENT, SERVER, payload) }));
  assert.deepEqual((await decodeCapture(pcap(packets))).frames, ['invalid HELLO 0', 'frame HELLO 0']);
});

test('a capture that ends anywhere shows what came before, and says so', async () => {
  const b = pcapngBlocks();
  const whole = CONVERSATION.map((data) => ({ data }));
  const files = [
    pcap(whole),
    Buffer.concat([b.section(), b.interface(), ...CONVERSATION.map((data) => b.enhanced(data, 0n))]),
  ];
  for (const file of files) {
    for (let size = 4; size < file.length; size++) {
      const { frames, error } = await decodeCapture(file.subarray(0, size));
      assert.deepEqual(frames, FRAMES.slice(0, frames.length));
      if (error === undefined) continue;
      assert.ok(error instanceof UsageError);
      assert.match(
        error.message,
        new RegExp(`the capture ends in the middle of a packet, after ${size} bytes`),
      );
    }
    const { frames, error } = await decodeCapture(file.subarray(0, -1));
    assert.ok(error instanceof UsageError);
    assert.equal(frames.length, 1);
  }
});

test('a damaged capture is refused where the damage is', async () => {
  const b = pcapngBlocks();
  const start = Buffer.concat([b.section(), b.interface()]);
  const hello = b.enhanced(CONVERSATION[0]!, 0n);
  const trailer = Buffer.from(hello);
  trailer.writeUInt32LE(8, trailer.length - 4);
  const hugeBlock = Buffer.from(hello);
  hugeBlock.writeUInt32LE(0x7ffffffc, 4);
  const hugePacket = Buffer.from(hello);
  hugePacket.writeUInt32LE(0xffffffff, 8 + 12);
  const hugeRecord = pcap([{ data: CONVERSATION[0]! }]);
  hugeRecord.writeUInt32LE(0xffffffff, 24 + 8);
  const order = Buffer.from(start);
  order.writeUInt32LE(0, 8);
  const cases: [Buffer, RegExp][] = [
    [Buffer.concat([start, trailer]), /ends with another length/],
    [Buffer.concat([start, hugeBlock]), /a block of 2147483644 bytes/],
    [Buffer.concat([start, hugePacket]), /a packet of 4294967295 bytes/],
    [hugeRecord, /a packet of 4294967295 bytes at byte 24/],
    [order, /byte order/],
    [Buffer.concat([b.section(), hello]), /interface that is not described/],
    [Buffer.concat([b.section(), b.simple(HELLO)]), /a packet before its interface/],
    [Buffer.concat([start, b.block(6, Buffer.alloc(16))]), /too few bytes/],
    [Buffer.concat([start, b.block(3)]), /too few bytes/],
    [Buffer.concat([b.section(), b.block(1, Buffer.alloc(4))]), /too few bytes/],
    [Buffer.concat([b.section(), ...new Array(4_097).fill(b.interface())]), /over 4096 interfaces/],
    [Buffer.concat([start, Uint8Array.of(6, 0, 0, 0, 13, 0, 0, 0)]), /a block of 13 bytes/],
  ];
  for (const [file, message] of cases) {
    const { error } = await decodeCapture(file);
    assert.ok(error instanceof UsageError, String(message));
    assert.match(error.message, message);
    assert.match(error.message, /^the capture is damaged/);
  }
});

test('packets of random bytes behind valid headers neither stop nor confuse', async () => {
  const random = new SeededRandom(44);
  const datagram = udp(CLIENT, SERVER, HELLO);
  const segment = tcp(CLIENT, SERVER, 1_000, HELLO);
  const good = [
    ethernet(ipv4(UDP, CLIENT, SERVER, datagram)),
    ethernet(ipv4(TCP, CLIENT, SERVER, segment)),
    ethernet(ipv6(UDP, CLIENT_6, SERVER_6, datagram, [[0, Buffer.alloc(8)]]), [0x8100]),
    ethernet(ipv6(TCP, CLIENT_6, SERVER_6, segment, [[44, Buffer.alloc(8)]])),
  ];
  const packets = Array.from({ length: 4_000 }, () => {
    const data = Buffer.from(random.pick(good)).subarray(0, random.integer(0, 140));
    for (let i = random.integer(0, 3); i > 0 && data.length > 0; i--) {
      data[random.integer(0, data.length - 1)] = random.integer(0, 255);
    }
    return { data, original: data.length + random.pick([0, 0, 5, 70_000]) };
  });
  for (const linkType of Object.values(LINK)) {
    const decoded = await decodeCapture(pcap(packets, { linkType }));
    assert.equal(decoded.error, undefined);
    assert.equal(decoded.counts!.packets, packets.length);
    for (const words of decoded.words) assert.doesNotMatch(words, /undefined|NaN/);
  }
});

test('random changes of a capture file end in what it shows or in one clear error', async () => {
  const random = new SeededRandom(45);
  const b = pcapngBlocks();
  const files = [
    pcap(CONVERSATION.map((data) => ({ data }))),
    Buffer.concat([
      b.section(),
      b.interface(),
      ...CONVERSATION.map((data) => b.enhanced(data, 7n)),
      b.simple(HELLO),
    ]),
  ];
  for (let round = 0; round < 1_000; round++) {
    const file = Buffer.from(random.pick(files));
    for (let i = random.integer(1, 4); i > 0; i--)
      file[random.integer(4, file.length - 1)] = random.integer(0, 255);
    const { error } = await decodeCapture(file, { piece: random.pick([file.length, 13]) });
    if (error !== undefined) assert.ok(error instanceof UsageError, String((error as Error).stack));
  }
});
