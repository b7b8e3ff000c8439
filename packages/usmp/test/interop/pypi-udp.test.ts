/** The wire over UDP as the released Python peer speaks it, in both roles. Older releases cannot start their UDP. */

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { AuthError, MAX_MESSAGE, type Refusal, USMPClient } from '#dist/index.js';
import { hasIPv6 } from '../support/ipv6.js';
import { DEADLINE, until } from './deadline.js';
import { addressOf, DEVICE_ID, listen, meetOverUdp, PSK, ROLES } from './meeting.js';
import { PeerError, ReleasedPeer, testWithPeer } from './released-peer.js';
import { echo, expectMessage, messageOf, SIZES, sendForEcho } from './traffic.js';

const VERSION = '1.2.2';
const WRONG_KEY = 'wrong-horse-battery';

/** A frame of 64 bytes has 104, and the peer holds 4,096 bytes unread: so many echoes may be owed without loss. */
const ECHOES_OWED = 39;

for (const role of ROLES) {
  describe(`our ${role} and PyPI usmp ${VERSION} over UDP`, { concurrency: 4 }, () => {
    testWithPeer(VERSION, 'messages of every size come back from the peer', async (t, python) => {
      const { session } = await meetOverUdp(t, python, role, { echo: true });
      await sendForEcho(session, { count: SIZES.length, sizes: SIZES });
      assert.equal(session.transport, 'udp');
    });

    testWithPeer(VERSION, 'messages of every size from the peer go back to it', async (t, python) => {
      const { session, peer } = await meetOverUdp(t, python, role, { echo: false });
      const sent = peer.command('send', { count: SIZES.length, sizes: SIZES, window: 1 });
      await echo(session, SIZES.length, SIZES);
      await sent;
      assert.equal((await peer.command('waitReceived', { count: SIZES.length })).received, SIZES.length);
    });

    testWithPeer(VERSION, 'the longest messages go both ways at once', async (t, python) => {
      const { session, peer } = await meetOverUdp(t, python, role, { echo: false });
      const [count, sizes] = [30, [MAX_MESSAGE]];
      const theirs = peer.command('send', { count, sizes });
      for (let number = 0; number < count; number++) await session.send(messageOf(number, sizes));
      for (let number = 0; number < count; number++) await expectMessage(session, number, sizes);
      await theirs;
      assert.equal((await peer.command('waitReceived', { count })).received, count);
    });

    testWithPeer(VERSION, 'a stream of messages arrives whole at a peer that reads', async (t, python) => {
      const { session, peer } = await meetOverUdp(t, python, role, { echo: false, ordered: false });
      const [count, sizes] = [1_000, [64, 452, 4, 900, 64, 64]];
      for (let number = 0; number < count; number++) await session.send(messageOf(number, sizes));
      assert.equal((await peer.command('waitReceived', { count })).received, count);
      t.diagnostic(`${session.stats.framesRetransmitted} frames of ${session.stats.framesSent} sent again`);
    });

    testWithPeer(VERSION, 'several echoes may be owed', async (t, python) => {
      const { session } = await meetOverUdp(t, python, role, { echo: true, ordered: false });
      const [count, sizes] = [400, [64]];
      // A frame that was sent again may come to the peer behind later ones, and so does its echo.
      const missing = new Map(
        Array.from({ length: count }, (_, number) => [number, messageOf(number, sizes)]),
      );
      for (let sent = 0; missing.size > 0; ) {
        for (; sent < count && sent - (count - missing.size) < ECHOES_OWED; sent++) {
          await session.send(messageOf(sent, sizes));
        }
        const echoed = await session.recv({ timeout: DEADLINE });
        const number = new DataView(echoed.buffer, echoed.byteOffset).getUint32(0, true);
        assert.deepEqual(echoed, missing.get(number), `the echo of message ${number}`);
        missing.delete(number);
      }
      t.diagnostic(`${session.stats.framesRetransmitted} frames of ${session.stats.framesSent} sent again`);
    });

    testWithPeer(VERSION, 'nothing is lost while the peer does not read', async (t, python) => {
      const { session, peer } = await meetOverUdp(t, python, role, { echo: false, ordered: false });
      const [count, sizes] = [100, [64]];
      await peer.command('pause');
      const sent = (async () => {
        for (let number = 0; number < count; number++) await session.send(messageOf(number, sizes));
      })();
      await until(
        () => session.stats.framesRetransmitted > 2,
        () => 'repeats of what finds no room',
      );
      await peer.command('resume');
      await sent;
      assert.equal((await peer.command('waitReceived', { count })).received, count);
    });

    testWithPeer(VERSION, 'either side answers the PING of the other', async (t, python) => {
      const { session, peer } = await meetOverUdp(t, python, role, { echo: true });
      assert.ok((await session.ping({ timeout: 10_000 })) >= 0);
      const { framesSent } = session.stats;
      await peer.command('ping');
      await until(
        () => session.stats.framesSent > framesSent,
        () => 'our PONG to leave',
      );
      await sendForEcho(session, { count: 1, sizes: SIZES });
      assert.ok((await session.ping({ timeout: 10_000 })) >= 0);
    });

    testWithPeer(VERSION, 'our BYE is an orderly end for the peer', async (t, python) => {
      const { session, peer } = await meetOverUdp(t, python, role, { echo: true });
      await sendForEcho(session, { count: 1, sizes: SIZES });
      await session.close();
      assert.deepEqual(await peer.event('closed'), {
        event: 'closed',
        error: 'ConnectionClosedError',
        message: 'Remote sent BYE',
      });
    });

    testWithPeer(VERSION, 'BYE of the peer is an orderly end for us', async (t, python) => {
      const { session, peer } = await meetOverUdp(t, python, role, { echo: true });
      await sendForEcho(session, { count: 1, sizes: SIZES });
      await peer.command('bye');
      for await (const message of session) assert.fail(`${message.length} bytes after the end`);
      assert.equal(session.error?.code, 'bye');
    });

    testWithPeer(VERSION, 'a session over IPv6 carries messages', async (t, python) => {
      if (!hasIPv6) return t.skip('this machine has no IPv6');
      const { session } = await meetOverUdp(t, python, role, { host: '::1', echo: true });
      assert.match(session.peer, /^\[::1\]:\d+$/);
      await sendForEcho(session, { count: SIZES.length, sizes: SIZES });
    });
  });
}

