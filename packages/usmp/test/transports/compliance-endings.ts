/** Promises about how sessions end, and what is left of them. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { USMPSession } from '#dist/index.js';
import { pattern } from '../interop/traffic.js';
import { echo, eventually, within } from '../server/live.js';
import {
  bothOver,
  bothWays,
  clientTo,
  listen,
  meetAt,
  openEnds,
  profileOf,
  type TransportBed,
} from './bed.js';
import type { Promised } from './compliance.js';

/** Messages that are sent right before the end. */
const LAST_MESSAGES = 20;

/** How long a line may be silent where nobody hears that it is cut. Milliseconds. */
const SILENCE = 2_000;

/** Where the line is cut, in bytes from the beginning of a message of four frames: in headers and in payloads. */
const CUTS = [5, 300, 700, 1_900];
const FOUR_FRAMES = 1_808;

/** How long a process may live on when everything in it is closed. Milliseconds. */
const AFTERLIFE = 5_000;

const PROCESS = fileURLToPath(new URL('./compliance-process.js', import.meta.url));

export const ENDINGS: Readonly<Record<string, Promised>> = {
  'close() from either side lets arrive what was sent before, then tells the other by BYE': {
    run: async (scope, bed) => {
      const { live, url } = await listen(scope, bed);
      const { patience } = profileOf(bed);
      for (const way of [0, 1]) {
        const ends = await meetAt(scope, bed, live, url);
        const { from, to } = bothWays(ends)[way]!;
        for (let i = 0; i < LAST_MESSAGES; i++) await from.send(pattern(i, FOUR_FRAMES));
        const closing = from.close();
        const received = await within(drain(to), 'the end at the other side', patience);
        assert.equal(received, LAST_MESSAGES);
        await within(closing, 'the end at this side', patience);
        assert.deepEqual([from.error?.code, to.error?.code], ['closed', 'bye']);
      }
    },
  },

  'close() from both sides at once ends well': {
    run: async (scope, bed) => {
      const { here, there } = await openEnds(scope, bed);
      const { patience } = profileOf(bed);
      await within(Promise.all([here.close(), there.close()]), 'the end', patience);
      assert.deepEqual([here.error?.code, there.error?.code], ['closed', 'closed']);
    },
  },

  'a line that is cut within a message ends both sides, and nothing is half delivered': {
    of: (bed) => bed.line !== undefined,
    run: async (scope, bed) => {
      // Where the end has to be waited for, once must do.
      for (const bytes of profileOf(bed).silentCuts ? CUTS.slice(2, 3) : CUTS)
        await cutWithin(scope, bed, bytes);
    },
  },

  'a server that closes tells all its sessions, and leaves its place to the next': {
    run: async (scope, bed) => {
      const { patience, single } = profileOf(bed);
      const { live, url } = await listen(scope, bed, {}, drain);
      const all = [];
      for (let i = 0; i < (single ? 1 : 3); i++) all.push(await meetAt(scope, bed, live, url));
      const ends = Promise.all(all.map(({ here }) => drain(here)));
      await within(live.server.close(), 'the end of the server', patience);
      await within(ends, 'the end of the sessions', patience);
      for (const { here, there } of all)
        assert.deepEqual([here.error?.code, there.error?.code], ['bye', 'shutdown']);
      const next = await listen(scope, { ...bed, place: () => live.url });
      await meetAt(scope, bed, next.live, next.url);
    },
  },

  'a client that stays connected is back when its server is, with what was sent meanwhile': {
    run: async (scope, bed) => {
      const { patience } = profileOf(bed);
      const first = await listen(scope, bed, {}, echo);
      const client = clientTo(first.url, { reconnect: { base: 20, cap: 100 } });
      scope.after(() => client.disconnect());
      const connected = await within(client.connect(), 'a session', patience);
      await within(first.live.server.close(), 'the end of the server', patience);
      await eventually(() => connected.closed, 'the end of the session', patience);
      const sending = client.send(pattern(1, FOUR_FRAMES));
      await listen(scope, { ...bed, place: () => first.live.url }, {}, echo);
      await within(sending, 'another session', patience);
      assert.deepEqual(await client.recv({ timeout: patience }), pattern(1, FOUR_FRAMES));
    },
  },

  'a process whose server and client are closed ends by itself': {
    run: async (_scope, bed) => {
      const { patience } = profileOf(bed);
      const child = spawn(process.execPath, [PROCESS, bed.module, bed.scheme], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const exit = once(child, 'exit');
      try {
        let [said, complained] = ['', ''];
        child.stderr.on('data', (text) => {
          complained += text;
        });
        const closed = new Promise<void>((resolve) => {
          child.stdout.on('data', (text) => {
            said += text;
            if (said.includes('closed')) resolve();
          });
        });
        await within(Promise.race([closed, exit]), 'a session in a process of its own', 2 * patience);
        assert.match(said, /^closed/m, complained);
        const [code] = await within(exit, `the end of a process that has left ${said}`, AFTERLIFE);
        assert.equal(code, 0, complained);
      } finally {
        child.kill('SIGKILL');
      }
    },
  },
};

/** Receives until the end, and checks that nothing is missing or damaged up to there. */
async function drain(session: USMPSession): Promise<number> {
  let received = 0;
  for await (const message of session) assert.deepEqual(message, pattern(received++, FOUR_FRAMES));
  return received;
}

async function cutWithin(
  scope: Parameters<Promised['run']>[0],
  bed: TransportBed,
  bytes: number,
): Promise<void> {
  const { patience, silentCuts } = profileOf(bed);
  const liveness = silentCuts ? { idleTimeout: SILENCE } : { idleTimeout: 0, keepaliveInterval: 0 };
  const { live, url } = await listen(scope, bed, liveness);
  const line = await bed.line!(scope, url);
  const ends = await meetAt(scope, bed, live, line.url, liveness);
  const { here, there } = ends;
  await here.ping({ timeout: patience });
  line.cutAfter(bytes);
  let sent = 0;
  const sending = (async () => {
    for (; !here.closed; sent++) {
      await here.send(pattern(sent, FOUR_FRAMES));
      await new Promise((resolve) => setImmediate(resolve));
    }
  })().catch(() => {});
  await bothOver(ends, patience);
  await within(sending, 'the end of send()', patience);
  const codes = silentCuts ? ['idle_timeout', 'not_acknowledged', 'connection_lost'] : ['connection_lost'];
  for (const end of [here, there])
    assert.ok(codes.includes(end.error!.code), `it ended by ${end.error!.code}`);
  await within(assertBeginning(there, sent), 'the last messages', patience);
}

/** What has arrived: whole messages, in order, and none that was not sent. */
async function assertBeginning(session: USMPSession, sent: number): Promise<void> {
  for (let received = 0; ; received++) {
    const message = await session.recv().catch((error) => assert.equal(error, session.error));
    if (message === undefined) return;
    assert.ok(received <= sent, 'more arrived than was sent');
    assert.deepEqual(message, pattern(received, FOUR_FRAMES));
  }
}
