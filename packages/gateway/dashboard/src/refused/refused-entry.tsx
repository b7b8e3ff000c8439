import { devicePath, patch, remove } from '../api/client.js';
import type { Refused } from '../api/types.js';
import { Badge } from '../components/state-badge.js';
import { Ago } from '../components/time.js';
import { plural } from '../format.js';
import { deviceLink } from '../router.js';
import { may } from '../state/connection.js';
import { attempt } from '../state/notices.js';
import { reasonOf } from './reasons.js';

interface RefusedEntryProps {
  readonly entry: Refused;
  readonly admit: () => void;
  readonly changed: () => void;
}

/** One of them: who, why, what to do, and the button that does it. */
export function RefusedEntry({ entry, admit, changed }: RefusedEntryProps) {
  const { device, reason } = entry;
  const { title, meaning, remedy, action } = reasonOf(reason);
  const isKnown = action === 'rotate' || action === 'enable';
  const enable = async () => {
    await attempt(
      () => patch(devicePath(device!), { enabled: true }),
      'The device is enabled. It gets in when it tries again.',
    );
    changed();
  };
  const forget = async () => {
    await attempt(() => remove(`api/v1/refused/${entry.id}`));
    changed();
  };
  const who = device ?? entry.address;
  return (
    <li class="panel" aria-label={`${who}: ${title}`}>
      <p class="who">
        <Badge tone="bad">{title}</Badge>{' '}
        {device === null ? (
          <span class="muted">no device id</span>
        ) : isKnown ? (
          <a class="mono" href={deviceLink(device)}>
            {device}
          </a>
        ) : (
          <span class="mono">{device}</span>
        )}{' '}
        <span class="muted">
          {entry.transport} {entry.address} · {plural(entry.count, 'time')} · last <Ago at={entry.lastAt} />
        </span>
      </p>
      <p>
        {meaning} <strong>{remedy}</strong>
      </p>
      <p class="muted said">The gateway says: {entry.message}</p>
      {may('admin') && (
        <p class="actions">
          {action === 'admit' && device !== null && (
            <button type="button" class="small primary" onClick={admit} aria-label={`Admit ${device}`}>
              Admit
            </button>
          )}
          {action === 'enable' && device !== null && (
            <button type="button" class="small primary" onClick={enable} aria-label={`Enable ${device}`}>
              Enable
            </button>
          )}
          {action === 'rotate' && device !== null && (
            <a class="button small" href={deviceLink(device)}>
              Open to rotate its key
            </a>
          )}
          <button type="button" class="small" onClick={forget} aria-label={`Forget ${who}, ${title}`}>
            Forget
          </button>
        </p>
      )}
    </li>
  );
}