testWithPeer(
  VERSION,
  'a PyPI server over UDP refuses our wrong key, and takes the right one',
  async (t, python) => {
    const { port } = await ReleasedPeer.serve(t, python, { psk: PSK, protocol: 'udp' });
    const url = `udp://127.0.0.1:${port}`;
    await assert.rejects(
      new USMPClient({ url, psk: WRONG_KEY, handshakeTimeout: 1_500 }).connect(),
      (error) => error instanceof AuthError && error.code === 'refused',
    );
    const client = new USMPClient({ url, psk: PSK });
    t.after(() => client.disconnect());
    await sendForEcho(await client.connect(), { count: 1, sizes: SIZES });
  },
);

testWithPeer(VERSION, 'our server over UDP refuses the wrong key of a PyPI client', async (t, python) => {
  const server = await listen(t, { listen: ['udp://127.0.0.1:0'], psk: PSK });
  const refusals: Refusal[] = [];
  server.on('refused', (refusal) => refusals.push(refusal));
  const peer = await ReleasedPeer.client(t, python);
  const target = { ...addressOf(server), deviceId: DEVICE_ID, protocol: 'udp', timeout: 1.5 };
  await assert.rejects(
    peer.command('connect', { ...target, psk: WRONG_KEY }),
    (error) => error instanceof PeerError && error.type === 'USMPTimeoutError',
  );
  assert.deepEqual(
    refusals.map(({ reason, deviceId }) => ({ reason, deviceId })),
    [{ reason: 'wrong-key', deviceId: DEVICE_ID }],
  );
  await peer.command('connect', { ...target, psk: PSK, timeout: 10 });
});
