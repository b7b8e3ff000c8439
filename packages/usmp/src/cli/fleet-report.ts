/**
 * What a fleet has to tell: its progress, and the summary in the end.
 *
 * @module
 */

import type { Fleet } from './fleet.js';
import { roundTime, writeEvent } from './json-events.js';
import type { Percentiles } from './percentiles.js';
import { percentOf } from './session-stats.js';

/** Milliseconds from one line of progress to the next: on a terminal, where it is the same line, and elsewhere. */
const TERMINAL_PROGRESS = 1_000;
const PLAIN_PROGRESS = 5_000;

/** Goes to the beginning of a line of a terminal and clears it. */
const CLEAR_LINE = '\r\x1b[K';

/** Shows how far the fleet is, on stderr or as events, until the function that is returned is called. */
export function showProgress(fleet: Fleet, { json }: { readonly json?: true | undefined }): () => void {
  const { stderr } = process;
  const rewrites = stderr.isTTY && !json;
  const show = () => {
    fleet.giveUpLate();
    if (json) writeEvent('progress', progressFields(fleet));
    else stderr.write(rewrites ? `${CLEAR_LINE}${describeProgress(fleet)}` : `${describeProgress(fleet)}\n`);
  };
  const timer = setInterval(show, rewrites || json ? TERMINAL_PROGRESS : PLAIN_PROGRESS);
  return () => {
    clearInterval(timer);
    if (rewrites) stderr.write(CLEAR_LINE);
  };
}

/** Prints the summary on stdout. */
export function printSummary(fleet: Fleet, { json }: { readonly json?: true | undefined }): void {
  if (json) writeEvent('summary', summaryFields(fleet));
  else process.stdout.write(`${describeSummary(fleet).join('\n')}\n`);
}

/** The codes of all errors with how often they came, the most frequent first. */
export function describeErrors(errors: ReadonlyMap<string, number>): string {
  const byCount = [...errors].sort(([, a], [, b]) => b - a);
  return byCount.map(([code, count]) => `${code} ${count}`).join(', ');
}

function progressFields({ plan, open, failed, endedEarly, messages }: Fleet): object {
  const { sent, echoed, lost } = messages;
  return { devices: plan.devices, connected: open, failed, endedEarly, sent, echoed, lost };
}

function describeProgress({ plan, open, failed, endedEarly, messages }: Fleet): string {
  const { sent, echoed, lost } = messages;
  const trouble = failed + endedEarly === 0 ? '' : ` (${failed} failed, ${endedEarly} ended early)`;
  return `connected ${open} of ${plan.devices}${trouble}, sent ${sent}, echoed ${echoed}, lost ${lost}`;
}

function summaryFields(fleet: Fleet): object {
  const { plan, connected, failed, endedEarly, messages, handshakes, retransmissions, seconds } = fleet;
  const { sent, echoed, lost, late, wrong, doubled, outOfOrder, skipped } = messages;
  return {
    url: plan.url,
    devices: plan.devices,
    connected,
    failed,
    endedEarly,
    handshake: rounded(handshakes.summary()),
    sent,
    echoed,
    lost,
    late,
    wrong,
    doubled,
    outOfOrder,
    skipped,
    roundTrip: rounded(messages.roundTrips.summary()),
    seconds: roundTime(seconds),
    perSecond: roundTime(perSecond(fleet)),
    retransmissions: retransmissions && { frames: retransmissions.frames, loss: percentOf(retransmissions) },
    ...returnFields(fleet),
    errors: Object.fromEntries(fleet.errors),
  };
}

/** How devices came back, where any had to. */
function returnFields(fleet: Fleet): object {
  const { plan, endedEarly, absences, away, refused, messages } = fleet;
  if (!plan.reconnect || endedEarly === 0) return {};
  return {
    returned: absences.count,
    away,
    refused,
    interrupted: messages.interrupted,
    absence: rounded(absences.summary()),
  };
}

function describeReturn({ plan, endedEarly, absences, away, refused, messages }: Fleet): string[] {
  if (!plan.reconnect || endedEarly === 0) return [];
  return [
    `returned: ${absences.count} of ${endedEarly}, ${away} still away, ${refused} refused; ${messages.interrupted} messages were under way`,
    ...describeTimes('away', absences.summary()),
  ];
}

function describeSummary(fleet: Fleet): string[] {
  const { plan, connected, failed, endedEarly, messages, handshakes, retransmissions, errors } = fleet;
  const { sent, echoed, lost, late, wrong, doubled, outOfOrder, skipped } = messages;
  const untried = plan.devices - connected - failed;
  const lines = [
    `--- ${plan.url} fleet statistics ---`,
    `devices: ${connected} connected, ${failed} failed, ${endedEarly} ended early${untried > 0 ? `, ${untried} not tried` : ''}`,
    ...describeTimes('handshake', handshakes.summary()),
    ...describeReturn(fleet),
    `messages: ${sent} sent, ${echoed} echoed, ${lost} lost, ${wrong} wrong, ${doubled} doubled, ${outOfOrder} out of order`,
  ];
  if (late > 0) lines.push(`late: ${late} of the lost came after ${plan.timeout / 1_000} s`);
  if (skipped > 0) lines.push(`not sent: ${skipped}, because a device or this machine could not keep up`);
  lines.push(...describeTimes('round trip', messages.roundTrips.summary()));
  if (sent > 0)
    lines.push(`rate: ${perSecond(fleet).toFixed(1)} messages a second for ${fleet.seconds.toFixed(1)} s`);
  if (retransmissions !== undefined) {
    lines.push(
      `retransmitted: frames ${retransmissions.frames}, ${percentOf(retransmissions)}% of transmissions`,
    );
  }
  if (errors.size > 0) lines.push(`errors: ${describeErrors(errors)}`);
  return lines;
}

function describeTimes(what: string, times: Percentiles | undefined): string[] {
  if (times === undefined) return [];
  const { min, p50, p90, p99, max } = times;
  const values = [min, p50, p90, p99, max].map((time) => time.toFixed(3));
  return [`${what} min/p50/p90/p99/max = ${values.join('/')} ms`];
}

function rounded(times: Percentiles | undefined): object | undefined {
  if (times === undefined) return undefined;
  return Object.fromEntries(Object.entries(times).map(([name, time]) => [name, roundTime(time)]));
}

/** Messages sent a second, while there was sending. */
function perSecond({ messages, seconds }: Fleet): number {
  return seconds === 0 ? 0 : messages.sent / seconds;
}
