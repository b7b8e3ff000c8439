import { useState } from 'preact/hooks';
import { shortTime } from '../format.js';
import { nearest, niceMaximum, type Point, pathOf } from './chart-scale.js';

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

interface ChartProps {
  readonly title: string;
  /** One or two. */
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  readonly from: number;
  readonly until: number;
  /** Between two points. Milliseconds. */
  readonly interval: number;
  /** The scale ends at this, at least. */
  readonly least?: number;
  /** What is said when there is nothing to show. */
  readonly empty: string;
}

/** A line chart over time; under the pointer it says the values. */
export function Chart({ title, series, format, from, until, interval, least = 1, empty }: ChartProps) {
  const [at, setAt] = useState<number>();
  const known = series.flatMap(({ points }) =>
    points.filter((point) => point.value !== null && point.at >= from),
  );
  const maximum = niceMaximum(Math.max(0, ...known.map(({ value }) => value!)), least);
  const shown = series.map(({ name, points }) => ({
    name,
    point: at === undefined ? points.findLast(({ value }) => value !== null) : nearest(points, at, interval),
  }));
  const point = (event: PointerEvent) => {
    const { left, width } = (event.currentTarget as Element).getBoundingClientRect();
    setAt(from + ((event.clientX - left) / width) * (until - from));
  };
  const pointed = at === undefined ? undefined : shown.find((entry) => entry.point !== undefined)?.point;
  return (
    <figure class="chart">
      <figcaption>
        <span class="title">{title}</span>
        <span class="values">
          {shown.map(({ name, point }, index) => (
            <span key={name} class={`series-${index}`}>
              {series.length > 1 && <span class="name">{name} </span>}
              <b>{point === undefined ? '–' : format(point.value!)}</b>
            </span>
          ))}
          {pointed && <span class="at">{shortTime(pointed.at)}</span>}
        </span>
      </figcaption>
      <div class="plot">
        <svg
          viewBox="0 0 100 100"
          preserveAspectRatio="none"
          role="img"
          aria-label={summary(title, series, format, from)}
          onPointerMove={point}
          onPointerLeave={() => setAt(undefined)}
        >
          <path class="grid" d="M0 0.5H100M0 50H100M0 99.5H100" />
          {series.map(({ name, points }, index) => (
            <path
              key={name}
              class={`line series-${index}`}
              d={pathOf(points, from, until, maximum, interval * 2.5)}
            />
          ))}
          {pointed && <path class="cursor" d={`M${((pointed.at - from) / (until - from)) * 100} 0V100`} />}
        </svg>
        {known.length === 0 ? (
          <p class="empty">{empty}</p>
        ) : (
          <span class="scale top" aria-hidden="true">
            {format(maximum)}
          </span>
        )}
      </div>
      <div class="axis" aria-hidden="true">
        <span>{shortTime(from)}</span>
        <span>{shortTime((from + until) / 2)}</span>
        <span>{shortTime(until)}</span>
      </div>
    </figure>
  );
}

/** The same in words. */
function summary(
  title: string,
  series: readonly Series[],
  format: (value: number) => string,
  from: number,
): string {
  const parts = series.map(({ name, points }) => {
    const values = points.filter(({ at, value }) => value !== null && at >= from).map(({ value }) => value!);
    if (values.length === 0) return `${name}: nothing measured`;
    const last = values.at(-1)!;
    return `${name}: now ${format(last)}, least ${format(Math.min(...values))}, most ${format(Math.max(...values))}`;
  });
  return `Chart, ${title}. ${parts.join('. ')}`;
}
