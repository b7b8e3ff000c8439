import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { KeyedDevice } from '../api/types.js';
import { PageTitle } from '../layout/page-title.js';
import { to } from '../router.js';
import { check, status } from '../state/connection.js';
import { AddDevice } from './add-device.js';

/** The device that was added here: its key stays on the page although there is a device now, until the page is left. */
export const firstDevice = signal<KeyedDevice | undefined>(undefined);

/** Whether a form is begun: it stays although somebody else has added a device. */
export const isTyping = signal(false);

/** What an empty gateway shows: the way to the first device. */
export function FirstRun() {
  useEffect(
    () => () => {
      firstDevice.value = undefined;
    },
    [],
  );
  const isEmpty = status.value?.devices.registered === 0;
  return (
    <>
      <PageTitle title="Your first device" />
      {firstDevice.value === undefined &&
        (isEmpty ? (
          <p class="lead">
            This gateway runs and has no device yet. Devices connect to it with a key of their own, encrypted
            both ways. Three steps, and one of them talks.
          </p>
        ) : (
          <p class="banner warn" role="status">
            Somebody else has added a device meanwhile.{' '}
            <a href={to('')} onClick={() => (isTyping.value = false)}>
              To the fleet
            </a>
          </p>
        ))}
      <AddDevice
        keyed={firstDevice.value}
        typed={(isTyped) => (isTyping.value = isTyped)}
        setKeyed={(keyed) => {
          firstDevice.value = keyed;
          // Now there is one.
          check();
        }}
      />
      <p class="muted">
        Devices connect to <code>{status.value?.urls.join(' ')}</code>. Many devices at once come from a CSV
        file: <code>usmp-gateway device import devices.csv</code>
      </p>
    </>
  );
}
