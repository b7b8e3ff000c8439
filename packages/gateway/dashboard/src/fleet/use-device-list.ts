/**
 * The list of devices for what the URL says, kept while other pages are shown.
 *
 * @module
 */

import { useEffect, useRef, useState } from 'preact/hooks';
import { get, messageOf } from '../api/client.js';
import type { DevicePage, GatewayEvent } from '../api/types.js';
import { query } from '../router.js';
import { batched } from '../state/batch.js';
import { DeviceList, type DeviceQuery, PAGE } from '../state/device-list.js';
import { refusalsChanged } from '../state/refusals.js';
import { FLEET_SCOPE } from '../state/scope.js';
import { useLive } from '../state/use-live.js';

/** How often events change what is shown at most. Milliseconds. */
const SHOW_EVERY = 250;
/** How soon a list that has changed is read again, as long as one page is all of what was read. Milliseconds. */
const REREAD_AFTER = 3_000;

let changed = () => {};
let failed = (_error: unknown) => {};

const list = new DeviceList({
  readPage: ({ descending, ...rest }) =>
    get<DevicePage>('api/v1/devices', { ...rest, descending: descending || undefined }),
  changed: () => changed(),
  failed: (error) => failed(error),
});

export interface ShownDevices {
  readonly list: DeviceList;
  readonly problem: string | undefined;
  readonly reload: () => void;
  readonly busy: boolean;
}

export function useDeviceList(): ShownDevices {
  const [, setVersion] = useState(0);
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const reread = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const values = queryOfUrl(query.value);
  const key = JSON.stringify(values);

  changed = () => setVersion((version) => version + 1);
  failed = (error) => setProblem(messageOf(error));

  const run = (work: () => Promise<void>) => {
    setProblem(undefined);
    setBusy(true);
    void work().finally(() => setBusy(false));
  };
  const reload = () => run(() => list.reload());

  const take = useRef(
    batched<GatewayEvent>(SHOW_EVERY, (events) => {
      let isNews = false;
      for (const event of events) {
        if (event.type === 'refused') refusalsChanged();
        isNews = list.apply(event) || isNews;
      }
      if (isNews) changed();
      // Further down somebody reads: nothing moves under their eyes.
      if (list.stale && list.read <= PAGE)
        reread.current ??= setTimeout(() => {
          reread.current = undefined;
          void list.reload();
        }, REREAD_AFTER);
    }),
  ).current;

  useLive(FLEET_SCOPE, take, () => run(() => list.open(values)));
  const shown = useRef(key);
  // The query is told by its text.
  useEffect(() => {
    if (shown.current === key) return;
    shown.current = key;
    run(() => list.open(values));
  }, [key]);
  useEffect(
    () => () => {
      clearTimeout(reread.current);
      changed = () => {};
      failed = () => {};
    },
    [],
  );
  return { list, problem, reload, busy };
}

function queryOfUrl(params: URLSearchParams): DeviceQuery {
  const value = (name: string) => params.get(name) ?? undefined;
  return {
    search: value('search'),
    tag: value('tag'),
    state: value('state'),
    sort: value('sort'),
    descending: params.get('order') === 'down',
  };
}
