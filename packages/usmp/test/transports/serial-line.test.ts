import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeLine, LineDecoder } from '#dist/core/cobs.js';
import { VersionError } from '#dist/core/errors.js';
import { encodeFrame, FrameType } from '#dist/core/frame.js';
import { MAX_HELD_BACK } from '#dist/core/limits.js';
import { ClientLine, type LineOwner, ServerLine } from '#dist/transports/serial-line.js';
import type { Link, LinkHandler } from '#dist/transports/transport.js';
import { eventually } from '../server/live.js';
import { toHex } from '../support/bytes.js';

const { HELLO, CHALLENGE, SESSION_OK, DATA, BYE } = FrameType;

/** What carries the bytes of a line, and does what the test says. */
class Carrier implements Link {
  readonly transport = 'test';
  readonly peer = 'the peer';
  readonly address = 'the address';
  handler!: LinkHandler;
  full = false;
  readonly happened: string[] = [];
  readonly #decoder = new LineDecoder();
  readonly #written: string[] = [];

  attach(handler: LinkHandler): void {
    this.handler = handler;
  }

  write(bytes: Uint8Array): boolean {
    this.#decoder.push(bytes);
    for (let found = this.#decoder.next(); found !== undefined; found = this.#decoder.next()) {
      if (!(found instanceof VersionError)) this.#written.push(`${found.type}:${found.seq}`);
    }
    return !this.full;
  }

  pause(): void {
    this.happened.push('pause');
  }

  resume(): void {
    this.happened.push('resume');
  }

  close(): void {
    this.happened.push('close');
  }

  destroy(): void {
    this.happened.push('destroy');
  }

  /** Type and number of each frame since the last time. */
  takeWritten(): string[] {
    return this.#written.splice(0);
  }

  receive(...frames: Uint8Array[]): void {
    this.handler.handleBytes(encodeLine(new Uint8Array(Buffer.concat(frames))));
  }
}

/** Who sits at a link: a conversation without cryptography. */
class Talker implements LinkHandler {
  authenticated = false;
  readonly link: Link;
  readonly received: string[] = [];
  readonly happened: string[] = [];

  constructor(link: Link) {
    this.link = link;
    link.attach(this);
  }

  /** Says something, and that it could only be said later where the line says so. */
  say(type: FrameType, seq = 0): boolean {
    return this.link.write(encodeFrame(type, seq, new Uint8Array(40)));
  }

  open(): void {
    this.authenticated = true;
    this.say(SESSION_OK);
  }

  handleBytes(bytes: Uint8Array): void {
    this.received.push(toHex(bytes));
  }

  handleDrain(): void {
    this.happened.push('drain');
  }

  handleEnd(): void {
    if (!this.happened.includes('end')) this.link.destroy();
    this.happened.push('end');
  }

  handleClosed(): void {
    this.happened.push('closed');
  }
}

/** A server's line. */
class Bench implements LineOwner {
  readonly carrier = new Carrier();
  readonly line: ServerLine;
  readonly talkers: Talker[] = [];
  readonly happened: string[] = [];
  #hellos = 0;

  constructor() {
    this.line = new ServerLine(this.carrier, 'serial', this);
  }

