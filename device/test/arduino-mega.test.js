/** The example for the Mega 2560, built with the real Arduino core as the IDE does, in a simulator, at a real server's `serial+tcp`. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe } from 'node:test';
import { arduinoTest, KEY, remember, until } from './arduino/bench.js';
import { bridge, buildForMega, Mega } from './arduino/mega.js';
import { example } from './arduino/workshop.js';

/** Of the ATmega2560. */
const RAM = 8_192;

/** The simulator may be slower than the chip, on which two X25519 take 16 s. Milliseconds. */
const PATIENCE = 120_000;

describe('a Mega 2560', { concurrency: 2 }, () => {
  arduinoTest('the example compiles without a warning, and leaves room for its stack', async () => {
    const { log, flash, ram } = await buildForMega(example('MegaSerial'));
    const warnings = log
      .split('\n')
      .filter((line) => /\bwarning:/.test(line) && !line.includes('/arduino/avr/'));
    assert.deepEqual(warnings, []);
    assert(flash < 90_000, `${flash} B of flash`);
    assert(ram < 4_600, `${ram} B of RAM`);
  });

  arduinoTest(
    'collects random numbers at its first start, and leaves a seed and its id in EEPROM',
    async () => {
      const { time, kept } = await firstStart();
      assert(time > 14_000 && time < 18_000, `first byte after ${time} ms`);
      assert.match(kept, /^5532\w{64}02\w{10}$/);
      // Of 32 random bytes fewer than 20 are different ones once in ten thousand million times.
      assert(new Set(kept.slice(4, 68).match(/../g)).size >= 20, kept);
    },
  );

  arduinoTest(
    'starts with what it left, shakes hands, echoes what it is sent, and changes keys',
    async (t) => {
      const { time, kept } = await firstStart();
      const [simulator, firmware] = [await bridge(), await buildForMega(example('MegaSerial'))];
      const server = await remember(t, 'serial+tcp://127.0.0.1:0', { psk: KEY, handshakeTimeout: PATIENCE });
      const board = new Mega(t, simulator, firmware, server.port, kept);
      await until(() => server.messages.length > 0, 'hello', PATIENCE);
      assert.equal(server.messages[0], 'hello from mega');
      const [session] = server.sessions;
      assert.equal(session.deviceId.replaceAll(':', ''), kept.slice(-12));
      const begun = board.first;
      assert(begun && begun.time < time - 4_000, `first byte after ${begun?.time} ms`);
      assert.match(begun.kept, new RegExp(`^5532(?!${kept.slice(4, 68)})\\w{64}${kept.slice(-12)}$`));

      await session.send('before');
      await board.sees(/^before\r?$/m);
      await session.send('rekey');
      await until(() => server.changesOfKeys() > 0, 'a change of keys', PATIENCE);
      await session.send('after');
      await board.sees(/^after\r?$/m);
      await until(() => server.messages.includes('A0 0'), 'a reading', PATIENCE);

      const { stack } = await board.switchOff();
      assert.match(board.stdout, new RegExp(`^connected as ${session.deviceId}\r?$`, 'm'));
      assert(firmware.ram + stack < RAM - 512, `${firmware.ram} B of variables and ${stack} B of stack`);
      assert.deepEqual(server.refusals, []);
    },
  );
});

/** @type {Promise<{ time: number, kept: string }> | undefined} */
let first;

/** A new board, until its first byte is on the line. */
function firstStart() {
  first ??= (async () => {
    const [simulator, firmware] = [await bridge(), await buildForMega(example('MegaSerial'))];
    /** @type {(() => Promise<void>)[]} */
    const ends = [];
    const after = (/** @type {any} */ end) => ends.push(end);
    const listener = createServer((line) => line.on('error', () => {})).listen(0, '127.0.0.1');
    after(() => listener.close());
    await once(listener, 'listening');
    try {
      const { port } = /** @type {import('node:net').AddressInfo} */ (listener.address());
      const board = new Mega({ after }, simulator, firmware, port);
      await until(() => board.first !== undefined, 'the first byte', PATIENCE);
      await board.switchOff();
      return /** @type {{ time: number, kept: string }} */ (board.first);
    } finally {
      for (const end of ends) await end();
    }
  })();
  return first;
}
