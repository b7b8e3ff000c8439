/**
 * What became of what somebody did: shown for a while, and read aloud.
 *
 * @module
 */

import { signal } from '@preact/signals';
import { messageOf } from '../api/client.js';

export interface Notice {
  readonly id: number;
  readonly kind: 'done' | 'failed';
  readonly text: string;
}

const SHOWN_FOR = { done: 5_000, failed: 12_000 } as const;
const MOST = 3;

export const notices = signal<readonly Notice[]>([]);
let lastId = 0;

export function tell(kind: Notice['kind'], text: string): void {
  const id = ++lastId;
  notices.value = [...notices.value, { id, kind, text }].slice(-MOST);
  setTimeout(() => dismiss(id), SHOWN_FOR[kind]);
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

/** Does something and tells how it went. Undefined: it failed. */
export async function attempt<Result>(
  work: () => Promise<Result>,
  done?: string | ((result: Result) => string),
): Promise<{ readonly result: Result } | undefined> {
  try {
    const result = await work();
    if (done !== undefined) tell('done', typeof done === 'string' ? done : done(result));
    return { result };
  } catch (error) {
    tell('failed', messageOf(error));
    return undefined;
  }
}
