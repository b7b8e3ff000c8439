/**
 * REKEY with the released peer that knows it. Nothing may be lost when we start it, whatever is under way; a released
 * initiator loses what is on its way to it, so it starts one only while we are silent.
 */

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ConnectionClosedError, MAX_MESSAGE, type USMPSession } from '#dist/index.js';
import { DEADLINE, until } from './deadline.js';
import { meet, ROLES } from './meeting.js';
import { type PeerState, type ReleasedPeer, testWithPeer } from './released-peer.js';
import { echo, expectMessage, pattern, SIZES, sendForEcho } from './traffic.js';

const VERSION = '1.2.2';

/** The released peer closes after more than eight control frames within a second; each REKEY of ours brings a PING. */
const IN_A_ROW = 6;

const MANY = 1_000;
const FRAMES_OF_MESSAGE = 4;

for (const role of ROLES) {
  describe(`our ${role} and PyPI usmp ${VERSION}`, () => {
    for (const [kind, sizes] of Object.entries({ 'small messages': [64], 'messages of every size': SIZES })) {
      testWithPeer(
        VERSION,
        `REKEY of ours loses nothing while both sides stream ${kind}`,
        async (t, python) => {
          const { session, peer } = await meet(t, python, role, { echo: false });
          const { keys } = await peer.command('state');
          const rekeys: Promise<void>[] = [];

          const theirs = peer.command('send', { count: MANY, sizes });
          await echo(session, MANY, sizes, (number) => {
            if (number % 200 === 100) rekeys.push(session.rekey({ timeout: DEADLINE }));
          });
          await Promise.all([theirs, ...rekeys]);

          const state = await peer.command('waitReceived', { count: MANY });
          assert.equal(state.received, MANY);
          assert.notEqual(state.keys, keys);
          assert.ok(state.txSeq < MANY, 'the keys changed while messages were under way');
        },
      );
    }

    testWithPeer(VERSION, 'a message of the peer may straddle REKEY of ours', async (t, python) => {
      const sizes = [MAX_MESSAGE];
      // We read nothing, so that the peer gets stuck while it sends.
      const { session, peer } = await meet(t, python, role, { echo: false, receiveQueue: MAX_MESSAGE });
      await peer.command('limitSendBuffer', { bytes: 16_384 });
      const theirs = peer.command('send', { count: MANY, sizes });
      let number = 0;
      let before = await standstill(peer);
      while (before.txSeq % FRAMES_OF_MESSAGE === 0) {
        await expectMessage(session, number++, sizes);
        before = await standstill(peer);
      }

      const rekeyed = session.rekey({ timeout: DEADLINE });
      let state = before;
      await until(
        async () => {
          state = await peer.command('state');
          return state.keys !== before.keys;
        },
        () => 'the peer to switch',
      );
      assert.equal(state.txSeq, 0, 'the rest of the message is sealed under the new key');

      for (; number < MANY; number++) await expectMessage(session, number, sizes);
      await Promise.all([theirs, rekeyed]);
    });

    testWithPeer(VERSION, 'several REKEYs of ours in a row', async (t, python) => {
      const { session, peer } = await meet(t, python, role, { echo: true });
      const keys = new Set([(await peer.command('state')).keys]);
      for (let i = 0; i < IN_A_ROW; i++) {
        await session.rekey({ timeout: DEADLINE });
        keys.add((await peer.command('state')).keys);
      }
      assert.equal(keys.size, 1 + IN_A_ROW);
      await sendForEcho(session, { count: SIZES.length, sizes: SIZES });
    });

    testWithPeer(
      VERSION,
      'REKEYs of the peer while the line is idle, one or several in a row',
      async (t, python) => {
        const { session, peer } = await meet(t, python, role, { echo: true });
        let first = 0;
        for (const rekeys of [1, IN_A_ROW, 1]) {
          await takeRekeys(session, peer, rekeys);
          await sendForEcho(session, { first, count: SIZES.length, sizes: SIZES });
          first += SIZES.length;
        }
      },
    );

    testWithPeer(VERSION, 'REKEYs of both sides in turn', async (t, python) => {
      const { session, peer } = await meet(t, python, role, { echo: true });
      let first = 0;
      for (let i = 0; i < IN_A_ROW / 2; i++) {
        await session.rekey({ timeout: DEADLINE });
        await takeRekeys(session, peer, 1);
        await sendForEcho(session, { first, count: SIZES.length, sizes: SIZES });
        first += SIZES.length;
      }
    });

    testWithPeer(
      VERSION,
      'REKEY of the peer loses nothing while only the peer streams',
      async (t, python) => {
        const rekeys: Promise<object>[] = [];
        const { session, peer } = await meet(t, python, role, { echo: false });
        const theirs = peer.command('send', { count: MANY, sizes: SIZES });
        for (let number = 0; number < MANY; number++) {
          await expectMessage(session, number, SIZES);
          if (number % 200 === 100) rekeys.push(peer.command('rekey'));
        }
        await Promise.all([theirs, ...rekeys]);
        assert.ok(
          (await peer.command('state')).txSeq < MANY,
          'the keys changed while messages were under way',
        );

        await session.send(pattern(0, 64));
        assert.equal((await peer.command('waitReceived', { count: 1 })).received, 1);
      },
    );
  });
}

testWithPeer('1.0.0', 'REKEY ends the session with a peer that does not know it', async (t, python) => {
  const { session } = await meet(t, python, 'client', { echo: true });
  await assert.rejects(session.rekey({ timeout: DEADLINE }), ConnectionClosedError);
  assert.equal(session.closed, true);
});

/** Has the peer change the keys while nothing else is under way, and waits until we have seen it. */
async function takeRekeys(session: USMPSession, peer: ReleasedPeer, count: number): Promise<void> {
  const { keys } = await peer.command('state');
  const seen = session.stats.framesReceived;
  for (let i = 0; i < count; i++) await peer.command('rekey');
  assert.notEqual((await peer.command('state')).keys, keys);
  await until(
    () => session.stats.framesReceived === seen + count,
    () => `${count} REKEY`,
  );
}

/** Waits until the peer sends no more; its state then. */
async function standstill(peer: ReleasedPeer): Promise<PeerState> {
  let state = await peer.command('state');
  await until(
    async () => {
      const before = state.txSeq;
      await delay(100);
      state = await peer.command('state');
      return state.txSeq === before;
    },
    () => 'the peer to get stuck',
  );
  return state;
}
