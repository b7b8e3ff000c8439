/**
 * When a command that goes on has to end.
 *
 * @module
 */

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * npm and npx pass on the SIGINT that the terminal has sent to all of them already: the same key press arrives twice.
 * Signals within this time are one. Milliseconds.
 */
const ONE_KEY_PRESS = 500;

/**
 * Aborted by SIGINT, by SIGTERM, and when nobody reads stdout any more. A second signal ends the process at once, by
 * what the system does where nobody listens.
 */
export function stopSignal(): AbortSignal {
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  const onSignal = () => {
    stop();
    setTimeout(() => {
      for (const name of SIGNALS) process.removeListener(name, onSignal);
    }, ONE_KEY_PRESS).unref();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  process.stdout.on('error', stop);
  return stopped.signal;
}
