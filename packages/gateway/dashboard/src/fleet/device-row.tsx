import { memo } from 'preact/compat';
import type { Device } from '../api/types.js';
import { Ago } from '../components/time.js';
import { roundTrip } from '../format.js';
import { deviceLink } from '../router.js';
import { DeviceState } from './device-state.js';

interface DeviceRowProps {
  readonly index: number;
  /** Undefined: not read yet. */
  readonly device: Device | undefined;
}

/** One row; drawn again only when its device has changed. */
export const DeviceRow = memo(function DeviceRow({ index, device }: DeviceRowProps) {
  // The first is the header.
  const place = index + 2;
  if (device === undefined)
    return (
      <tr aria-rowindex={place} class="unread">
        <td colSpan={5}>…</td>
      </tr>
    );
  const { id, name, tags, session } = device;
  return (
    <tr aria-rowindex={place}>
      <td class="name">
        <a href={deviceLink(id)}>
          <bdi>{name}</bdi>
        </a>
        {name !== id && <span class="mono muted id">{id}</span>}
      </td>
      <td class="state">
        <DeviceState device={device} />
      </td>
      <td class="tags">
        {tags.map((tag) => (
          <span key={tag} class="tag">
            {tag}
          </span>
        ))}
      </td>
      <td class="line">
        {session !== null ? (
          <>
            {session.transport} {session.peer}
            {session.rtt !== null && <span class="muted"> {roundTrip(session.rtt)}</span>}
          </>
        ) : (
          <span class="muted">
            {device.lastTransport} {device.lastAddress}
          </span>
        )}
      </td>
      <td class="seen">
        {session !== null ? 'now' : device.lastSeenAt === null ? 'never' : <Ago at={device.lastSeenAt} />}
      </td>
    </tr>
  );
});
