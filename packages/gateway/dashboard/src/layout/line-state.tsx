import { Badge } from '../components/state-badge.js';
import { duration } from '../format.js';
import { lag, line } from '../state/connection.js';

/** Whether what is shown is what is. */
export function LineState() {
  if (line.value === 'signed-out') return null;
  if (line.value === 'away') return <Badge tone="bad">Gateway away</Badge>;
  if (line.value === 'connecting') return <Badge tone="idle">Connecting</Badge>;
  if (lag.value > 0) return <Badge tone="warn">{duration(lag.value)} behind</Badge>;
  return <Badge tone="good">Live</Badge>;
}
