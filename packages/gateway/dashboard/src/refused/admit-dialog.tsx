import { useState } from 'preact/hooks';
import { post } from '../api/client.js';
import type { KeyedDevice, Refused } from '../api/types.js';
import { Dialog } from '../components/dialog.js';
import { Field } from '../components/field.js';
import { Problem } from '../components/problem.js';
import { useForm } from '../components/use-form.js';
import { KeyReveal } from '../onboarding/key-reveal.js';
import { WaitForDevice } from '../onboarding/wait-for-device.js';

interface AdmitDialogProps {
  readonly entry: Refused;
  readonly close: () => void;
}

/** Registers a refused device in one step. */
export function AdmitDialog({ entry, close }: AdmitDialogProps) {
  const [name, setName] = useState('');
  const [key, setKey] = useState('');
  const [keyed, setKeyed] = useState<KeyedDevice>();
  const form = useForm(['name', 'key']);
  const admit = form.submit(async () => {
    const given = { ...(name.trim() === '' ? {} : { name: name.trim() }), ...(key === '' ? {} : { key }) };
    setKeyed(await post<KeyedDevice>(`api/v1/refused/${entry.id}/admit`, given));
  });
  if (keyed !== undefined)
    return (
      <Dialog title={`${keyed.device.name} is admitted`} close={close} stays wide>
        <WaitForDevice device={keyed.device} />
        {keyed.key === null ? (
          <p>It gets in with the key that it has, when it tries again.</p>
        ) : (
          <KeyReveal keyed={keyed} />
        )}
        <footer>
          <button type="button" class="primary" data-first onClick={close}>
            {keyed.key === null ? 'Close' : 'I have the key'}
          </button>
        </footer>
      </Dialog>
    );
  return (
    <Dialog title={`Admit ${entry.device}`} close={close}>
      <form onSubmit={admit}>
        <Field
          label="Name"
          value={name}
          change={setName}
          maxLength={64}
          placeholder={entry.device ?? ''}
          problem={form.problem('name')}
          hint="Empty: its id."
        />
        <Field
          label="Key that the device has"
          value={key}
          change={setKey}
          mono
          type="password"
          problem={form.problem('key')}
          hint="With it the device gets in as it is. Empty: a new key is made and shown, which you put into the device."
        />
        <Problem text={form.problem('')} />
        <footer>
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={form.busy}>
            Admit
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
