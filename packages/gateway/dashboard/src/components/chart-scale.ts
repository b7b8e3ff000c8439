/**
 * Where the points of a chart lie.
 *
 * @module
 */

export interface Point {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Null: nothing is known. */
  readonly value: number | null;
}

/** The end of a scale from 0: 1, 2 or 5 times a power of 10, at least `least`. */
export function niceMaximum(highest: number, least = 1): number {
  const wanted = Math.max(highest, least);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= wanted * 0.999) ?? 10;
  return step * power;
}

/**
 * An SVG path through the points, in a square of 100 by 100; broken where nothing is known.
 *
 * @param gap points further apart than this are not joined. Milliseconds
 */
export function pathOf(
  points: readonly Point[],
  from: number,
  until: number,
  maximum: number,
  gap: number,
): string {
  const span = until - from;
  let path = '';
  let last = Number.NEGATIVE_INFINITY;
  for (const { at, value } of points) {
    if (value === null || at < from) {
      last = Number.NEGATIVE_INFINITY;
      continue;
    }
    const x = (((at - from) / span) * 100).toFixed(2);
    const y = (100 - (Math.min(value, maximum) / maximum) * 100).toFixed(2);
    // A lone point is a dot: a line of no length with a round end.
    path += at - last > gap ? `M${x} ${y}h0` : `L${x} ${y}`;
    last = at;
  }
  return path;
}

/** The point nearest to a time, of those that say something. */
export function nearest(points: readonly Point[], at: number, within: number): Point | undefined {
  let best: Point | undefined;
  for (const point of points) {
    if (point.value === null || Math.abs(point.at - at) > within) continue;
    if (best === undefined || Math.abs(point.at - at) < Math.abs(best.at - at)) best = point;
  }
  return best;
}
