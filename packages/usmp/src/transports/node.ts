/**
 * The transports of Node, by scheme, and the connections over them.
 *
 * @module
 */

import { DatagramConnection } from '../core/datagram-connection.js';
import { StreamConnection } from '../core/stream-connection.js';
import { TransportRegistry } from './registry.js';
import { tcp } from './tcp.js';
import { udp } from './udp.js';
import { ws, wss } from './websocket.js';

/** All that URLs of servers and clients can mean. */
export const nodeTransports = new TransportRegistry(
  { tcp, udp, ws, wss },
  { stream: StreamConnection, datagram: DatagramConnection },
);
