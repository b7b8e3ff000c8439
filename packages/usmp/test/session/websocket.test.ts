import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { MAX_MESSAGE } from 'usmp';
import {
  assertServes,
  bothEnds,
  clientFor,
  coded,
  connect,
  echo,
  eventually,
  park,
  refusal,
  startServer,
  text,
  WRONG_PSK,
  within,
} from '../server/live.js';

const listen = 'ws://127.0.0.1:0/usmp';

test('messages of every size come back as they were, over WebSockets too', async (t) => {
  const live = await startServer(t, echo, { listen });
  const session = await connect(t, live);
  assert.equal(session.transport, 'ws');
  for (const size of [0, 1, 64, 451, 452, 453, 1_356, MAX_MESSAGE]) {
    const message = randomBytes(size);
    await session.send(message);
    assert.deepEqual(Buffer.from(await within(session.recv(), `an echo of ${size} bytes`)), message);
  }
  assert.ok((await session.ping()) > 0);
});

test('many messages under way arrive in order while the keys change from both sides', async (t) => {
  const live = await startServer(t, echo, { listen });
  const { here, there } = await bothEnds(t, live);
  const count = 3_000;
  const receive = async () => {
    for (let i = 0; i < count; i++) assert.equal(text(await here.recv()), `${i} ${'x'.repeat(i % 900)}`);
  };
  const receiving = receive();
  for (let i = 0; i < count; i++) {
    await here.send(`${i} ${'x'.repeat(i % 900)}`);
    if (i % 1_000 === 500) await Promise.all([here.rekey(), there.rekey()]);
  }
  await within(receiving, 'all echoes', 60_000);
});

test('a wrong key is refused, and a full server is busy until there is room', async (t) => {
  const live = await startServer(t, echo, { listen, maxSessions: 1 });
  await assert.rejects(clientFor(live, { psk: WRONG_PSK }).connect(), coded('AuthError', 'refused'));
  assert.equal((await refusal(live)).reason, 'wrong-key');
  const session = await connect(t, live);
  await assert.rejects(clientFor(live).connect(), coded('HandshakeError', 'turned_away', /busy/));
  assert.equal((await refusal(live, 1)).reason, 'busy');
  await session.close();
  await eventually(() => live.server.stats.sessions === 0, 'the end of the session');
  await assertServes(live);
});

test('both ends close in order, and the server when it goes down', async (t) => {
  const live = await startServer(t, echo, { listen });
  const first = await bothEnds(t, live);
  await within(first.here.close(), 'the end of the client');
  await eventually(() => first.there.closed, 'BYE');
  assert.equal(first.there.error?.code, 'bye');
  const second = await bothEnds(t, live);
  await within(second.there.close(), 'the end of the server');
  await eventually(() => second.here.closed, 'BYE');
  assert.equal(second.here.error?.code, 'bye');
  const third = await connect(t, live);
  await within(live.server.close(), 'the end of the server');
  await eventually(() => third.closed, 'BYE');
  assert.equal(third.error?.code, 'bye');
});

test('an application that reads nothing slows its peer down, and loses nothing', async (t) => {
  const live = await startServer(t, park, { listen });
  const { here, there } = await bothEnds(t, live);
  const message = 'x'.repeat(1_800);
  let sent = 0;
  for (;;) {
    const outcome = await here.send(message, { timeout: 300 }).catch((error) => error);
    sent++;
    if (outcome !== undefined) {
      assert.equal(outcome.code, 'send_timeout');
      break;
    }
    assert.ok(sent < 100_000, 'nothing slows the sender down');
  }
  assert.ok(there.stats.receiveQueueBytes < 256 * 1_024, `${there.stats.receiveQueueBytes} bytes are unread`);
  for (let i = 0; i < sent; i++) assert.equal((await within(there.recv(), 'a message')).length, 1_800);
});
