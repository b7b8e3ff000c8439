/**
 * The line to the gateway: its status, one event stream, who is logged in, and how it comes back after a break.
 *
 * A browser opens six connections to a server at most, over all its tabs. So a page has one stream, which is closed while
 * nobody looks.
 *
 * @module
 */

import { batch, computed, signal } from '@preact/signals';
import { ApiError, gatewayNow, get, messageOf, onSignedOut, post, queryOf } from '../api/client.js';
import type { GatewayEvent, Role, Status } from '../api/types.js';
import { BASE } from '../base.js';
import { now } from './clock.js';
import { FLEET_SCOPE, resumeAt, type Scope, sameScope } from './scope.js';

/** Milliseconds. */
const STATUS_EVERY = 5_000;
const RETRY_FIRST = 1_000;
const RETRY_LAST = 8_000;
/** An event that is older than this when it comes was late. */
const LATE = 4_000;

export type Line = 'connecting' | 'live' | 'away' | 'signed-out';

export const line = signal<Line>('connecting');
export const status = signal<Status | undefined>(undefined);
/** Why the gateway wants a login. */
export const signedOutReason = signal('');
/** How far behind the events are. Milliseconds; 0: they come as they happen. */
export const lag = signal(0);
export const awaySince = signal<number | undefined>(undefined);
export const awayReason = signal('');
/** Rises when events may have been missed: pages then read anew what they show. */
export const epoch = signal(0);

export const role = computed<Role | undefined>(() => status.value?.caller.role);

const ROLES: readonly Role[] = ['read', 'send', 'admin'];

export function may(needed: Role): boolean {
  return role.value !== undefined && ROLES.indexOf(role.value) >= ROLES.indexOf(needed);
}

type Listener = (event: GatewayEvent) => void;

const listeners = new Set<Listener>();
let scope: Scope = FLEET_SCOPE;
let source: EventSource | undefined;
let seen: number | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
let retry = RETRY_FIRST;
let asking = false;

export function startConnection(): void {
  onSignedOut(signOut);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') return check();
    closeStream();
    clearTimeout(timer);
  });
  addEventListener('online', check);
  check();
}

/** Calls `listener` with each event of `wanted`; returns how to end that. One scope at a time: that of the page. */
export function listen(wanted: Scope, listener: Listener): () => void {
  listeners.add(listener);
  if (!sameScope(scope, wanted)) {
    scope = wanted;
    closeStream();
  }
  if (source === undefined) {
    // What the page shows is read when it is certain from where on events come.
    seen = undefined;
    check();
  }
  return () => listeners.delete(listener);
}

/** Whether events come, or are about to. */
export function isStreaming(): boolean {
  return source !== undefined;
}

/** Asks for the status at once, and opens the stream. */
export function check(): void {
  clearTimeout(timer);
  void ask();
}

export const LOGGED_OUT = 'You have logged out.';

/** Nothing of what was shown stays: who logs in next may be somebody else. */
export async function logout(): Promise<void> {
  await post('logout');
  batch(() => {
    signOut(LOGGED_OUT);
    status.value = undefined;
  });
}

async function ask(): Promise<void> {
  if (asking) return;
  asking = true;
  try {
    const answer = await get<Status>('api/v1/status');
    batch(() => arrived(answer));
  } catch (error) {
    batch(() => failed(error));
  } finally {
    asking = false;
    now.value = gatewayNow();
  }
  clearTimeout(timer);
  if (document.visibilityState === 'visible')
    timer = setTimeout(check, line.value === 'away' ? retry : STATUS_EVERY);
}

function arrived(answer: Status): void {
  status.value = answer;
  awaySince.value = undefined;
  line.value = source?.readyState === EventSource.OPEN ? 'live' : 'connecting';
  if (source === undefined && document.visibilityState === 'visible') openStream(answer.lastEvent);
}

function failed(error: unknown): void {
  if (error instanceof ApiError && error.status === 401) return;
  closeStream();
  line.value = 'away';
  awaySince.value ??= Date.now();
  awayReason.value = messageOf(error);
  retry = Math.min(retry * 1.6, RETRY_LAST);
}

function signOut(reason: string): void {
  closeStream();
  // The first says it best: the cookie is gone with it.
  if (line.value !== 'signed-out') signedOutReason.value = reason;
  line.value = 'signed-out';
}

function openStream(lastEvent: number): void {
  const { after, fresh } = resumeAt(seen, lastEvent);
  seen = after;
  const stream = new EventSource(
    `${BASE}api/v1/events${queryOf({ types: scope.types.join(), device: scope.device, after })}`,
  );
  source = stream;
  stream.onopen = () => {
    retry = RETRY_FIRST;
    line.value = 'live';
  };
  // It would come back by itself, yet not tell a gateway that is away from a login that has ended.
  stream.onerror = () => {
    if (source !== stream) return;
    closeStream();
    clearTimeout(timer);
    timer = setTimeout(check, retry * (0.5 + Math.random() / 2));
    retry = Math.min(retry * 1.6, RETRY_LAST);
    if (line.value === 'live') line.value = 'connecting';
  };
  stream.addEventListener('gap', () => epoch.value++);
  for (const type of scope.types)
    stream.addEventListener(type, (event) => take(event as MessageEvent<string>));
  if (fresh) epoch.value++;
}

function closeStream(): void {
  source?.close();
  source = undefined;
  lag.value = 0;
}

let lagTimer: ReturnType<typeof setTimeout> | undefined;

function take({ data }: MessageEvent<string>): void {
  const event = JSON.parse(data) as GatewayEvent;
  seen = event.id;
  const late = gatewayNow() - Date.parse(event.at);
  lag.value = late > LATE ? late : 0;
  clearTimeout(lagTimer);
  // Nothing more to come: it has caught up.
  if (lag.value > 0) lagTimer = setTimeout(() => (lag.value = 0), 2_000);
  for (const listener of listeners) listener(event);
}
