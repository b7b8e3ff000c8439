import assert from 'node:assert/strict';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { tcp } from '#dist/transports/tcp.js';
import type { Link, LinkHandler, Listener } from '#dist/transports/transport.js';
import { coded, eventually, within } from '../server/live.js';

/** Keeps all that happens at one end of a link. */
class Recorder implements LinkHandler {
  readonly authenticated = true;
  readonly link: Link;
  readonly happened: string[] = [];
  received = '';

  constructor(link: Link) {
    this.link = link;
    link.attach(this);
  }

  handleBytes(bytes: Uint8Array): void {
    this.received += Buffer.from(bytes).toString();
  }

  handleDrain(): void {
    this.happened.push('drain');
  }

  handleEnd(): void {
    this.happened.push('end');
  }

  handleClosed(): void {
    this.happened.push('closed');
  }

  write(text: string): boolean {
    return this.link.write(Buffer.from(text));
  }
}

async function joined(t: TestContext): Promise<{ listener: Listener; here: Recorder; there: Recorder }> {
  let there: Recorder | undefined;
  const listener = await tcp.listen(new URL('tcp://127.0.0.1:0'), (link) => {
    there = new Recorder(link);
  });
  const here = new Recorder(
    await tcp.connect(new URL(listener.url), { signal: new AbortController().signal }),
  );
  await eventually(() => there !== undefined, 'the other end');
  t.after(async () => {
    await listener.close();
    for (const end of [here, there!]) end.link.destroy();
  });
  return { listener, here, there: there! };
}

test('bytes arrive in order, both ways, and each end knows where the other is', async (t) => {
  const { listener, here, there } = await joined(t);
  for (const word of ['one ', 'two ', 'three']) here.write(word);
  there.write('back');
  await eventually(() => there.received.length === 13 && here.received.length === 4, 'the bytes');
  assert.equal(there.received, 'one two three');
  assert.equal(here.received, 'back');
  assert.equal(`tcp://${here.link.peer}`, listener.url);
  assert.equal(here.link.address, '127.0.0.1');
  assert.equal(there.link.transport, 'tcp');
});

test('close() sends what was written first; the other end hears the end, and both hear that it is over once', async (t) => {
  const { here, there } = await joined(t);
  here.write('x'.repeat(300_000));
  here.link.close();
  await eventually(() => there.happened.includes('closed') && here.happened.includes('closed'), 'the end');
  assert.equal(there.received.length, 300_000);
  assert.deepEqual(there.happened, ['end', 'closed']);
  assert.equal(here.happened.filter((what) => what === 'closed').length, 1);
});

test('destroy() ends both at once, and writing afterwards is harmless', async (t) => {
  const { here, there } = await joined(t);
  here.link.destroy();
  await eventually(() => there.happened.includes('closed') && here.happened.includes('closed'), 'the end');
  assert.equal(here.write('too late'), true);
  here.link.close();
  here.link.destroy();
  assert.equal(here.happened.filter((what) => what === 'closed').length, 1);
});

test('a link that is not read says so to its writer, and drains when it is read again', async (t) => {
  const { here, there } = await joined(t);
  there.link.pause();
  let written = 0;
  const block = 'x'.repeat(65_536);
  const fill = async () => {
    while (here.write(block) || (await drains(here))) written += block.length;
    written += block.length;
  };
  await within(fill(), 'a full line');
  assert.ok(there.received.length <= 65_536, 'a paused link goes on reading');
  there.link.resume();
  await eventually(() => there.received.length === written, 'all bytes');
  assert.ok(here.happened.includes('drain'));
});

test('a listener that closes takes no more links and leaves the open ones alone', async (t) => {
  const { listener, here, there } = await joined(t);
  await listener.close();
  const late = tcp.connect(new URL(listener.url), { signal: new AbortController().signal });
  await assert.rejects(late, coded('TransportError', 'unreachable'));
  here.write('still open');
  await eventually(() => there.received === 'still open', 'the bytes');
});

test('an address that is taken is an error with its name and the cause', async (t) => {
  const { listener } = await joined(t);
  await assert.rejects(
    tcp.listen(new URL(listener.url), () => {}),
    (error: Error) =>
      (error.cause as { code: string }).code === 'EADDRINUSE' &&
      error.message.includes(new URL(listener.url).host),
  );
});

test('an aborted attempt leaves no socket open', async (t) => {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const aborter = new AbortController();
  const reason = new Error('changed my mind');
  const attempt = tcp.connect(new URL(`tcp://127.0.0.1:${port}`), {
    signal: aborter.signal,
  });
  aborter.abort(reason);
  await assert.rejects(attempt, reason);
  await eventually(() => sockets.size === 0, 'the end of the socket');
});

test('localAddress is where a connection comes from, also to a host that is a name', async (t) => {
  const links: Link[] = [];
  const listener = await tcp.listen(new URL('tcp://127.0.0.1:0'), (link) => links.push(link));
  t.after(async () => {
    await listener.close();
    for (const link of links) link.destroy();
  });
  const { port } = new URL(listener.url);
  for (const [index, host] of ['127.0.0.1', 'localhost'].entries()) {
    const link = await tcp.connect(new URL(`tcp://${host}:${port}`), {
      signal: new AbortController().signal,
      localAddress: '127.1.2.3',
    });
    t.after(() => link.destroy());
    await eventually(() => links.length > index, 'the other end');
    assert.equal(links[index].address, '127.1.2.3');
  }
});

test('a local address that cannot be used is an error with both addresses and what is wrong', async (t) => {
  const listener = await tcp.listen(new URL('tcp://127.0.0.1:0'), () => {});
  t.after(() => listener.close());
  const { host } = new URL(listener.url);
  const connectFrom = (localAddress: string) =>
    tcp.connect(new URL(listener.url), { signal: new AbortController().signal, localAddress });
  await assert.rejects(
    connectFrom('192.0.2.1'),
    coded('TransportError', 'unreachable', new RegExp(`to ${host} from 192\\.0\\.2\\.1: no such address`)),
  );
  await assert.rejects(
    connectFrom('::1'),
    coded('TransportError', 'unreachable', new RegExp(`to ${host} from ::1: .*do not go together`)),
  );
});

/** Whether a full line drains within a while. */
async function drains(end: Recorder): Promise<boolean> {
  const before = end.happened.length;
  const deadline = performance.now() + 300;
  while (end.happened.length === before && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return end.happened.length > before;
}
