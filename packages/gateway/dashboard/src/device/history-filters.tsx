import { useEffect, useState } from 'preact/hooks';
import { query, setQuery } from '../router.js';
import { VIEWS, viewOf } from './message-body.js';

const DIRECTIONS = [
  ['', 'Both directions'],
  ['in', 'From the device'],
  ['out', 'To the device'],
] as const;

const STATES = ['received', 'queued', 'sent', 'confirmed', 'expired', 'refused'] as const;

/** Which messages of the history. */
export function HistoryFilters() {
  const values = query.value;
  const given = values.get('find') ?? '';
  const [find, setFind] = useState(given);
  useEffect(() => setFind(given), [given]);
  const filter = (changes: Record<string, string>) => setQuery({ ...changes, before: '' }, true);
  return (
    <form
      class="filters"
      onSubmit={(event) => {
        event.preventDefault();
        filter({ find });
      }}
    >
      <label>
        <span class="offscreen">Find in messages</span>
        <input
          type="search"
          value={find}
          maxLength={200}
          placeholder="Find, then Enter"
          onInput={(event) => setFind(event.currentTarget.value)}
        />
      </label>
      <label>
        <span class="offscreen">Direction</span>
        <select
          value={values.get('direction') ?? ''}
          onChange={(event) => filter({ direction: event.currentTarget.value })}
        >
          {DIRECTIONS.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="offscreen">State of messages</span>
        <select
          value={values.get('outcome') ?? ''}
          onChange={(event) => filter({ outcome: event.currentTarget.value })}
        >
          <option value="">All states</option>
          {STATES.map((state) => (
            <option key={state} value={state}>
              {state}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="offscreen">Show as</span>
        <select
          value={viewOf(values.get('show'))}
          onChange={(event) => setQuery({ show: event.currentTarget.value })}
        >
          {VIEWS.map(([name, title]) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
      </label>
    </form>
  );
}
