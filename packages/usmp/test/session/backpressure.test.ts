import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { USMPSession, WaitOptions } from '#dist/index.js';
import {
  assertServes,
  bothEnds,
  echo,
  eventually,
  nextSession,
  PSK,
  park,
  startServer,
  stateOf,
  within,
} from '../server/live.js';
import { RawClient } from '../support/raw-client.js';

const LARGE = 1_800;

/** More messages, even empty ones, than the kernel holds for a connection. */
const MOST = 1_000_000;

test('send() waits when the peer does not read, and goes on when it does', async (t) => {
  const live = await startServer(t, park);
  const arriving = nextSession(live.server);
  const raw = await RawClient.open({ port: live.port });
  t.after(() => raw.destroy());
  await raw.handshake({ psk: PSK });
  const there = await arriving;
  raw.stopReading();
  const [blocked] = await sendUntilBlocked(there);
  assert.ok(there.stats.sendBacklogBytes < 2 * 65_536, `${there.stats.sendBacklogBytes} bytes wait`);
  assert.equal(await stateOf(blocked), 'pending');
  raw.socket.resume();
  await within(blocked, 'the end of the wait');
  await within(there.send('more'), 'a further send()');
});

test('a peer that does not read holds up no other session', async (t) => {
  const blocked: Promise<void>[] = [];
  const live = await startServer(t, async (session) => {
    if (session.deviceId.endsWith('01')) blocked.push(sendUntilBlocked(session).then(() => {}));
    else return echo(session);
    await park();
  });
  const raw = await RawClient.open({ port: live.port });
  t.after(() => raw.destroy());
  await raw.handshake({ psk: PSK, deviceId: '02:00:00:00:00:01' });
  raw.stopReading();
  await eventually(() => blocked.length === 1, 'the handler');
  await within(blocked[0]!, 'a send() that waits');
  for (let i = 0; i < 10; i++) await assertServes(live, { deviceId: '02:00:00:00:00:02' });
});

test('a waiting send() gives up when asked to; the message still leaves', async (t) => {
  const live = await startServer(t, park);
  const { here, there } = await bothEnds(t, live);
  let sent = 0;
  const sendUntilGivenUp = async (options: () => WaitOptions) => {
    while (sent < 20_000) await there.send(numbered(sent++), options());
  };
  await assert.rejects(
    sendUntilGivenUp(() => ({ timeout: 100 })),
    { name: 'USMPTimeoutError' },
  );
  await assert.rejects(
    sendUntilGivenUp(() => ({ signal: AbortSignal.timeout(100) })),
    { name: 'TimeoutError' },
  );
  for (let i = 0; i < sent; i++) assert.equal(Buffer.from(await here.recv()).readUInt32LE(), i);
  await there.send(numbered(sent));
  assert.equal(Buffer.from(await here.recv()).readUInt32LE(), sent);
});

test('a waiting send() rejects when the session ends', async (t) => {
  const live = await startServer(t, park);
  const arriving = nextSession(live.server);
  const raw = await RawClient.open({ port: live.port });
  await raw.handshake({ psk: PSK });
  const there = await arriving;
  raw.stopReading();
  const [blocked] = await sendUntilBlocked(there);
  raw.reset();
  await assert.rejects(within(blocked, 'the end of the wait'), { code: 'connection_lost' });
});

test('an application that does not receive slows its peer down, and loses nothing', async (t) => {
  const live = await startServer(t, park);
  const { here, there } = await bothEnds(t, live);
  const flood = new Flood(here);
  await flood.standsStill();
  assert.ok(there.stats.receiveQueueBytes < 3 * 65_536, `${there.stats.receiveQueueBytes} bytes unread`);
  await within(flood.drainFrom(there), 'the rest', 30_000);
  assert.equal(there.stats.receiveQueueBytes, 0);
});

