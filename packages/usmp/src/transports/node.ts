/**
 * The transports of Node, by scheme, and the connections over them.
 *
 * @module
 */

import { DatagramConnection } from '../core/datagram-connection.js';
import { SerialConnection } from '../core/serial-connection.js';
import { StreamConnection } from '../core/stream-connection.js';
import { guarded } from './guard.js';
import { memory } from './memory.js';
import { TransportRegistry } from './registry.js';
import { serial } from './serial.js';
import { serialTCP } from './serial-tcp.js';
import { tcp } from './tcp.js';
import type { Transport } from './transport.js';
import { udp } from './udp.js';
import { unix } from './unix.js';
import { ws, wss } from './websocket.js';

/** All that URLs of servers and clients can mean. */
export const nodeTransports = new TransportRegistry(
  { tcp, udp, ws, wss, serial, 'serial+tcp': serialTCP, unix, memory },
  { stream: StreamConnection, datagram: DatagramConnection, serial: SerialConnection },
);

/**
 * Lets URLs of servers and clients mean a transport of your own: `registerTransport('pipe', …)` those that begin with
 * `pipe:`. What it must do, and a whole example, is in `docs/transports.md`.
 *
 * @returns the function that takes it out again; what is open stays open
 * @throws {ArgumentError} the name is no scheme of URLs or taken, or something is missing
 */
export function registerTransport(name: string, transport: Transport): () => void {
  return nodeTransports.register(name, guarded(name, transport));
}
