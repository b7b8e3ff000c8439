/**
 * The messages of one device, from the history and as they happen, without doubles and in order.
 *
 * @module
 */

import type { GatewayEvent, Message, MessagePage, MessageState } from '../api/types.js';

/** What is kept as messages come, unless older ones were asked for; the history has the rest. */
export const KEPT_MESSAGES = 300;

/** Not changed, but replaced: an object that is the same shows the same. */
export interface Conversation {
  /** Oldest first. */
  readonly messages: readonly Message[];
  /** `before` of the page with older ones; null: there are none. */
  readonly older: number | null;
  /** How many are kept. */
  readonly keep: number;
}

export const EMPTY: Conversation = { messages: [], older: null, keep: KEPT_MESSAGES };

/**
 * What the history has, newest first, and behind it what has come since.
 *
 * @param meanwhile events since it was asked for: the answer may be older than they are
 */
export function fromHistory(
  page: MessagePage,
  before: Conversation,
  meanwhile: readonly GatewayEvent[] = [],
): Conversation {
  const newest = page.messages[0]?.id ?? 0;
  const since = before.messages.filter(({ id }) => id > newest);
  const messages = [...page.messages.toReversed(), ...since];
  return withEvents({ messages, older: page.next, keep: KEPT_MESSAGES }, meanwhile);
}

/** @param before what the page was asked for with; where another one is the next by now it does not fit any more */
export function withOlder(
  conversation: Conversation,
  page: MessagePage,
  before = conversation.older,
): Conversation {
  if (conversation.older !== before) return conversation;
  const messages = [...page.messages.toReversed(), ...conversation.messages];
  return { messages, older: page.next, keep: messages.length + KEPT_MESSAGES };
}

/** Takes events of the device; others are left out. */
export function withEvents(conversation: Conversation, events: readonly GatewayEvent[]): Conversation {
  const messages = [...conversation.messages];
  let changed = false;
  for (const event of events) {
    if (event.type === 'message') changed = insert(messages, messageOf(event)) || changed;
    if (event.type === 'message-state') changed = update(messages, event) || changed;
  }
  if (!changed) return conversation;
  const excess = messages.length - conversation.keep;
  if (excess <= 0) return { ...conversation, messages };
  return { ...conversation, messages: messages.slice(excess), older: messages[excess]!.id };
}

/** A message that was sent here: its event may have come before the answer to the request. */
export function withMessage(conversation: Conversation, message: Message): Conversation {
  const messages = [...conversation.messages];
  return insert(messages, message) ? { ...conversation, messages } : conversation;
}

/** False: it is there already. */
function insert(messages: Message[], message: Message): boolean {
  let place = messages.length;
  while (place > 0 && messages[place - 1]!.id > message.id) place--;
  if (place > 0 && messages[place - 1]!.id === message.id) return false;
  messages.splice(place, 0, message);
  return true;
}

const ORDER: readonly MessageState[] = ['received', 'queued', 'sent', 'confirmed', 'expired', 'refused'];

function update(messages: Message[], { at, data }: GatewayEvent): boolean {
  const place = messages.findLastIndex(({ id }) => id === data.message);
  const state = ORDER.find((known) => known === data.state);
  if (place === -1 || state === undefined) return false;
  const isDone = ORDER.indexOf(state) > ORDER.indexOf('sent');
  messages[place] = {
    ...messages[place]!,
    state,
    ...(isDone ? { doneAt: at } : { sentAt: state === 'sent' ? at : null }),
  };
  return true;
}

function messageOf({ id, at, device, data }: GatewayEvent): Message {
  return {
    id,
    device: device ?? '',
    direction: data.direction === 'out' ? 'out' : 'in',
    at,
    state: data.state as MessageState,
    ...('text' in data ? { text: String(data.text) } : {}),
    ...('base64' in data ? { base64: String(data.base64) } : {}),
    ...('json' in data ? { json: data.json } : {}),
    size: Number(data.size),
    sentAt: null,
    doneAt: null,
    expiresAt: typeof data.expiresAt === 'string' ? data.expiresAt : null,
    redeliver: data.redeliver === true,
    session: typeof data.session === 'string' ? data.session : null,
  };
}
