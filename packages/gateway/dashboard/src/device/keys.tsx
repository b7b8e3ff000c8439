import { useState } from 'preact/hooks';
import { devicePath, post, remove } from '../api/client.js';
import type { Device } from '../api/types.js';
import { Confirm } from '../components/confirm.js';
import { Facts } from '../components/facts.js';
import { Needs } from '../components/needs.js';
import { Ago } from '../components/time.js';
import { dateTime } from '../format.js';
import { RotateDialog } from './rotate-dialog.js';

interface KeysProps {
  readonly device: Device;
  readonly changed: (device: Device) => void;
}

type Doing = 'rotate' | 'drop' | 'revoke';

/** What is known of its keys, a new one, and the end of them. */
export function Keys({ device, changed }: KeysProps) {
  const [doing, setDoing] = useState<Doing>();
  const { keys, name } = device;
  const done = () => setDoing(undefined);
  return (
    <section class="panel" aria-labelledby="keys-title">
      <h2 id="keys-title">Keys</h2>
      {keys.length === 0 && (
        <p class="banner warn">It has no valid key and cannot connect. Rotate gives it a new one.</p>
      )}
      {keys.map((key, index) => (
        <div key={key.fingerprint} class="key-facts">
          {keys.length > 1 && <h3>{index === 0 ? 'New key' : 'Old key'}</h3>}
          <Facts
            facts={[
              ['Fingerprint', <code key="fingerprint">{key.fingerprint}</code>],
              ['Made', <Ago key="made" at={key.createdAt} />],
              ['Last used', key.usedAt === null ? 'not yet' : <Ago key="used" at={key.usedAt} />],
              index === 1 && [
                'Ends',
                key.expiresAt === null ? 'when the new one is used' : dateTime(Date.parse(key.expiresAt)),
              ],
            ]}
          />
        </div>
      ))}
      <Needs least="admin" to="change keys">
        <p class="actions">
          <button type="button" class="small" onClick={() => setDoing('rotate')}>
            Rotate key
          </button>
          {keys.length > 1 && (
            <button type="button" class="small" onClick={() => setDoing('drop')}>
              End old key
            </button>
          )}
          {keys.length > 0 && (
            <button type="button" class="small danger" onClick={() => setDoing('revoke')}>
              Revoke
            </button>
          )}
        </p>
      </Needs>
      {doing === 'rotate' && <RotateDialog device={device} changed={changed} close={done} />}
      {doing === 'drop' && (
        <Confirm
          title={`End the old key of ${name}`}
          action="End old key"
          danger
          work={async () => changed(await remove<Device>(devicePath(device.id, '/keys/old')))}
          done="The old key is not valid any more."
          close={done}
        >
          <p>If the device does not have the new key yet, it cannot connect any more until it has.</p>
        </Confirm>
      )}
      {doing === 'revoke' && (
        <Confirm
          title={`Revoke the key of ${name}`}
          action="Revoke key"
          danger
          work={async () => changed(await post<Device>(devicePath(device.id, '/revoke')))}
          done={`${name} has no valid key any more.`}
          close={done}
        >
          <p>
            Its session ends within a second, and it cannot connect until it has a new key. The device stays
            registered, with its messages.
          </p>
        </Confirm>
      )}
    </section>
  );
}
