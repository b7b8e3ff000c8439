/** Servers that are none, and somebody on the path between our client and a server. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { USMPClient, type USMPClientOptions, type USMPSession } from '#dist/index.js';
import { assertServes, coded, connect, type LiveServer, nextSession, PSK, text } from '../server/live.js';
import {
  BYE,
  CHALLENGE,
  DATA,
  DATA_FRAG,
  flipped,
  frame,
  HELLO,
  HELLO_ACK,
  HELLO_RETRY,
  PING,
  PONG,
  type RawDatagram,
  RawGreeting,
  RawSocket,
  REKEY,
  SESSION_OK,
  told,
  utack,
  withChecksum,
} from '../support/raw-datagrams.js';
import { listenRaw, type Meddling, type RawTap, tap } from '../support/raw-path.js';
import { startUDP } from './udp-bed.js';

/** How long a handshake may take that gets no answer, one that gets as far as HELLO_ACK, and one that ends by itself. */
const [SHORT, LONGER, LONG] = [400, 1_500, 20_000];

// ── Servers that are none ────────────────────────────────────────────────────────────────────────────────────────

type Answer = (datagram: RawDatagram, reply: (...datagrams: readonly Uint8Array[]) => void) => void;

/** What a false server answers, and how the client's attempt ends. */
const FALSE_SERVERS: [name: string, answer: Answer, error: [name: string, code: string]][] = [
  ['says nothing', () => {}, ['USMPTimeoutError', 'handshake_timeout']],
  [
    'answers garbage of many sizes',
    (_, reply) => reply(...[0, 1, 7, 12, 15, 40, 76, 492, 1_400, 65_507].map((size) => randomBytes(size))),
    ['USMPTimeoutError', 'handshake_timeout'],
  ],
  ['sends everything back', ({ bytes }, reply) => reply(bytes), ['USMPTimeoutError', 'handshake_timeout']],
  [
    'acknowledges and says nothing',
    (datagram, reply) => reply(utack(datagram)),
    ['USMPTimeoutError', 'handshake_timeout'],
  ],
  [
    'speaks version 1',
    (_, reply) => reply(withChecksum(flipped(frame(CHALLENGE, 0, randomBytes(64)), 2, 0x03))),
    ['USMPTimeoutError', 'handshake_timeout'],
  ],
  [
    'answers with frames that have no place there',
    (_, reply) =>
      reply(
        frame(SESSION_OK, 0, randomBytes(48)),
        frame(HELLO, 0, randomBytes(38)),
        frame(HELLO_ACK, 2, randomBytes(32)),
        frame(CHALLENGE, 0, randomBytes(63)),
        frame(HELLO_RETRY, 0, randomBytes(15)),
        ...[DATA, DATA_FRAG, PING, PONG, BYE, REKEY].map((type) => frame(type, 0, randomBytes(60))),
      ),
    ['USMPTimeoutError', 'handshake_timeout'],
  ],
  [
    'sends a CHALLENGE with a point of low order',
    (_, reply) => reply(frame(CHALLENGE, 0, Buffer.concat([randomBytes(32), Buffer.alloc(32)]))),
    ['HandshakeError', 'low_order_point'],
  ],
  [
    'falls silent after HELLO_ACK',
    ({ isAck, type }, reply) => {
      if (!isAck && type === HELLO) reply(challenge());
    },
    ['AuthError', 'refused'],
  ],
  [
    'does not know the key',
    ({ isAck, type }, reply) => {
      if (isAck) return;
      if (type === HELLO) reply(challenge());
      if (type === HELLO_ACK) reply(frame(SESSION_OK, 0, randomBytes(48)));
    },
    ['AuthError', 'rogue_server'],
  ],
];

for (const [name, answer, [error, code]] of FALSE_SERVERS) {
  test(`a server that ${name}: the client ends with ${code}, and finds an honest server after that`, async (t) => {
    const impostor = await listenRaw(answer);
    t.after(() => impostor.close());
    const timeout = code === 'handshake_timeout' ? SHORT : code === 'refused' ? LONGER : LONG;
    await assertFails(t, impostor.url, error, code, timeout);
  });
}

test('nobody there: the client ends with unreachable, and finds an honest server after that', async (t) => {
  const gone = await listenRaw(() => {});
  gone.close();
  await assertFails(t, gone.url, 'TransportError', 'unreachable', LONG);
});

