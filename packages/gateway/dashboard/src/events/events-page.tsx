import { useMemo, useRef, useState } from 'preact/hooks';
import { ApiError, get, messageOf } from '../api/client.js';
import type { EventPage, EventType, GatewayEvent } from '../api/types.js';
import { Problem } from '../components/problem.js';
import { PageTitle } from '../layout/page-title.js';
import { query } from '../router.js';
import { batched } from '../state/batch.js';
import { attempt } from '../state/notices.js';
import { ALL_TYPES, ARRIVALS, FLEET_TYPES, type Scope } from '../state/scope.js';
import { useLive } from '../state/use-live.js';
import { EventFilters } from './event-filters.js';
import { EventTable } from './event-table.js';

const PAGE = 100;
/** Rows that are kept as new ones come; the others are read again when somebody asks. */
const ROWS = 200;
/** Milliseconds. */
const SHOW_EVERY = 500;

/** What happens, the latest first. */
export function EventsPage() {
  const [events, setEvents] = useState<readonly GatewayEvent[]>();
  const [older, setOlder] = useState<number | null>(null);
  const [problem, setProblem] = useState<string>();
  const [paused, setPaused] = useState(false);
  const isPaused = useRef(paused);
  isPaused.current = paused;
  const rows = useRef(ROWS);
  const [unknown, setUnknown] = useState<string>();
  const wanted = scopeOf(query.value);
  // The gateway has no stream for a device that is not there.
  const isUnknown = unknown !== undefined && unknown === wanted.device;
  const filter = { types: wanted.types.join(), device: wanted.device, limit: PAGE };
  const key = `${filter.types} ${filter.device} ${isUnknown}`;
  const shown = useRef(key);
  shown.current = key;
  /** Of requests under way only the answer to the last one counts. */
  const asked = useRef(0);
  /** Events since then: its answer may be older than they are. */
  const meanwhile = useRef<readonly GatewayEvent[]>([]);

  const load = () => {
    setProblem(undefined);
    const ask = ++asked.current;
    meanwhile.current = [];
    get<EventPage>('api/v1/events/log', { ...filter, before: Number.MAX_SAFE_INTEGER }).then(
      (page) => {
        if (ask !== asked.current) return;
        setEvents(withNewer(page.events, meanwhile.current));
        setOlder(page.next);
        setUnknown(undefined);
      },
      (error) => {
        if (ask !== asked.current) return;
        setProblem(messageOf(error));
        if (!(error instanceof ApiError && error.status === 404)) return;
        setEvents(undefined);
        setOlder(null);
        setUnknown(filter.device);
      },
    );
  };
  const loadOlder = () =>
    attempt(async () => {
      const ask = asked.current;
      const page = await get<EventPage>('api/v1/events/log', { ...filter, before: older ?? undefined });
      if (ask !== asked.current) return;
      rows.current += PAGE;
      setEvents((before = []) => {
        const oldest = before.at(-1)?.id ?? Number.POSITIVE_INFINITY;
        return [...before, ...page.events.filter(({ id }) => id < oldest)];
      });
      setOlder(page.next);
    });
  const take = useMemo(
    () =>
      batched<GatewayEvent>(SHOW_EVERY, (added) => {
        // Those of another filter, which has been changed since they came.
        if (isPaused.current || shown.current !== key) return;
        if (isUnknown) return load();
        meanwhile.current = [...meanwhile.current, ...added].slice(-ROWS);
        setEvents((before = []) => {
          const all = withNewer(before, added);
          if (all.length > rows.current) setOlder(all[rows.current - 1]!.id);
          return all.slice(0, rows.current);
        });
      }),
    [key],
  );
  useLive(isUnknown ? ARRIVALS : wanted, take, load);
  const pause = () => {
    if (paused) load();
    setPaused(!paused);
  };
  return (
    <>
      <div class="page-head">
        <PageTitle title="Events" />
        <button type="button" aria-pressed={paused} onClick={pause}>
          {paused ? 'Go on' : 'Hold still'}
        </button>
      </div>
      <EventFilters />
      <Problem text={problem} retry={load} />
      {events?.length === 0 && older === null && (
        <p class="empty">Nothing of that kind has happened, as far as is kept.</p>
      )}
      {events !== undefined && events.length > 0 && <EventTable events={events} />}
      {older !== null && (
        <p class="actions">
          <button type="button" onClick={loadOlder}>
            Load older events
          </button>
        </p>
      )}
    </>
  );
}

/** The latest first; `added` as they came. */
function withNewer(events: readonly GatewayEvent[], added: readonly GatewayEvent[]): readonly GatewayEvent[] {
  const newest = events[0]?.id ?? 0;
  return [...added.filter(({ id }) => id > newest).toReversed(), ...events];
}

/** What the URL says. Messages only for who asks: there may be thousands a second. */
function scopeOf(values: URLSearchParams): Scope {
  const device = values.get('device') ?? '';
  const kind = values.get('types') ?? '';
  const chosen = ALL_TYPES.filter((type): type is EventType => kind.split(',').includes(type));
  return { types: chosen.length === 0 ? FLEET_TYPES : chosen, ...(device === '' ? {} : { device }) };
}
