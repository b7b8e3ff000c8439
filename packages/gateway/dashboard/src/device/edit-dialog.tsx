import { useState } from 'preact/hooks';
import { devicePath, patch } from '../api/client.js';
import type { Device } from '../api/types.js';
import { Dialog } from '../components/dialog.js';
import { Field } from '../components/field.js';
import { Problem } from '../components/problem.js';
import { tagsOf, useForm } from '../components/use-form.js';
import { tell } from '../state/notices.js';

interface EditDialogProps {
  readonly device: Device;
  readonly changed: (device: Device) => void;
  readonly close: () => void;
}

/** Name, tags and note. */
export function EditDialog({ device, changed, close }: EditDialogProps) {
  const [name, setName] = useState(device.name);
  const [tags, setTags] = useState(device.tags.join(', '));
  const [note, setNote] = useState(device.note);
  const form = useForm(['name', 'tags', 'note']);
  const save = form.submit(async () => {
    changed(await patch<Device>(devicePath(device.id), { name: name.trim(), tags: tagsOf(tags), note }));
    tell('done', 'Saved.');
    close();
  });
  return (
    <Dialog title={`Edit ${device.name}`} close={close}>
      <form onSubmit={save}>
        <Field
          label="Name"
          value={name}
          change={setName}
          required
          maxLength={64}
          problem={form.problem('name')}
        />
        <Field
          label="Tags"
          value={tags}
          change={setTags}
          problem={form.problem('tags')}
          hint="With commas between them: a-z, 0-9 and _ . : -"
        />
        <Field
          label="Note"
          value={note}
          change={setNote}
          lines={4}
          maxLength={1_000}
          problem={form.problem('note')}
        />
        <Problem text={form.problem('')} />
        <footer>
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={form.busy}>
            Save
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
