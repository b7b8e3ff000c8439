/**
 * SIGKILL at random moments under load: what was promised is kept. 5 times, 50 with USMP_LONG. USMP_CRASH_SEED repeats the
 * moments and choices of a run, as far as the machine allows.
 */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { AuthError, USMPClient } from 'usmp';
import { Caller, Heartbeat, Registrar, type Scene, StreamReader, TestDevice, upText } from './crash-load.js';
import { GatewayProcess, type StoredMessage, temporaryFolder, until } from './gateway-process.js';
import { SeededRandom } from './seeded-random.js';

const SEED = Number(process.env.USMP_CRASH_SEED ?? Date.now() % 1_000_000);
const ROUNDS = process.env.USMP_LONG ? 50 : 5;

/** Time under load before a kill, and of a start that is killed. Milliseconds. */
const LIFE = { least: 150, most: 1_200 };
const BIRTH = { least: 50, most: 700 };

/** Every other kill is in the middle of a pause of all callers. Milliseconds. */
const QUIET = 500;

/** Of all starts, how many are killed before they are done. */
const STILLBORN = 0.3;

/** Two of them are redelivered to, one over each transport. */
const ONLINE = [
  { id: '02:00:00:00:00:01', scheme: 'tcp', redeliver: false },
  { id: '02:00:00:00:00:02', scheme: 'udp', redeliver: false },
  { id: '02:00:00:00:00:03', scheme: 'tcp', redeliver: true },
  { id: '02:00:00:00:00:04', scheme: 'udp', redeliver: true },
] as const;
const OFFLINE = '02:00:00:00:00:05';

test(`SIGKILL ${ROUNDS} times under load loses and doubles no acknowledged message and loses no key (seed ${SEED})`, async (t) => {
  t.diagnostic(`USMP_CRASH_SEED=${SEED}`);
  const random = new SeededRandom(SEED);
  const folder = temporaryFolder(t);
  await killAtBirth(t, folder, random);
  const scene: Scene = { gateway: await start(t, folder), quiet: false, over: false };
  t.after(() => {
    scene.over = true;
  });
  const { urls, httpListen } = scene.gateway;
  const fixed = { listen: urls, httpListen };

  const devices: TestDevice[] = [];
  for (const { id, scheme } of ONLINE)
    devices.push(new TestDevice(id, await scene.gateway.addDevice(id), scene.gateway.url(scheme)));
  t.after(() => Promise.all(devices.map(({ client }) => client.disconnect())));
  const offlineKey = await scene.gateway.addDevice(OFFLINE);
  const callers = [...ONLINE, { id: OFFLINE, redeliver: false }].map(
    ({ id, redeliver }) => new Caller(id, redeliver),
  );
  const registrar = new Registrar();
  const reader = new StreamReader();
  const heartbeat = new Heartbeat();
  const work = Promise.all([
    ...[...devices, ...callers, registrar].map((worker) => worker.work(scene, random.fork())),
    reader.work(scene),
    heartbeat.work(scene),
  ]);
  // Whoever fails is heard at the end.
  work.catch(() => {});

  /** What has to be in the history, by device: numbers. */
  const kept = new Map(devices.map(({ id }) => [id, new Set<number>()]));
  for (let round = 0; round < ROUNDS; round++) {
    await delay(random.integer(LIFE.least, LIFE.most));
    if (round % 2 === 1) {
      scene.quiet = true;
      await delay(QUIET);
    }
    await scene.gateway.kill();
    scene.quiet = false;
    const stored = heartbeat.take();
    for (const device of devices) for (const number of device.bury(stored)) kept.get(device.id)!.add(number);
    while (random.next() < STILLBORN) {
      await killAtBirth(t, folder, random, fixed);
      for (const device of devices) device.bury(Number.NEGATIVE_INFINITY);
    }
    scene.gateway = await start(t, folder, fixed);
  }

  // Until everybody has come back and something has happened.
  const counts = callers.map(({ acknowledged }) => acknowledged.length);
  await until('all callers go on', () =>
    callers.every(({ acknowledged }, i) => acknowledged.length > counts[i]!),
  );
  scene.over = true;
  await scene.gateway.call('GET', '/healthz');
  // Over UDP, where nothing waits for PINGs: there are many.
  const offline = new TestDevice(OFFLINE, offlineKey, scene.gateway.url('udp'));
  t.after(() => offline.client.disconnect());
  await offline.client.connect();
  const messages = await drained(scene.gateway);

  for (const [index, device] of [...devices, offline].entries())
    checkOutbound(callers[index]!, device, messages);
  for (const device of devices) checkInbound(device, kept.get(device.id)!, messages);
  checkStream(reader, messages);
  await checkKeys(scene.gateway, registrar);
  await scene.gateway.stop();
  await work;
  t.diagnostic(
    `${messages.length} messages, ${[...kept.values()].reduce((sum, { size }) => sum + size, 0)} had to be kept, ${registrar.keys.size} devices added`,
  );
});

