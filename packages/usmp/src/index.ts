/**
 * USMP: encrypted, mutually authenticated sessions between devices and servers.
 *
 * @module
 */

export type { ClientStats, USMPClientEvents } from './client/client.js';
export { USMPClient, type USMPClientOptions } from './client/node.js';
export type { ClientOptions, QueuePolicy, ReconnectOptions } from './client/options.js';
export * from './core/errors.js';
export { MAX_MESSAGE } from './core/limits.js';
export type { ConnectionStats } from './core/stats.js';
export { formatDeviceId, normalizeDeviceId, parseDeviceId } from './device-id.js';
export type { KeyLog } from './key-log.js';
export type { Key, KeyLookup, KeyMap, Keys, PSK } from './keys.js';
export type { Logger } from './logger.js';
export type { BackoffOptions } from './server/admission.js';
export type { USMPServerOptions } from './server/options.js';
export type { Refusal, RefusalReason } from './server/refusal.js';
export { USMPServer, type USMPServerEvents, type USMPServerStats } from './server/server.js';
export type { RekeyOptions, SendOptions, SessionLimits, SessionStats, USMPSession } from './session.js';
export type { AttachOptions, UpgradeSource } from './transports/attach-options.js';
export { registerTransport } from './transports/node.js';
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
