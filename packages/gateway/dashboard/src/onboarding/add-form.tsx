import { useEffect, useState } from 'preact/hooks';
import { post } from '../api/client.js';
import type { KeyedDevice } from '../api/types.js';
import { Field } from '../components/field.js';
import { Problem } from '../components/problem.js';
import { tagsOf, useForm } from '../components/use-form.js';

interface AddFormProps {
  readonly added: (keyed: KeyedDevice) => void;
  /** Told whether something is typed. */
  readonly typed?: ((isTyped: boolean) => void) | undefined;
}

/** Registers a device. */
export function AddForm({ added, typed }: AddFormProps) {
  const [name, setName] = useState('');
  const [tags, setTags] = useState('');
  const [id, setId] = useState('');
  const [key, setKey] = useState('');
  const isTyped = name + tags + id + key !== '';
  useEffect(() => {
    typed?.(isTyped);
    return () => typed?.(false);
  }, [isTyped]);
  const form = useForm(['name', 'tags', 'id', 'key']);
  const add = form.submit(async () => {
    const given = {
      ...(name.trim() === '' ? {} : { name: name.trim() }),
      ...(tagsOf(tags).length === 0 ? {} : { tags: tagsOf(tags) }),
      ...(id.trim() === '' ? {} : { id: id.trim() }),
      ...(key === '' ? {} : { key }),
    };
    added(await post<KeyedDevice>('api/v1/devices', given));
  });
  const isOpen = form.problem('id') !== undefined || form.problem('key') !== undefined;
  return (
    <form onSubmit={add} class="add-form">
      <div class="pair">
        <Field
          label="Name"
          value={name}
          change={setName}
          placeholder="lamp"
          maxLength={64}
          problem={form.problem('name')}
          hint="What you call it; it can be changed at any time."
        />
        <Field
          label="Tags"
          value={tags}
          change={setTags}
          placeholder="attic, test"
          problem={form.problem('tags')}
          hint="To find it by later; with commas between them. May stay empty."
        />
      </div>
      <details open={isOpen}>
        <summary>The device has an id or a key already</summary>
        <div class="pair">
          <Field
            label="Device id"
            value={id}
            change={setId}
            mono
            placeholder="aa:bb:cc:dd:ee:ff"
            problem={form.problem('id')}
            hint="Six bytes; a board without one of its own uses its MAC address. Empty: a random one."
          />
          <Field
            label="Key"
            value={key}
            change={setKey}
            mono
            type="password"
            problem={form.problem('key')}
            hint="At least 16 characters, or hex:… or base64:…. Empty: a new one, which is shown next."
          />
        </div>
      </details>
      <Problem text={form.problem('')} />
      <button type="submit" class="primary" disabled={form.busy}>
        Add device
      </button>
    </form>
  );
}
