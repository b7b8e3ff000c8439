import type { Message } from '../api/types.js';
import { Badge, type Tone } from '../components/state-badge.js';
import { dateTime } from '../format.js';

const STATES: Readonly<Record<Message['state'], readonly [tone: Tone, meaning: string]>> = {
  received: ['good', 'from the device'],
  queued: ['idle', 'waits until the device is connected'],
  sent: ['warn', 'handed to the connection; not confirmed yet'],
  confirmed: ['good', 'has arrived at the device'],
  expired: ['bad', 'was not handed over in time'],
  refused: ['bad', 'was cancelled and will not be sent'],
};

/** How far a message to a device has come. */
export function MessageState({ message }: { readonly message: Message }) {
  const [tone, meaning] = STATES[message.state];
  const at = message.doneAt ?? message.sentAt;
  return (
    <span title={at === null ? meaning : `${meaning}, ${dateTime(Date.parse(at))}`}>
      <Badge tone={tone}>{message.state}</Badge>
    </span>
  );
}
