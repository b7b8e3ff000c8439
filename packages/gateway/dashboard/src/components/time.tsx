import { useComputed } from '@preact/signals';
import { ago, dateTime, duration } from '../format.js';
import { now } from '../state/clock.js';

interface TimeProps {
  /** ISO 8601. */
  readonly at: string;
}

/** `5 min ago`, with the time itself for who wants it. */
export function Ago({ at }: TimeProps) {
  const then = Date.parse(at);
  const text = useComputed(() => ago(now.value - Date.parse(at)));
  return (
    <time dateTime={at} title={dateTime(then)}>
      {text.value}
    </time>
  );
}

/** `5 min`, as long as something has lasted. */
export function Since({ at }: TimeProps) {
  const text = useComputed(() => duration(now.value - Date.parse(at)));
  return (
    <time dateTime={at} title={`since ${dateTime(Date.parse(at))}`}>
      {text.value}
    </time>
  );
}
