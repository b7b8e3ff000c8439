/**
 * Times, amounts and foreign text as people read them.
 *
 * @module
 */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What a terminal acts on instead of showing it: a device must not move the cursor of whoever looks. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** `3 min ago`, `in 2 h`; a date when it is far away. `-` for none. */
export function relative(at: string | null, now = Date.now()): string {
  if (at === null) return '-';
  const distance = now - Date.parse(at);
  const length = Math.abs(distance);
  if (length < SECOND) return 'now';
  if (length >= 60 * DAY) return at.slice(0, 10);
  // What is a week ahead is so for the whole of its first second.
  return distance > 0 ? `${span(length)} ago` : `in ${span(length + SECOND)}`;
}

/** Both: `3 min ago (2026-11-26 17:00:00)`, in local time. */
export function relativeAndExact(at: string | null, now = Date.now()): string {
  return at === null ? 'never' : `${relative(at, now)} (${localTime(at)})`;
}

/** The other way round: `2026-11-26 17:00:00 (in 3 min)`. */
export function exactAndRelative(at: string, now = Date.now()): string {
  return `${localTime(at)} (${relative(at, now)})`;
}

/** `2026-11-26 17:00:00`, in local time. */
export function localTime(at: string): string {
  const date = new Date(at);
  const two = (part: number) => String(part).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${clock(at)}`;
}

/** `17:00:00`, in local time. */
export function clock(at: string): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

/** `3 devices`, `1 device`. */
export function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

/** Text from elsewhere, in one line that is safe on a terminal. */
export function oneLine(text: string): string {
  return text.replace(CONTROL, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
  });
}

/** A word as a shell takes it. */
export function quoted(word: string): string {
  return /^[\w./@%+=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function span(milliseconds: number): string {
  if (milliseconds < MINUTE) return `${Math.floor(milliseconds / SECOND)} s`;
  if (milliseconds < HOUR) return `${Math.floor(milliseconds / MINUTE)} min`;
  if (milliseconds < DAY) return `${Math.floor(milliseconds / HOUR)} h`;
  return plural(Math.floor(milliseconds / DAY), 'day');
}