  hello(): Talker {
    const before = this.talkers.length;
    this.carrier.receive(encodeFrame(HELLO, 0, new Uint8Array(38).fill(++this.#hellos)));
    assert.equal(this.talkers.length, before + 1);
    return this.talkers.at(-1)!;
  }

  session(): Talker {
    const talker = this.hello();
    talker.open();
    this.carrier.takeWritten();
    return talker;
  }

  handleLink(link: Link): void {
    this.talkers.push(new Talker(link));
  }

  handleStray(): void {
    this.happened.push('stray');
  }

  handleSessionChange(line: ServerLine): void {
    this.happened.push(line.authenticated ? 'session' : 'no session');
  }

  handleLineClosed(): void {
    this.happened.push('closed');
  }
}

const data = (seq: number, length = 40) => encodeFrame(DATA, seq, new Uint8Array(length));

test('a conversation gets its frames, from HELLO on, and is called by what carries the line', () => {
  const bench = new Bench();
  const talker = bench.session();
  bench.carrier.receive(data(0), data(1));
  assert.equal(talker.received.length, 3);
  const { transport, peer, address } = talker.link;
  assert.deepEqual(
    { transport, peer, address },
    { transport: 'serial', peer: 'the peer', address: 'the address' },
  );
});

test('several frames of one write are one block each', () => {
  const bench = new Bench();
  const talker = bench.session();
  talker.link.write(new Uint8Array(Buffer.concat([data(0), data(1, 480), data(2, 0)])));
  assert.deepEqual(bench.carrier.takeWritten(), ['5:0', '5:1', '5:2']);
});

test('the end of a conversation closes its link at once and leaves the line open', async () => {
  const bench = new Bench();
  const talker = bench.session();
  talker.say(BYE, 7);
  talker.link.close();
  await eventually(() => talker.happened.includes('closed'), 'the end of the link', 1_000);
  assert.deepEqual(bench.carrier.takeWritten(), ['8:7']);
  assert.deepEqual(bench.carrier.happened, []);
  assert.deepEqual(bench.happened, ['session', 'no session']);
  bench.session();
  assert.deepEqual(bench.happened, ['session', 'no session', 'session']);
});

test('a session that is displaced hears of it, and none of its words reach the line any more', async () => {
  const bench = new Bench();
  const before = bench.session();
  const after = bench.hello();
  before.say(DATA, 1);
  after.authenticated = true;
  before.say(BYE, 2);
  before.link.close();
  after.say(SESSION_OK, 3);
  assert.deepEqual(bench.carrier.takeWritten(), ['5:1', '4:3']);
  await eventually(() => before.happened.includes('closed'), 'the end of the link', 1_000);
});

test('a session of another device that is displaced is told so with the first word of the new one', () => {
  const bench = new Bench();
  const before = bench.session();
  const after = bench.hello();
  after.open();
  assert.ok(before.happened.includes('end'));
  bench.carrier.receive(data(0));
  assert.equal(after.received.length, 2);
});

test('while the line is full, words wait with their speaker, and the newest conversation goes first', () => {
  const bench = new Bench();
  const session = bench.session();
  bench.carrier.full = true;
  assert.equal(session.say(DATA, 1), false);
  assert.equal(session.say(DATA, 2), false);
  const handshake = bench.hello();
  assert.equal(handshake.say(CHALLENGE, 3), false);
  assert.deepEqual(bench.carrier.takeWritten(), ['5:1']);
  bench.carrier.full = false;
  bench.carrier.handler.handleDrain();
  assert.deepEqual(bench.carrier.takeWritten(), ['2:3', '5:2']);
  assert.deepEqual([session.happened, handshake.happened], [['drain'], ['drain']]);
});

test('a line that is full again after a drain goes on where it stopped', () => {
  const bench = new Bench();
  const session = bench.session();
  bench.carrier.full = true;
  for (let seq = 0; seq < 4; seq++) session.say(DATA, seq);
  for (let seq = 1; seq < 4; seq++) {
    bench.carrier.handler.handleDrain();
    assert.deepEqual(session.happened, []);
  }
  bench.carrier.full = false;
  bench.carrier.handler.handleDrain();
  assert.deepEqual(bench.carrier.takeWritten(), ['5:0', '5:1', '5:2', '5:3']);
  assert.deepEqual(session.happened, ['drain']);
});

test('the last words of a conversation do not wait', () => {
  const bench = new Bench();
  const session = bench.session();
  bench.carrier.full = true;
  for (let seq = 0; seq < 3; seq++) session.say(DATA, seq);
  session.link.close();
  assert.deepEqual(bench.carrier.takeWritten(), ['5:0', '5:1', '5:2']);
});

test('handshakes of a peer that does not read leave no more than one answer behind', () => {
  const bench = new Bench();
  bench.session();
  bench.carrier.full = true;
  bench.talkers[0]!.say(DATA, 0);
  for (let i = 0; i < 10; i++) bench.hello().say(CHALLENGE, i);
  bench.carrier.takeWritten();
  bench.carrier.full = false;
  bench.carrier.handler.handleDrain();
  assert.deepEqual(bench.carrier.takeWritten(), ['2:9']);
});

test('a session that is not read holds its frames back, in order, and HELLO is heard all the same', async () => {
  const bench = new Bench();
  const session = bench.session();
  session.received.length = 0;
  session.link.pause();
  for (let seq = 0; seq < 20; seq++) bench.carrier.receive(data(seq));
  assert.deepEqual(session.received, []);
  bench.hello();
  session.link.resume();
  bench.carrier.receive(data(20));
  await eventually(() => session.received.length === 21, 'the frames', 1_000);
  assert.deepEqual(
    session.received,
    Array.from({ length: 21 }, (_, seq) => toHex(data(seq))),
  );
  assert.deepEqual(bench.carrier.happened, []);
});

test('what is held back is bounded: beyond it the line is not read until the session reads again', async () => {
  const bench = new Bench();
  const session = bench.session();
  session.received.length = 0;
  session.link.pause();
  const [size, cost] = [480, 12 + 480 + 256];
  let sent = 0;
  while (bench.carrier.happened.length === 0) bench.carrier.receive(data(sent++, size));
  assert.deepEqual(bench.carrier.happened, ['pause']);
  assert.equal(sent, Math.floor(MAX_HELD_BACK / cost) + 1);
  session.link.resume();
  await eventually(() => session.received.length === sent, 'the frames', 1_000);
  assert.deepEqual(bench.carrier.happened, ['pause', 'resume']);
});

test('a session that stops again while it gets what was held back keeps the rest, in order', async () => {
  const bench = new Bench();
  const session = bench.session();
  session.received.length = 0;
  session.link.pause();
  for (let seq = 0; seq < 10; seq++) bench.carrier.receive(data(seq));
  const take = session.handleBytes.bind(session);
  session.handleBytes = (bytes) => {
    take(bytes);
    if (session.received.length === 4) session.link.pause();
  };
  session.link.resume();
  await eventually(() => session.received.length === 4, 'the first frames', 1_000);
  bench.carrier.receive(data(10));
  assert.equal(session.received.length, 4);
  session.link.resume();
  await eventually(() => session.received.length === 11, 'the frames', 1_000);
  assert.equal(session.received.at(-1), toHex(data(10)));
});

test('a session that is displaced while the line waits for it lets the line go on', () => {
  const bench = new Bench();
  const session = bench.session();
  session.link.pause();
  const handshake = bench.hello();
  for (let seq = 0; bench.carrier.happened.length === 0; seq++) bench.carrier.receive(data(seq, 480));
  handshake.open();
  assert.deepEqual(bench.carrier.happened, ['pause', 'resume']);
});

test('a line that is shut closes behind its last conversation, and without one at once', () => {
  const idle = new Bench();
  idle.line.shut();
  assert.deepEqual(idle.carrier.happened, ['destroy']);

  const busy = new Bench();
  const session = busy.session();
  busy.line.shut();
  assert.deepEqual(busy.carrier.happened, []);
  busy.carrier.receive(encodeFrame(HELLO, 0, new Uint8Array(38).fill(99)));
  assert.equal(busy.talkers.length, 1, 'a handshake has begun');
  session.say(BYE, 1);
  session.link.close();
  assert.deepEqual(busy.carrier.happened, ['close']);
  busy.carrier.handler.handleClosed();
  assert.deepEqual(busy.happened, ['session', 'no session', 'closed']);
});

test('a line that is lost ends all conversations, and says so once', async () => {
  const bench = new Bench();
  const session = bench.session();
  const handshake = bench.hello();
  bench.carrier.handler.handleClosed();
  await eventually(
    () => session.happened.includes('closed') && handshake.happened.includes('closed'),
    'the end',
    1_000,
  );
  assert.equal(session.happened.filter((what) => what === 'closed').length, 1);
  assert.equal(bench.happened.filter((what) => what === 'closed').length, 1);
});

test('a link that nobody wanted is gone without a sound', () => {
  const bench = new Bench();
  bench.handleLink = (link) => link.destroy();
  bench.carrier.receive(encodeFrame(HELLO, 0, new Uint8Array(38)));
  bench.carrier.receive(data(0));
  assert.deepEqual(bench.carrier.happened, []);
});

test('a HELLO of version 1 is reported, and begins nothing', () => {
  const bench = new Bench();
  const hello = encodeFrame(HELLO, 0, new Uint8Array(38));
  hello[2] = 1;
  bench.carrier.receive(hello);
  assert.deepEqual(bench.happened, ['stray']);
  assert.equal(bench.talkers.length, 0);
});

test("a client's line passes frames on one by one, and everything else as it is", () => {
  const carrier = new Carrier();
  const line = new ClientLine(carrier, 'serial');
  const talker = new Talker(line);
  carrier.receive(data(0), data(1));
  carrier.handler.handleBytes(Buffer.from('noise\0'));
  assert.deepEqual(talker.received, [toHex(data(0)), toHex(data(1))]);
  talker.say(DATA, 5);
  assert.deepEqual(carrier.takeWritten(), ['5:5']);
  line.pause();
  line.resume();
  line.close();
  carrier.handler.handleDrain();
  carrier.handler.handleEnd();
  carrier.handler.handleClosed();
  assert.deepEqual(carrier.happened, ['pause', 'resume', 'close', 'destroy']);
  assert.deepEqual(talker.happened, ['drain', 'end', 'closed']);
});
