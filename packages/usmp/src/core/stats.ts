/** Running totals of one connection. Bytes are those of messages, not of the wire. */
export interface ConnectionStats {
  messagesSent: number;
  messagesReceived: number;
  bytesSent: number;
  bytesReceived: number;
  /** Each once, however often it was transmitted. */
  framesSent: number;
  framesReceived: number;
  /** Over UDP: transmissions beside the first of each frame. */
  framesRetransmitted: number;
  /** Over UDP: frames that came once more. */
  framesRepeated: number;
  /** Over UDP: datagrams that were not acceptable, such as damaged ones. */
  datagramsDropped: number;
  /** Over UDP: messages that the peer gave up, as far as the gaps in its numbers tell. */
  messagesLost: number;
}

/** Nothing counted yet. */
export function emptyStats(): ConnectionStats {
  return {
    messagesSent: 0,
    messagesReceived: 0,
    bytesSent: 0,
    bytesReceived: 0,
    framesSent: 0,
    framesReceived: 0,
    framesRetransmitted: 0,
    framesRepeated: 0,
    datagramsDropped: 0,
    messagesLost: 0,
  };
}

/** Adds the counters of one connection to those of many. */
export function addStats(totals: ConnectionStats, stats: ConnectionStats): void {
  for (const name of Object.keys(totals) as (keyof ConnectionStats)[]) totals[name] += stats[name];
}
