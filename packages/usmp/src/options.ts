/** Checks of options that are numbers, so that a typo is an error where it stands. */

import { ArgumentError } from './core/errors.js';

/** The longest delay that timers take: 2^31 − 1 milliseconds. */
export const LONGEST_DELAY = 0x7fffffff;

/** @throws {ArgumentError} `value` is not a number from `min` on; Infinity is one */
export function checkNumber(name: string, value: unknown, min = 0): asserts value is number {
  if (typeof value !== 'number' || Number.isNaN(value) || value < min) {
    throw new ArgumentError(
      'invalid_argument',
      `${name} is ${String(value)}, must be a number from ${min} on`,
    );
  }
}

/** @throws {ArgumentError} an object has a name that is none of `known` */
export function checkNames(what: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new ArgumentError(
        'invalid_argument',
        `${what} has no option "${name}"; it has ${known.join(', ')}`,
      );
    }
  }
}
