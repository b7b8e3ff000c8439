import { useState } from 'preact/hooks';
import { devicePath, post } from '../api/client.js';
import type { Device, KeyedDevice } from '../api/types.js';
import { Dialog } from '../components/dialog.js';
import { Field } from '../components/field.js';
import { Problem } from '../components/problem.js';
import { useForm } from '../components/use-form.js';
import { KeyReveal } from '../onboarding/key-reveal.js';

interface RotateDialogProps {
  readonly device: Device;
  readonly changed: (device: Device) => void;
  readonly close: () => void;
}

/** A new key for a device, which is then shown once. */
export function RotateDialog({ device, changed, close }: RotateDialogProps) {
  const [keyed, setKeyed] = useState<KeyedDevice>();
  const [key, setKey] = useState('');
  const [until, setUntil] = useState('');
  const form = useForm(['key', 'oldUntil']);
  const rotate = form.submit(async () => {
    const answer = await post<KeyedDevice>(devicePath(device.id, '/rotate'), {
      ...(key === '' ? {} : { key }),
      ...(until === '' ? {} : { oldUntil: new Date(until).toISOString() }),
    });
    setKeyed(answer);
    changed(answer.device);
  });
  if (keyed !== undefined)
    return (
      <Dialog title={`New key of ${device.name}`} close={close} stays wide>
        <KeyReveal keyed={keyed} />
        <footer>
          <button type="button" class="primary" data-first onClick={close}>
            I have it
          </button>
        </footer>
      </Dialog>
    );
  return (
    <Dialog title={`Rotate the key of ${device.name}`} close={close}>
      <form onSubmit={rotate}>
        <p>
          The new key is valid at once. The old one stays valid until the device has used the new one, so that
          it is never locked out. A session goes on.
        </p>
        <details open={form.problem('key') !== undefined || form.problem('oldUntil') !== undefined}>
          <summary>More choices</summary>
          <Field
            label="New key"
            value={key}
            change={setKey}
            mono
            type="password"
            problem={form.problem('key')}
            hint="One that the device has already. Empty: a new one is made and shown."
          />
          <Field
            label="Old key ends at"
            value={until}
            change={setUntil}
            type="datetime-local"
            problem={form.problem('oldUntil')}
            hint="Empty: when the new one is used."
          />
        </details>
        <Problem text={form.problem('')} />
        <footer>
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="primary" data-first disabled={form.busy}>
            Rotate key
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
