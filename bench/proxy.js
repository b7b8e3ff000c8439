/**
 * A bad network between one UDP client and a server on 127.0.0.1. `node proxy.js PORT DELAY LOSS SEED` takes the port of
 * the server, the delay of each way in ms, the share of the datagrams that are lost on each way, and a whole number that
 * determines which; it prints the port where it listens.
 *
 * Handshakes lose nothing: messages are measured, and a released client whose handshake loses a datagram can wait until
 * its time is over (spec/protocol.md §13).
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { exitWithParent } from './lifeline.js';
import { Type } from './load/wire.js';

exitWithParent();

const UTACK_MAGIC = 0xacac;

const [port, delay, loss, seed] = process.argv.slice(2).map(Number);
const lost = { up: dice(2 * seed), down: dice(2 * seed + 1) };

const outside = createSocket('udp4');
const inside = createSocket('udp4');
/** @type {number} the client's port, once it has sent something */
let client;

outside.on('message', (datagram, { port: from }) => {
  client = from;
  pass(datagram, lost.up, () => inside.send(datagram));
});
inside.on('message', (datagram) => {
  pass(datagram, lost.down, () => outside.send(datagram, client, '127.0.0.1'));
});
inside.connect(port, '127.0.0.1');
await once(inside, 'connect');
outside.bind(0, '127.0.0.1');
await once(outside, 'listening');
console.log(outside.address().port);

/** @param {Buffer} datagram @param {() => number} random @param {() => void} send */
function pass(datagram, random, send) {
  if (ofSession(datagram) && random() < loss) return;
  setTimeout(send, delay);
}

/** @param {Buffer} datagram a frame or a UTACK */
function ofSession(datagram) {
  const type = datagram.readUInt16LE(0) === UTACK_MAGIC ? datagram[2] : datagram[3];
  return type > Type.SESSION_OK && type !== Type.HELLO_RETRY;
}

/** Numbers from 0 to 1 that look random and follow from the seed (mulberry32). @param {number} state */
function dice(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
