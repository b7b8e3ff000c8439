/** Every single fault at every place of a short conversation: small, and complete. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pattern, toHex } from '../support/bytes.js';
import { DatagramPair, type Sent } from '../support/datagram-pair.js';

const DELAY = 10;

type Fault = (sent: Sent, at: number) => readonly (readonly [number, Uint8Array])[] | undefined;

const FAULTS: Record<string, Fault> = {
  lost: ({ index }, at) => (index === at ? [] : undefined),
  'lost with its successor': ({ index }, at) => (index === at || index === at + 1 ? [] : undefined),
  duplicated: ({ index, bytes }, at) =>
    index === at
      ? [
          [DELAY, bytes],
          [DELAY + 3, bytes],
        ]
      : undefined,
  'duplicated much later': ({ index, bytes }, at) =>
    index === at
      ? [
          [DELAY, bytes],
          [DELAY + 900, bytes],
        ]
      : undefined,
  'overtaken by its successors': ({ index, bytes }, at) => (index === at ? [[DELAY + 25, bytes]] : undefined),
  damaged: ({ index, bytes }, at) =>
    index === at ? [[DELAY, new Uint8Array(bytes).with(bytes.length - 1, bytes.at(-1)! ^ 0x10)]] : undefined,
  'damaged in its head': ({ index, bytes }, at) =>
    index === at ? [[DELAY, new Uint8Array(bytes).with(4, bytes[4]! ^ 0x01)]] : undefined,
  'cut off': ({ index, bytes }, at) =>
    index === at ? [[DELAY, bytes.subarray(0, bytes.length - 1)]] : undefined,
};

interface Script {
  readonly rekeys: readonly ('client' | 'server')[];
  readonly closes: 'client' | 'server';
}

/** Runs handshake, echoes, a change of keys, echoes, BYE; returns how many datagrams that took. */
function converse({ rekeys, closes }: Script, fault?: (sent: Sent) => ReturnType<Fault>): number {
  const pair = new DatagramPair({ endpoint: true });
  pair.intercept = (sent) => fault?.(sent) ?? [[DELAY, sent.bytes]];
  pair.advanceUntil(() => pair.ends.every(({ connection }) => connection.state === 'open'), 9_000);
  const messages: string[] = [];
  const echo = (size: number) => {
    const message = pattern(messages.length + 1, size);
    messages.push(toHex(message));
    pair.client.send(message, true);
    pair.advanceUntil(() => pair.server.messages.length === messages.length, 10_000);
    pair.server.send(pair.server.messages.at(-1)!);
    pair.advanceUntil(() => pair.client.messages.length === messages.length, 10_000);
  };
  echo(10);
  echo(500);
  for (const end of rekeys) pair[end].rekey();
  const changed = () => rekeys.every((end) => pair[end].of('rekeyed').length > 0);
  if (rekeys.length > 0) pair.advanceUntil(changed, 20_000);
  echo(20);
  pair.advanceUntil(() => pair.client.of('acknowledged').length === messages.length, 10_000);
  const closing = pair[closes];
  closing.close();
  pair.advanceUntil(() => pair.ends.every(({ over }) => over), 10_000);
  assert.equal(closing.closed?.code, 'closed');
  assert.equal(pair.other(closing).closed?.code, 'bye');
  for (const end of pair.ends) {
    assert.deepEqual(end.messages.map(toHex), messages);
    assert.deepEqual(end.crypto.reused, []);
    assert.equal(end.connection.stats.messagesLost, 0);
  }
  return pair.sent.length;
}

const SCRIPTS: Record<string, Script> = {
  'REKEY and BYE from the client': { rekeys: ['client'], closes: 'client' },
  'REKEY and BYE from the server': { rekeys: ['server'], closes: 'server' },
  'crossing REKEYs': { rekeys: ['client', 'server'], closes: 'client' },
};

for (const [name, script] of Object.entries(SCRIPTS)) {
  describe(`handshake, echoes, ${name}`, () => {
    const datagrams = converse(script);
    for (const [what, fault] of Object.entries(FAULTS)) {
      test(`complete when any one datagram is ${what}`, () => {
        for (let at = 0; at < datagrams; at++) {
          try {
            converse(script, (sent) => fault(sent, at));
          } catch (error) {
            throw new Error(`datagram ${at} of ${datagrams} ${what}: ${error}`, { cause: error });
          }
        }
      });
    }
  });
}