test('a server that vanishes in the middle of the handshake is given the whole time', async (t) => {
  const impostor = await listenRaw(({ isAck, type }, reply) => {
    if (!isAck && type === HELLO) reply(frame(HELLO_RETRY, 0, randomBytes(16)));
    if (isAck && type === HELLO_RETRY) impostor.close();
  });
  const started = performance.now();
  // The kernel tells that nobody listens there any more; that could be anybody's doing.
  await assertFails(t, impostor.url, 'HandshakeError', 'turned_away', LONGER);
  assert.ok(performance.now() - started >= LONGER - 50, 'given up early');
});

test('a server that wants one cookie after the other gets a few answers, not one for each', async (t) => {
  let heard = 0;
  const impostor = await listenRaw(({ isAck, type }, reply) => {
    if (isAck || type !== HELLO) return;
    heard++;
    reply(...Array.from({ length: 10 }, () => frame(HELLO_RETRY, 0, randomBytes(16))));
  });
  t.after(() => impostor.close());
  const client = new USMPClient({ psk: PSK, url: impostor.url, handshakeTimeout: LONGER });
  await assert.rejects(client.connect(), coded('HandshakeError', 'turned_away'));
  assert.ok(heard >= 2, 'no cookie was sent back');
  assert.ok(heard <= 30, `${heard} HELLOs`);
  await assertServes(await startUDP(t));
});

test('an endless stream of CHALLENGEs gets one HELLO_ACK', async (t) => {
  const proofs = new Set<string>();
  const impostor = await listenRaw(({ isAck, type, bytes }, reply) => {
    if (!isAck && type === HELLO) reply(...Array.from({ length: 50 }, challenge));
    if (!isAck && type === HELLO_ACK) proofs.add(bytes.toString('hex'));
  });
  t.after(() => impostor.close());
  await assertFails(t, impostor.url, 'AuthError', 'refused', LONGER);
  assert.equal(proofs.size, 1);
});

// ── Somebody on the path, who can add, hold back and change ──────────────────────────────────────────────────────

/** What comes in front of everything that the server sends. */
const ADDITIONS: [name: string, inFront: (datagram: RawDatagram) => Buffer[]][] = [
  ['garbage', () => [0, 1, 12, 40, 492].map((size) => randomBytes(size))],
  ['a HELLO_RETRY with a forged cookie', forgedRetry],
  ['three HELLO_RETRYs with forged cookies', (datagram) => [1, 2, 3].flatMap(() => forgedRetry(datagram))],
  [
    'a SESSION_OK before its time',
    ({ type }) => (type === CHALLENGE ? [frame(SESSION_OK, 0, randomBytes(48))] : []),
  ],
  ['a copy', ({ bytes }) => [bytes, bytes]],
  ['damaged copies', ({ bytes }) => [flipped(bytes, -1), flipped(bytes, 4)]],
  ['forged ends', () => [BYE, DATA, REKEY].map((type) => frame(type, 0, randomBytes(28)))],
  ['UTACKs of everything', () => Array.from({ length: 12 }, (_, type) => utack({ type, seq: 0 }))],
];

for (const [name, inFront] of ADDITIONS) {
  test(`${name} in front of what the server sends does not keep the client from its session`, async (t) => {
    const live = await startUDP(t);
    const line = await onPath(t, live, { toClient: (datagram) => [...inFront(datagram), datagram.bytes] });
    const session = await connect(t, { ...live, url: line.url });
    await assertEndsWell(session, live);
  });
}

test('a UTACK that is held back and forged instead: the client repeats, and is heard once', async (t) => {
  const received: string[] = [];
  const live = await startUDP(t, {}, async (session) => {
    for await (const message of session) {
      received.push(text(message));
      await session.send(message);
    }
  });
  let heldBack = 0;
  const line = await onPath(t, live, {
    toClient({ isAck, type, bytes }) {
      if (!isAck || type !== DATA || ++heldBack > 3) return [bytes];
      return [
        flipped(bytes, -1),
        bytes.subarray(0, 7),
        Buffer.concat([bytes.subarray(0, 7), Buffer.alloc(8)]),
      ];
    },
  });
  const session = await connect(t, { ...live, url: line.url });
  await session.send('once', { acknowledged: true });
  assert.ok(heldBack > 3, 'a forged UTACK was believed');
  assert.ok(session.stats.framesRetransmitted >= 3);
  assert.equal(text(await session.recv({ timeout: 10_000 })), 'once');
  await session.close();
  await assertServes(live);
  assert.deepEqual(received, ['once', 'are you there?']);
});

