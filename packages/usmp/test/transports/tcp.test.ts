import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { tcp } from '#dist/transports/tcp.js';
import type { Link } from '#dist/transports/transport.js';
import { coded, eventually } from '../server/live.js';
import { joined, testStreamLinks } from './stream-links.js';

const PLACE = 'tcp://127.0.0.1:0';

testStreamLinks(tcp, () => PLACE);

test('each end knows where the other is', async (t) => {
  const { listener, here, there } = await joined(t, tcp, PLACE);
  assert.equal(`tcp://${here.link.peer}`, listener.url);
  assert.equal(here.link.address, '127.0.0.1');
  assert.equal(there.link.transport, 'tcp');
});

test('an address that is taken is an error with the cause', async (t) => {
  const { listener } = await joined(t, tcp, PLACE);
  await assert.rejects(
    tcp.listen(new URL(listener.url), () => {}),
    (error: Error) => (error.cause as { code: string }).code === 'EADDRINUSE',
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
