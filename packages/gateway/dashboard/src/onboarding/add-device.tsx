import { useEffect, useRef } from 'preact/hooks';
import type { KeyedDevice } from '../api/types.js';
import { Needs } from '../components/needs.js';
import { deviceLink, to } from '../router.js';
import { AddForm } from './add-form.js';
import { KeyReveal } from './key-reveal.js';
import { WaitForDevice } from './wait-for-device.js';

interface AddDeviceProps {
  readonly keyed: KeyedDevice | undefined;
  readonly setKeyed: (keyed: KeyedDevice | undefined) => void;
  /** Told whether something is typed into the form. */
  readonly typed?: (isTyped: boolean) => void;
}

/** From a name to a device that talks, in three steps. */
export function AddDevice({ keyed, setKeyed, typed }: AddDeviceProps) {
  const second = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (keyed !== undefined) second.current?.focus();
  }, [keyed]);
  if (keyed === undefined)
    return (
      <section class="panel step" aria-labelledby="step-name">
        <h2 id="step-name">1. Give it a name</h2>
        <Needs least="admin" to="add devices">
          <AddForm added={setKeyed} typed={typed} />
        </Needs>
      </section>
    );
  const { device } = keyed;
  return (
    <>
      <section class="panel step" aria-labelledby="step-key">
        <h2 id="step-key" ref={second} tabIndex={-1}>
          2. Give <bdi>{device.name}</bdi> its key
        </h2>
        <KeyReveal keyed={keyed} />
      </section>
      <section class="panel step" aria-labelledby="step-wait">
        <h2 id="step-wait">3. Let it connect</h2>
        <WaitForDevice device={device} />
        <p class="actions">
          <a class="button" href={deviceLink(device.id)}>
            Open {device.name}
          </a>
          <a class="button" href={to('add')} onClick={() => setKeyed(undefined)}>
            Add another device
          </a>
          <a class="button" href={to('')} onClick={() => setKeyed(undefined)}>
            To the fleet
          </a>
        </p>
      </section>
    </>
  );
}
