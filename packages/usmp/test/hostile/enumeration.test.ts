import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { nodeCrypto } from '#dist/crypto/node.js';
import type { KeyLookup, KeyMap } from '#dist/index.js';
import { echo, PSK, startServer, WRONG_PSK, within } from '../server/live.js';
import { CHALLENGE, RawClient, RawHandshake, randomDeviceId } from '../support/raw-client.js';

const TRIES = 300;

/** Registered ids, all with the same key, which none of the tries knows. */
const registered = Array.from({ length: TRIES }, randomDeviceId);
const keys: KeyMap = Object.fromEntries(registered.map((id) => [id, PSK]));
const lookup: KeyLookup = async (id) => (keys as Record<string, string>)[id];

interface Try {
  /** Microseconds from HELLO_ACK to the end of the connection. */
  readonly time: number;
  /** What could be seen: bytes received, how it ended. */
  readonly seen: string;
}

for (const [name, psk] of [
  ['a map', keys],
  ['an async function', lookup],
] as const) {
  test(`an unknown id and a wrong key look the same and take the same time, with keys from ${name}`, async (t) => {
    const live = await startServer(t, echo, { psk });
    const known: Try[] = [];
    const unknown: Try[] = [];
    for (let i = 0; i < TRIES; i++) {
      // Interleaved, and in changing order, so that whatever else the machine does meets both alike.
      const rounds = [
        async () => known.push(await attempt(t, live.port, registered[i]!)),
        async () => unknown.push(await attempt(t, live.port, randomDeviceId())),
      ];
      if (i % 2 === 1) rounds.reverse();
      for (const round of rounds) await round();
    }

    const reasons = live.server.stats.refused;
    assert.deepEqual(reasons, { 'wrong-key': TRIES, 'unknown-device': TRIES });
    assert.deepEqual(new Set(unknown.map(({ seen }) => seen)), new Set(known.map(({ seen }) => seen)));
    assert.equal(new Set(known.map(({ seen }) => seen)).size, 1);

    const [a, b] = [median(known), median(unknown)];
    assert.ok(
      Math.abs(a - b) < 0.2 * Math.max(a, b),
      `medians ${a} µs for a wrong key, ${b} µs for an unknown id`,
    );
  });
}

test('an unknown id, a revoked one and a wrong key cost the same computations, however many keys there are', async (t) => {
  const hmacs = t.mock.method(nodeCrypto, 'hmacSha256');
  const pairs = t.mock.method(nodeCrypto, 'generateKeyPair');
  const derivations = t.mock.method(nodeCrypto, 'hkdfSha256');
  const [single, pair, revoked] = registered as [string, string, string];
  const live = await startServer(t, echo, {
    psk: { [single]: PSK, [pair]: [PSK, `${PSK}, old`], [revoked]: PSK },
  });
  live.server.revoke(revoked);
  const costs: number[][] = [];
  for (const deviceId of [single, pair, revoked, randomDeviceId()]) {
    for (const { mock } of [hmacs, pairs, derivations]) mock.resetCalls();
    await attempt(t, live.port, deviceId);
    costs.push([hmacs, pairs, derivations].map(({ mock }) => mock.callCount()));
  }
  assert.deepEqual(costs, [
    [2, 1, 0],
    [2, 1, 0],
    [2, 1, 0],
    [2, 1, 0],
  ]);
});

async function attempt(t: TestContext, port: number, deviceId: string): Promise<Try> {
  const raw = await RawClient.open({ port });
  t.after(() => raw.destroy());
  const handshake = new RawHandshake({ psk: WRONG_PSK, deviceId });
  raw.write(handshake.hello());
  const challenge = await raw.expect(CHALLENGE);
  const helloAck = handshake.helloAck(challenge);
  const started = process.hrtime.bigint();
  raw.write(helloAck);
  const ending = await within(raw.ending, 'the end of the connection');
  const time = Number(process.hrtime.bigint() - started) / 1_000;
  return { time, seen: `${raw.bytesReceived} bytes, then ${ending}` };
}

function median(tries: Try[]): number {
  const times = tries.map(({ time }) => time).sort((a, b) => a - b);
  return times[times.length >> 1]!;
}
