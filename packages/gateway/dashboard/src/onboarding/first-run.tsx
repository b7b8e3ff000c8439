import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { KeyedDevice } from '../api/types.js';
import { PageTitle } from '../layout/page-title.js';
import { check, status } from '../state/connection.js';
import { AddDevice } from './add-device.js';

/** The device that was added here: its key stays on the page although there is a device now, until the page is left. */
export const firstDevice = signal<KeyedDevice | undefined>(undefined);

/** What an empty gateway shows: the way to the first device. */
export function FirstRun() {
  useEffect(
    () => () => {
      firstDevice.value = undefined;
    },
    [],
  );
  return (
    <>
      <PageTitle title="Your first device" />
      {firstDevice.value === undefined && (
        <p class="lead">
          This gateway runs and has no device yet. Devices connect to it with a key of their own, encrypted
          both ways. Three steps, and one of them talks.
        </p>
      )}
      <AddDevice
        keyed={firstDevice.value}
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
