import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { devicePath, remove } from '../api/client.js';
import type { Device } from '../api/types.js';
import { Needs } from '../components/needs.js';
import { plural } from '../format.js';
import { query, setQuery } from '../router.js';
import { may } from '../state/connection.js';
import { attempt } from '../state/notices.js';
import { VIEWS, viewOf } from './message-body.js';
import { MessageLine } from './message-line.js';
import { SendForm } from './send-form.js';
import type { DeviceView } from './use-device.js';

/** So near to the end it follows what comes. Pixels. */
const NEAR = 40;

interface ConsoleProps {
  readonly view: DeviceView;
  readonly device: Device;
}

/** What was said, as it is said, and a line to say something. */
export function Console({ view: { conversation, waiting, addMessage, loadOlder }, device }: ConsoleProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const before = useRef<{ first: number | undefined; height: number }>({ first: undefined, height: 0 });
  const [unseen, setUnseen] = useState(0);
  const { messages, older } = conversation;
  const view = viewOf(query.value.get('show'));
  const last = messages.at(-1)?.id;
  const seen = useRef(last);

  // What is shown has changed.
  useLayoutEffect(() => {
    const { current } = scroller;
    if (current === null) return;
    const first = messages[0]?.id;
    if (follows.current) current.scrollTop = current.scrollHeight;
    // Older ones came above: what was read stays where it was.
    else if (before.current.first !== undefined && first !== undefined && first < before.current.first)
      current.scrollTop += current.scrollHeight - before.current.height;
    before.current = { first, height: current.scrollHeight };
    if (follows.current) seen.current = last;
    setUnseen(follows.current ? 0 : messages.filter(({ id }) => id > (seen.current ?? 0)).length);
  }, [messages, view]);

  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = scroller.current!;
    follows.current = scrollHeight - scrollTop - clientHeight < NEAR;
    if (!follows.current) return;
    seen.current = last;
    setUnseen(0);
  };
  const toEnd = () => {
    scroller.current!.scrollTop = scroller.current!.scrollHeight;
  };
  return (
    <section class="console" aria-label="Console">
      <div class="bar">
        <label>
          Show as{' '}
          <select value={view} onChange={(event) => setQuery({ show: event.currentTarget.value })}>
            {VIEWS.map(([name, title]) => (
              <option key={name} value={name}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <Waiting device={device} total={waiting?.total ?? 0} />
      </div>
      <div
        class="scroller"
        ref={scroller}
        onScroll={scrolled}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard.
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Messages"
      >
        {older !== null && (
          <button type="button" class="small older" onClick={() => attempt(loadOlder)}>
            Load older messages
          </button>
        )}
        {messages.length === 0 && older === null && <p class="empty">No message yet, in either direction.</p>}
        <ol class="messages">
          {messages.map((message) => (
            <MessageLine key={message.id} message={message} view={view} />
          ))}
        </ol>
      </div>
      {unseen > 0 && (
        <button type="button" class="small unseen" onClick={toEnd}>
          {plural(unseen, 'new message')} ↓
        </button>
      )}
      <Needs least="send" to="send messages">
        <SendForm device={device} sent={addMessage} />
      </Needs>
    </section>
  );
}

function Waiting({ device, total }: { readonly device: Device; readonly total: number }) {
  if (total === 0) return null;
  const clear = () =>
    attempt(
      () => remove<{ cancelled: number }>(devicePath(device.id, '/outbox')),
      ({ cancelled }) => `${plural(cancelled, 'message')} cancelled.`,
    );
  return (
    <p class="waiting">
      {plural(total, 'message waits', 'messages wait')} for the device.{' '}
      {may('send') && (
        <button type="button" class="small" onClick={clear}>
          Cancel all
        </button>
      )}
    </p>
  );
}
