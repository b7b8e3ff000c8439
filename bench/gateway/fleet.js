/**
 * A fleet that sends at a steady rate, in a process of its own: forked by gateway.js, which tells it what to do. Each
 * message says whose it is, its number, and when it left.
 */

import { UsmpPeer } from '../load/usmp-peer.js';
import { MqttPeer } from './mqtt-peer.js';
import { monotonic } from './time.js';

/** Sessions that are opened at a time. */
const AT_ONCE = 32;

/** Between two looks at which messages are due. Milliseconds. */
const TICK = 5;

const SIZE = 64;

/** @typedef {{ onMessage: (message: Buffer) => void, queue: (message: Buffer) => void, flush: () => void, closed: Promise<void> }} Peer */

/** @type {Peer[]} */
const peers = [];
let sent = 0;
let received = 0;
/** How far it has been behind its plan, at most since it was asked last. Milliseconds. */
let late = 0;
/** @type {NodeJS.Timeout | undefined} */
let ticker;

process.on('disconnect', () => process.exit());
process.on('message', async (/** @type {any} */ { id, task, ...options }) => {
  try {
    const answer = await tasks[/** @type {keyof typeof tasks} */ (task)](options);
    process.send?.({ id, answer });
  } catch (error) {
    fail(/** @type {Error} */ (error));
  }
});

const tasks = {
  /** @param {any} options */
  async open({ protocol, port, psk, sessions }) {
    const openPeer = protocol === 'mqtt' ? MqttPeer.open : UsmpPeer.open;
    let next = 0;
    const worker = async () => {
      while (next < sessions) {
        const index = next++;
        const peer = await openPeer({ port, psk }, index);
        peer.onMessage = () => {
          received++;
        };
        peer.closed.then(() => fail(new Error('a session was ended')), fail);
        peers[index] = peer;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  },

  /** One message a second from each, evenly spread, until `stop`. */
  start() {
    const since = performance.now();
    const message = Buffer.alloc(SIZE, '.');
    ticker = setInterval(() => {
      const elapsed = performance.now() - since;
      late = Math.max(late, elapsed - (sent / peers.length) * 1_000);
      const due = Math.floor((elapsed / 1_000) * peers.length);
      for (; sent < due; sent++) {
        const index = sent % peers.length;
        const text = `${index} ${Math.floor(sent / peers.length)} ${monotonic().toFixed(2)} `;
        message.fill('.').write(text, 'latin1');
        peers[index].queue(message);
        peers[index].flush();
      }
    }, TICK);
  },

  stop() {
    clearInterval(ticker);
  },

  counts() {
    const counts = { sent, received, late };
    late = 0;
    return counts;
  },
};

/** @param {Error} error */
function fail(error) {
  if (process.send === undefined || !process.connected) process.exit(1);
  process.send({ error: error.message }, () => process.exit(1));
}