test('empty messages count too: an application that does not receive them slows its peer down', async (t) => {
  const live = await startServer(t, park);
  const { here, there } = await bothEnds(t, live);
  const flood = new Flood(here, 0);
  await flood.standsStill();
  flood.stop();
  assert.ok(there.stats.messagesReceived < 5_000, `${there.stats.messagesReceived} messages taken unread`);
});

test('two ends that flood each other both get everything', async (t) => {
  const live = await startServer(t, park);
  const { here, there } = await bothEnds(t, live);
  const count = 5_000;
  const flood = async (end: USMPSession) => {
    for (let i = 0; i < count; i++) await end.send(numbered(i));
  };
  const drain = async (end: USMPSession) => {
    for (let i = 0; i < count; i++) assert.equal(Buffer.from(await end.recv()).readUInt32LE(), i);
  };
  await within(
    Promise.all([flood(here), flood(there), drain(here), drain(there)]),
    'the end of the floods',
    30_000,
  );
});

test('two ends whose applications send and do not receive stop each other without loss', async (t) => {
  const live = await startServer(t, park);
  const { here, there } = await bothEnds(t, live);
  const [out, back] = [new Flood(here), new Flood(there)];
  await Promise.all([out.standsStill(), back.standsStill()]);
  await within(Promise.all([out.drainFrom(there), back.drainFrom(here)]), 'the rest', 30_000);
});

test('the limits are options', async (t) => {
  const live = await startServer(t, park, { receiveQueue: 1_000 });
  const { here, there } = await bothEnds(t, live, { sendBacklog: 0 });
  for (let i = 0; i < 3; i++) await within(here.send(numbered(i)), 'a send() without a backlog');
  const flood = new Flood(here);
  await flood.standsStill();
  flood.stop();
  // What one read brings is handled before reading stops.
  assert.ok(there.stats.receiveQueueBytes < 70_000, `${there.stats.receiveQueueBytes} bytes unread`);
  assert.ok(here.stats.sendBacklogBytes < 4_000, `${here.stats.sendBacklogBytes} bytes wait`);
});

/** One end that sends numbered messages as fast as it may, until it is stopped. */
class Flood {
  readonly #size: number;
  readonly #sending: Promise<void>;
  #sent = 0;
  #stopped = false;

  constructor(session: USMPSession, size = LARGE) {
    this.#size = size;
    this.#sending = this.#run(session);
    this.#sending.catch(() => {});
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Waits until nothing has been sent for a while. */
  async standsStill(): Promise<void> {
    let last = -1;
    let since = performance.now();
    await eventually(() => {
      if (this.#sent !== last) {
        last = this.#sent;
        since = performance.now();
      }
      return performance.now() - since > 400;
    }, 'the sender to be slowed down');
    assert.ok(this.#sent < MOST, `${this.#sent} messages were taken without a wait`);
  }

  /** Stops, and receives all that was sent at the other end. */
  async drainFrom(session: USMPSession): Promise<void> {
    this.stop();
    for (let i = 0; i < this.#sent; i++) assert.equal(Buffer.from(await session.recv()).readUInt32LE(), i);
    await this.#sending;
  }

  async #run(session: USMPSession): Promise<void> {
    while (!this.#stopped && this.#sent < MOST) {
      await session.send(numbered(this.#sent++).subarray(0, this.#size));
    }
  }
}

/** Sends until a send() waits for long, and returns that one, in an array because it must not be awaited here. */
async function sendUntilBlocked(session: USMPSession): Promise<[Promise<void>]> {
  for (let i = 0; i < 20_000; i++) {
    const sending = session.send(new Uint8Array(LARGE));
    if ((await stateOf(sending)) === 'resolved') continue;
    if ((await Promise.race([sending, delay(300, 'blocked' as const)])) === 'blocked') return [sending];
  }
  throw new Error('36 MB were taken without a wait');
}

function numbered(number: number): Uint8Array {
  const message = Buffer.alloc(LARGE);
  message.writeUInt32LE(number);
  return message;
}
