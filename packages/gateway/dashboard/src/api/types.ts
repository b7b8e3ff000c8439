/**
 * What the API answers, from the schemas that check it.
 *
 * @module
 */

import type { z } from 'zod';
import type {
  ActivityAnswer,
  DeviceAnswer,
  EventAnswer,
  KeyedDeviceAnswer,
  MessageAnswer,
  OptionAnswer,
  RefusedAnswer,
  SessionAnswer,
  StatsAnswer,
  StatusAnswer,
  TokenAnswer,
} from '../../../src/http/schemas.js';

export type Activity = z.output<typeof ActivityAnswer>;
export type Device = z.output<typeof DeviceAnswer>;
export type Session = z.output<typeof SessionAnswer>;
export type KeyedDevice = z.output<typeof KeyedDeviceAnswer>;
export type Message = z.output<typeof MessageAnswer>;
export type MessageState = Message['state'];
export type GatewayEvent = z.output<typeof EventAnswer>;
export type EventType = GatewayEvent['type'];
export type Refused = z.output<typeof RefusedAnswer>;
export type Stats = z.output<typeof StatsAnswer>;
export type Sample = Stats['samples'][number];
export type Status = z.output<typeof StatusAnswer>;
export type Role = Status['caller']['role'];
export type Token = z.output<typeof TokenAnswer>;
export type ConfigOption = z.output<typeof OptionAnswer>;

export interface DevicePage {
  readonly devices: readonly Device[];
  readonly next: string | null;
  readonly total: number;
}

export interface MessagePage {
  readonly messages: readonly Message[];
  readonly next: number | null;
}

export interface Outbox {
  readonly messages: readonly Message[];
  readonly total: number;
}

export interface EventPage {
  readonly events: readonly GatewayEvent[];
  readonly next: number | null;
  readonly gap: boolean;
}

export interface RefusedPage {
  readonly refused: readonly Refused[];
  readonly next: string | null;
  readonly total: number;
}

export interface TagCount {
  readonly tag: string;
  readonly devices: number;
}
