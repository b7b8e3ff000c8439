/** Measures a client and a server of the same make with each other, as an application gets them. */
import { setTimeout as delay } from 'node:timers/promises';
import { startHelper } from './children.js';
import { cpuMicroseconds } from './load/proc.js';

/**
 * @typedef {object} PairPlan
 * @property {'echo' | 'sink'} work what the server does with a message: sends it back, or counts it
 * @property {number} window messages under way
 * @property {number} size of a message in bytes, at least 4
 * @property {number} warmup seconds before the measurement
 * @property {number} seconds of measurement
 * @property {string[]} [proxy] the program in between; the port of the server and what `link` says are added
 * @property {readonly number[]} [link] its delay each way in ms, loss each way as a share, and seed
 */

/**
 * One session over UDP.
 * @param {{ port: number, pid: number, ask: () => Promise<number> }} server that has just been started
 * @param {string[]} client the program, to which its arguments are added
 * @param {PairPlan} plan
 * @returns {Promise<{ perSecond: number, cost: number }>} messages a second; µs of the server for each
 */
export async function measurePair(server, client, plan) {
  /** @type {Awaited<ReturnType<typeof startHelper>>[]} */
  const helpers = [];
  const help = async (/** @type {string[]} */ command) => {
    const helper = await startHelper(command, {});
    helpers.push(helper);
    return helper;
  };
  try {
    let { port } = server;
    if (plan.proxy) {
      port = Number((await help([...plan.proxy, ...[port, ...(plan.link ?? [])].map(String)])).ready);
    }
    const peer = await help([...client, String(port), plan.work, String(plan.window), String(plan.size)]);
    // What has arrived is known at the far end: echoes at the client, messages one way at the server.
    return await measure(server.pid, plan.work === 'echo' ? peer.ask : server.ask, plan);
  } finally {
    await Promise.all(helpers.map((helper) => helper.stop()));
  }
}

/** @param {number} pid @param {() => Promise<number>} count @param {PairPlan} plan */
async function measure(pid, count, { warmup, seconds }) {
  await delay(warmup * 1000);
  const before = { done: await count(), cpu: cpuMicroseconds(pid), at: performance.now() };
  await delay(seconds * 1000);
  const done = (await count()) - before.done;
  if (done === 0) throw new Error(`no message arrived within ${seconds} s`);
  return {
    perSecond: (done * 1000) / (performance.now() - before.at),
    cost: (cpuMicroseconds(pid) - before.cpu) / done,
  };
}
