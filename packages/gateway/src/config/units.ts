/**
 * Durations and sizes as people write them: `30s`, `12h`, `64KiB`, `1GB`.
 *
 * @module
 */

/** Milliseconds. The largest first, as the shortest text is looked for in this order. */
const DURATION_UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;

/** Bytes. Those of 1,024 and those of 1,000 are told apart, as they are 10 % apart at TB. */
const SIZE_UNITS = {
  TiB: 1_024 ** 4,
  TB: 1_000 ** 4,
  GiB: 1_024 ** 3,
  GB: 1_000 ** 3,
  MiB: 1_024 ** 2,
  MB: 1_000 ** 2,
  KiB: 1_024,
  KB: 1_000,
  B: 1,
} as const;

/** For error messages. */
export const DURATION_EXAMPLES = '90s, 10m, 12h or 7d';
export const SIZE_EXAMPLES = '64KiB, 10MB or 1GB';

/** Milliseconds of `30s`; undefined for what is no duration. */
export function parseDuration(text: string): number | undefined {
  return parse(text, DURATION_UNITS);
}

/** Bytes of `64KiB`, whatever the case of the unit; undefined for what is no size. */
export function parseSize(text: string): number | undefined {
  return parse(text, SIZE_UNITS);
}

/** The shortest way to write that many milliseconds. */
export function formatDuration(milliseconds: number): string {
  return format(milliseconds, DURATION_UNITS);
}

/** The shortest way to write that many bytes. */
export function formatSize(bytes: number): string {
  return format(bytes, SIZE_UNITS);
}

function parse(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, digits, unit] = /^([0-9][0-9_]*) ?([a-z]+)$/i.exec(text.trim()) ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  const name = Object.keys(units).find((known) => known.toLowerCase() === unit.toLowerCase());
  const value = Number(digits.replaceAll('_', '')) * (name === undefined ? Number.NaN : units[name]!);
  return Number.isSafeInteger(value) ? value : undefined;
}

function format(value: number, units: Readonly<Record<string, number>>): string {
  const texts = Object.entries(units)
    .filter(([, factor]) => value % factor === 0)
    .map(([unit, factor]) => `${value / factor}${unit}`);
  // 0 is a multiple of everything; any other one is shortest in its largest unit, or in that of the fewest digits.
  return texts.reduce((best, text) => (text.length < best.length ? text : best));
}
