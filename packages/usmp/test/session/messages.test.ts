import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bothEnds,
  coded,
  connect,
  echo,
  eventually,
  park,
  startServer,
  text,
  within,
} from '../server/live.js';
import { pattern } from '../support/bytes.js';

test('messages of every size up to the largest arrive whole, both ways', async (t) => {
  const live = await startServer(t);
  const session = await connect(t, live);
  for (const [i, length] of [0, 1, 451, 452, 453, 904, 905, 1_807, 1_808].entries()) {
    const message = pattern(i, length);
    await session.send(message);
    assert.deepEqual(new Uint8Array(await session.recv()), message);
  }
});

test('a message too large is refused by name, nothing of it is sent and the session goes on', async (t) => {
  const live = await startServer(t);
  const session = await connect(t, live);
  await assert.rejects(
    session.send(new Uint8Array(1_809)),
    coded('PayloadError', 'message_too_large', /1809 bytes, at most 1808/),
  );
  await session.send('next');
  assert.equal(text(await session.recv()), 'next');
});

test('text is sent as UTF-8', async (t) => {
  const live = await startServer(t);
  const session = await connect(t, live);
  await session.send('21.5 °C — 温度');
  assert.deepEqual(new Uint8Array(await session.recv()), new TextEncoder().encode('21.5 °C — 温度'));
});

test('bytes may be reused as soon as send() has been called', async (t) => {
  const live = await startServer(t);
  const session = await connect(t, live);
  const bytes = new TextEncoder().encode('first');
  const sent = session.send(bytes);
  bytes.fill(0x78);
  await sent;
  assert.equal(text(await session.recv()), 'first');
});

test('what is neither text nor bytes is refused as an argument, and the session goes on', async (t) => {
  const live = await startServer(t);
  for (const wrong of [
    42,
    undefined,
    null,
    { temperature: 21.5 },
    [1, 2, 3],
    new ArrayBuffer(8),
    new Float32Array(4),
    new DataView(new ArrayBuffer(8)),
  ]) {
    const session = await connect(t, live);
    await assert.rejects(
      async () => session.send(wrong as never),
      coded('ArgumentError', 'invalid_argument'),
      String(wrong),
    );
    await session.send('still here');
    assert.equal(text(await session.recv({ timeout: 5_000 })), 'still here');
  }
});

test('messages sent without waiting arrive in their order', async (t) => {
  const live = await startServer(t);
  const session = await connect(t, live);
  const count = 2_000;
  for (let i = 0; i < count; i++) void session.send(`${i} ${'.'.repeat((i * 37) % 900)}`);
  for (let i = 0; i < count; i++) assert.equal(text(await session.recv()).split(' ')[0], String(i));
});

test('messages leave in the order of the calls, whoever waits in between', async (t) => {
  const live = await startServer(t);
  const session = await connect(t, live);
  const senders = Array.from({ length: 20 }, async (_, sender) => {
    for (let i = 0; i < 50; i++) await session.send(`${sender} ${i}`);
  });
  const next = new Map<string, number>();
  for (let i = 0; i < 1_000; i++) {
    const [sender, number] = text(await session.recv()).split(' ');
    assert.equal(Number(number), next.get(sender!) ?? 0);
    next.set(sender!, Number(number) + 1);
  }
  await Promise.all(senders);
});

test('several who receive at once are served in turn', async (t) => {
  const live = await startServer(t);
  const session = await connect(t, live);
  const receiving = [1, 2, 3].map(() => session.recv());
  for (const word of ['one', 'two', 'three']) await session.send(word);
  assert.deepEqual((await Promise.all(receiving)).map(text), ['one', 'two', 'three']);
});

test('a recv() whose time is over loses no message', async (t) => {
  const live = await startServer(t);
  const session = await connect(t, live);
  await assert.rejects(session.recv({ timeout: 20 }), coded('USMPTimeoutError', 'receive_timeout'));
  await session.send('later');
  assert.equal(text(await session.recv({ timeout: 10_000 })), 'later');
});

test('recv() times out and receives side by side without a loss', async (t) => {
  const live = await startServer(t, async (session) => {
    for (let i = 0; i < 200; i++) {
      await session.send(String(i));
      if (i % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await park();
  });
  const session = await connect(t, live);
  const received: string[] = [];
  while (received.length < 200) {
    try {
      received.push(text(await session.recv({ timeout: 1 })));
    } catch (error) {
      assert.equal((error as { code: string }).code, 'receive_timeout');
    }
  }
  assert.deepEqual(
    received,
    Array.from({ length: 200 }, (_, i) => String(i)),
  );
});

test('an aborted recv() rejects with the reason of the signal and loses no message', async (t) => {
  const live = await startServer(t);
  const session = await connect(t, live);
  const aborter = new AbortController();
  const receiving = session.recv({ signal: aborter.signal });
  const reason = new Error('enough');
  aborter.abort(reason);
  await assert.rejects(receiving, reason);
  await session.send('later');
  await eventually(() => session.stats.receiveQueueBytes > 0, 'the message');
  await assert.rejects(session.recv({ signal: aborter.signal }), reason);
  assert.equal(text(await session.recv()), 'later');
});

test('a send() that is aborted beforehand sends nothing', async (t) => {
  const live = await startServer(t);
  const session = await connect(t, live);
  const reason = new Error('enough');
  await assert.rejects(session.send('never', { signal: AbortSignal.abort(reason) }), reason);
  await session.send('only this');
  assert.equal(text(await session.recv()), 'only this');
});

test('four hundred sessions at once each get their own answers', async (t) => {
  const live = await startServer(t, echo);
  for (let batch = 0; batch < 4; batch++) {
    const sessions = await Promise.all(Array.from({ length: 100 }, () => connect(t, live)));
    await Promise.all(sessions.map((session, i) => session.send(`${batch} ${i}`)));
    const replies = await Promise.all(sessions.map((session) => session.recv()));
    assert.deepEqual(
      replies.map(text),
      sessions.map((_, i) => `${batch} ${i}`),
    );
  }
  assert.equal(live.server.stats.sessions, 400);
});

test('a handler can hold the session and use it from elsewhere', async (t) => {
  const live = await startServer(t, park);
  const { here, there } = await bothEnds(t, live);
  await there.send('from outside the handler');
  assert.equal(text(await within(here.recv(), 'the message')), 'from outside the handler');
});
