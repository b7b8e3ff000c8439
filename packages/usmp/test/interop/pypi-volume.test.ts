/** Many messages in one session with the released peer, with several under way at a time. */

import assert from 'node:assert/strict';
import { meet } from './meeting.js';
import { testWithPeer } from './released-peer.js';
import { echo, sendForEcho } from './traffic.js';

const WINDOW = 32;

for (const version of ['1.2.2', '1.0.0']) {
  // More of them take the peer a while.
  const MANY = process.env.USMP_LONG ? 10_000 : version === '1.2.2' ? 4_000 : 1_000;
  testWithPeer(
    version,
    `${MANY} pipelined messages to a PyPI ${version} server and back`,
    async (t, python) => {
      const { session } = await meet(t, python, 'client', { echo: true });
      await sendForEcho(session, { count: MANY, sizes: [64], window: WINDOW });
      assert.equal(session.stats.messagesReceived, MANY);
    },
  );

  testWithPeer(
    version,
    `${MANY} pipelined messages of a PyPI ${version} client and back`,
    async (t, python) => {
      const { session, peer } = await meet(t, python, 'server', { echo: false });
      const sent = peer.command('send', { count: MANY, sizes: [64], window: WINDOW });
      await echo(session, MANY, [64]);
      await sent;
      assert.equal((await peer.command('waitReceived', { count: MANY })).received, MANY);
    },
  );
}
