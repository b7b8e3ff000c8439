import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { USMPSession } from '#dist/index.js';
import { bothEnds, coded, connect, park, startServer, text, within } from '../server/live.js';
import { pattern } from '../support/bytes.js';

test('rekey() from either end, and from both at once, resolves and the session goes on', async (t) => {
  const live = await startServer(t, park);
  const { here, there } = await bothEnds(t, live);
  for (const rekey of [
    () => here.rekey(),
    () => there.rekey(),
    () => Promise.all([here.rekey(), there.rekey()]),
    () => Promise.all([here.rekey(), here.rekey(), there.rekey()]),
  ]) {
    await within(Promise.resolve(rekey()), 'the new keys');
    await here.send('one way');
    assert.equal(text(await there.recv()), 'one way');
    await there.send('and back');
    assert.equal(text(await here.recv()), 'and back');
  }
});

test('nothing is lost while both ends stream and change keys again and again', async (t) => {
  const live = await startServer(t, park);
  const { here, there } = await bothEnds(t, live);
  const count = 3_000;
  const rekeys = { here: 0, there: 0 };
  let streaming = true;
  const rekeying = (['here', 'there'] as const).map(async (name) => {
    const end = name === 'here' ? here : there;
    while (streaming) {
      await end.rekey({ timeout: 15_000 });
      rekeys[name]++;
    }
  });
  await within(
    Promise.all([
      stream(here, count, 1),
      stream(there, count, 2),
      drain(here, count, 2),
      drain(there, count, 1),
    ]),
    'the streams',
    30_000,
  );
  streaming = false;
  await within(Promise.all(rekeying), 'the last keys');
  assert.ok(rekeys.here > 1 && rekeys.there > 1, `${rekeys.here} and ${rekeys.there} changes of keys`);
});

test('rekey() is given up by its signal, and fails when the session ends', async (t) => {
  const live = await startServer(t, park);
  const session = await connect(t, live);
  const reason = new Error('enough');
  await assert.rejects(session.rekey({ signal: AbortSignal.abort(reason) }), reason);
  const waiting = session.rekey();
  const failed = assert.rejects(waiting, coded('ConnectionClosedError', 'closed'));
  await session.close();
  await failed;
});

async function stream(session: USMPSession, count: number, salt: number): Promise<void> {
  for (let i = 0; i < count; i++) await session.send(pattern(i * salt, sizeOf(i)));
}

async function drain(session: USMPSession, count: number, salt: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const message = await session.recv();
    assert.ok(
      Buffer.from(pattern(i * salt, sizeOf(i))).equals(message),
      `message ${i} is not the one that was sent`,
    );
  }
}

function sizeOf(number: number): number {
  return (number * 131) % 1_809;
}
