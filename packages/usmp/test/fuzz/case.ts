/**
 * A fuzz case: what happens to one side of a conversation, step by step. As text, one step a line:
 *
 * ```
 * # why it is kept
 * role server
 * input cdab0201…
 * send 100
 * expect bad_tag
 * ```
 */

import { hex, toHex } from '../support/bytes.js';

export type Step =
  | { readonly do: 'input'; readonly bytes: Uint8Array }
  | { readonly do: 'send'; readonly size: number }
  | { readonly do: 'time'; readonly milliseconds: number }
  | { readonly do: 'ping' | 'rekey' | 'close' | 'end' | 'transmit' };

export interface Case {
  readonly role: 'client' | 'server';
  readonly steps: readonly Step[];
  /** The code that it ends with, `open`, or `handshake`; where that is known. */
  readonly expect?: string | undefined;
}

export function formatCase({ role, steps, expect }: Case): string {
  const lines = steps.map((step) => {
    if (step.do === 'input') return `input ${toHex(step.bytes)}`;
    if (step.do === 'send') return `send ${step.size}`;
    if (step.do === 'time') return `time ${step.milliseconds}`;
    return step.do;
  });
  return [`role ${role}`, ...lines, ...(expect === undefined ? [] : [`expect ${expect}`])].join('\n');
}

export function parseCase(text: string): Case {
  let role: Case['role'] | undefined;
  let expect: string | undefined;
  const steps: Step[] = [];
  for (const line of text.split('\n')) {
    const [word, value = ''] = line.split(' ');
    if (word === undefined || word === '' || word.startsWith('#')) continue;
    if (word === 'role' && (value === 'client' || value === 'server')) role = value;
    else if (word === 'expect') expect = value;
    else steps.push(parseStep(word, value));
  }
  if (role === undefined) throw new Error('a case needs a role');
  return { role, steps, expect };
}

function parseStep(word: string, value: string): Step {
  switch (word) {
    case 'input':
      return { do: word, bytes: hex(value) };
    case 'send':
      return { do: word, size: Number(value) };
    case 'time':
      return { do: word, milliseconds: Number(value) };
    case 'ping':
    case 'rekey':
    case 'close':
    case 'end':
    case 'transmit':
      return { do: word };
    default:
      throw new Error(`unknown step "${word}"`);
  }
}
