/** The proxy that the tests over UDP rely on: it does what it is told, and the same again. */

import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { describe, type TestContext, test } from 'node:test';
import { eventually } from '../server/live.js';
import { type Direction, read } from './datagrams.js';
import { hasIPv6 } from './ipv6.js';
import { openProxy, type ProxyOptions, type UdpProxy } from './udp-proxy.js';

const MANY = 400;
const DATA = 0x05;
const BYE = 0x08;

/** A frame as far as the proxy reads it; `fill` tells one content from another. */
function frame(seq: number, { type = DATA, fill = 0 } = {}): Uint8Array {
  const datagram = new Uint8Array(40).fill(fill);
  const view = new DataView(datagram.buffer);
  view.setUint16(0, 0xcdab);
  view.setUint16(2, 0x0200 | type);
  view.setUint32(4, seq, true);
  return datagram;
}

function utack(seq: number, { type = DATA } = {}): Uint8Array {
  const datagram = new Uint8Array(15);
  const view = new DataView(datagram.buffer);
  view.setUint16(0, 0xacac);
  datagram[2] = type;
  view.setUint32(3, seq, true);
  return datagram;
}

/** A socket, and what it has received. */
interface End {
  readonly socket: Socket;
  readonly received: Uint8Array[];
  /** Numbers of what has been received. */
  seqs(): number[];
}

async function endOf(t: TestContext, host: string): Promise<End> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const received: Uint8Array[] = [];
  socket.on('message', (datagram) => received.push(datagram));
  t.after(() => socket.close());
  socket.bind(0, host);
  await once(socket, 'listening');
  return { socket, received, seqs: () => received.map((datagram) => read(datagram).seq) };
}

interface Bed {
  readonly proxy: UdpProxy;
  readonly client: End;
  readonly server: End;
  /** Sends from the client, or back to it, and waits until the proxy has it. */
  send(direction: Direction, datagram: Uint8Array): Promise<void>;
}

async function bed(t: TestContext, options: Partial<ProxyOptions> = {}, host = '127.0.0.1'): Promise<Bed> {
  const [client, server] = await Promise.all([endOf(t, host), endOf(t, host)]);
  const bracketed = host.includes(':') ? `[${host}]` : host;
  const proxy = await openProxy(t, {
    server: `udp://${bracketed}:${server.socket.address().port}`,
    ...options,
  });
  let clientAtServer = 0;
  server.socket.on('message', (_, { port }) => {
    clientAtServer = port;
  });
  const send = async (direction: Direction, datagram: Uint8Array): Promise<void> => {
    const { arrived } = proxy.tally[direction];
    if (direction === 'to-server') client.socket.send(datagram, proxy.port, host);
    else server.socket.send(datagram, clientAtServer, host);
    await eventually(() => proxy.tally[direction].arrived > arrived, 'the proxy to have it');
  };
  return { proxy, client, server, send };
}

/** Sends frames 0, 1, …; few at a time, because a socket holds no more than so much. */
async function sendMany({ proxy, client }: Bed, count = MANY): Promise<void> {
  const { address } = proxy;
  for (let seq = 0; seq < count; seq++) {
    client.socket.send(frame(seq), proxy.port, address);
    if (seq % 50 === 49 || seq === count - 1) {
      await eventually(() => proxy.tally['to-server'].arrived === seq + 1, 'the proxy to have them');
    }
  }
}

