/** A client that stays connected over a serial port, which can be pulled out. */

import assert from 'node:assert/strict';
import { USMPClient } from '#dist/index.js';
import { echo, eventually, PSK, startServer, text } from '../server/live.js';
import { testWithPorts } from '../support/ports.js';

testWithPorts('a cable that is pulled out and plugged in again gets its session back', async (t, bench) => {
  let cable = await bench.cable();
  await startServer(t, echo, { listen: cable.server.url });
  const client = new USMPClient({
    url: cable.device.url,
    psk: PSK,
    reconnect: { base: 50, cap: 200 },
  });
  t.after(() => client.disconnect());
  const codes: string[] = [];
  client.on('reconnecting', (_attempt, _delay, { code }) => codes.push(code));
  await client.connect();
  for (let round = 1; round <= 2; round++) {
    await client.send('plugged in');
    assert.equal(text(await client.recv({ timeout: 15_000 })), 'plugged in');
    await cable.device.unplug();
    await cable.server.unplug();
    await eventually(() => client.session === undefined, 'the end of the session');
    const waiting = client.send('meanwhile');
    cable = await bench.cable();
    await waiting;
    assert.equal(text(await client.recv({ timeout: 15_000 })), 'meanwhile');
  }
  assert.equal(codes[0], 'connection_lost');
  assert.equal(client.stats.connects, 3);
});
