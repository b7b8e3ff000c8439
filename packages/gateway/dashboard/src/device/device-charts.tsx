import { useState } from 'preact/hooks';
import { devicePath, get } from '../api/client.js';
import type { Activity, Device } from '../api/types.js';
import { Chart } from '../components/chart.js';
import type { Point } from '../components/chart-scale.js';
import { count, roundTrip } from '../format.js';
import { now } from '../state/clock.js';
import { ALL_TYPES } from '../state/scope.js';
import { SPAN } from '../state/stats.js';
import { useEvery, useLive } from '../state/use-live.js';

/** Milliseconds. */
const EVERY = 10_000;
const MINUTE = 60_000;
/** The chart of round trips begins where the page was opened, yet shows this much. Milliseconds. */
const LEAST_SPAN = 5 * MINUTE;
const ASKED_EVERY = 3_000;

interface DeviceChartsProps {
  readonly device: Device;
  readonly roundTrips: readonly Point[];
}

/** Messages of the last hour; round trips since the page was opened. */
export function DeviceCharts({ device, roundTrips }: DeviceChartsProps) {
  const [activity, setActivity] = useState<Activity>();
  const load = () => {
    get<Activity>(devicePath(device.id, '/activity')).then(setActivity, () => {});
  };
  useLive({ device: device.id, types: ALL_TYPES }, () => {}, load);
  useEvery(EVERY, load);
  const until = now.value;
  const minutes = activity === undefined ? [] : everyMinute(activity, until);
  const begun = roundTrips[0]?.at ?? until;
  return (
    <section aria-label="Charts" class="charts two">
      <Chart
        title={activity?.complete === false ? 'Messages a minute (the latest)' : 'Messages a minute'}
        format={count}
        from={until - SPAN}
        until={until}
        interval={MINUTE}
        series={[
          { name: 'in', points: minutes.map(({ at, messagesIn }) => ({ at, value: messagesIn })) },
          { name: 'out', points: minutes.map(({ at, messagesOut }) => ({ at, value: messagesOut })) },
        ]}
        empty="From the stored messages of the last hour: there are none."
      />
      <Chart
        title="Round trip, since this page was opened"
        format={roundTrip}
        from={Math.max(until - SPAN, Math.min(begun, until - LEAST_SPAN))}
        until={until}
        interval={ASKED_EVERY}
        least={10}
        series={[{ name: 'round trip', points: roundTrips }]}
        empty="Measured when a message is confirmed, or by Measure round trip."
      />
    </section>
  );
}

interface MinuteCount {
  readonly at: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
}

/** Also the minutes in which nothing was said. */
function everyMinute({ from, minutes }: Activity, until: number): readonly MinuteCount[] {
  const known = new Map(minutes.map((minute) => [Date.parse(minute.at), minute]));
  const all: MinuteCount[] = [];
  for (let at = Math.ceil(Date.parse(from) / MINUTE) * MINUTE; at <= until; at += MINUTE) {
    const { messagesIn = 0, messagesOut = 0 } = known.get(at) ?? {};
    all.push({ at, messagesIn, messagesOut });
  }
  return all;
}
