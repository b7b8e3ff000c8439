/**
 * The transports of browsers, by scheme, and the connections over them: no datagrams there, so none in a bundle.
 *
 * @module
 */

import { StreamConnection } from '../core/stream-connection.js';
import { browserWebSocket } from './browser-websocket.js';
import { guarded } from './guard.js';
import { TransportRegistry } from './registry.js';
import type { Transport } from './transport.js';

/** All that URLs of clients can mean there. */
export const browserTransports = new TransportRegistry(
  { wss: browserWebSocket('wss'), ws: browserWebSocket('ws') },
  { stream: StreamConnection },
);

/** As `registerTransport` on Node: whatever else carries bytes in a page, such as a data channel or Web Serial. */
export function registerTransport(name: string, transport: Transport): () => void {
  return browserTransports.register(name, guarded(name, transport));
}
