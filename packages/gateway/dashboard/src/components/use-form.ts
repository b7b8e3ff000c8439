import { useState } from 'preact/hooks';
import { ApiError, messageOf } from '../api/client.js';

export interface Form {
  readonly busy: boolean;
  /** What is wrong with a field; '' for what is wrong with none of them. */
  readonly problem: (field: string) => string | undefined;
  /** Does the work of the form; its errors become problems. */
  readonly submit: (work: () => Promise<void>) => (event: Event) => void;
}

/** What forms share. @param fields those that can show a problem of their own */
export function useForm(fields: readonly string[]): Form {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<{ readonly field: string; readonly text: string }>();
  return {
    busy,
    problem: (field) => (error?.field === field ? error.text : undefined),
    submit: (work) => async (event) => {
      event.preventDefault();
      if (busy) return;
      setBusy(true);
      setError(undefined);
      try {
        await work();
      } catch (failure) {
        const told = failure instanceof ApiError ? (failure.field ?? '').replace(/\[.*$/, '') : '';
        setError({ field: fields.includes(told) ? told : '', text: messageOf(failure) });
      } finally {
        setBusy(false);
      }
    },
  };
}

/** `attic, floor-2` as the API takes it. */
export function tagsOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((tag) => tag !== '');
}
