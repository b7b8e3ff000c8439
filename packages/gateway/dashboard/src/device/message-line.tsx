import { memo } from 'preact/compat';
import { remove } from '../api/client.js';
import type { Message } from '../api/types.js';
import { dateTime, when } from '../format.js';
import type { View } from '../payload.js';
import { may } from '../state/connection.js';
import { attempt } from '../state/notices.js';
import { MessageBody } from './message-body.js';
import { MessageState } from './message-state.js';

interface MessageLineProps {
  readonly message: Message;
  readonly view: View;
}

/** One line of the console. */
export const MessageLine = memo(function MessageLine({ message, view }: MessageLineProps) {
  const at = Date.parse(message.at);
  const isOut = message.direction === 'out';
  return (
    <li class={isOut ? 'out' : 'in'}>
      <time dateTime={message.at} title={dateTime(at)}>
        {when(at, Date.now())}
      </time>
      <span class="direction">
        <span aria-hidden="true">{isOut ? '→' : '←'}</span>
        <span class="offscreen">{isOut ? 'to the device' : 'from the device'}</span>
      </span>
      <MessageBody message={message} view={view} />
      {isOut && (
        <span class="outbox">
          <MessageState message={message} />
          {message.state === 'queued' && may('send') && (
            <button
              type="button"
              class="small"
              aria-label={`Cancel message ${message.id}`}
              onClick={() =>
                attempt(() => remove(`api/v1/messages/${message.id}`), 'The message is cancelled.')
              }
            >
              Cancel
            </button>
          )}
        </span>
      )}
    </li>
  );
});
