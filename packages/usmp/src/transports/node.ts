/**
 * The transports of Node, by scheme.
 *
 * @module
 */

import { TransportRegistry } from './registry.js';
import { tcp } from './tcp.js';
import { udp } from './udp.js';
import { ws, wss } from './websocket.js';

/** All that URLs of servers and clients can mean. */
export const nodeTransports = new TransportRegistry({ tcp, udp, ws, wss });
