/** Turns samples into the tables that are printed. */
import { availableParallelism, cpus, loadavg, release } from 'node:os';
import { FIGURES, GOALS, SERVERS, TOLERANCE } from './plan.js';

/** @typedef {import('./plan.js').ServerName} ServerName */
/** @typedef {import('./plan.js').FigureName} FigureName */
/** @typedef {{ figure: FigureName, server: ServerName, run: number, value: number }} Sample */
/**
 * @typedef {object} Verdict
 * @property {FigureName} figure
 * @property {ServerName} [other] that the figure is compared with
 * @property {number} [ratio] to it
 * @property {string} measured
 * @property {string} goal
 * @property {boolean} holds
 */

/** @param {readonly number[]} values at least one */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** What the numbers depend on. Call it before the load begins: others on the machine show in its load average. */
export function machine() {
  const cpu = cpus()[0]?.model.trim() ?? 'unknown CPU';
  const { node, openssl } = process.versions;
  const system = `${process.platform} ${release()}`;
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ');
  const load = loadavg()[0].toFixed(1);
  return `${cpu}, ${availableParallelism()} cores at load ${load}, ${system}, Node ${node}, OpenSSL ${openssl}, ${date} UTC`;
}

/** @param {readonly Sample[]} samples @param {FigureName} figure @param {ServerName} server */
function valuesOf(samples, figure, server) {
  return samples.filter((s) => s.figure === figure && s.server === server).map((s) => s.value);
}

/** The goals of which both sides were measured. @param {readonly Sample[]} samples @returns {Verdict[]} */
export function judge(samples) {
  return GOALS.flatMap(({ figure, other, atLeast, atMost = Number.POSITIVE_INFINITY }) => {
    const ours = valuesOf(samples, figure, 'usmp');
    if (ours.length === 0) return [];
    const { unit, moreIsBetter } = FIGURES[figure];
    if (other === undefined) {
      const value = median(ours);
      const measured = `${significant(value)} ${unit}`;
      return [{ figure, measured, goal: `≤ ${atMost} ${unit}`, holds: value <= atMost }];
    }
    const theirs = valuesOf(samples, figure, other);
    if (theirs.length === 0) return [];
    const more = median(ours) / median(theirs);
    if (atLeast === undefined) {
      const holds = more <= atMost * (1 + TOLERANCE);
      return [{ figure, other, ratio: more, measured: times(more), goal: `≤ ${atMost} × its cost`, holds }];
    }
    const ratio = moreIsBetter ? more : 1 / more;
    const goal = `≥ ${atLeast} × ${moreIsBetter ? 'as much' : 'cheaper'}`;
    return [
      { figure, other, ratio, measured: times(ratio), goal, holds: ratio >= atLeast * (1 - TOLERANCE) },
    ];
  });
}

/** Median and range per figure and server. @param {readonly Sample[]} samples */
export function figureTable(samples) {
  const servers = namesIn(SERVERS, samples, 'server');
  const figures = namesIn(FIGURES, samples, 'figure');
  const rows = figures.map((figure) => [
    `${FIGURES[figure].title}, ${FIGURES[figure].unit}`,
    ...servers.map((server) => summary(valuesOf(samples, figure, server))),
  ]);
  return table([['', ...servers.map((server) => SERVERS[server].title)], ...rows]);
}

/** @param {readonly Verdict[]} verdicts */
export function goalTable(verdicts) {
  const rows = verdicts.map(({ figure, other, measured, goal, holds }) => [
    `${FIGURES[figure].title}, ${FIGURES[figure].unit}`,
    other === undefined ? '' : `against ${SERVERS[other].title}`,
    measured,
    goal,
    holds ? 'pass' : 'FAIL',
  ]);
  return table([['', '', 'measured', 'goal', `within ${TOLERANCE * 100} %`], ...rows]);
}

/** @param {number} ratio */
function times(ratio) {
  return `${significant(ratio)} ×`;
}

/**
 * The keys of `all` that occur in the samples, in the order of `all`.
 * @template {string} Name
 * @param {Record<Name, unknown>} all @param {readonly Sample[]} samples @param {'server' | 'figure'} field
 */
function namesIn(all, samples, field) {
  const present = new Set(samples.map((sample) => /** @type {string} */ (sample[field])));
  return /** @type {Name[]} */ (Object.keys(all)).filter((name) => present.has(name));
}

/** @param {readonly number[]} values */
function summary(values) {
  if (values.length === 0) return '–';
  if (values.length === 1) return significant(values[0]);
  return `${significant(median(values))} (${significant(Math.min(...values))}..${significant(Math.max(...values))})`;
}

/** Three digits are more than the noise leaves. @param {number} value */
export function significant(value) {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 });
}

/** First column left, the others right. @param {readonly string[][]} rows */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const cell = (/** @type {string} */ text, /** @type {number} */ column) =>
    column === 0 ? text.padEnd(widths[0]) : text.padStart(widths[column]);
  return rows.map((row) => row.map(cell).join('   ').trimEnd()).join('\n');
}
