/**
 * The released peer over bad lines. Everything arrives exactly once, as long as no frame's exchange is lost more than
 * three times: the peer transmits five times. Towards it, order is not promised.
 */

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { type Direction, read } from '../support/datagrams.js';
import type { Treatment } from '../support/udp-proxy.js';
import { until } from './deadline.js';
import { type DatagramMeeting, meetOverUdp, ROLES, type Role } from './meeting.js';
import { testWithPeer } from './released-peer.js';
import { expectMessage, messageOf } from './traffic.js';

const VERSION = '1.2.2';
const LOSSES_OF_EXCHANGE = 3;

const LONG = process.env.USMP_LONG !== undefined;

/** Four bytes or more, which carry the number: the peer may get them in any order. */
const SIZES = [64, 452, 4, 453, 200, 1808, 64, 64, 64, 64];

const LINES: Readonly<Record<string, { line: Treatment; count: number }>> = {
  'duplication and reordering': { line: { duplication: 0.2, reordering: 0.2 }, count: 120 },
  'delays to 50 ms': { line: { delay: [0, 50] }, count: 40 },
  '5 % loss': { line: { loss: 0.05, duplication: 0.1, reordering: 0.1 }, count: 80 },
  '20 % loss': { line: { loss: 0.2, duplication: 0.1, reordering: 0.1 }, count: 30 },
};

const towardsPeer = (role: Role): Direction => (role === 'client' ? 'to-server' : 'to-client');
const towardsUs = (role: Role): Direction => (role === 'client' ? 'to-client' : 'to-server');

/** Of one frame: the peer takes the rest of a message whose first part it has lost for a whole one. */
const SHORT_SIZES = [64, 452, 4, 200];

async function send(
  { session }: DatagramMeeting,
  first: number,
  count: number,
  sizes: readonly number[] = SIZES,
): Promise<void> {
  for (let number = first; number < first + count; number++) await session.send(messageOf(number, sizes));
}

/** Both sides send at once; all of it arrives once, and towards us in order. */
async function exchange(meeting: DatagramMeeting, count: number): Promise<void> {
  const { session, peer } = meeting;
  const theirs = peer.command('send', { count, sizes: SIZES });
  const ours = send(meeting, 0, count);
  // While we send, or a full queue would have the peer give up.
  for (let number = 0; number < count; number++) await expectMessage(session, number, SIZES);
  await Promise.all([theirs, ours]);
  const state = await peer.command('waitReceived', { count });
  assert.deepEqual([state.received, state.highest], [count, count - 1]);
  assert.deepEqual([session.stats.messagesReceived, session.stats.messagesLost], [count, 0]);
}

for (const role of ROLES) {
  describe(`our ${role} and PyPI usmp ${VERSION} over a bad line`, { concurrency: true }, () => {
    for (const [name, { line, count }] of Object.entries(LINES)) {
      testWithPeer(VERSION, `${name}: everything exactly once`, async (t, python) => {
        const meeting = await meetOverUdp(t, python, role, {
          echo: false,
          ordered: false,
          line: { ...line, lossesOfExchange: LOSSES_OF_EXCHANGE },
        });
        await exchange(meeting, LONG ? 5 * count : count);
      });
    }

    testWithPeer(VERSION, 'what is damaged on the way to us is sent again', async (t, python) => {
      const meeting = await meetOverUdp(t, python, role, {
        echo: false,
        ordered: false,
        line: { lossesOfExchange: LOSSES_OF_EXCHANGE },
      });
      meeting.proxy.treatment[towardsUs(role)] = { corruption: 0.2 };
      await exchange(meeting, 80);
      assert.ok(meeting.proxy.tally[towardsUs(role)].corrupted > 10);
      assert.ok(meeting.session.stats.datagramsDropped > 10);
    });

    testWithPeer(
      VERSION,
      'what is damaged on the way to the peer may be lost there; the session lives',
      async (t, python) => {
        const meeting = await meetOverUdp(t, python, role, {
          echo: false,
          ordered: false,
          line: { lossesOfExchange: LOSSES_OF_EXCHANGE },
        });
        const { session, peer, proxy } = meeting;
        const [damaged, whole, theirs] = [60, 10, 20];
        proxy.treatment[towardsPeer(role)] = { corruption: 0.2 };
        const sending = peer.command('send', { count: theirs, sizes: SIZES });
        await send(meeting, 0, damaged, SHORT_SIZES);
        // What is acknowledged has passed the bad line, for better or worse.
        await session.send(messageOf(damaged, SHORT_SIZES), { acknowledged: true });
        for (let number = 0; number < theirs; number++) await expectMessage(session, number, SIZES);
        await sending;
        assert.ok(proxy.tally[towardsPeer(role)].corrupted > 5);

        proxy.treatment[towardsPeer(role)] = {};
        const first = damaged + 1;
        const before = (await peer.command('state')).received;
        await send(meeting, first, whole, SHORT_SIZES);
        await until(
          async () => (await peer.command('state')).highest === first + whole - 1,
          () => 'the last message to arrive',
        );
        const { received } = await peer.command('state');
        assert.ok(received >= before + whole, 'what is not damaged arrives');
        assert.ok(received <= first + whole);
        assert.equal(session.closed, false);
      },
    );

    testWithPeer(VERSION, 'BYE arrives, from either side', async (t, python) => {
      const line = { loss: 0.3, lossesOfExchange: 2 };
      const ours = await meetOverUdp(t, python, role, { echo: false, line });
      await ours.session.close();
      assert.equal((await ours.peer.event('closed')).message, 'Remote sent BYE');

      const theirs = await meetOverUdp(t, python, role, { echo: false, line });
      await theirs.peer.command('bye');
      for await (const message of theirs.session) assert.fail(`${message.length} bytes after the end`);
      assert.equal(theirs.session.error?.code, 'bye');
    });

    testWithPeer(VERSION, 'a session played again is not delivered twice', async (t, python) => {
      const meeting = await meetOverUdp(t, python, role, { echo: false, ordered: false });
      await exchange(meeting, 10);
      const { session, peer, proxy } = meeting;
      for (const passed of [...proxy.passed]) {
        // Handshake frames would begin another handshake with a released server.
        if (passed.direction === towardsUs(role) || read(passed.datagram).type > 4) proxy.inject(passed);
      }
      await session.send(messageOf(10, SIZES), { acknowledged: true });
      const state = await peer.command('waitReceived', { count: 11 });
      assert.equal(state.received, 11);
      assert.equal(session.stats.messagesReceived, 10);
    });
  });
}
