/**
 * Turns of the event loop, by whatever the platform has for them.
 *
 * @module
 */

interface Platform {
  readonly process?: { readonly nextTick?: <T>(callback: (argument: T) => void, argument: T) => void };
  readonly setImmediate?: (callback: () => void) => unknown;
}

const { process, setImmediate } = globalThis as Platform;

/**
 * Calls back when the code that runs now, and all promises that it settles, have come to their end. So what many
 * handlers send in one turn can leave in one write.
 */
export const atEndOfTurn: <T>(callback: (argument: T) => void, argument: T) => void =
  process?.nextTick ?? ((callback, argument) => queueMicrotask(() => callback(argument)));

/** Calls back when the event loop has served all others. */
export const nextTurn: (callback: () => void) => void =
  setImmediate ??
  ((callback) => {
    setTimeout(callback, 0);
  });