function start(t: TestContext, folder: string, fixed = {}): Promise<GatewayProcess> {
  const flags = ['--outbox-max-messages', '100000', '--shutdown-deadline', '5s', '--log-level', 'warn'];
  return GatewayProcess.start(t, { folder, flags, ...fixed });
}

/** A start that does not get far, the very first one included: it leaves a folder that can be used. */
async function killAtBirth(t: TestContext, folder: string, random: SeededRandom, fixed = {}): Promise<void> {
  const gateway = GatewayProcess.spawn(t, { folder, ...fixed });
  await delay(random.integer(BIRTH.least, BIRTH.most));
  await gateway.kill();
}

/** All messages, once nothing waits and nothing changes any more. */
async function drained(gateway: GatewayProcess): Promise<StoredMessage[]> {
  let before = '';
  return until(
    'all that waits is delivered and confirmed',
    async () => {
      const messages = await gateway.messages();
      const after = JSON.stringify(messages);
      const still = after === before;
      before = after;
      return still && messages.every(({ state }) => state !== 'queued') && messages;
    },
    200,
  );
}

function checkOutbound(caller: Caller, device: TestDevice, messages: readonly StoredMessage[]): void {
  const { id } = device;
  const stored = messages.filter(({ device, direction }) => device === id && direction === 'out');
  const acknowledged = new Map(caller.acknowledged.map(({ text, id }) => [text, id]));
  assert.ok(acknowledged.size > 0, `nothing was sent to ${id}`);

  const texts = stored.map(({ text }) => text!);
  assert.deepEqual(
    texts,
    inOrder(texts),
    `${id}: they are stored in the order in which they were taken, each once`,
  );
  for (const [text, messageId] of acknowledged)
    assert.equal(
      stored.find((message) => message.text === text)?.id,
      messageId,
      `${id}: ${text} was acknowledged`,
    );
  const known = new Set([...acknowledged.keys(), ...caller.givenUp]);
  for (const text of texts) assert.ok(known.has(text), `${id}: nobody has sent ${text}`);

  const arrived = [...new Set(device.received)];
  if (!caller.redeliver) assert.deepEqual(device.received, arrived, `${id} has received one twice`);
  assert.deepEqual(arrived, inOrder(arrived), `${id} has received them in order`);
  const received = new Set(arrived);
  for (const { text, state } of stored)
    if (!received.has(text!)) {
      assert.equal(state, 'sent', `${id} has never received ${text}`);
      assert.equal(caller.redeliver, false, `${id}: ${text} was to be sent again`);
    }
  for (const text of received)
    assert.ok(texts.includes(text), `${id} has received ${text}, which is not stored`);
}

function checkInbound(
  device: TestDevice,
  kept: ReadonlySet<number>,
  messages: readonly StoredMessage[],
): void {
  const texts = messages
    .filter(({ device: id, direction }) => id === device.id && direction === 'in')
    .map(({ text }) => text!);
  assert.deepEqual(texts, inOrder(texts), `those of ${device.id} are stored in order, each once`);
  const stored = new Set(texts);
  for (const number of kept)
    assert.ok(stored.has(upText(number)), `message ${number} of ${device.id} was older than 50 ms`);
}

/** Numbers rise in it, so each text is there once. */
function inOrder(texts: readonly string[]): string[] {
  const number = (text: string) => Number(text.split(' ')[1]);
  return [...new Set(texts)].sort((a, b) => number(a) - number(b));
}

/** What was told is true for ever: no id is given twice, and no message that was told is lost. */
function checkStream(reader: StreamReader, messages: readonly StoredMessage[]): void {
  assert.deepEqual(reader.faults, []);
  const stored = new Map(messages.map(({ id, device, text }) => [id, { device, text }]));
  for (const [id, told] of reader.messages) assert.deepEqual(stored.get(id), told, `message ${id} was told`);
}

async function checkKeys(gateway: GatewayProcess, registrar: Registrar): Promise<void> {
  assert.ok(registrar.keys.size > 0, 'no device was added');
  // The old one first, as the use of the new one ends it.
  for (const [deviceId, keys] of registrar.keys)
    for (const psk of keys) {
      const client = new USMPClient({ url: gateway.url('tcp'), deviceId, psk });
      await assert.doesNotReject(client.connect(), `a key of ${deviceId} is lost`);
      await client.disconnect();
    }
  const rotated = [...registrar.keys].find(([, keys]) => keys.length === 2);
  if (rotated === undefined) return;
  const [deviceId, [psk]] = rotated;
  await assert.rejects(new USMPClient({ url: gateway.url('tcp'), deviceId, psk: psk! }).connect(), AuthError);
}