/** Waits until everything that left the proxy has arrived. */
async function arrivals({ proxy, server }: Bed): Promise<void> {
  await eventually(() => server.received.length === proxy.tally['to-server'].left, 'what left to arrive');
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

for (const host of ['127.0.0.1', '::1']) {
  test(`datagrams pass unchanged both ways, each client on its own address (${host})`, async (t) => {
    if (host === '::1' && !hasIPv6) return t.skip('this machine has no IPv6');
    const { proxy, client, server, send } = await bed(t, {}, host);
    await send('to-server', frame(1));
    await eventually(() => server.received.length === 1, 'the frame');
    await send('to-client', utack(1));
    await eventually(() => client.received.length === 1, 'the UTACK');
    assert.deepEqual([...server.received[0]!], [...frame(1)]);
    assert.deepEqual([...client.received[0]!], [...utack(1)]);

    const second = await endOf(t, host);
    second.socket.send(frame(2), proxy.port, host);
    await eventually(() => server.received.length === 2, 'the frame of the second client');
    assert.deepEqual(
      proxy.passed.map(({ flow, direction }) => `${flow} ${direction}`),
      ['0 to-server', '0 to-client', '1 to-server'],
    );
    assert.equal(client.received.length, 1);
  });
}

test('the same seed loses the same datagrams, another one others', async (t) => {
  const runs: number[][] = [];
  for (const seed of [7, 7, 8]) {
    const made = await bed(t, { seed, loss: 0.3 });
    await sendMany(made);
    await arrivals(made);
    runs.push(made.server.seqs());
  }
  assert.deepEqual(runs[0], runs[1]);
  assert.notDeepEqual(runs[0], runs[2]);
  const share = 1 - runs[0]!.length / MANY;
  assert.ok(share > 0.2 && share < 0.4, `${share} lost, not about 0.3`);
});

test('the two directions are treated apart, and treatment may change', async (t) => {
  const { proxy, client, server, send } = await bed(t, { toClient: { loss: 1 } });
  await send('to-server', frame(0));
  await eventually(() => server.received.length === 1, 'the frame');
  await send('to-client', utack(0));
  proxy.treatment['to-client'] = {};
  await send('to-client', utack(1));
  await eventually(() => client.received.length === 1, 'the second UTACK');
  assert.deepEqual(client.seqs(), [1]);
});

test('duplicated datagrams come twice', async (t) => {
  const made = await bed(t, { seed: 1, duplication: 0.3 });
  await sendMany(made);
  await arrivals(made);
  const { duplicated } = made.proxy.tally['to-server'];
  assert.ok(duplicated > 0.2 * MANY && duplicated < 0.4 * MANY, `${duplicated} duplicated`);
  assert.equal(made.server.received.length, MANY + duplicated);
  assert.equal(new Set(made.server.seqs()).size, MANY);
});

test('reordered datagrams come behind the next one, and none is lost', async (t) => {
  const made = await bed(t, { seed: 1, reordering: 0.3 });
  await sendMany(made);
  await arrivals(made);
  const seqs = made.server.seqs();
  assert.deepEqual(
    [...seqs].sort((a, b) => a - b),
    range(MANY),
  );
  const late = seqs.filter((seq, i) => i > 0 && seq < seqs[i - 1]!).length;
  assert.ok(late > 0.1 * MANY, `${late} came late`);
});

test('a delay between two bounds mixes the order', async (t) => {
  const made = await bed(t, { seed: 1, delay: [0, 50] });
  const started = performance.now();
  await sendMany(made, 100);
  await eventually(() => made.proxy.tally['to-server'].left === 100, 'all to leave');
  await arrivals(made);
  const seqs = made.server.seqs();
  assert.deepEqual(
    [...seqs].sort((a, b) => a - b),
    range(100),
  );
  assert.notDeepEqual(seqs, range(100));
  assert.ok(performance.now() - started >= 20);
});

test('a fixed delay keeps the order', async (t) => {
  const made = await bed(t, { delay: [20, 20] });
  const started = performance.now();
  await sendMany(made, 100);
  await eventually(() => made.server.received.length === 100, 'all of them');
  assert.ok(performance.now() - started >= 20);
  assert.deepEqual(made.server.seqs(), range(100));
});

test('corrupted datagrams differ from what was sent: bits, bytes, ends', async (t) => {
  const made = await bed(t, { seed: 1, corruption: 1 });
  await sendMany(made);
  await arrivals(made);
  assert.equal(made.server.received.length, MANY);
  const lengths = made.server.received.map(({ length }) => length);
  for (const [i, datagram] of made.server.received.entries()) {
    assert.notDeepEqual([...datagram], [...frame(i)], `datagram ${i} arrived as it was sent`);
  }
  for (const [what, found] of Object.entries({
    changed: lengths.filter((length) => length === frame(0).length),
    'cut short': lengths.filter((length) => length < frame(0).length),
    longer: lengths.filter((length) => length > frame(0).length),
  })) {
    assert.ok(found.length > 0.1 * MANY, `${found.length} ${what}`);
  }
});

describe('a bound on the losses of an exchange', () => {
  test('the fourth transmission of a frame arrives', async (t) => {
    const made = await bed(t, { loss: 1, lossesOfExchange: 3 });
    for (let i = 0; i < 4; i++) await made.send('to-server', frame(9));
    await arrivals(made);
    assert.deepEqual(made.server.seqs(), [9]);
  });

  test('a frame and its UTACK share it', async (t) => {
    const { proxy, client, server, send } = await bed(t, { lossesOfExchange: 3 });
    await send('to-server', frame(9));
    await eventually(() => server.received.length === 1, 'the frame');
    proxy.treatment['to-client'] = { loss: 1 };
    proxy.treatment['to-server'] = { loss: 1 };
    await send('to-client', utack(9));
    await send('to-client', utack(9));
    await send('to-server', frame(9));
    await send('to-client', utack(9));
    await eventually(() => client.received.length === 1, 'the UTACK');
    assert.deepEqual(client.seqs(), [9]);
  });

  test('the same number in the other direction, of another type, or of new keys, is another exchange', async (t) => {
    const made = await bed(t, { loss: 1, lossesOfExchange: 1 });
    const others = [frame(9, { type: BYE }), frame(9, { fill: 1 })];
    for (const datagram of [frame(9), ...others]) {
      await made.send('to-server', datagram);
      await made.send('to-server', datagram);
    }
    await arrivals(made);
    assert.deepEqual(
      made.server.received.map((datagram) => [read(datagram).type, datagram.at(-1)]),
      [
        [DATA, 0],
        [BYE, 0],
        [DATA, 1],
      ],
    );
    await made.send('to-client', frame(9));
    assert.equal(made.proxy.tally['to-client'].lost, 1);
  });
});

test('a script decides, and says what it leaves to the seed', async (t) => {
  const seen: string[] = [];
  const made = await bed(t, {
    loss: 1,
    decide: ({ kind, seq, transmission }) => {
      seen.push(`${kind} ${seq} ${transmission}`);
      return ([undefined, 'pass', 'drop', 'duplicate'] as const)[seq];
    },
  });
  for (const seq of [0, 1, 2, 3, 1]) await made.send('to-server', frame(seq));
  await arrivals(made);
  assert.deepEqual(made.server.seqs(), [1, 3, 3, 1]);
  assert.deepEqual(seen, ['frame 0 1', 'frame 1 1', 'frame 2 1', 'frame 3 1', 'frame 1 2']);
});

test('what passed is kept up to a bound, and can be sent again', async (t) => {
  const made = await bed(t, { keep: 3 });
  await sendMany(made, 5);
  await arrivals(made);
  assert.deepEqual(
    made.proxy.passed.map(({ datagram }) => read(datagram).seq),
    [2, 3, 4],
  );
  made.proxy.inject(made.proxy.passed[0]!);
  await eventually(() => made.server.received.length === 6, 'the replay');
  assert.deepEqual(made.server.seqs(), [0, 1, 2, 3, 4, 2]);
});

test('it behaves when it has to, and before it closes', async (t) => {
  const made = await bed(t, { loss: 1, delay: [60_000, 60_000], decide: () => 'drop' });
  await made.send('to-server', frame(0));
  made.proxy.beforeClose(async () => {
    await made.send('to-server', frame(1));
    await eventually(() => made.server.received.length === 1, 'the last word');
  });
  await made.proxy.close();
  assert.deepEqual(made.server.seqs(), [1]);
});

test('closing forgets what is under way', async (t) => {
  const made = await bed(t, { delay: [60_000, 60_000] });
  await made.send('to-server', frame(0));
  await made.proxy.close();
  await made.proxy.close();
  assert.equal(made.server.received.length, 0);
});
