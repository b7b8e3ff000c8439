import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, type TestContext, test } from 'node:test';
import type { USMPError } from '#dist/core/errors.js';
import { MAX_HELD, MESSAGE_OVERHEAD } from '#dist/core/limits.js';
import { StreamConnection } from '#dist/core/stream-connection.js';
import { browserTransports } from '#dist/transports/browser.js';
import { browserWebSocket } from '#dist/transports/browser-websocket.js';
import type { Framing, Link, LinkHandler, Transport } from '#dist/transports/transport.js';
import { coded, eventually } from '../server/live.js';
import { FakeWebSocket, replaceGlobal } from './fake-websocket.js';

/** Keeps all that happens at a link. */
class Recorder implements LinkHandler {
  readonly authenticated = true;
  readonly link: Link;
  readonly happened: string[] = [];
  received = '';
  onBytes = () => {};

  constructor(link: Link) {
    this.link = link;
    link.attach(this);
  }

  handleBytes(bytes: Uint8Array): void {
    this.received += Buffer.from(bytes).toString();
    this.onBytes();
  }

  handleDrain(): void {
    this.happened.push('drain');
  }

  handleEnd(): void {
    this.happened.push('end');
  }

  handleClosed(error?: USMPError): void {
    this.happened.push(error === undefined ? 'closed' : `closed: ${error.name} ${error.code}`);
  }
}

function connect(url: string, signal: AbortSignal = new AbortController().signal): Promise<Link> {
  const { transport, url: parsed } = browserTransports.find(url, 'connect');
  return transport.connect(parsed, { signal });
}

