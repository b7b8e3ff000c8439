/**
 * `usmp connect` on a terminal: what is typed is sent, what arrives is shown as it comes.
 *
 * @module
 */

import type { OpenSession } from './client-session.js';
import { Inbox } from './inbox.js';
import { showInLine } from './message-text.js';
import { openPrompt } from './prompt.js';
import { describeError } from './remedies.js';

/**
 * Goes on until Ctrl-D, Ctrl-C or the end of the session, which is thrown when it comes first. A reply that is missing
 * is told and ends nothing.
 */
export async function converse(
  { session }: OpenSession,
  { reply, timeout }: { readonly reply: boolean; readonly timeout: number },
): Promise<void> {
  const prompt = openPrompt(process.stdin, process.stdout, () => process.kill(process.pid, 'SIGINT'));
  prompt.print(`connected to ${session.peer} as ${session.deviceId}; Ctrl-D ends`);
  const inbox = new Inbox(session, (data) => prompt.print(showInLine(data)));
  inbox.ended.then(() => prompt.close());
  for await (const line of prompt.lines) {
    if (line === '') continue;
    try {
      await session.send(line);
      if (reply) await inbox.expectReply(timeout * 1_000);
    } catch (error) {
      if (!session.closed) prompt.print(`(${describeError(error)})`);
    }
  }
  if (session.closed) throw session.error;
}
