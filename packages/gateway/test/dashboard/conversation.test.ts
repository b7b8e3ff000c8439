import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GatewayEvent, Message } from '#dashboard/api/types.js';
import {
  EMPTY,
  fromHistory,
  KEPT_MESSAGES,
  withEvents,
  withMessage,
  withOlder,
} from '#dashboard/state/conversation.js';

test('a message that comes by its event and by the answer to the request stands there once', () => {
  const once = withMessage(withEvents(EMPTY, [sent(7)]), message(7));
  assert.deepEqual(ids(once), [7]);
  assert.deepEqual(ids(withEvents(withMessage(EMPTY, message(7)), [sent(7)])), [7]);
});

test('messages stand in the order of their ids, whatever the order in which they come', () => {
  assert.deepEqual(ids(withEvents(EMPTY, [sent(9), sent(3), sent(5)])), [3, 5, 9]);
});

test('the history, read again, keeps what has come since it was asked for', () => {
  const live = withEvents(EMPTY, [sent(10)]);
  const read = fromHistory({ messages: [message(8), message(7)], next: 7 }, live);
  assert.deepEqual(ids(read), [7, 8, 10]);
  assert.equal(read.older, 7);
  assert.deepEqual(
    ids(withOlder(read, { messages: [message(6), message(2)], next: null })),
    [2, 6, 7, 8, 10],
  );
});

test('a state that comes before an older answer of the history is not undone by it', () => {
  const page = { messages: [message(8), message(7)], next: null };
  const read = fromHistory(page, EMPTY, [state(7, 'confirmed'), sent(9)]);
  assert.deepEqual(ids(read), [7, 8, 9]);
  assert.equal(read.messages[0]!.state, 'confirmed');
});

test('older messages that were asked for twice stand there once', () => {
  const read = fromHistory({ messages: [message(8), message(7)], next: 7 }, EMPTY);
  const page = { messages: [message(6), message(2)], next: 2 };
  assert.deepEqual(ids(withOlder(withOlder(read, page, 7), page, 7)), [2, 6, 7, 8]);
});

test('a state changes its message, and only what has changed is another object', () => {
  const before = withEvents(EMPTY, [sent(1), sent(2)]);
  const after = withEvents(before, [state(2, 'confirmed')]);
  assert.equal(after.messages[0], before.messages[0]);
  assert.equal(after.messages[1]!.state, 'confirmed');
  assert.equal(after.messages[1]!.doneAt, '2026-11-26T18:00:00.000Z');
  assert.equal(withEvents(before, [state(99, 'confirmed')]), before);
});

test('of very many messages the latest stay, and the others can be loaded as older ones', () => {
  const many = withEvents(
    EMPTY,
    Array.from({ length: KEPT_MESSAGES + 5 }, (_, index) => sent(index + 1)),
  );
  assert.equal(many.messages.length, KEPT_MESSAGES);
  assert.equal(many.older, 6);
});

const ids = ({ messages }: { messages: readonly Message[] }) => messages.map(({ id }) => id);

function event(type: GatewayEvent['type'], id: number, data: GatewayEvent['data']): GatewayEvent {
  return { id, at: '2026-11-26T18:00:00.000Z', type, device: '02:00:00:00:00:01', data };
}

function sent(id: number): GatewayEvent {
  return event('message', id, {
    direction: 'out',
    state: 'queued',
    size: 2,
    format: 'text',
    text: 'hi',
    session: null,
  });
}

function state(message: number, value: string): GatewayEvent {
  return event('message-state', 1_000 + message, { message, state: value });
}

function message(id: number): Message {
  return {
    id,
    device: '02:00:00:00:00:01',
    direction: 'out',
    at: '2026-11-26T18:00:00.000Z',
    state: 'queued',
    text: 'hi',
    size: 2,
    ...{ sentAt: null, doneAt: null, expiresAt: null, redeliver: false, session: null },
  };
}
