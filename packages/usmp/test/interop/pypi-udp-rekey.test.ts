/**
 * REKEY over UDP with the released peer, which keeps its filter for repeats across the change: it is safe as long as
 * fewer than 64 frames went to it (spec/protocol.md §9.5).
 */

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import type { Treatment } from '../support/udp-proxy.js';
import { DEADLINE, until } from './deadline.js';
import { type DatagramMeeting, meetOverUdp, ROLES } from './meeting.js';
import { testWithPeer } from './released-peer.js';
import { expectMessage, messageOf, sendForEcho } from './traffic.js';

const VERSION = '1.2.2';
const SIZES = [64, 452, 4, 453, 200];

/** Of one message or of several frames: the sizes above in turn. */
const FRAMES_OF_SIZES = 6;

/** From here on REKEY is not safe. Frames to the peer. */
const UNSAFE_FRAMES = 64;

interface Case {
  readonly line: Treatment;
  readonly rekeys: number;
  /** Rounds of messages of all sizes behind the last change. */
  readonly rounds: number;
}

const LINES: Readonly<Record<string, Case>> = {
  'a good line': { line: {}, rekeys: 6, rounds: 20 },
  'a line that repeats, reorders and delays': {
    line: { duplication: 0.2, reordering: 0.2, delay: [0, 20] },
    rekeys: 6,
    rounds: 4,
  },
  'a line that loses 20 %': { line: { loss: 0.2, duplication: 0.1 }, rekeys: 3, rounds: 1 },
};

/** Has the peer change the keys, once it has acknowledged all of ours: it does not try for long. */
async function takeRekey({ session, peer }: DatagramMeeting): Promise<void> {
  await until(
    () => session.stats.sendBacklogBytes === 0,
    () => 'the UTACKs of our frames',
  );
  const { keys } = await peer.command('state');
  await peer.command('rekey');
  assert.notEqual((await peer.command('state')).keys, keys);
  assert.equal(session.closed, false);
}

for (const role of ROLES) {
  describe(`our ${role} and PyPI usmp ${VERSION} over UDP`, { concurrency: true }, () => {
    for (const [name, { line, rekeys, rounds }] of Object.entries(LINES)) {
      const options = { echo: true, ordered: false, line: { lossesOfExchange: 3 } };
      /** The handshake has tests of its own; only the session has the bad line. */
      const spoil = ({ proxy }: DatagramMeeting): void => {
        proxy.treatment['to-server'] = proxy.treatment['to-client'] = line;
      };

      testWithPeer(VERSION, `REKEYs of the peer lose nothing, ${name}`, async (t, python) => {
        const meeting = await meetOverUdp(t, python, role, options);
        spoil(meeting);
        let first = 0;
        for (let i = 0; i < rekeys; i++) {
          await sendForEcho(meeting.session, { first, count: SIZES.length, sizes: SIZES });
          first += SIZES.length;
          await takeRekey(meeting);
        }
        await sendForEcho(meeting.session, { first, count: rounds * SIZES.length, sizes: SIZES });
      });

      testWithPeer(VERSION, `REKEY of ours loses nothing, ${name}`, async (t, python) => {
        const meeting = await meetOverUdp(t, python, role, options);
        const { session, peer } = meeting;
        spoil(meeting);
        const { keys } = await peer.command('state');
        await sendForEcho(session, { count: SIZES.length, sizes: SIZES });
        await session.rekey({ timeout: DEADLINE });
        assert.notEqual((await peer.command('state')).keys, keys);
        await sendForEcho(session, { first: SIZES.length, count: rounds * SIZES.length, sizes: SIZES });
      });

      testWithPeer(VERSION, `REKEY of ours while both sides send, ${name}`, async (t, python) => {
        const meeting = await meetOverUdp(t, python, role, { ...options, echo: false });
        const { session, peer } = meeting;
        spoil(meeting);
        const { keys } = await peer.command('state');
        const count = (rounds === 1 ? 3 : 6) * SIZES.length;
        assert.ok((count / SIZES.length) * FRAMES_OF_SIZES < UNSAFE_FRAMES);
        const theirs = peer.command('send', { count, sizes: SIZES });
        const ours = (async () => {
          for (let number = 0; number < count; number++) await session.send(messageOf(number, SIZES));
        })();
        const rekeyed = session.rekey({ timeout: DEADLINE });
        for (let number = 0; number < count; number++) await expectMessage(session, number, SIZES);
        await Promise.all([theirs, ours, rekeyed]);
        const state = await peer.command('waitReceived', { count });
        assert.equal(state.received, count);
        assert.notEqual(state.keys, keys);
      });
    }

    testWithPeer(VERSION, 'REKEYs of both sides in turn', async (t, python) => {
      const meeting = await meetOverUdp(t, python, role, { echo: true, ordered: false });
      let first = 0;
      for (let i = 0; i < 3; i++) {
        await meeting.session.rekey({ timeout: DEADLINE });
        await takeRekey(meeting);
        await sendForEcho(meeting.session, { first, count: SIZES.length, sizes: SIZES });
        first += SIZES.length;
      }
    });

    testWithPeer(VERSION, 'REKEY of ours is refused where the peer would lose frames', async (t, python) => {
      const { session, peer } = await meetOverUdp(t, python, role, { echo: true, ordered: false });
      const { keys } = await peer.command('state');
      const count = UNSAFE_FRAMES;
      await sendForEcho(session, { count, sizes: [64] });
      await assert.rejects(session.rekey(), { name: 'SequenceError', code: 'rekey_unsafe' });
      await sendForEcho(session, { first: count, count: 10, sizes: [64] });
      assert.equal((await peer.command('state')).keys, keys);
    });

    testWithPeer(
      VERSION,
      'why: it acknowledges frames after a late REKEY, and drops them',
      async (t, python) => {
        const { session, peer } = await meetOverUdp(t, python, role, { echo: false, ordered: false });
        const { keys } = await peer.command('state');
        const [before, after] = [300, 200];
        for (let number = 0; number < before; number++) await session.send(messageOf(number, [64]));
        await peer.command('waitReceived', { count: before });
        // Never done: the PING that completes it is dropped as well.
        session.rekey({ force: true }).catch(() => {});
        for (let number = before; number < before + after; number++) {
          await session.send(messageOf(number, [64]), { acknowledged: true });
        }
        const state = await peer.command('state');
        assert.equal(state.received, before);
        assert.notEqual(state.keys, keys);
      },
    );
  });
}
