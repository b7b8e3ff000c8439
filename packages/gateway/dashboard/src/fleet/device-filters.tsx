import { useEffect, useRef, useState } from 'preact/hooks';
import { get } from '../api/client.js';
import type { EventType, TagCount } from '../api/types.js';
import { query, setQuery } from '../router.js';
import { batched } from '../state/batch.js';
import { FLEET_SCOPE } from '../state/scope.js';
import { useLive } from '../state/use-live.js';

/** After the last key, before it is looked for. Milliseconds. */
const PAUSE = 250;
/** How often tags are read at most, as thousands of devices may change at once. Milliseconds. */
const TAGS_EVERY = 2_000;
const TAGS_CHANGE: readonly EventType[] = ['device-added', 'device-changed', 'device-removed'];

export const STATES = [
  ['', 'All states'],
  ['online', 'Online'],
  ['offline', 'Offline'],
  ['refused', 'Refused'],
  ['disabled', 'Disabled'],
] as const;

/** What is looked for; all of it stands in the URL. */
export function DeviceFilters() {
  const search = query.value.get('search') ?? '';
  const [typed, setTyped] = useState(search);
  const [tags, setTags] = useState<readonly TagCount[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  // A space that more will follow is not taken away.
  useEffect(() => setTyped((now) => (now.trim() === search ? now : search)), [search]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const load = () => {
    get<{ tags: TagCount[] }>('api/v1/tags').then(
      (answer) => setTags(answer.tags),
      () => {},
    );
  };
  const changed = useRef(batched(TAGS_EVERY, load)).current;
  useLive(FLEET_SCOPE, ({ type }) => TAGS_CHANGE.includes(type) && changed(type), load);
  const type = (text: string) => {
    setTyped(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setQuery({ search: text.trim() }), PAUSE);
  };
  const tag = query.value.get('tag') ?? '';
  const isFiltered = search !== '' || tag !== '' || query.value.has('state');
  return (
    <search class="filters">
      <label>
        <span class="offscreen">Search devices</span>
        <input
          type="search"
          value={typed}
          placeholder="Search name, id, tag, note"
          maxLength={200}
          onInput={(event) => type(event.currentTarget.value)}
        />
      </label>
      <label>
        <span class="offscreen">State</span>
        <select
          value={query.value.get('state') ?? ''}
          onChange={(event) => setQuery({ state: event.currentTarget.value }, true)}
        >
          {STATES.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="offscreen">Tag</span>
        <select value={tag} onChange={(event) => setQuery({ tag: event.currentTarget.value }, true)}>
          <option value="">All tags</option>
          {tag !== '' && !tags.some((entry) => entry.tag === tag) && <option value={tag}>{tag}</option>}
          {tags.map((entry) => (
            <option key={entry.tag} value={entry.tag}>
              {entry.tag} ({entry.devices})
            </option>
          ))}
        </select>
      </label>
      {isFiltered && (
        <button type="button" onClick={() => setQuery({ search: '', state: '', tag: '' }, true)}>
          Show all
        </button>
      )}
    </search>
  );
}
