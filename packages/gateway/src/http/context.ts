/**
 * What the HTTP API needs of the rest of the gateway, and no more.
 *
 * @module
 */

import type { Logger } from 'pino';
import type { USMPServerStats } from 'usmp';
import type { Config } from '../config/config.js';
import type { Activity } from '../messages/activity.js';
import type { Metrics } from '../metrics/metrics.js';
import type {
  EventType,
  GatewayEvent,
  Message,
  MessageFormat,
  MessageState,
  SessionFacts,
} from '../model.js';
import type { Devices, DeviceWithKey, NewDevice } from '../registry/devices.js';
import type { Logins } from '../registry/logins.js';
import type { RefusedList } from '../registry/refused.js';
import type { Tokens } from '../registry/tokens.js';

export interface AppContext {
  /** As it is now: it may have been read again. */
  readonly config: () => Config;
  readonly devices: DevicesView;
  readonly refused: Pick<RefusedList, 'list' | 'remove' | 'clear' | 'deviceIds'>;
  /** Registers a device of that list. */
  readonly admit: (entryId: number, facts: Omit<NewDevice, 'id'>) => DeviceWithKey;
  readonly tokens: Pick<Tokens, 'create' | 'verify' | 'list' | 'remove'>;
  readonly logins: Pick<Logins, 'createTicket' | 'redeem' | 'open' | 'verify' | 'logout'>;
  readonly fleet: FleetView;
  readonly outbox: OutboxView;
  readonly history: HistoryView;
  readonly events: EventsView;
  readonly metrics: Metrics;
  readonly readiness: () => { readonly ready: boolean; readonly reasons: readonly string[] };
  readonly logger: Logger;
  /** Where devices connect. */
  readonly urls: () => readonly string[];
  readonly version: string;
}

export type DevicesView = Pick<
  Devices,
  | 'add'
  | 'require'
  | 'get'
  | 'list'
  | 'update'
  | 'rotate'
  | 'dropOldKey'
  | 'revoke'
  | 'remove'
  | 'count'
  | 'tags'
  | 'exportCsv'
  | 'importCsv'
>;

export interface FleetView {
  sessions(): readonly SessionFacts[];
  session(deviceId: string): SessionFacts | undefined;
  isOnline(deviceId: string): boolean;
  /** Ends the session; false: there is none. */
  disconnect(deviceId: string): boolean;
  /** Ends the session when its key is not valid any more. */
  enforce(deviceId: string): void;
  /** Milliseconds. */
  ping(deviceId: string): Promise<number>;
  readonly stats: USMPServerStats;
}

export interface OutboxView {
  submit(
    deviceId: string,
    payload: Uint8Array,
    options: {
      readonly format: MessageFormat;
      readonly expiresAt?: number;
      readonly redeliver?: boolean;
      readonly requestId?: string;
    },
  ): Promise<Message>;
  cancel(id: number): Promise<Message>;
  /** Cancels all that waits for a device. Resolves with how many. */
  clear(deviceId: string): Promise<number>;
  /** The device is gone: nothing that waits will be sent. */
  refuseAll(deviceId: string): void;
  /** The oldest that wait for a device, in order. */
  list(deviceId: string, limit: number): readonly Message[];
  queued(deviceId: string): number;
}

export interface HistoryView {
  list(query: {
    readonly deviceId?: string;
    readonly direction?: 'in' | 'out';
    readonly state?: MessageState;
    readonly before?: number;
    readonly after?: number;
    readonly limit?: number;
    readonly search?: string;
  }): { readonly messages: readonly Message[]; readonly next: number | undefined };
  get(id: number): Message | undefined;
  activity(deviceId: string, since: number): Activity;
}

export interface EventsView {
  append(type: EventType, deviceId: string | undefined, data: Record<string, unknown>): void;
  /** Live, in the order of ids. */
  subscribe(listener: (event: GatewayEvent) => void): () => void;
  since(id: number, limit: number): { readonly events: readonly GatewayEvent[]; readonly gap: boolean };
  /** The latest first. */
  before(id: number, limit: number, messages: boolean): readonly GatewayEvent[];
  readonly lastPublishedId: number;
}
