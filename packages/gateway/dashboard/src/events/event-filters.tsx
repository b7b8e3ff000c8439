import { useEffect, useState } from 'preact/hooks';
import type { EventType } from '../api/types.js';
import { query, setQuery } from '../router.js';

const KINDS: readonly (readonly [name: string, types: readonly EventType[]])[] = [
  ['All but messages', []],
  ['Connections', ['connected', 'disconnected']],
  ['Refused', ['refused']],
  ['Devices and keys', ['device-added', 'device-changed', 'device-removed', 'key-rotated', 'key-revoked']],
  ['Gateway and storage', ['gateway-started', 'gateway-stopping', 'storage-failed', 'storage-recovered']],
  ['Messages', ['message', 'message-state']],
];

/** Which events; the URL says it. */
export function EventFilters() {
  const values = query.value;
  const given = values.get('device') ?? '';
  const [device, setDevice] = useState(given);
  useEffect(() => setDevice(given), [given]);
  const types = values.get('types') ?? '';
  return (
    <form
      class="filters"
      onSubmit={(event) => {
        event.preventDefault();
        setQuery({ device: device.trim() }, true);
      }}
    >
      <label>
        <span class="offscreen">Kind of events</span>
        <select value={types} onChange={(event) => setQuery({ types: event.currentTarget.value }, true)}>
          {KINDS.map(([name, list]) => (
            <option key={name} value={list.join()}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="offscreen">Device</span>
        <input
          type="search"
          value={device}
          placeholder="Name or id of a device, then Enter"
          maxLength={200}
          onInput={(event) => setDevice(event.currentTarget.value)}
        />
      </label>
      {given !== '' && (
        <button
          type="button"
          onClick={() => {
            setDevice('');
            setQuery({ device: '' }, true);
          }}
        >
          All devices
        </button>
      )}
    </form>
  );
}
