/**
 * The transports of browsers, by scheme, and the connections over them: no datagrams there, so none in a bundle.
 *
 * @module
 */

import { StreamConnection } from '../core/stream-connection.js';
import { browserWebSocket } from './browser-websocket.js';
import { TransportRegistry } from './registry.js';

/** All that URLs of clients can mean there. */
export const browserTransports = new TransportRegistry(
  { wss: browserWebSocket('wss'), ws: browserWebSocket('ws') },
  { stream: StreamConnection },
);
