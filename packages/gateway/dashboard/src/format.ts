/**
 * Numbers and times as people read them.
 *
 * @module
 */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The largest unit that fits: `12 s`, `5 min`, `3 h`, `2 d`. */
export function duration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

/** `just now`, `5 min ago`. */
export function ago(milliseconds: number): string {
  return milliseconds < 5 * SECOND ? 'just now' : `${duration(milliseconds)} ago`;
}

const GROUPS = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** `12,345`. */
export function count(value: number): string {
  return GROUPS.format(value);
}

/** With two digits that mean something: `0`, `0.3`, `4.2`, `120`, `12.5 k`. */
export function rate(value: number): string {
  if (value === 0) return '0';
  if (value < 0.05) return '< 0.1';
  if (value < 10) return value.toFixed(1).replace(/\.0$/, '');
  if (value < 10_000) return count(value);
  return `${(value / 1_000).toFixed(1).replace(/\.0$/, '')} k`;
}

/** A round trip; nothing measured: a dash. */
export function roundTrip(milliseconds: number | null | undefined): string {
  if (milliseconds === null || milliseconds === undefined) return '–';
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 10_000) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / SECOND).toFixed(1)} s`;
}

/** `512 B`, `12.3 kB`. */
export function bytes(value: number): string {
  if (value < 1_000) return `${value} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let scaled = value / 1_000;
  while (scaled >= 999.5 && units.length > 1) {
    scaled /= 1_000;
    units.shift();
  }
  return `${scaled < 99.95 ? scaled.toFixed(1) : Math.round(scaled)} ${units[0]}`;
}

const two = (value: number) => String(value).padStart(2, '0');

/** `14:05:09`, of the clock of this machine. */
export function clockTime(at: number): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `14:05`. */
export function shortTime(at: number): string {
  return clockTime(at).slice(0, 5);
}

/** `2026-11-26 14:05:09`. */
export function dateTime(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clockTime(at)}`;
}

/** Today only the time. */
export function when(at: number, now: number): string {
  return new Date(at).toDateString() === new Date(now).toDateString() ? clockTime(at) : dateTime(at);
}

/** `1 device`, `2 devices`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
