/**
 * USMP in browsers: the client, over the browser's own WebSocket and with cryptography in JavaScript.
 *
 * @module
 */

export { USMPClient, type USMPClientOptions } from './client/browser.js';
export type { ClientStats, USMPClientEvents } from './client/client.js';
export type { QueuePolicy, ReconnectOptions } from './client/options.js';
export * from './core/errors.js';
export { MAX_MESSAGE } from './core/limits.js';
export type { ConnectionStats } from './core/stats.js';
export { formatDeviceId, normalizeDeviceId, parseDeviceId } from './device-id.js';
export type { KeyLog } from './key-log.js';
export type { Key } from './keys.js';
export type { RekeyOptions, SendOptions, SessionLimits, SessionStats, USMPSession } from './session.js';
export { registerTransport } from './transports/browser.js';
export type {
  Framing,
  Link,
  LinkHandler,
  LinkOptions,
  Listener,
  Role,
  Stray,
  Transport,
  TransportURL,
} from './transports/transport.js';
export type { AbortSignalLike, WaitOptions } from './waiting.js';
