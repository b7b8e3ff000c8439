import { useId, useRef, useState } from 'preact/hooks';
import { CopyButton } from '../components/copy-button.js';
import { Field } from '../components/field.js';
import { status } from '../state/connection.js';
import { hostsOf, isLoopback, NO_KEY, snippetsFor } from './snippets.js';

interface CodeTabsProps {
  readonly deviceId: string;
  /** Null: the device has one already. */
  readonly key_: string | null;
  readonly urls: readonly string[];
}

/** Code for each kind of device, with its key and the address of the gateway. */
export function CodeTabs({ deviceId, key_, urls }: CodeTabsProps) {
  const hosts = hostsOf(urls, location.hostname, status.value?.addresses ?? []);
  const [host, setHost] = useState(hosts[0] ?? '127.0.0.1');
  const [selected, setSelected] = useState('shell');
  const tabs = useRef<HTMLDivElement>(null);
  const id = useId();
  const snippets = snippetsFor({ deviceId, key: key_ ?? NO_KEY, host, urls });
  const { title, steps, code } = snippets.find((snippet) => snippet.id === selected) ?? snippets[0]!;
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const place = snippets.findIndex((snippet) => snippet.id === selected);
    const next = (place + step + snippets.length) % snippets.length;
    setSelected(snippets[next]!.id);
    (tabs.current!.children[next] as HTMLElement).focus();
  };
  return (
    <div class="code-tabs">
      <Field
        label="Address that the device reaches this gateway at"
        value={host}
        change={setHost}
        list={hosts}
        mono
        hint={
          isLoopback(host)
            ? 'Only programs on the machine of the gateway reach this. For a board give its address in your network.'
            : 'In the code below. Programs on the machine of the gateway may use 127.0.0.1 as well.'
        }
      />
      <div role="tablist" aria-label="Kind of device" ref={tabs} onKeyDown={move}>
        {snippets.map((snippet) => (
          <button
            key={snippet.id}
            type="button"
            role="tab"
            id={`${id}-${snippet.id}`}
            aria-selected={snippet.id === selected}
            aria-controls={`${id}-panel`}
            tabIndex={snippet.id === selected ? 0 : -1}
            onClick={() => setSelected(snippet.id)}
          >
            {snippet.title}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${selected}`} class="code">
        <div class="bar">
          <p>{steps}</p>
          <CopyButton text={code} what={`the code for ${title}`} />
        </div>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard. */}
        <pre tabIndex={0}>
          <code>{code}</code>
        </pre>
      </div>
    </div>
  );
}
