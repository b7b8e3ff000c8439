import { useId, useRef, useState } from 'preact/hooks';
import { devicePath, post } from '../api/client.js';
import type { Device, Message } from '../api/types.js';
import { Problem } from '../components/problem.js';
import { useForm } from '../components/use-form.js';
import { type Format, parse } from '../payload.js';

const FORMATS: readonly (readonly [Format, string, string])[] = [
  ['text', 'Text', 'hello'],
  ['hex', 'Hex', '01 a0 ff'],
  ['json', 'JSON', '{"on":true}'],
];

const EXPIRIES: readonly (readonly [seconds: number | undefined, name: string])[] = [
  [undefined, 'as configured'],
  [60, '1 minute'],
  [3_600, '1 hour'],
  [86_400, '1 day'],
  [604_800, '7 days'],
];

interface SendFormProps {
  readonly device: Device;
  readonly sent: (message: Message) => void;
}

/** Enter sends, Shift with Enter begins a new line. */
export function SendForm({ device, sent }: SendFormProps) {
  const [typed, setTyped] = useState('');
  const [format, setFormat] = useState<Format>('text');
  const [expiry, setExpiry] = useState<number>();
  const [redeliver, setRedeliver] = useState('');
  const [problem, setProblem] = useState<string>();
  const form = useForm(['text', 'base64', 'json']);
  const id = useId();
  const field = useRef<HTMLTextAreaElement>(null);
  /** What was sent without an answer: sent once more it has the same key. */
  const open = useRef({ request: '', key: '' });
  const placeholder = FORMATS.find(([name]) => name === format)![2];
  const told = problem ?? form.problem('text') ?? form.problem('base64') ?? form.problem('json');
  const send = form.submit(async () => {
    const parsed = parse(typed, format);
    if ('problem' in parsed) return setProblem(parsed.problem);
    setProblem(undefined);
    const body = {
      ...parsed.body,
      ...(expiry === undefined ? {} : { expiresIn: expiry }),
      ...(redeliver === '' ? {} : { redeliver: redeliver === 'yes' }),
    };
    const request = JSON.stringify(body);
    if (open.current.request !== request) open.current = { request, key: idempotencyKey() };
    // A request that is repeated, as after a broken connection, sends nothing twice.
    const { message } = await post<{ message: Message }>(devicePath(device.id, '/messages'), body, {
      'idempotency-key': open.current.key,
    });
    open.current = { request: '', key: '' };
    sent(message);
    // What was typed since stays.
    setTyped((now) => (now === typed ? '' : now));
    field.current?.focus();
  });
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    // A message without a byte is sent by the button: not by a key that was pressed twice.
    if (typed === '') event.preventDefault();
    else void send(event);
  };
  return (
    <form class="send" onSubmit={send}>
      <div class="line">
        <label for={id} class="offscreen">
          Message to {device.name}
        </label>
        <textarea
          id={id}
          ref={field}
          class="mono"
          rows={Math.min(6, typed.split('\n').length)}
          value={typed}
          placeholder={placeholder}
          spellcheck={false}
          aria-invalid={told !== undefined}
          aria-describedby={told === undefined ? undefined : `${id}-problem`}
          onInput={(event) => {
            setTyped(event.currentTarget.value);
            setProblem(undefined);
          }}
          onKeyDown={onKey}
        />
        <button type="submit" class="primary" disabled={form.busy}>
          Send
        </button>
      </div>
      {told && (
        <p id={`${id}-problem`} class="problem" role="alert">
          {told}
        </p>
      )}
      <Problem text={form.problem('')} />
      <div class="options">
        <fieldset class="choice">
          <legend class="offscreen">Format of the message</legend>
          {FORMATS.map(([name, title]) => (
            <label key={name}>
              <input
                type="radio"
                name={`${id}-format`}
                checked={format === name}
                onChange={() => {
                  setFormat(name);
                  setProblem(undefined);
                }}
              />
              {title}
            </label>
          ))}
        </fieldset>
        <label>
          Waits at most{' '}
          <select
            value={expiry ?? ''}
            onChange={({ currentTarget: { value } }) => setExpiry(value === '' ? undefined : Number(value))}
          >
            {EXPIRIES.map(([seconds, name]) => (
              <option key={name} value={seconds ?? ''}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label>
          If the connection breaks{' '}
          <select value={redeliver} onChange={(event) => setRedeliver(event.currentTarget.value)}>
            <option value="">as configured</option>
            <option value="no">never send twice</option>
            <option value="yes">send again</option>
          </select>
        </label>
      </div>
    </form>
  );
}

function idempotencyKey(): string {
  // crypto.randomUUID is not there without TLS.
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}