async function open(
  t: TestContext,
  url = 'ws://127.0.0.1:9001/',
): Promise<{ socket: FakeWebSocket; here: Recorder }> {
  FakeWebSocket.install(t);
  const connecting = connect(url);
  const socket = FakeWebSocket.last;
  socket.open();
  const here = new Recorder(await connecting);
  t.after(() => here.link.destroy());
  return { socket, here };
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** The intervals that run, and what they do. */
function watchIntervals(t: TestContext): Map<unknown, () => void> {
  const running = new Map<unknown, () => void>();
  const { setInterval: set, clearInterval: clear } = globalThis;
  t.mock.method(globalThis, 'setInterval', (callback: () => void, delay: number) => {
    const timer = set(callback, delay);
    running.set(timer, callback);
    return timer;
  });
  t.mock.method(globalThis, 'clearInterval', (timer: NodeJS.Timeout) => {
    running.delete(timer);
    clear(timer);
  });
  return running;
}

/** Lets everything happen that waits for a turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('connecting', () => {
  test('the address goes to the browser as it was given, with path and query; the peer is named by host and port', async (t) => {
    for (const [url, transport, peer] of [
      ['ws://127.0.0.1:9001/usmp?room=1', 'ws', '127.0.0.1:9001'],
      ['ws://example.org/', 'ws', 'example.org:80'],
      ['wss://example.org/a/b', 'wss', 'example.org:443'],
      ['wss://[::1]/', 'wss', '[::1]:443'],
    ] as const) {
      const { socket, here } = await open(t, url);
      assert.equal(socket.url, url);
      assert.equal(socket.binaryType, 'arraybuffer');
      assert.equal(here.link.transport, transport);
      assert.equal(here.link.peer, peer);
    }
  });

  test('addresses that cannot be used are refused with what is wrong, before anything is tried', () => {
    for (const [url, complaint] of [
      ['tcp://127.0.0.1:9000', /unknown transport "tcp", known: wss, ws/],
      ['ws://127.0.0.1:0/', /port 0/],
      ['ws://me:secret@127.0.0.1/', /no user name and no password/],
      ['wss://127.0.0.1/#part', /fragment/],
      ['127.0.0.1:9000', /not a URL|transport is missing/],
    ] as const) {
      const error = coded('ArgumentError', 'invalid_argument', complaint);
      assert.throws(() => browserTransports.find(url, 'connect'), error);
    }
    for (const url of ['ws://127.0.0.1:9000', 'wss://127.0.0.1']) {
      const error = coded('ArgumentError', 'invalid_argument', /browsers cannot listen/);
      assert.throws(() => browserTransports.find(url, 'listen'), error);
    }
  });

  test('a transport of datagrams cannot be added: there are no connections for it in a browser', (t) => {
    const transport = (framing: Framing): Transport => ({ ...browserWebSocket('ws'), framing });
    const error = coded('ArgumentError', 'invalid_argument', /framing "datagram".*use stream/);
    assert.throws(() => browserTransports.register('quick', transport('datagram')), error);
    assert.throws(() => browserTransports.find('quick://host', 'connect'), /unknown transport/);
    const remove = browserTransports.register('quick', transport('stream'));
    t.after(remove);
    assert.equal(browserTransports.find('quick://host', 'connect').Connection, StreamConnection);
  });

  test('nobody can listen, whoever asks', async () => {
    const { transport, url } = browserTransports.find('ws://127.0.0.1:9001', 'connect');
    const listening = transport.listen(url, () => {});
    await assert.rejects(listening, coded('TransportError', 'unreachable', /browsers cannot listen/));
  });

  test('a failure says what to check, as the browser does not say what it was', async (t) => {
    FakeWebSocket.install(t);
    replaceGlobal(t, 'location', { protocol: 'http:', origin: 'http://pages.example' });
    const connecting = connect('ws://127.0.0.1:9001/usmp');
    FakeWebSocket.last.end();
    await assert.rejects(connecting, (error: USMPError) => {
      assert.equal(error.name, 'TransportError');
      assert.equal(error.code, 'unreachable');
      for (const hint of [
        'ws://127.0.0.1:9001/usmp',
        'listen there',
        'http://pages.example',
        '"origins"',
        'connect-src',
      ]) {
        assert.ok(error.message.includes(hint), `${hint} in ${error.message}`);
      }
      assert.doesNotMatch(error.message, /https|certificate/);
      return true;
    });
  });

  test('an error alone is a failure too: none of the two events has to come', async (t) => {
    FakeWebSocket.install(t);
    const connecting = connect('ws://127.0.0.1:9001/');
    FakeWebSocket.last.error();
    FakeWebSocket.last.end();
    await assert.rejects(connecting, coded('TransportError', 'unreachable'));
  });

  test('ws:// from a page that came over https: the first thing said is wss://', async (t) => {
    replaceGlobal(t, 'location', { protocol: 'https:', origin: 'https://pages.example' });
    const securityError = new Error('An insecure WebSocket connection may not be initiated');
    replaceGlobal(t, 'WebSocket', function refuse() {
      throw securityError;
    });
    await assert.rejects(connect('ws://192.0.2.7:9001/'), (error: USMPError) => {
      assert.match(error.message, /do not tell why: pages that came over https may use only wss:\/\//);
      assert.equal(error.cause, securityError);
      return error.code === 'unreachable';
    });
  });

  test('wss:// that fails: the certificate is among what to check', async (t) => {
    FakeWebSocket.install(t);
    const connecting = connect('wss://192.0.2.7/');
    FakeWebSocket.last.end();
    await assert.rejects(connecting, coded('TransportError', 'unreachable', /certificate/));
  });

  test('where there is no WebSocket at all, that is what the error says', async (t) => {
    replaceGlobal(t, 'WebSocket', undefined);
    const connecting = connect('ws://127.0.0.1/');
    await assert.rejects(connecting, coded('TransportError', 'unreachable', /no WebSocket/));
  });

  test('an attempt can be aborted, before and while it runs, and leaves nothing behind', async (t) => {
    FakeWebSocket.install(t);
    const aborter = new AbortController();
    const reason = new Error('changed my mind');
    const connecting = connect('ws://127.0.0.1/', aborter.signal);
    const socket = FakeWebSocket.last;
    aborter.abort(reason);
    await assert.rejects(connecting, reason);
    assert.equal(socket.closed.length, 1);
    assert.equal(getEventListeners(aborter.signal, 'abort').length, 0);
    socket.open();
    socket.end();

    await assert.rejects(connect('ws://127.0.0.1/', aborter.signal), reason);
    assert.equal(FakeWebSocket.last, socket, 'no second attempt');
  });

  test('once it is open, aborting does nothing, and nobody listens to the signal', async (t) => {
    FakeWebSocket.install(t);
    const aborter = new AbortController();
    const connecting = connect('ws://127.0.0.1/', aborter.signal);
    FakeWebSocket.last.open();
    const link = await connecting;
    aborter.abort();
    assert.deepEqual(FakeWebSocket.last.closed, []);
    assert.equal(getEventListeners(aborter.signal, 'abort').length, 0);
    new Recorder(link).link.destroy();
  });
});

describe('sending', () => {
  test('bytes go in messages of at most 65,536', async (t) => {
    const { socket, here } = await open(t);
    const block = new Uint8Array(150_000).map((_, i) => i % 251);
    here.link.write(block);
    assert.deepEqual(
      socket.sent.map(({ length }) => length),
      [65_536, 65_536, 18_928],
    );
    assert.deepEqual(Buffer.concat(socket.sent), Buffer.from(block));
  });

  test('a part of a buffer is sent without the rest of it', async (t) => {
    const { socket, here } = await open(t);
    here.link.write(bytes('secret hello secret').subarray(7, 12));
    assert.equal(Buffer.concat(socket.sent).toString(), 'hello');
  });

  test('a full browser says so, drains once when it has room, and is not watched any longer', async (t) => {
    const { socket, here } = await open(t);
    const watching = watchIntervals(t);
    assert.equal(here.link.write(new Uint8Array(65_536)), true);
    assert.equal(watching.size, 0, 'no timer while there is room');
    assert.equal(here.link.write(new Uint8Array(1)), false);
    assert.equal(here.link.write(new Uint8Array(1)), false);
    assert.equal(watching.size, 1, 'one timer while there is none');
    const [watch] = watching.values();
    watch!();
    assert.deepEqual(here.happened, []);
    socket.bufferedAmount = 65_536;
    await eventually(() => here.happened.length > 0, 'room');
    assert.deepEqual(here.happened, ['drain']);
    assert.equal(watching.size, 0);
  });

  for (const how of ['close', 'destroy', 'end'] as const) {
    test(`no timer is left behind by ${how === 'end' ? 'the end of a full link' : `${how}() of a full link`}`, async (t) => {
      const { socket, here } = await open(t);
      const watching = watchIntervals(t);
      here.link.write(new Uint8Array(100_000));
      assert.equal(watching.size, 1);
      if (how === 'end') socket.end();
      else here.link[how]();
      assert.equal(watching.size, 0);
      assert.ok(!here.happened.includes('drain'));
    });
  }

  test('writing to a link that is closing or gone is harmless', async (t) => {
    const { socket, here } = await open(t);
    here.link.close();
    assert.equal(here.link.write(bytes('late')), true);
    socket.end();
    assert.equal(here.link.write(bytes('later')), true);
    assert.deepEqual(socket.sent, []);
  });
});

describe('receiving', () => {
  test('messages are pieces of one stream, however they are cut', async (t) => {
    const { socket, here } = await open(t);
    for (const piece of ['one ', '', 'two three', ' ']) socket.message(bytes(piece));
    assert.equal(here.received, 'one two three ');
  });

  test('text is refused, and that is told', async (t) => {
    const { socket, here } = await open(t);
    socket.message('hello');
    assert.deepEqual(here.happened, ['closed: MagicError bad_magic']);
    assert.equal(socket.closed.length, 1);
    socket.message(bytes('more'));
    socket.end();
    assert.equal(here.received, '');
    assert.equal(here.happened.length, 1);
  });

  test('what comes while reading is paused waits, and follows in order, in turns of its own', async (t) => {
    const { socket, here } = await open(t);
    here.link.pause();
    socket.message(bytes('one '));
    socket.message(bytes('two '));
    assert.equal(here.received, '');
    here.link.resume();
    assert.equal(here.received, '', 'not inside of resume()');
    socket.message(bytes('three'));
    await turn();
    assert.equal(here.received, 'one two three');
  });

  test('a handler that pauses again gets no more than it has taken', async (t) => {
    const { socket, here } = await open(t);
    here.link.pause();
    for (const piece of ['a', 'b', 'c']) socket.message(bytes(piece));
    here.onBytes = () => here.link.pause();
    for (const received of ['a', 'ab', 'abc']) {
      here.link.resume();
      await turn();
      assert.equal(here.received, received);
    }
  });

  test('more than the limit while nobody reads ends the link, empty messages included', async (t) => {
    const largest = MAX_HELD - MESSAGE_OVERHEAD;
    for (const [piece, fitting] of [
      [0, Math.floor(MAX_HELD / MESSAGE_OVERHEAD)],
      [1_000, Math.floor(MAX_HELD / (1_000 + MESSAGE_OVERHEAD))],
      [largest, 1],
    ] as const) {
      const { socket, here } = await open(t);
      here.link.pause();
      for (let i = 0; i < fitting; i++) socket.message(new Uint8Array(piece));
      assert.deepEqual(here.happened, [], `${fitting} messages of ${piece} bytes`);
      socket.message(new Uint8Array(piece));
      assert.deepEqual(here.happened, ['closed: ConnectionClosedError receive_overflow']);
      assert.equal(socket.closed.length, 1);
      here.link.resume();
      await turn();
      assert.equal(here.received, '', 'what was held is gone');
    }
  });

  test('what was read no longer counts: any amount passes a link that is read now and then', async (t) => {
    const { socket, here } = await open(t);
    for (let round = 0; round < 4; round++) {
      here.link.pause();
      for (let i = 0; i < 8; i++) socket.message(new Uint8Array(100_000));
      here.link.resume();
      await turn();
    }
    assert.equal(here.received.length, 3_200_000);
    assert.deepEqual(here.happened, []);
  });

  test('a single message above the limit is not taken either', async (t) => {
    const { socket, here } = await open(t);
    socket.message(new Uint8Array(MAX_HELD));
    assert.deepEqual(here.happened, ['closed: ConnectionClosedError receive_overflow']);
  });
});

describe('the end', () => {
  test('when the peer hangs up both ends of it are told, once', async (t) => {
    const { socket, here } = await open(t);
    socket.end();
    here.link.destroy();
    here.link.close();
    await turn();
    assert.deepEqual(here.happened, ['end', 'closed']);
  });

  test('what came before the end is read first, also by one who has paused', async (t) => {
    const { socket, here } = await open(t);
    here.link.pause();
    socket.message(bytes('last words'));
    socket.end();
    await turn();
    assert.deepEqual(here.happened, []);
    here.link.resume();
    await eventually(() => here.happened.length > 0, 'the end');
    assert.equal(here.received, 'last words');
    assert.deepEqual(here.happened, ['end', 'closed']);
  });

  test('close() hangs up in order, and goes on receiving until the peer has', async (t) => {
    const { socket, here } = await open(t);
    here.link.write(bytes('bye'));
    here.link.close();
    assert.deepEqual(socket.closed, [1000]);
    socket.message(bytes('crossing'));
    assert.deepEqual(here.happened, []);
    socket.end();
    assert.equal(here.received, 'crossing');
    assert.deepEqual(here.happened, ['end', 'closed']);
  });

  test('destroy() is the end at once, told in a turn of its own, and nothing is heard afterwards', async (t) => {
    const { socket, here } = await open(t);
    here.link.destroy();
    here.link.destroy();
    assert.deepEqual(here.happened, [], 'not inside of destroy()');
    socket.message(bytes('too late'));
    socket.end();
    await turn();
    assert.equal(here.received, '');
    assert.deepEqual(here.happened, ['closed']);
  });

  test('a handler that destroys the link while it reads what was held gets no more', async (t) => {
    const { socket, here } = await open(t);
    here.link.pause();
    for (const piece of ['a', 'b']) socket.message(bytes(piece));
    socket.end();
    here.onBytes = () => here.link.destroy();
    here.link.resume();
    await turn();
    assert.equal(here.received, 'a');
    assert.deepEqual(here.happened, ['closed']);
  });
});
