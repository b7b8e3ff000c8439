import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Emitter } from '#dist/events.js';

type Events = { greet: [name: string, times: number]; leave: [] };

test('each listener is called with what was emitted, in the order of their coming', () => {
  const emitter = new Emitter<Events>();
  const heard: string[] = [];
  emitter.on('greet', (name, times) => heard.push(`first ${name} ${times}`));
  emitter.on('greet', (name) => heard.push(`second ${name}`));
  emitter.on('leave', () => heard.push('leave'));
  emitter.emit('greet', 'Ada', 2);
  assert.deepEqual(heard, ['first Ada 2', 'second Ada']);
});

test('the function that on() returns removes that listener alone, also twice and during an event', () => {
  const emitter = new Emitter<Events>();
  const heard: string[] = [];
  const remove = emitter.on('leave', () => {
    heard.push('once');
    remove();
  });
  emitter.on('leave', () => heard.push('always'));
  emitter.emit('leave');
  emitter.emit('leave');
  remove();
  emitter.emit('leave');
  assert.deepEqual(heard, ['once', 'always', 'always', 'always']);
});

test('a listener that throws breaks off neither the event nor who emits it; its error comes up later', (t) => {
  const later: (() => void)[] = [];
  t.mock.method(globalThis, 'queueMicrotask', (task: () => void) => later.push(task));
  const emitter = new Emitter<Events>();
  const heard: string[] = [];
  emitter.on('leave', () => {
    throw new Error('mine');
  });
  emitter.on('leave', () => heard.push('other'));
  emitter.emit('leave');
  assert.deepEqual(heard, ['other']);
  assert.equal(later.length, 1);
  assert.throws(() => later[0]!(), /mine/);
});

test('an event that nobody listens to is no error', () => {
  new Emitter<Events>().emit('leave');
});
