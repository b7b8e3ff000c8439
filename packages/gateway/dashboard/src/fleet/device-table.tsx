import { useEffect, useRef } from 'preact/hooks';
import { Problem } from '../components/problem.js';
import { useMedia } from '../components/use-media.js';
import { useVirtualRows } from '../components/virtual-rows.js';
import { plural } from '../format.js';
import { query } from '../router.js';
import { DeviceFilters } from './device-filters.js';
import { DeviceRow } from './device-row.js';
import { SortHeader } from './sort-header.js';
import { useDeviceList } from './use-device-list.js';

/** As the style has it. Pixels. */
const ROW_HEIGHT = 40;
const NARROW_ROW_HEIGHT = 64;
const NARROW = '(max-width: 700px)';

/** Devices, as many as there are: only rows that are seen exist. */
export function DeviceTable() {
  const body = useRef<HTMLTableSectionElement>(null);
  const { list, problem, reload, busy } = useDeviceList();
  const height = useMedia(NARROW) ? NARROW_ROW_HEIGHT : ROW_HEIGHT;
  const { items, before, after } = useVirtualRows(list.total, height, body);
  const end = (items.at(-1)?.index ?? -1) + 1;
  useEffect(() => list.want(end), [list, end]);
  const isFiltered = ['search', 'tag', 'state'].some((name) => query.value.has(name));
  return (
    <section aria-labelledby="devices-title">
      <div class="table-head">
        <h2 id="devices-title">Devices</h2>
        <DeviceFilters />
        <p class="muted" role="status" data-testid="device-count">
          {list.loaded &&
            (isFiltered ? `${plural(list.total, 'device')} found` : plural(list.total, 'device'))}
          {busy && ' …'}
        </p>
        {list.stale && list.read > end + 50 && (
          <button type="button" class="small" onClick={reload}>
            The list has changed: show
          </button>
        )}
      </div>
      <Problem text={problem} retry={reload} />
      <table class="devices" aria-rowcount={list.total + 1} aria-busy={busy}>
        <caption class="offscreen">Devices</caption>
        <thead>
          <tr aria-rowindex={1}>
            <SortHeader sort="name" name="Device" />
            <th scope="col">State</th>
            <th scope="col">Tags</th>
            <th scope="col">Connection</th>
            <SortHeader sort="seenAt" name="Last seen" startsDown />
          </tr>
        </thead>
        <tbody ref={body}>
          {before > 0 && (
            // biome-ignore lint/a11y/noAriaHiddenOnFocusable: it is empty, and takes no focus.
            <tr aria-hidden="true" class="room">
              <td colSpan={5} style={{ height: `${before}px` }} />
            </tr>
          )}
          {items.map(({ index }) => {
            const device = list.row(index);
            return <DeviceRow key={device?.id ?? index} index={index} device={device} />;
          })}
          {after > 0 && (
            // biome-ignore lint/a11y/noAriaHiddenOnFocusable: it is empty, and takes no focus.
            <tr aria-hidden="true" class="room">
              <td colSpan={5} style={{ height: `${after}px` }} />
            </tr>
          )}
        </tbody>
      </table>
      {list.loaded && list.total === 0 && (
        <p class="empty">
          {isFiltered ? 'No device is like that. Show all, or look for less.' : 'There is no device.'}
        </p>
      )}
    </section>
  );
}
