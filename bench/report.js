/** Turns samples into the tables that are printed. */
import { availableParallelism, cpus, release } from 'node:os';
import { GOALS, SERVERS, TOLERANCE, WORKLOADS } from './plan.js';

/** @typedef {import('./plan.js').ServerName} ServerName */
/** @typedef {import('./plan.js').WorkloadName} WorkloadName */
/** @typedef {{ workload: WorkloadName, server: ServerName, run: number, value: number }} Sample */
/** @typedef {{ workload: WorkloadName, other: ServerName, ratio: number, goal: string, holds: boolean }} Verdict */

/** @param {readonly number[]} values at least one */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function machine() {
  const cpu = cpus()[0]?.model.trim() ?? 'unknown CPU';
  const { node, openssl } = process.versions;
  const system = `${process.platform} ${release()}`;
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ');
  return `${cpu}, ${availableParallelism()} cores, ${system}, Node ${node}, OpenSSL ${openssl}, ${date} UTC`;
}

/** @param {readonly Sample[]} samples @param {WorkloadName} workload @param {ServerName} server */
function valuesOf(samples, workload, server) {
  return samples.filter((s) => s.workload === workload && s.server === server).map((s) => s.value);
}

/** The goals of which both sides were measured. @param {readonly Sample[]} samples @returns {Verdict[]} */
export function judge(samples) {
  return GOALS.flatMap(({ workload, other, atLeast, atMost }) => {
    const ours = valuesOf(samples, workload, 'usmp');
    const theirs = valuesOf(samples, workload, other);
    if (ours.length === 0 || theirs.length === 0) return [];
    if (atLeast !== undefined) {
      const ratio = median(theirs) / median(ours);
      return [
        { workload, other, ratio, goal: `≥ ${atLeast} × cheaper`, holds: ratio >= atLeast * (1 - TOLERANCE) },
      ];
    }
    const most = atMost ?? Number.POSITIVE_INFINITY;
    const ratio = median(ours) / median(theirs);
    return [{ workload, other, ratio, goal: `≤ ${most} × its cost`, holds: ratio <= most * (1 + TOLERANCE) }];
  });
}

/** Median and range per workload and server. @param {readonly Sample[]} samples */
export function costTable(samples) {
  const servers = namesIn(SERVERS, samples, 'server');
  const workloads = namesIn(WORKLOADS, samples, 'workload');
  const rows = workloads.map((workload) => [
    `${WORKLOADS[workload].title}, ${WORKLOADS[workload].unit}`,
    ...servers.map((server) => summary(valuesOf(samples, workload, server))),
  ]);
  return table([['', ...servers.map((server) => SERVERS[server].title)], ...rows]);
}

/** @param {readonly Verdict[]} verdicts */
export function goalTable(verdicts) {
  const rows = verdicts.map(({ workload, other, ratio, goal, holds }) => [
    WORKLOADS[workload].title,
    `against ${SERVERS[other].title}`,
    `${significant(ratio)} ×`,
    goal,
    holds ? 'pass' : 'FAIL',
  ]);
  return table([['', '', 'measured', 'goal', `within ${TOLERANCE * 100} %`], ...rows]);
}

/**
 * The keys of `all` that occur in the samples, in the order of `all`.
 * @template {string} Name
 * @param {Record<Name, unknown>} all @param {readonly Sample[]} samples @param {'server' | 'workload'} field
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
