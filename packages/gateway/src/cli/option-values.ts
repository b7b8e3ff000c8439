/**
 * Values of options, parsed.
 *
 * @module
 */

import { InvalidArgumentError } from 'commander';
import { DURATION_EXAMPLES, parseDuration } from '../config/units.js';

/** Of an option that may be given several times. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

/** Milliseconds of `10m`. */
export function duration(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds !== undefined && milliseconds > 0) return milliseconds;
  throw new InvalidArgumentError(`Must be a duration like ${DURATION_EXAMPLES}.`);
}

/** A time to come as ISO 8601, from a date, a date with a time, or a duration from now on. */
export function timeToCome(text: string): string {
  const milliseconds = parseDuration(text);
  const at = milliseconds === undefined ? dateIn(text) : Date.now() + milliseconds;
  const problem = Number.isNaN(at) ? 'Must' : at <= Date.now() ? 'Is over; must' : undefined;
  if (problem === undefined && at < MAX_TIME) return new Date(at).toISOString();
  throw new InvalidArgumentError(
    `${problem ?? 'Is too far away; must'} be a date like 2027-01-31 or 2027-01-31T12:00Z, or a duration like ${DURATION_EXAMPLES}.`,
  );
}

/** A whole number of at least 1. */
export function count(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('Must be a number, 1 or more.');
  return Number(text);
}

/** An id of a message, an event or a refused device. */
export function idNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Must be a number.');
  return Number(text);
}

/** Year 10,000: what comes behind has no ISO date of the usual length. */
const MAX_TIME = Date.UTC(10_000, 0);

/** Without a time it is midnight, without a zone local time. NaN for what is no date. */
function dateIn(text: string): number {
  if (!/^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.test(text))
    return Number.NaN;
  return new Date(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00` : text.replace(' ', 'T')).getTime();
}
