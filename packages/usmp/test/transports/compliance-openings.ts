/** Promises about how sessions come about, and about attempts that come to nothing. */

import assert from 'node:assert/strict';
import type { USMPSession } from '#dist/index.js';
import { eventually, WRONG_PSK, within } from '../server/live.js';
import {
  activeResources,
  clientTo,
  leavesNothing,
  listen,
  meetAt,
  openEnds,
  profileOf,
  type TransportBed,
} from './bed.js';
import type { Promised } from './compliance.js';

/** Time for a handshake where it has to pass in a test, in milliseconds: enough for a busy machine. */
const HANDSHAKE_TIMEOUT = 2_500;

/** How long a session may be silent that nobody is at the other end of. Milliseconds. */
const SILENCE = 1_000;

/** Promises settled, and turns of the event loop, before an attempt is given up: whatever it is doing just then. */
const MOMENTS = 12;

export const OPENINGS: Readonly<Record<string, Promised>> = {
  'both ends of a session know the transport and the peer': {
    run: async (scope, bed) => {
      const { here, there } = await openEnds(scope, bed);
      for (const end of [here, there]) {
        assert.equal(end.transport, bed.scheme);
        assert.ok(end.peer.length > 0);
      }
      assert.equal(here.id, there.id);
    },
  },

  'a wrong key is refused': {
    run: async (scope, bed) => {
      const { silentRefusals, patience } = profileOf(bed);
      const { live, url } = await listen(scope, bed);
      const client = clientTo(url, {
        psk: WRONG_PSK,
        ...(silentRefusals && { handshakeTimeout: HANDSHAKE_TIMEOUT }),
      });
      await assert.rejects(within(client.connect(), 'the refusal', patience), {
        name: 'AuthError',
        code: 'refused',
      });
      await eventually(() => live.refusals.length > 0, 'the refusal at the server', patience);
      assert.equal(live.refusals[0]!.reason, 'wrong-key');
      assert.equal(live.refusals[0]!.transport, bed.scheme);
    },
  },

  'where nobody listens, there is no connection': {
    run: async (scope, bed) => {
      const { nowhere, patience } = profileOf(bed);
      const client = clientTo(await bed.nowhere(scope), { handshakeTimeout: HANDSHAKE_TIMEOUT });
      const error = await within(client.connect(), 'the end of the attempt', patience).then(
        () => assert.fail('there was somebody'),
        (error) => error,
      );
      assert.ok(nowhere.includes(error.code), `it ended with ${error.code}: ${error.message}`);
    },
  },

  'an attempt that is aborted before it began does not begin': {
    run: async (scope, bed) => {
      const { live, url } = await listen(scope, bed);
      const reason = new Error('changed my mind');
      await assert.rejects(clientTo(url).connect({ signal: AbortSignal.abort(reason) }), reason);
      assert.equal(live.server.stats.halfOpen, 0);
    },
  },

  'an attempt that is aborted while the line is opened rejects with the reason and leaves nothing': {
    run: async (scope, bed) => {
      const { patience } = profileOf(bed);
      // A client that is gone may have proved its key already: what it leaves at the server is a silent session.
      const timeouts = { handshakeTimeout: HANDSHAKE_TIMEOUT, idleTimeout: SILENCE };
      const { live, url } = await listen(scope, bed, timeouts);
      await abortAfter(bed, url, () => new Promise((resolve) => setTimeout(resolve, 50)));
      const before = activeResources();
      for (let moment = 0; moment < MOMENTS; moment++) {
        await abortAfter(bed, url, async () => {
          for (let i = 0; i < moment; i++) await undefined;
        });
        await abortAfter(bed, url, async () => {
          for (let i = 0; i < moment; i++) await new Promise((resolve) => setImmediate(resolve));
        });
      }
      const isEmpty = () => live.server.stats.halfOpen + live.server.stats.sessions === 0;
      await eventually(isEmpty, 'places to be free', patience);
      await leavesNothing(before, patience);
    },
  },

  'an attempt that is aborted during the handshake rejects with the reason and leaves nothing': {
    run: async (scope, bed) => {
      const { patience } = profileOf(bed);
      let asked = false;
      let answer!: (key: undefined) => void;
      const psk = () => {
        asked = true;
        return new Promise<undefined>((resolve) => {
          answer = resolve;
        });
      };
      const { live, url } = await listen(scope, bed, { psk, handshakeTimeout: HANDSHAKE_TIMEOUT });
      const before = activeResources();
      const aborter = new AbortController();
      const reason = new Error('changed my mind');
      const attempt = clientTo(url).connect({ signal: aborter.signal });
      attempt.catch(() => {});
      await eventually(() => asked, 'a handshake', patience);
      aborter.abort(reason);
      await assert.rejects(within(attempt, 'the end of the attempt', patience), reason);
      answer(undefined);
      await eventually(() => live.server.stats.halfOpen === 0, 'the place to be free', patience);
      await leavesNothing(before, patience);
    },
  },

  'many sessions, one after the other, leave nothing behind': {
    run: async (scope, bed) => {
      const { sessions, patience } = profileOf(bed);
      const { live, url } = await listen(scope, bed);
      await openAndClose(scope, bed, live, url);
      const before = activeResources();
      for (let i = 0; i < sessions; i++) await openAndClose(scope, bed, live, url);
      await leavesNothing(before, patience);
      const { accepted, sessions: open, halfOpen } = live.server.stats;
      assert.deepEqual({ accepted, open, halfOpen }, { accepted: sessions + 1, open: 0, halfOpen: 0 });
    },
  },
};

/** Begins to connect, and aborts. A session may have been faster; then it is closed. */
async function abortAfter(bed: TransportBed, url: string, moment: () => Promise<unknown>): Promise<void> {
  const { patience } = profileOf(bed);
  const aborter = new AbortController();
  const reason = new Error('changed my mind');
  const attempt: Promise<USMPSession | unknown> = clientTo(url)
    .connect({ signal: aborter.signal })
    .catch((error) => error);
  await moment();
  aborter.abort(reason);
  const outcome = await within(attempt, 'the end of an attempt', patience);
  if (outcome === reason) return;
  assert.ok(!(outcome instanceof Error), `an aborted attempt ended with ${outcome}`);
  await within((outcome as USMPSession).close(), 'the end of the session', patience);
}

async function openAndClose(...[scope, bed, live, url]: Parameters<typeof meetAt>): Promise<void> {
  const { patience } = profileOf(bed);
  const { here, there } = await meetAt(scope, bed, live, url);
  await here.send('one message');
  assert.equal((await there.recv({ timeout: patience })).length, 11);
  await within(here.close(), 'the end of the session', patience);
  await eventually(() => there.closed, 'the end of the session at the server', patience);
}
