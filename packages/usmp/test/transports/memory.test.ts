import assert from 'node:assert/strict';
import { test } from 'node:test';
import { USMPClient } from '#dist/index.js';
import { memory } from '#dist/transports/memory.js';
import type { Link } from '#dist/transports/transport.js';
import { assertServes, coded, eventually, PSK, startServer } from '../server/live.js';
import { joined, patiently, testStreamLinks } from './stream-links.js';

let names = 0;
const place = () => `memory:test-${++names}`;

testStreamLinks(memory, place);

test('nothing is handed over before the code that wrote it has come to its end', async (t) => {
  const { here, there } = await joined(t, memory, place());
  here.write('later');
  assert.equal(there.received, '');
  await Promise.resolve();
  assert.equal(there.received, '');
  await eventually(() => there.received === 'later', 'the bytes');
});

test('bytes are copied: the writer may use them again', async (t) => {
  const { here, there } = await joined(t, memory, place());
  const bytes = Buffer.from('mine');
  here.link.write(bytes);
  bytes.fill(0);
  await eventually(() => there.received.length === 4, 'the bytes');
  assert.equal(there.received, 'mine');
});

test('an echo that answers at once does not keep the event loop from all others', async (t) => {
  const { here, there } = await joined(t, memory, place());
  let timer = false;
  setTimeout(() => {
    timer = true;
  }, 1);
  for (const end of [here, there]) {
    end.onBytes = () => {
      if (!timer) end.write('x');
    };
  }
  here.write('x');
  await eventually(() => timer, 'a timer');
});

test('where nobody listens, nobody can be connected to', async () => {
  await assert.rejects(
    memory.connect(new URL('memory:nobody'), patiently()),
    coded('TransportError', 'unreachable', /memory:nobody: nothing listens there/),
  );
});

test('a listener that closes late does not take the place of the next', async () => {
  const url = new URL(place());
  const links: Link[] = [];
  const first = await memory.listen(url, () => {});
  await first.close();
  const second = await memory.listen(url, (link) => links.push(link));
  await first.close();
  (await memory.connect(url, patiently())).destroy();
  assert.equal(links.length, 1);
  await second.close();
});

test('an attempt that is aborted ends with the reason, before it has begun and while it waits', async () => {
  const reason = new Error('changed my mind');
  const url = new URL(place());
  const listener = await memory.listen(url, () => assert.fail('a link was opened'));
  await assert.rejects(memory.connect(url, { signal: AbortSignal.abort(reason) }), reason);
  const aborter = new AbortController();
  const attempt = memory.connect(url, { signal: aborter.signal });
  aborter.abort(reason);
  await assert.rejects(attempt, reason);
  await listener.close();
});

test('a URL has a name and nothing else', () => {
  for (const url of [
    'memory:',
    'memory://lab',
    'memory:/lab',
    'memory:a/b',
    'memory:lab?x',
    'memory:lab#x',
  ]) {
    assert.throws(
      () => new USMPClient({ url, psk: PSK }),
      coded('ArgumentError', 'invalid_argument', /write it like memory:lab$/),
    );
  }
  assert.ok(new USMPClient({ url: 'memory:any name, as long as it has no slash', psk: PSK }));
});

test('there is no local address to connect from', async () => {
  const client = new USMPClient({ url: place(), psk: PSK, localAddress: '127.0.0.1' });
  await assert.rejects(
    client.connect(),
    coded('ArgumentError', 'invalid_argument', /leave localAddress out/),
  );
});

test('limits for an address do not count clients that have none', async (t) => {
  const listen = [place()];
  const live = await startServer(t, undefined, {
    listen,
    maxHalfOpenPerAddress: 1,
    maxSessionsPerAddress: 1,
  });
  const sessions = await Promise.all(
    Array.from({ length: 300 }, () => new USMPClient({ url: live.url, psk: PSK }).connect()),
  );
  assert.equal(live.server.stats.sessions, 300);
  assert.deepEqual(live.refusals, []);
  await Promise.all(sessions.map((session) => session.close()));
});

test('the limits of the whole server hold', async (t) => {
  const live = await startServer(t, undefined, { listen: [place()], maxHalfOpen: 4, maxSessions: 2 });
  const strangers = await Promise.all(
    Array.from({ length: 6 }, () => memory.connect(new URL(live.url), patiently())),
  );
  await eventually(() => live.refusals.length === 2, 'the oldest to give way');
  assert.equal(live.server.stats.halfOpen, 4);
  assert.deepEqual(
    live.refusals.map(({ reason, address, peer }) => [reason, address, peer]),
    [1, 2].map(() => ['busy', '', live.url]),
  );
  for (const link of strangers) link.destroy();
  await assertServes(live);
});
