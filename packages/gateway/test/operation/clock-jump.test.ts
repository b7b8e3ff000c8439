/** A wall clock that jumps while the gateway runs. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startHere } from './gateway-here.js';
import { temporaryFolder, until } from './gateway-process.js';

test('a clock that is set forward deletes no event, and the log says what to do', async (t) => {
  const { now } = Date;
  let offset = 0;
  Date.now = () => now() + offset;
  t.after(() => {
    Date.now = now;
  });
  const { get, log } = await startHere(t, temporaryFolder(t));
  offset = 400 * 86_400_000;
  // By then what is too old has been looked for.
  await until('the log says so', () =>
    log.some((line) => /the clock was set forward by 400 days: .*set it right within 10 min/.test(line)),
  );
  const { events } = (await get('/api/v1/events/log')).body;
  assert.deepEqual(
    events.map(({ type }: { type: string }) => type),
    ['gateway-started'],
  );
});
