/**
 * Values of options, parsed.
 *
 * @module
 */

import { InvalidArgumentError } from 'commander';

/** Of an option that may be given several times. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

/** A number of at least `min`, of a unit that the error names. */
export function numberFrom(min: number, unit: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < min) {
      throw new InvalidArgumentError(`Must be ${unit}, ${min} or more.`);
    }
    return value;
  };
}

/** A number from `min` to `max`, of a unit that the error names; a whole one, if `step` is 1. */
export function numberBetween(min: number, max: number, unit: string, step?: 1): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value <= max) || (step === 1 && !Number.isInteger(value))) {
      throw new InvalidArgumentError(`Must be ${unit}, from ${min} to ${max}.`);
    }
    return value;
  };
}

/** A count of at least 1. */
export function count(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('Must be a number, 1 or more.');
  return Number(text);
}
