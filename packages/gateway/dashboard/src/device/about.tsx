import { useState } from 'preact/hooks';
import { devicePath, patch, remove } from '../api/client.js';
import type { Device } from '../api/types.js';
import { Confirm } from '../components/confirm.js';
import { Facts } from '../components/facts.js';
import { Needs } from '../components/needs.js';
import { bytes, count, dateTime } from '../format.js';
import { navigate, to } from '../router.js';
import { attempt } from '../state/notices.js';
import { EditDialog } from './edit-dialog.js';

interface AboutProps {
  readonly device: Device;
  readonly changed: (device: Device) => void;
}

/** What people have said of it, and what they can do with it. */
export function About({ device, changed }: AboutProps) {
  const [doing, setDoing] = useState<'edit' | 'remove' | 'disable'>();
  const { name, tags, note, counters, enabled } = device;
  const done = () => setDoing(undefined);
  const setEnabled = async (value: boolean) =>
    changed(await patch<Device>(devicePath(device.id), { enabled: value }));
  return (
    <section class="panel" aria-labelledby="about-title">
      <h2 id="about-title">About</h2>
      <Facts
        facts={[
          [
            'Tags',
            tags.length === 0
              ? 'none'
              : tags.map((tag) => (
                  <a key={tag} class="tag" href={to(`?tag=${encodeURIComponent(tag)}`)}>
                    {tag}
                  </a>
                )),
          ],
          note !== '' && [
            'Note',
            <bdi key="note" class="note">
              {note}
            </bdi>,
          ],
          ['Added', dateTime(Date.parse(device.createdAt))],
          ['Sessions so far', count(counters.sessions)],
          ['Messages so far', `${count(counters.messagesIn)} in, ${count(counters.messagesOut)} out`],
          ['Data so far', `${bytes(counters.bytesIn)} in, ${bytes(counters.bytesOut)} out`],
        ]}
      />
      <p class="hint">Messages and data so far are stored once a minute.</p>
      <Needs least="admin" to="change devices">
        <p class="actions">
          <button type="button" class="small" onClick={() => setDoing('edit')}>
            Edit name, tags, note
          </button>
          {enabled ? (
            <button type="button" class="small" onClick={() => setDoing('disable')}>
              Disable
            </button>
          ) : (
            <button
              type="button"
              class="small"
              onClick={() => attempt(() => setEnabled(true), `${name} is enabled.`)}
            >
              Enable
            </button>
          )}
          <button type="button" class="small danger" onClick={() => setDoing('remove')}>
            Remove
          </button>
        </p>
      </Needs>
      {doing === 'edit' && <EditDialog device={device} changed={changed} close={done} />}
      {doing === 'disable' && (
        <Confirm
          title={`Disable ${name}`}
          action="Disable"
          work={() => setEnabled(false)}
          done={`${name} is disabled.`}
          close={done}
        >
          <p>Its session ends within a second and it is refused until it is enabled again. Its key stays.</p>
        </Confirm>
      )}
      {doing === 'remove' && (
        <Confirm
          title={`Remove ${name}`}
          action="Remove"
          danger
          work={() => remove(devicePath(device.id))}
          done={`${name} is removed.`}
          close={(isDone) => {
            done();
            if (isDone) navigate(to(''));
          }}
        >
          <p>
            The device, its keys and what waits for it are deleted; its session ends. This cannot be undone.
            To keep it out for a while, disable it instead.
          </p>
        </Confirm>
      )}
    </section>
  );
}
