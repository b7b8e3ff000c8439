/** What Linux knows about another process: its CPU time and its resident memory. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** USER_HZ, the unit of the times in /proc/PID/stat: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** User and system time so far, in µs. @param {number} pid */
export function cpuMicroseconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name in parentheses may hold anything, so the numbered fields are counted from behind it (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [utime, stime] = [Number(fields[11]), Number(fields[12])];
  return ((utime + stime) * 1e6) / TICKS_PER_SECOND;
}

/** @param {number} pid */
export function residentKiB(pid) {
  return memoryKiB(pid, 'VmRSS');
}

/** The most that it ever was. @param {number} pid */
export function peakResidentKiB(pid) {
  return memoryKiB(pid, 'VmHWM');
}

/** @param {number} pid @param {'VmRSS' | 'VmHWM'} name */
function memoryKiB(pid, name) {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(
    readFileSync(`/proc/${pid}/status`, 'latin1'),
  );
  if (!match) throw new Error(`process ${pid} has no resident memory`);
  return Number(match[1]);
}

/**
 * Resident memory once it has stayed within 1 % for two seconds; as it is after ten.
 * @param {number} pid
 */
export async function settledResidentKiB(pid) {
  const interval = 100;
  let steady = residentKiB(pid);
  let since = Date.now();
  const deadline = since + 10_000;
  while (Date.now() - since < 2_000 && Date.now() < deadline) {
    await delay(interval);
    const now = residentKiB(pid);
    if (Math.abs(now - steady) <= steady / 100) continue;
    steady = now;
    since = Date.now();
  }
  return residentKiB(pid);
}
