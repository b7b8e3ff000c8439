import type { ComponentChildren } from 'preact';
import type { Sample } from '../api/types.js';
import { Chart } from '../components/chart.js';
import type { Point } from '../components/chart-scale.js';
import { count, rate, roundTrip } from '../format.js';
import { to } from '../router.js';
import { status } from '../state/connection.js';
import { FLEET_SCOPE } from '../state/scope.js';
import { loadStats, SPAN, stats } from '../state/stats.js';
import { useEvery, useLive } from '../state/use-live.js';

/** Milliseconds. */
const EVERY = 5_000;

/** The fleet in numbers, now and over the last hour. */
export function FleetNumbers() {
  const load = () => void loadStats().catch(() => {});
  useLive(FLEET_SCOPE, () => {}, load);
  useEvery(EVERY, load);
  if (stats.value === undefined) return <p class="muted">Reading the numbers …</p>;
  const { latest, samples, rates } = stats.value;
  const { registered, online } = latest.devices;
  const refused = status.value?.refusedEntries ?? 0;
  return (
    <section aria-label="Numbers" class="numbers">
      <dl class="tiles">
        <Tile name="Online" href={to('?state=online')}>
          {count(online)}
        </Tile>
        <Tile name="Offline" href={to('?state=offline')}>
          {count(Math.max(0, registered - online))}
        </Tile>
        <Tile name="Refused" href={to('refused')} isBad={refused > 0}>
          {count(refused)}
        </Tile>
        <Tile name="Messages in">{rates === undefined ? '–' : `${rate(rates.in)}/s`}</Tile>
        <Tile name="Messages out">{rates === undefined ? '–' : `${rate(rates.out)}/s`}</Tile>
        <Tile name="Round trip">{roundTrip(latest.roundTrip)}</Tile>
      </dl>
      <Charts samples={samples} interval={latest.interval} until={Date.parse(latest.at)} />
    </section>
  );
}

interface ChartsProps {
  readonly samples: readonly Sample[];
  /** Seconds. */
  readonly interval: number;
  readonly until: number;
}

function Charts({ samples, interval, until }: ChartsProps) {
  const of = (value: (sample: Sample) => number | null): readonly Point[] =>
    samples.map((sample) => ({ at: Date.parse(sample.at), value: value(sample) }));
  const shared = {
    from: until - SPAN,
    until,
    interval: interval * 1_000,
    empty: 'The first value comes within 10 s.',
  };
  return (
    <div class="charts">
      <Chart
        {...shared}
        title="Devices online"
        format={count}
        series={[{ name: 'online', points: of(({ online }) => online) }]}
      />
      <Chart
        {...shared}
        title="Messages a second"
        format={rate}
        series={[
          { name: 'in', points: of(({ messagesIn }) => messagesIn / interval) },
          { name: 'out', points: of(({ messagesOut }) => messagesOut / interval) },
        ]}
      />
      <Chart
        {...shared}
        title="Mean round trip"
        format={roundTrip}
        least={10}
        series={[{ name: 'round trip', points: of(({ roundTrip }) => roundTrip) }]}
        empty="Nothing sent to devices yet."
      />
      <Chart
        {...shared}
        title="Refused a minute"
        format={rate}
        series={[{ name: 'refused', points: of(({ refused }) => (refused * 60) / interval) }]}
      />
    </div>
  );
}

interface TileProps {
  readonly name: string;
  readonly href?: string;
  readonly isBad?: boolean;
  readonly children: ComponentChildren;
}

function Tile({ name, href, isBad = false, children }: TileProps) {
  return (
    <div class={isBad ? 'bad' : ''}>
      <dt>{href === undefined ? name : <a href={href}>{name}</a>}</dt>
      <dd>{children}</dd>
    </div>
  );
}
