/** How sessions over UDP end: in order where anything arrives at all, else with an error that says so. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { messageOf } from '../interop/traffic.js';
import { coded, eventually, within } from '../server/live.js';
import type { Passing } from '../support/udp-proxy.js';
import { carry, connectThrough, MIXED, openBed, openServer, PATIENCE } from './lossy.js';

const BYE = 0x08;

const isBye = ({ type }: Passing): boolean => type === BYE;

/** Receives until the end, and says how many there were. */
async function drain(session: AsyncIterable<Uint8Array>): Promise<number> {
  let number = 0;
  for await (const message of session) assert.deepEqual(message, messageOf(number++, MIXED));
  return number;
}

describe('BYE', { concurrency: true }, () => {
  for (const closer of ['client', 'server'] as const) {
    test(`of the ${closer} arrives although it is lost twice`, async (t) => {
      const { here, there } = await openBed(t, {
        line: {
          decide: (passing) =>
            isBye(passing) && passing.kind === 'frame' && passing.transmission <= 2 ? 'drop' : undefined,
        },
      });
      const [one, other] = closer === 'client' ? [here, there] : [there, here];
      await carry(one, other, 3, MIXED);
      const closing = one.close();
      assert.equal(await drain(other), 0);
      assert.equal(other.error?.code, 'bye');
      await within(closing, 'close()', PATIENCE);
      assert.equal(one.error?.code, 'closed');
    });

    test(`of the ${closer} is enough, whatever becomes of its UTACK`, async (t) => {
      const { here, there, proxy } = await openBed(t, {
        line: { decide: (passing) => (isBye(passing) && passing.kind === 'utack' ? 'drop' : undefined) },
      });
      const [one, other] = closer === 'client' ? [here, there] : [there, here];
      const closing = one.close();
      assert.equal(await drain(other), 0);
      assert.equal(other.error?.code, 'bye');
      await within(closing, 'close()', PATIENCE);
      assert.ok(proxy.tally[closer === 'client' ? 'to-client' : 'to-server'].lost > 0, 'the UTACK was sent');
    });

    test(`of the ${closer} that never arrives holds up nobody`, async (t) => {
      const { here, there } = await openBed(t, {
        line: { decide: (passing) => (isBye(passing) ? 'drop' : undefined) },
        client: { idleTimeout: 1_000, keepaliveInterval: 0 },
        server: { idleTimeout: 1_000 },
      });
      const [one, other] = closer === 'client' ? [here, there] : [there, here];
      const closing = one.close();
      await assert.rejects(other.recv({ timeout: PATIENCE }), coded('ConnectionClosedError', 'idle_timeout'));
      await within(closing, 'close()', PATIENCE);
    });
  }

  test('arrives over a bad line, each time', async (t) => {
    const { live, proxy } = await openServer(t, {
      line: { loss: 0.4, duplication: 0.1, reordering: 0.1, lossesOfExchange: 2 },
    });
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        const { here, there } = await connectThrough(live, proxy);
        await here.send('well, then', { acknowledged: true, timeout: PATIENCE });
        await here.close();
        await there.recv({ timeout: PATIENCE });
        assert.equal(await drain(there), 0);
        assert.equal(there.error?.code, 'bye');
      }),
    );
  });
});

describe('close()', { concurrency: true }, () => {
  for (const closer of ['client', 'server'] as const) {
    test(`at the ${closer} comes behind the messages under way`, async (t) => {
      const { here, there } = await openBed(t, {
        line: { loss: 0.05, duplication: 0.1, reordering: 0.1, corruption: 0.03, delay: [0, 20] },
      });
      const [one, other] = closer === 'client' ? [here, there] : [there, here];
      const count = 5 * MIXED.length;
      for (let number = 0; number < count; number++) await one.send(messageOf(number, MIXED));
      const closing = one.close();
      assert.equal(await drain(other), count);
      assert.equal(other.error?.code, 'bye');
      await within(closing, 'close()', PATIENCE);
    });
  }

  test('of the server says BYE to everybody', async (t) => {
    const { live, proxy } = await openServer(t, { line: { loss: 0.2, lossesOfExchange: 2 } });
    const sessions = await Promise.all(Array.from({ length: 5 }, () => connectThrough(live, proxy)));
    for (const { there } of sessions) await there.send(messageOf(0, MIXED));
    const closing = live.server.close();
    for (const { here } of sessions) {
      assert.equal(await drain(here), 1);
      assert.equal(here.error?.code, 'bye');
    }
    await within(closing, 'close()', PATIENCE);
  });
});

test('a line that dies ends the session with the message that it swallowed', async (t) => {
  const { here, there, proxy } = await openBed(t, {
    client: { keepaliveInterval: 0 },
    server: { idleTimeout: 0 },
  });
  assert.equal((await carry(here, there, 20, MIXED)).received, 20);
  proxy.treatment['to-server'] = { loss: 1 };
  const lost = coded('DeliveryError', 'not_acknowledged');
  const receiving = assert.rejects(here.recv({ timeout: PATIENCE }), lost);
  const acknowledged = Array.from({ length: 40 }, (_, number) =>
    assert.rejects(here.send(messageOf(number, MIXED), { acknowledged: true, timeout: PATIENCE }), lost),
  );
  await Promise.all([receiving, ...acknowledged]);
  await assert.rejects(here.send('too late'), lost);
  assert.equal(here.closed, true);
  assert.equal(here.error?.code, 'not_acknowledged');
  await eventually(() => there.stats.messagesReceived === 20, 'what came before');
});