test('what the server has sent, sent again by anybody, is delivered once', async (t) => {
  const live = await startUDP(t);
  const recording: Buffer[] = [];
  const line = await onPath(t, live, {
    toClient({ bytes }) {
      recording.push(bytes);
      return [bytes];
    },
  });
  const arriving = nextSession(live.server);
  const session = await connect(t, { ...live, url: line.url });
  const there = await arriving;
  for (let i = 0; i < 5; i++) await there.send(`number ${i}`, { acknowledged: true });
  line.sendToClient(...recording, ...recording);
  await there.send('the last', { acknowledged: true });
  for (const expected of [...Array.from({ length: 5 }, (_, i) => `number ${i}`), 'the last'])
    assert.equal(text(await session.recv({ timeout: 10_000 })), expected);
  assert.ok(session.stats.framesRepeated >= 10);
  await assertEndsWell(session, live);
});

test('forged frames in the name of the server do not touch the session', async (t) => {
  const live = await startUDP(t);
  const line = await onPath(t, live, {});
  const session = await connect(t, { ...live, url: line.url });
  await assertEchoes(session);
  const forged = [DATA, BYE, PING, REKEY, DATA_FRAG].flatMap((type) =>
    [0, 1, 2, 0xffff_fffe, 0xffff_ffff].map((seq) => frame(type, seq, randomBytes(60))),
  );
  const dropped = session.stats.datagramsDropped;
  line.sendToClient(...forged, challenge(), frame(SESSION_OK, 0, randomBytes(48)), ...forgedRetry());
  await assertEndsWell(session, live);
  assert.ok(session.stats.datagramsDropped - dropped >= forged.length);
});

test('a stranger who sends to the client from elsewhere is not heard', async (t) => {
  const live = await startUDP(t);
  const recording: Buffer[] = [];
  const line = await onPath(t, live, {
    toClient({ bytes }) {
      recording.push(bytes);
      return [bytes];
    },
  });
  const session = await connect(t, { ...live, url: line.url });
  await assertEchoes(session);
  const before = session.stats;
  const stranger = await RawSocket.open({ port: line.clientPort() });
  t.after(() => stranger.close());
  const sent = Array.from({ length: 10 }, () => [...recording, frame(BYE, 0, randomBytes(28))]).flat();
  stranger.send(...sent);
  await assertEndsWell(session, live);
  // A busy machine may have seen a few repeats of the server, but not what the stranger sent.
  const { datagramsDropped, framesRepeated } = session.stats;
  const noticed = datagramsDropped - before.datagramsDropped + framesRepeated - before.framesRepeated;
  assert.ok(noticed < sent.length / 2, `${noticed} of ${sent.length} datagrams of a stranger were looked at`);
  assertNothing(stranger.drain());
});

test('the first answer of each kind held back costs time and nothing else', async (t) => {
  const live = await startUDP(t);
  const seen = new Set<number>();
  const line = await onPath(t, live, {
    toClient({ isAck, type, bytes }) {
      const kind = isAck ? -type : type;
      if (seen.has(kind)) return [bytes];
      seen.add(kind);
      return [];
    },
  });
  const session = await connect(t, { ...live, url: line.url });
  await assertEndsWell(session, live);
  assert.ok([HELLO_RETRY, CHALLENGE, SESSION_OK, DATA].every((kind) => seen.has(kind)));
});

function challenge(): Buffer {
  const { publicKey } = new RawGreeting({ psk: PSK });
  return frame(CHALLENGE, 0, Buffer.concat([randomBytes(32), publicKey]));
}

function forgedRetry(datagram?: RawDatagram): Buffer[] {
  return datagram === undefined || datagram.type === HELLO_RETRY
    ? [frame(HELLO_RETRY, 0, randomBytes(16))]
    : [];
}

async function assertFails(
  t: TestContext,
  url: string,
  name: string,
  code: string,
  handshakeTimeout: number,
): Promise<void> {
  const options: USMPClientOptions = { psk: PSK, url, handshakeTimeout };
  await assert.rejects(new USMPClient(options).connect(), coded(name, code));
  await assertServes(await startUDP(t));
}

async function assertEchoes(session: USMPSession): Promise<void> {
  for (const message of ['hello', 'x'.repeat(1_800)]) {
    await session.send(message);
    assert.equal(text(await session.recv({ timeout: 15_000 })), message);
  }
}

/** While the line is still there: without it BYE would wait in vain for its UTACK. */
async function assertEndsWell(session: USMPSession, live: LiveServer): Promise<void> {
  await assertEchoes(session);
  await session.close();
  await assertServes(live);
}

async function onPath(
  t: TestContext,
  live: LiveServer,
  meddlings: { toServer?: Meddling; toClient?: Meddling },
): Promise<RawTap> {
  const line = await tap(live.port, meddlings);
  t.after(() => line.close());
  return line;
}

function assertNothing(datagrams: readonly RawDatagram[]): void {
  assert.deepEqual(datagrams.map(told), []);
}
