/**
 * What the example for the Mega 2560 takes, as the last part of device/SIZE.md: `node device/test/arduino/mega-size.js` writes it. Half
 * a minute, as a session is held in the simulator.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { USMPServer } from '../../../packages/usmp/dist/index.js';
import { isProgram } from '../../../scripts/debian.js';
import { ARDUINO_PART, SIZE_FILE } from '../../firmware/size.js';
import { bridge, buildForMega, Mega, seeded } from './mega.js';
import { example } from './workshop.js';

/** Of the ATmega2560, without the boot loader. */
const FLASH = 253_952;
const RAM = 8_192;

/** @returns {Promise<string>} Markdown */
export async function megaSection() {
  const [simulator, firmware] = [await bridge(), await buildForMega(example('MegaSerial'))];
  const stack = await stackOf(simulator, firmware);
  const row = (/** @type {string} */ name, /** @type {number} */ value, /** @type {number} */ all) =>
    `| ${name} | ${value.toLocaleString('en')} | ${all.toLocaleString('en')} |`;
  return `## Arduino Mega 2560

The example [\`MegaSerial\`](arduino/examples/MegaSerial/MegaSerial.ino) with the real Arduino core 1.8.7, as the IDE builds it (avr-gcc
5.4, LTO), in simavr.

|  | of it used, B | there is, B |
| --- | ---: | ---: |
${row('Flash: library, core, Arduino and sketch', firmware.flash, FLASH)}
${row('RAM: variables, of them 3.5 kB the client', firmware.ram, RAM)}
${row('Stack, peak in the handshake', stack, RAM - firmware.ram)}

One X25519 takes 8.0 s at 16 MHz, a handshake 17 s; sealing a message of 32 B 23 ms, of 452 B 165 ms.
`;
}

/** @param {string} simulator @param {import('./mega.js').Firmware} firmware */
async function stackOf(simulator, firmware) {
  const server = new USMPServer({
    listen: 'serial+tcp://127.0.0.1:0',
    psk: 'your-psk-here-16+',
    handshakeTimeout: 120_000,
  });
  const opened = new Promise((resolve) => server.on('connect', resolve));
  server.onSession(async (session) => {
    for await (const _ of session);
  });
  await server.listen();
  const port = Number(/:(\d+)$/.exec(server.urls[0])?.[1]);
  const board = new Mega({ after: () => {} }, simulator, firmware, port, seeded());
  await opened;
  const { stack } = await board.switchOff();
  await server.close({ timeout: 0 });
  return stack;
}

if (isProgram(import.meta.url)) {
  const section = await megaSection();
  const text = await readFile(SIZE_FILE, 'utf8');
  const end = text.indexOf(`\n${ARDUINO_PART}`);
  await writeFile(SIZE_FILE, `${end < 0 ? text : text.slice(0, end)}\n${section}`);
  console.log(section);
}
