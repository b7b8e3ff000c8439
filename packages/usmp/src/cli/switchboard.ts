/**
 * Sends what is typed to the connected devices.
 *
 * @module
 */

import { createInterface } from 'node:readline';
import { type Logger, normalizeDeviceId, type USMPServer, type USMPSession } from '../index.js';

const utf8 = new TextEncoder();

/**
 * Takes lines from stdin: `@ID text` for one device, anything else for all. The end of stdin is no reason to stop: a
 * service manager gives none at all. The function returned ends the reading.
 */
export function openSwitchboard(
  server: USMPServer,
  onMessage: (session: USMPSession, direction: 'out', data: Uint8Array) => void,
  log: Logger,
): () => void {
  const sendTo = async (session: USMPSession, text: string) => {
    const data = utf8.encode(text);
    try {
      await session.send(data);
      onMessage(session, 'out', data);
    } catch (error) {
      log.error(`not sent to ${session.deviceId}`, error);
    }
  };
  const lines = createInterface({ input: process.stdin, terminal: false });
  // A terminal that has gone away is an end like any other.
  process.stdin.on('error', () => lines.close());
  lines.on('line', (line) => {
    try {
      const { text, sessions } = addressees(line, server.sessions);
      for (const session of sessions) void sendTo(session, text);
    } catch (error) {
      log.error('not sent', error);
    }
  });
  return () => {
    lines.close();
    process.stdin.destroy();
  };
}

/** Who gets a line, and what of it. Throws what to write instead. */
function addressees(
  line: string,
  sessions: ReadonlyMap<string, USMPSession>,
): { text: string; sessions: Iterable<USMPSession> } {
  if (line === '') return { text: line, sessions: [] };
  const connected = [...sessions.keys()].join(', ');
  if (connected === '') throw new Error('no device is connected');
  if (!line.startsWith('@')) return { text: line, sessions: sessions.values() };
  const [, name, text] = /^@(\S+)\s(.*)$/.exec(line) ?? [];
  if (name === undefined) throw new Error('write @aa:bb:cc:dd:ee:ff and the text behind a space');
  const session = sessions.get(normalizeDeviceId(name));
  if (session === undefined) throw new Error(`${name} is not connected; connected: ${connected}`);
  return { text, sessions: [session] };
}
