import type { Message } from '../api/types.js';
import { bytes } from '../format.js';
import { show, type View } from '../payload.js';

/** What a message says; nothing and blank space are said, too. */
export function MessageBody({ message, view }: { readonly message: Message; readonly view: View }) {
  const text = show(message, view);
  const isBinary = message.base64 !== undefined && view === 'sent';
  return (
    <span class="body mono">
      {text.trim() === '' ? (
        <i class="muted">{message.size === 0 ? 'empty' : 'only blank space'}</i>
      ) : (
        <bdi>{text}</bdi>
      )}
      {isBinary && <span class="muted"> (hex, {bytes(message.size)})</span>}
    </span>
  );
}

export const VIEWS: readonly (readonly [View, string])[] = [
  ['sent', 'As it came'],
  ['text', 'Text'],
  ['hex', 'Hex'],
  ['json', 'JSON'],
];

export function viewOf(name: string | null): View {
  return VIEWS.find(([view]) => view === name)?.[0] ?? 'sent';
}
