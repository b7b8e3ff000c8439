/**
 * What the parts of the gateway tell one another, and what the HTTP API and the command line show of it. Times are
 * milliseconds since 1970 (`Date.now()`), device ids are `aa:bb:cc:dd:ee:ff` in lower case.
 *
 * @module
 */

/** A registered device. */
export interface Device {
  readonly id: string;
  /** Unique, whatever the case of its letters; the id unless told otherwise. */
  readonly name: string;
  readonly note: string;
  /** Sorted, without repeats. */
  readonly tags: readonly string[];
  /** False: refused until it is enabled again; its keys stay. */
  readonly enabled: boolean;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly lastConnectedAt: number | undefined;
  /** When it was last heard of, as far as that is stored. */
  readonly lastSeenAt: number | undefined;
  readonly lastAddress: string | undefined;
  readonly lastTransport: string | undefined;
  readonly counters: DeviceCounters;
  /** The new one first. None: revoked. */
  readonly keys: readonly KeyFacts[];
}

/** Since the device was added. */
export interface DeviceCounters {
  readonly sessions: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What may be known of a key. */
export interface KeyFacts {
  /** 16 hexadecimal digits that tell the keys of a device apart, and nothing else about them. */
  readonly fingerprint: string;
  readonly createdAt: number;
  readonly usedAt: number | undefined;
  /** An old key ends then, or when the new one has been used. */
  readonly expiresAt: number | undefined;
}

/** A session that is open now. */
export interface SessionFacts {
  readonly deviceId: string;
  /** The session's own id, 32 hexadecimal digits. */
  readonly id: string;
  readonly transport: string;
  readonly peer: string;
  readonly since: number;
  /** 0: under the new key, 1: under the old one. */
  readonly keyIndex: number;
  /** Milliseconds; undefined before the first measurement. */
  readonly rtt: number | undefined;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly framesRetransmitted: number;
  /** Messages handed to the session and not yet confirmed. */
  readonly unconfirmed: number;
}

export const MESSAGE_STATES = ['received', 'queued', 'sent', 'confirmed', 'expired', 'refused'] as const;

/**
 * `received` for those from a device. For those to a device: `queued` waits for a session; `sent` was handed to one;
 * `confirmed` has arrived (a PONG to a PING sent after it, over UDP its acknowledgement); `expired` was not handed over
 * in time; `refused` will not be (the device was removed, or it was cancelled).
 */
export type MessageState = (typeof MESSAGE_STATES)[number];

export const MESSAGE_FORMATS = ['text', 'base64', 'json'] as const;

/** How a message to a device was given. Those from devices are `text` where they are valid UTF-8, else `base64`. */
export type MessageFormat = (typeof MESSAGE_FORMATS)[number];

/** One message of the history or of an outbox. */
export interface Message {
  /** Rises with time over messages and events alike, and is never used twice. */
  readonly id: number;
  readonly deviceId: string;
  readonly direction: 'in' | 'out';
  readonly at: number;
  readonly state: MessageState;
  readonly payload: Uint8Array;
  readonly format: MessageFormat;
  readonly sentAt: number | undefined;
  /** When it became `confirmed`, `expired` or `refused`. */
  readonly doneAt: number | undefined;
  readonly expiresAt: number | undefined;
  /** Whether it is queued again when its session ends before it was confirmed; it may then arrive twice. */
  readonly redeliver: boolean;
  /** The session that carried it, 32 hexadecimal digits. */
  readonly sessionId: string | undefined;
}

export const EVENT_TYPES = [
  'message',
  'message-state',
  'connected',
  'disconnected',
  'refused',
  'device-added',
  'device-changed',
  'device-removed',
  'key-rotated',
  'key-revoked',
  'gateway-started',
  'gateway-stopping',
  'storage-failed',
  'storage-recovered',
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

/** Something that happened, as the event stream tells it. Published once it is stored. */
export interface GatewayEvent {
  /** Of one sequence with the ids of messages; an event of type `message` has the id of its message. */
  readonly id: number;
  readonly at: number;
  readonly type: EventType;
  readonly deviceId: string | undefined;
  /** What JSON can say; by type, see docs/gateway-api.md. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** A device that was turned away, or somebody who claimed to be one; repeats are counted in one entry. */
export interface RefusedEntry {
  readonly id: number;
  /** As claimed; undefined when nobody said HELLO. */
  readonly deviceId: string | undefined;
  readonly address: string;
  readonly transport: string;
  /** `RefusalReason` of `usmp`, or `disabled`. */
  readonly reason: string;
  /** What happened and what to do. */
  readonly message: string;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly count: number;
}

export const ROLES = ['read', 'send', 'admin'] as const;

/** Each may what those before it may: `read` looks, `send` also sends messages, `admin` does everything. */
export type Role = (typeof ROLES)[number];

/** A bearer token, without its secret. */
export interface TokenFacts {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly createdAt: number;
  readonly usedAt: number | undefined;
  readonly expiresAt: number | undefined;
}
