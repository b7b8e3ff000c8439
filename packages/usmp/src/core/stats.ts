/** Running totals of one connection. Bytes are those of messages, not of the wire. */
export interface ConnectionStats {
  messagesSent: number;
  messagesReceived: number;
  bytesSent: number;
  bytesReceived: number;
  framesSent: number;
  framesReceived: number;
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
  };
}

/** Adds the counters of one connection to those of many. */
export function addStats(totals: ConnectionStats, stats: ConnectionStats): void {
  totals.messagesSent += stats.messagesSent;
  totals.messagesReceived += stats.messagesReceived;
  totals.bytesSent += stats.bytesSent;
  totals.bytesReceived += stats.bytesReceived;
  totals.framesSent += stats.framesSent;
  totals.framesReceived += stats.framesReceived;
}
