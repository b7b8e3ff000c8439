/**
 * Turns of the event loop, by whatever the platform has for them.
 *
 * @module
 */

interface Platform {
  readonly process?: { readonly nextTick?: <T>(callback: (argument: T) => void, argument: T) => void };
  readonly setImmediate?: (callback: () => void) => unknown;
  readonly MessageChannel?: new () => { readonly port1: Port; readonly port2: Port };
}

interface Port {
  onmessage: (() => void) | null;
  postMessage(message: undefined): void;
}

const { process, setImmediate, MessageChannel } = globalThis as unknown as Platform;

/**
 * Calls back when the code that runs now, and all promises that it settles, have come to their end. So what many
 * handlers send in one turn can leave in one write.
 */
export const atEndOfTurn: <T>(callback: (argument: T) => void, argument: T) => void =
  process?.nextTick ?? ((callback, argument) => queueMicrotask(() => callback(argument)));

/** Calls back when the event loop has served all others. */
export const nextTurn: (callback: () => void) => void =
  setImmediate ?? (MessageChannel ? nextTurnByMessage : nextTurnByTimer);

const callbacks: (() => void)[] = [];
let wake: Port | undefined;

/** Browsers have no `setImmediate`, and let the timers of background tabs run once a second; messages they let pass. */
function nextTurnByMessage(callback: () => void): void {
  if (wake === undefined) {
    const { port1, port2 } = new MessageChannel!();
    port1.onmessage = () => callbacks.shift()!();
    wake = port2;
  }
  callbacks.push(callback);
  wake.postMessage(undefined);
}

function nextTurnByTimer(callback: () => void): void {
  setTimeout(callback, 0);
}
