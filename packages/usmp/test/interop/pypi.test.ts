/** The wire as the released Python peer speaks it, over TCP and in both roles. */

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { AuthError, type Refusal, USMPClient } from '#dist/index.js';
import { hasIPv6 } from '../support/ipv6.js';
import { until } from './deadline.js';
import { addressOf, DEVICE_ID, listen, meet, nextSession, PSK, ROLES } from './meeting.js';
import { PeerError, ReleasedPeer, testWithPeer } from './released-peer.js';
import { echo, SIZES, sendForEcho } from './traffic.js';

const WRONG_KEY = 'wrong-horse-battery';

for (const version of ['1.2.2', '1.0.0']) {
  for (const role of ROLES) {
    describe(`our ${role} and PyPI usmp ${version}`, () => {
      testWithPeer(version, 'messages of every size come back from the peer', async (t, python) => {
        const { session } = await meet(t, python, role, { echo: true });
        await sendForEcho(session, { count: SIZES.length, sizes: SIZES });
      });

      testWithPeer(version, 'messages of every size from the peer go back to it', async (t, python) => {
        const { session, peer } = await meet(t, python, role, { echo: false });
        const sent = peer.command('send', { count: SIZES.length, sizes: SIZES, window: 1 });
        await echo(session, SIZES.length, SIZES);
        await sent;
        const { received } = await peer.command('waitReceived', { count: SIZES.length });
        assert.equal(received, SIZES.length);
      });

      testWithPeer(version, 'either side answers the PING of the other', async (t, python) => {
        const { session, peer } = await meet(t, python, role, { echo: true });
        assert.ok((await session.ping({ timeout: 10_000 })) >= 0);
        await peer.command('ping');
        await until(
          () => session.stats.framesSent === 2,
          () => 'our PONG to leave',
        );
        // The echo comes after the PONG has been read and found good.
        await sendForEcho(session, { count: 1, sizes: SIZES });
        const { txSeq, rxSeq } = await peer.command('state');
        assert.deepEqual(
          { sent: rxSeq, received: txSeq },
          { sent: session.stats.framesSent, received: session.stats.framesReceived },
        );
      });

      testWithPeer(version, 'our BYE is an orderly end for the peer', async (t, python) => {
        const { session, peer } = await meet(t, python, role, { echo: true });
        await session.close();
        assert.deepEqual(await peer.event('closed'), {
          event: 'closed',
          error: 'ConnectionClosedError',
          message: 'Remote sent BYE',
        });
      });

      testWithPeer(version, 'BYE of the peer is an orderly end for us', async (t, python) => {
        const { session, peer } = await meet(t, python, role, { echo: true });
        await sendForEcho(session, { count: 1, sizes: SIZES });
        await peer.command('bye');
        for await (const message of session) assert.fail(`${message.length} bytes after the end`);
        assert.equal(session.error?.code, 'bye');
      });

      testWithPeer(version, 'a session over IPv6 carries messages', async (t, python) => {
        if (!hasIPv6) return t.skip('this machine has no IPv6');
        const { session } = await meet(t, python, role, { host: '::1', echo: true });
        assert.match(session.peer, /^\[::1\]:\d+$/);
        await sendForEcho(session, { count: SIZES.length, sizes: SIZES });
      });
    });
  }

  testWithPeer(
    version,
    `a PyPI ${version} server refuses our wrong key, and takes the right one`,
    async (t, python) => {
      const { port } = await ReleasedPeer.serve(t, python, { psk: PSK });
      await assert.rejects(
        new USMPClient({ port, psk: WRONG_KEY }).connect(),
        (error) => error instanceof AuthError && error.code === 'refused',
      );
      const client = new USMPClient({ port, psk: PSK });
      t.after(() => client.disconnect());
      await sendForEcho(await client.connect(), { count: 1, sizes: SIZES });
    },
  );

  testWithPeer(
    version,
    `our server refuses the wrong key of a PyPI ${version} client, and takes the right one`,
    async (t, python) => {
      const server = await listen(t, { host: '127.0.0.1', psk: PSK });
      const refusals: Refusal[] = [];
      server.on('refused', (refusal) => refusals.push(refusal));
      const peer = await ReleasedPeer.client(t, python);
      const target = { ...addressOf(server), deviceId: DEVICE_ID, echo: true };

      await assert.rejects(
        peer.command('connect', { ...target, psk: WRONG_KEY }),
        (error) => error instanceof PeerError && error.type === 'HandshakeError',
      );
      assert.deepEqual(
        refusals.map(({ reason, deviceId }) => ({ reason, deviceId })),
        [{ reason: 'wrong-key', deviceId: DEVICE_ID }],
      );

      const opened = nextSession(server);
      await peer.command('connect', { ...target, psk: PSK });
      await sendForEcho(await opened, { count: 1, sizes: SIZES });
    },
  );
}
