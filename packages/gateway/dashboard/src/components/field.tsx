import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface FieldProps {
  readonly label: string;
  readonly hint?: ComponentChildren;
  /** What is wrong with it. */
  readonly problem?: string | undefined;
  readonly value: string;
  readonly change: (value: string) => void;
  readonly lines?: number;
  readonly type?: 'text' | 'password' | 'datetime-local';
  readonly required?: boolean;
  readonly maxLength?: number;
  readonly placeholder?: string;
  readonly mono?: boolean;
  readonly list?: readonly string[];
}

/** A labelled field, with its hint and what is wrong with it. */
export function Field({
  label,
  hint,
  problem,
  value,
  change,
  lines = 1,
  list,
  mono = false,
  ...rest
}: FieldProps) {
  const id = useId();
  const described = [hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(' ');
  const shared = {
    ...rest,
    id,
    value,
    class: mono ? 'mono' : '',
    autocomplete: 'off' as const,
    spellcheck: false,
    'aria-describedby': described === '' ? undefined : described,
    'aria-invalid': problem !== undefined,
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {lines > 1 ? (
        <textarea
          {...(shared as object)}
          rows={lines}
          onInput={(event) => change(event.currentTarget.value)}
        />
      ) : (
        <input
          {...(shared as unknown as { type: 'text' })}
          {...(list === undefined ? {} : { list: `${id}-list` })}
          onInput={(event) => change(event.currentTarget.value)}
        />
      )}
      {list && (
        <datalist id={`${id}-list`}>
          {list.map((entry) => (
            <option key={entry} value={entry} />
          ))}
        </datalist>
      )}
      {hint && (
        <p id={`${id}-hint`} class="hint">
          {hint}
        </p>
      )}
      {problem && (
        <p id={`${id}-problem`} class="problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}
