/**
 * Types of what the API answers, of its schemas.
 *
 * @module
 */

import type { z } from 'zod';
import type {
  DeviceAnswer,
  EventAnswer,
  KeyedDeviceAnswer,
  MessageAnswer,
  RefusedAnswer,
  SessionAnswer,
  StatusAnswer,
  TokenAnswer,
} from '../http/schemas.js';

export type DeviceFacts = z.output<typeof DeviceAnswer>;
export type KeyedDevice = z.output<typeof KeyedDeviceAnswer>;
export type MessageFacts = z.output<typeof MessageAnswer>;
export type EventFacts = z.output<typeof EventAnswer>;
export type SessionFacts = z.output<typeof SessionAnswer>;
export type RefusedFacts = z.output<typeof RefusedAnswer>;
export type TokenFacts = z.output<typeof TokenAnswer>;
export type StatusFacts = z.output<typeof StatusAnswer>;

/** Of lists that are answered page by page. */
export interface Page {
  readonly next: string | number | null;
}
