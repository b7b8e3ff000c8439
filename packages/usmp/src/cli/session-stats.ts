/**
 * What one session has carried, and what that took: `connect --stats`.
 *
 * @module
 */

import { type SessionStats, USMPError, type USMPSession } from '../index.js';
import { roundTime, sessionFields, writeEvent } from './json-events.js';

/** How much a session had to send again. */
export interface Retransmissions {
  /** Frames that were sent again. */
  readonly frames: number;
  /** Transmissions of frames, these included. */
  readonly of: number;
}

/** Prints the counters of a session: to stderr, or as an event. */
export function printStats(session: USMPSession, { json }: { readonly json?: true | undefined }): void {
  if (json) writeEvent('stats', { ...sessionFields(session), ...eventFields(session) });
  else process.stderr.write(describe(session));
}

/** Sends PING where no round trip is known yet: over a stream without keepalive there has been none. */
export async function measureRoundTrip(session: USMPSession, timeout: number): Promise<void> {
  if (session.rtt !== undefined || session.closed) return;
  await session.ping({ timeout }).catch((error) => {
    // That there is none to be told is all that follows.
    if (!(error instanceof USMPError)) throw error;
  });
}

/** Undefined for a session over a stream: there the system repeats what is lost, and does not tell. */
export function retransmissionsOf(session: USMPSession): Retransmissions | undefined {
  const stats = datagramStats(session);
  return stats && { frames: stats.framesRetransmitted, of: stats.framesSent + stats.framesRetransmitted };
}

/** Both together; undefined where there is none. */
export function sumOfRetransmissions(
  a: Retransmissions | undefined,
  b: Retransmissions | undefined,
): Retransmissions | undefined {
  return a && b ? { frames: a.frames + b.frames, of: a.of + b.of } : (a ?? b);
}

/** Percent, with one digit. */
export function percentOf({ frames, of }: Retransmissions): number {
  return of === 0 ? 0 : Math.round((1_000 * frames) / of) / 10;
}

/** Where the counters of UDP have a meaning. */
function datagramStats(session: USMPSession): SessionStats | undefined {
  return session.transport === 'udp' ? session.stats : undefined;
}

function eventFields(session: USMPSession): object {
  const { messagesSent, messagesReceived, bytesSent, bytesReceived, framesSent, framesReceived } =
    session.stats;
  const retransmissions = retransmissionsOf(session);
  const { framesRetransmitted, framesRepeated, datagramsDropped, messagesLost } =
    datagramStats(session) ?? {};
  return {
    rtt: session.rtt === undefined ? undefined : roundTime(session.rtt),
    messagesSent,
    messagesReceived,
    bytesSent,
    bytesReceived,
    framesSent,
    framesReceived,
    framesRetransmitted,
    framesRepeated,
    loss: retransmissions && percentOf(retransmissions),
    messagesLost,
    datagramsDropped,
  };
}

function describe(session: USMPSession): string {
  const { rtt, stats, transport, peer } = session;
  const lines = [
    `--- ${urlOf(transport, peer)} session statistics ---`,
    `round trip: ${rtt === undefined ? 'unknown' : `${rtt.toFixed(3)} ms`}`,
    `sent: messages ${stats.messagesSent}, bytes ${stats.bytesSent}, frames ${stats.framesSent}`,
    `received: messages ${stats.messagesReceived}, bytes ${stats.bytesReceived}, frames ${stats.framesReceived}`,
  ];
  const datagrams = datagramStats(session);
  if (datagrams !== undefined) {
    const { framesRetransmitted, framesRepeated, datagramsDropped, messagesLost } = datagrams;
    const loss = percentOf(retransmissionsOf(session)!);
    lines.push(
      `retransmitted: frames ${framesRetransmitted}, ${loss}% of transmissions`,
      `received again: frames ${framesRepeated}; dropped: datagrams ${datagramsDropped}; lost: messages ${messagesLost}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Hosts have a port and stand behind two slashes; files do not. */
function urlOf(transport: string, peer: string): string {
  if (peer.startsWith(`${transport}:`)) return peer;
  return /:\d+$/.test(peer) ? `${transport}://${peer}` : `${transport}:${peer}`;
}
