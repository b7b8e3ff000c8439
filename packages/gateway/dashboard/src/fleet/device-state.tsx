import type { Device } from '../api/types.js';
import { Badge } from '../components/state-badge.js';
import { Ago, Since } from '../components/time.js';
import { reasonOf } from '../refused/reasons.js';
import { refusalSince } from '../state/refusals.js';

/** How a device is, in a word or two. */
export function DeviceState({ device }: { readonly device: Device }) {
  if (device.session !== null)
    return (
      <Badge tone="good">
        Online <Since at={device.session.since} />
      </Badge>
    );
  if (!device.enabled) return <Badge tone="warn">Disabled</Badge>;
  if (device.keys.length === 0) return <Badge tone="warn">No key</Badge>;
  const refusal = refusalSince(device);
  if (refusal !== undefined)
    return <Badge tone="bad">Refused: {reasonOf(refusal.reason).title.toLowerCase()}</Badge>;
  if (device.lastSeenAt === null) return <Badge tone="idle">Never seen</Badge>;
  return (
    <Badge tone="idle">
      Offline{' '}
      <span class="muted narrow-only">
        <Ago at={device.lastSeenAt} />
      </span>
    </Badge>
  );
}
