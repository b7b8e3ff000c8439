/** What the generator does to a server, and what it reads off meanwhile. */
import { setTimeout as delay } from 'node:timers/promises';
import { cpuMicroseconds, settledResidentKiB } from './proc.js';

/** @typedef {import('./peer.js').Peer} Peer */
/** @typedef {(index: number) => Promise<Peer>} Open */
/**
 * What a session can do at least. `confirm` is for those that may be lost without a sign.
 * @typedef {{ closed: Promise<any>, confirm?: () => Promise<void> }} Idler
 */
/**
 * @typedef {object} Plan
 * @property {number} pid the server's process
 * @property {number} sessions at a time
 * @property {number} window messages under way on each session
 * @property {number} size of a message in bytes, at least 4
 * @property {number} warmup seconds before the measurement
 * @property {number} seconds of measurement
 * @property {boolean} confirm whether idle sessions have to echo a message afterwards
 */

/** How many sessions are opened, or asked for a sign of life, at once. */
const AT_ONCE = 32;

/** Connect, handshake, goodbye, close, again and again. @param {Open} open @param {Plan} plan */
export async function handshake(open, plan) {
  let done = 0;
  let running = true;
  const loop = async (/** @type {number} */ index) => {
    while (running) {
      const peer = await open(index);
      await peer.close();
      done++;
    }
  };
  const measured = measureCpu(plan, () => done).finally(() => {
    running = false;
  });
  const [result] = await Promise.all([measured, ...Array.from({ length: plan.sessions }, (_, i) => loop(i))]);
  return result;
}

/** Keeps a window of messages under way on every session. @param {Open} open @param {Plan} plan */
export async function echo(open, plan) {
  const peers = await openAll(open, plan.sessions);
  let done = 0;
  for (const peer of peers) {
    const message = Buffer.alloc(plan.size, 0x5a);
    let sent = 0;
    let received = 0;
    const send = () => {
      message.writeUInt32LE(sent++ >>> 0);
      peer.queue(message);
    };
    peer.onMessage = (echoed) => {
      if (echoed.length !== plan.size) throw new Error(`an echo of ${echoed.length} bytes, not ${plan.size}`);
      if (echoed.readUInt32LE() !== received >>> 0) throw new Error(`echo ${received} is out of order`);
      received++;
      done++;
      send();
    };
    peer.onBatch = () => peer.flush();
    for (let i = 0; i < plan.window; i++) send();
    peer.flush();
  }
  return orLost(
    measureCpu(plan, () => done),
    peers,
  );
}

/**
 * Holds sessions open that say nothing.
 * @param {(index: number) => Promise<Idler>} open @param {Plan} plan
 */
export async function idle(open, plan) {
  const before = await settledResidentKiB(plan.pid);
  const peers = await openAll(open, plan.sessions);
  const after = await orLost(settledResidentKiB(plan.pid), peers);
  if (plan.confirm) await inTurn(peers.length, async (index) => peers[index].confirm?.());
  return { value: (after - before) / peers.length, unit: 'KiB', operations: peers.length };
}

/** @param {Plan} plan @param {() => number} count of operations so far */
async function measureCpu({ pid, warmup, seconds }, count) {
  await delay(warmup * 1000);
  const [cpu, operations, start] = [cpuMicroseconds(pid), count(), performance.now()];
  await delay(seconds * 1000);
  const done = count() - operations;
  if (done === 0) throw new Error(`nothing was done within ${seconds} s`);
  return {
    value: (cpuMicroseconds(pid) - cpu) / done,
    unit: 'µs',
    operations: done,
    perSecond: (done * 1000) / (performance.now() - start),
  };
}

/**
 * @template P
 * @param {(index: number) => Promise<P>} open @param {number} sessions
 */
async function openAll(open, sessions) {
  /** @type {P[]} */
  const peers = [];
  await inTurn(sessions, async (index) => {
    peers[index] = await open(index);
  });
  return peers;
}

/**
 * Does something with each session, a few at once.
 * @param {number} sessions @param {(index: number) => Promise<void>} act
 */
async function inTurn(sessions, act) {
  let next = 0;
  const worker = async () => {
    while (next < sessions) await act(next++);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, sessions) }, worker));
}

/**
 * @template T
 * @param {Promise<T>} result @param {readonly Idler[]} peers
 * @returns {Promise<T>} rejects when a session is lost before the result is there
 */
function orLost(result, peers) {
  return Promise.race([result, ...peers.map((peer) => peer.closed)]);
}
