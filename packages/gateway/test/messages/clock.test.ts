import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { AgeClock } from '#dist/age-clock.js';
import { KEY, LAMP, PUMP, startGateway, take } from '../fleet/bed.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A clock of ages over clocks that stand still. */
function openClock(t: TestContext) {
  const at = { wall: 20_000 * DAY, awake: 5_000, sinceBoot: 1_000_000 };
  const told: string[] = [];
  const clock = new AgeClock({
    logger: { info: (text: string) => void told.push(text), warn: (text: string) => void told.push(text) },
    believe: (_jump, done) => done(),
    ...{ wall: () => at.wall, awake: () => at.awake, sinceBoot: () => at.sinceBoot },
  });
  t.after(() => clock.close());
  const pass = (milliseconds: number) => {
    at.wall += milliseconds;
    at.awake += milliseconds;
    at.sinceBoot += milliseconds;
    clock.look();
  };
  return { at, told, clock, pass };
}

test('a clock that is set forward and back expires no message, deletes no key, and says what happened', async (t) => {
  const bed = await startGateway(t, { expiry: 7 * DAY });
  const messages = [await bed.submit('one'), await bed.submit('two')];
  bed.devices.rotate(PUMP, { oldUntil: Date.now() + DAY });
  bed.clockOffset = 400 * DAY;
  // The jump is not looked at before something could expire by it.
  bed.outbox.expireDue();
  bed.settle();
  assert.deepEqual(bed.devices.expireKeys(), []);
  bed.pass(11_000);
  bed.clockOffset = 0;
  bed.pass(1_000);
  assert.deepEqual(
    messages.map((message) => bed.stateOf(message)),
    ['queued', 'queued'],
  );
  assert.deepEqual(
    bed.devices.keysOf(PUMP).map((key) => Buffer.from(key).toString() === KEY),
    [false, true],
  );
  assert.match(bed.clockLog[0]!, /^the clock was set forward by 400 days: .*set it right within 10 min/);
  assert.match(bed.clockLog[1]!, /^the clock is back: nothing/);
  assert.equal(bed.clockLog.length, 2);
  assert.deepEqual(await take(await bed.connect(), 2), ['one', 'two']);
});

test('a clock that stays set forward is believed after ten minutes, and messages have as much time left as before', async (t) => {
  const bed = await startGateway(t, { expiry: 1 * HOUR });
  const before = await bed.submit('before');
  bed.clockOffset = 400 * DAY;
  bed.pass(1_000);
  const after = await bed.submit('after', {}, PUMP);
  bed.devices.add({ name: 'added meanwhile' });
  bed.pass(9 * MINUTE);
  assert.equal(bed.clock.now() < after.at, true);
  bed.pass(2 * MINUTE);
  assert.ok(bed.clock.now() > after.at);
  assert.match(bed.clockLog[1]!, /^the new time is taken: /);
  const expiresAt = ({ id }: { id: number }) => bed.history.get(id)!.expiresAt!;
  const minutesLeft = (message: { id: number }) =>
    Math.round((expiresAt(message) - bed.clock.now()) / MINUTE);
  assert.deepEqual([before, after].map(minutesLeft), [49, 49]);
  bed.pass(50 * MINUTE);
  assert.deepEqual(
    [before, after].map((message) => bed.stateOf(message)),
    ['expired', 'expired'],
  );
});

test('while a new time is not believed, a message that was taken in it is not delivered after its time', async (t) => {
  const bed = await startGateway(t);
  bed.clockOffset = 400 * DAY;
  bed.clock.look();
  const now = Date.now() + bed.clockOffset;
  const short = await bed.submit('short', { expiresAt: now + 10_000 });
  await bed.submit('long', { expiresAt: now + 60_000 });
  bed.pass(11_000);
  assert.deepEqual(await take(await bed.connect(LAMP), 1), ['long']);
  assert.equal(bed.stateOf(short), 'expired');
});

test('a machine that has slept, and a clock that is corrected little by little, have not jumped', (t) => {
  const { at, told, clock, pass } = openClock(t);
  at.wall += 8 * HOUR;
  at.sinceBoot += 8 * HOUR;
  assert.equal(clock.now(), at.wall);
  clock.look();
  for (let round = 0; round < 10; round++) {
    at.wall += 30_000;
    pass(1_000);
    assert.equal(clock.now(), at.wall);
  }
  assert.deepEqual(told, []);
});

test('a clock that is set back is believed at once', (t) => {
  const { at, told, clock, pass } = openClock(t);
  at.wall -= 3 * HOUR;
  assert.equal(clock.now(), at.wall);
  pass(1_000);
  pass(1_000);
  assert.equal(told.length, 1);
  assert.match(told[0]!, /^the clock was set back by 3 h: if that is wrong, set it right/);
});

test('each further jump is doubted for ten minutes of its own', (t) => {
  const { at, told, clock, pass } = openClock(t);
  const begun = at.wall;
  at.wall += 2 * DAY;
  pass(9 * MINUTE);
  at.wall += 2 * DAY;
  pass(2 * MINUTE);
  assert.equal(clock.now(), begun + 11 * MINUTE);
  pass(11 * MINUTE);
  assert.equal(clock.now(), at.wall);
  assert.deepEqual(
    told.map((text) => text.replace(/:.*/, '')),
    ['the clock was set forward by 2 days', 'the clock was set forward by 4 days', 'the new time is taken'],
  );
});
