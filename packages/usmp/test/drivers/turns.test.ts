import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';

type Turns = typeof import('#dist/turns.js');
type Channel = InstanceType<typeof MessageChannel>;

let imports = 0;

/** The module as it is on a platform that lacks some globals of Node. */
async function turnsWithout(...missing: (keyof typeof globalThis)[]): Promise<Turns> {
  const kept = missing.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)!] as const);
  for (const name of missing) Reflect.deleteProperty(globalThis, name);
  try {
    return await import(`${import.meta.resolve('#dist/turns.js')}?${++imports}`);
  } finally {
    for (const [name, descriptor] of kept) Object.defineProperty(globalThis, name, descriptor);
  }
}

/** Counts the channels that are made, and closes them, as an open one keeps a process of Node alive. */
function watchChannels(t: TestContext): Channel[] {
  const channels: Channel[] = [];
  const Real = globalThis.MessageChannel;
  globalThis.MessageChannel = class extends Real {
    constructor() {
      super();
      channels.push(this);
    }
  };
  t.after(() => {
    globalThis.MessageChannel = Real;
    for (const { port1 } of channels) port1.close();
  });
  return channels;
}

test('as in a browser: turns come in order, after promises, by messages and not by timers, which tabs in the background throttle', async (t) => {
  const channels = watchChannels(t);
  const turns = await turnsWithout('setImmediate', 'process');
  assert.equal(channels.length, 0, 'importing makes nothing');

  const timers = t.mock.method(globalThis, 'setTimeout');
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    turns.nextTurn(() => order.push('first turn'));
    turns.nextTurn(() => {
      order.push('second turn');
      turns.nextTurn(resolve);
    });
    turns.atEndOfTurn((what) => order.push(what), 'end of turn');
    Promise.resolve().then(() => order.push('promise'));
    order.push('code');
  });
  assert.deepEqual(order, ['code', 'end of turn', 'promise', 'first turn', 'second turn']);
  assert.equal(timers.mock.callCount(), 0);
  assert.equal(channels.length, 1, 'one channel serves all');
});

test('where there is neither setImmediate nor MessageChannel a timer serves', async () => {
  const turns = await turnsWithout('setImmediate', 'MessageChannel');
  await new Promise<void>((resolve) => turns.nextTurn(resolve));
});

test('on Node itself a turn takes neither a channel nor a timer', async (t) => {
  const channels = watchChannels(t);
  const timers = t.mock.method(globalThis, 'setTimeout');
  const turns = await turnsWithout();
  await new Promise<void>((resolve) => turns.nextTurn(resolve));
  assert.equal(timers.mock.callCount() + channels.length, 0);
});
