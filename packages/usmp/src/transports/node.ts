/**
 * The transports of Node, by scheme.
 *
 * @module
 */

import { TransportRegistry } from './registry.js';
import { serial } from './serial.js';
import { serialTCP } from './serial-tcp.js';
import { tcp } from './tcp.js';
import { udp } from './udp.js';

/** All that URLs of servers and clients can mean. */
export const nodeTransports = new TransportRegistry({ tcp, udp, serial, 'serial+tcp': serialTCP });
