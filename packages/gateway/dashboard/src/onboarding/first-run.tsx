import { signal } from '@preact/signals';
import type { KeyedDevice } from '../api/types.js';
import { PageTitle } from '../layout/page-title.js';
import { status } from '../state/connection.js';
import { AddDevice } from './add-device.js';

/** The device that was added here: its key stays on the page although there is a device now. */
export const firstDevice = signal<KeyedDevice | undefined>(undefined);

/** What an empty gateway shows: the way to the first device. */
export function FirstRun() {
  return (
    <>
      <PageTitle title="Your first device" />
      <p class="lead">
        This gateway runs and has no device yet. Devices connect to it with a key of their own, encrypted both
        ways. Three steps, and one of them talks.
      </p>
      <AddDevice
        keyed={firstDevice.value}
        setKeyed={(keyed) => {
          firstDevice.value = keyed;
        }}
      />
      <p class="muted">
        Devices connect to <code>{status.value?.urls.join(' ')}</code>. Many devices at once come from a CSV
        file: <code>usmp-gateway device import devices.csv</code>
      </p>
    </>
  );
}
