/** The Arduino library as a package: what is in it, that the IDE takes it, and that its examples compile for every chip. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'node:test';
import { promisify } from 'node:util';
import { bearsslSource, findTools, xtensaSpecs } from '../../scripts/toolchain.js';
import { pack } from '../arduino/pack.js';
import { arduinoTest } from './arduino/bench.js';
import { lint } from './arduino/lint.js';
import { buildForMega } from './arduino/mega.js';
import { ARDUINO, CHIPS, compileForChip, example, folderOfLinks, library } from './arduino/workshop.js';

const run = promisify(execFile);

/** Those that need Wi-Fi, and all. */
const WIFI_EXAMPLES = ['Hello', 'UDPSensor', 'KeyFromNVS', 'RemoteCommands'];
const EXAMPLES = [...WIFI_EXAMPLES, 'MegaSerial', 'OverEthernet'];

/** Ethernet is not part of a core: what the example uses of it. */
const ETHERNET = join(ARDUINO, 'ethernet');

describe('the package', { concurrency: 2 }, () => {
  arduinoTest('keeps to the rules of arduino-lint', async () => {
    assert.deepEqual(await lint((await packed()).folder), []);
  });

  arduinoTest('is the same each time, and the zip has the files of the tree', async () => {
    const first = await packed();
    const bytes = await readFile(first.archive);
    const second = await pack();
    assert.deepEqual(await readFile(/** @type {string} */ (second?.archive)), bytes);

    const { stdout } = await run('python3', ['-m', 'zipfile', '-l', first.archive]);
    const names = [...stdout.matchAll(/^(USMP\/\S+)/gm)].map(([, name]) => name);
    assert.deepEqual(
      names,
      first.files.map((file) => `USMP/${file}`),
    );
    await run('python3', ['-m', 'zipfile', '-t', first.archive]);
  });

  arduinoTest('has the version of the core, and names all examples that there are', async () => {
    const { folder, files } = await packed();
    const properties = await readFile(join(folder, 'library.properties'), 'utf8');
    const header = await readFile(join(folder, 'src/usmp/usmp.h'), 'utf8');
    const version = /^#define USMP_VERSION_STRING "(.+)"$/m.exec(header)?.[1];
    assert.match(properties, new RegExp(`^version=${version}$`, 'm'));
    const sketches = files.filter((file) => file.endsWith('.ino')).map((file) => file.split('/')[1]);
    assert.deepEqual(sketches.sort(), [...EXAMPLES].sort());
  });

  arduinoTest(
    'brings the licence of BearSSL, and its files compile to nothing where a core has them',
    async (t) => {
      const { folder, files } = await packed();
      assert(files.includes('src/usmp/bearssl/LICENSE.txt'));
      const sources = files.filter((file) => /^src\/usmp\/bearssl\/\w+\.c$/.test(file));
      assert(sources.length > 15);
      const object = join(await temporary(t), 'object.o');
      for (const file of sources) {
        await run('gcc', [
          '-DARDUINO=10819',
          '-DARDUINO_ARCH_ESP32',
          `-I${folder}/src`,
          '-c',
          join(folder, file),
          '-o',
          object,
        ]);
        assert.equal((await run('nm', [object])).stdout, '', file);
      }
    },
  );

  arduinoTest('leaves no macro behind, but for the guard of one header', async () => {
    for (const shim of ['esp32', 'esp8266', 'rp2040']) {
      const core = await macrosOf(shim, `#include <Arduino.h>\n#include <Client.h>\n${networkOf(shim)}`);
      const all = await macrosOf(shim, `#include <Arduino.h>\n#include <USMP.h>\n${networkOf(shim)}`);
      const left = [...all].filter((name) => !core.has(name));
      assert.deepEqual(left, ['USMP_ERRORS_H'], shim);
    }
  });

  arduinoTest('takes switches of a program: they are the ones that count', async (t) => {
    const sketch = `#include <Arduino.h>\n#include <USMP.h>
      static_assert(USMP::Config::maxMessage == 1808 && USMP::Config::queueSize == 4096, "switches");
      #ifndef USMP_MAX_MESSAGE
      #error "the program's own macro is gone"
      #endif`;
    await syntax(t, 'esp32', sketch, ['-DUSMP_MAX_MESSAGE=1808', '-DUSMP_QUEUE_SIZE=4096']);
  });

  arduinoTest('says what is wrong where it cannot work', async (t) => {
    const hello = '#include <Arduino.h>\n#include <USMP.h>\n';
    for (const [options, message] of /** @type {const} */ ([
      [['-DARDUINO_ARCH_SAM'], /USMP: this architecture is not supported/],
      [['-DARDUINO_ARCH_RP2040', '-DARDUINO_ARCH_MBED'], /USMP: the Mbed cores are not supported/],
    ]))
      await assert.rejects(syntax(t, 'rp2040', hello, options, false), message);
    const { folder } = await packed();
    const uno = [
      '-mmcu=atmega328p',
      '-DARDUINO=10819',
      '-DARDUINO_ARCH_AVR',
      `-I${folder}/src`,
      '-fsyntax-only',
    ];
    await assert.rejects(run('avr-gcc', [...uno, join(folder, 'src/usmp/core.c')]), /less than 4 KB of RAM/);
    // No Wi-Fi: says so where it is asked for.
    await assert.rejects(buildForMega(example('Hello')), /this board has no Wi-Fi that the library knows/);
  });

  arduinoTest('sets aside as much memory for the core as it takes, and little more', async (t) => {
    for (const [shim, most] of /** @type {const} */ ([
      ['esp32', 160],
      ['esp8266', 160],
    ])) {
      for (const extra of [
        [],
        ['-DUSMP_MAX_MESSAGE=1808'],
        ['-DUSMP_DATAGRAM=0'],
        ['-DUSMP_MAX_HELD=4'],
        ['-DUSMP_MAX_MESSAGE=1808', '-DUSMP_SEND_QUEUE=4'],
      ]) {
        const sketch = `#include "usmp/usmp.h"\n#include <Arduino.h>\n#include <USMP.h>
          constexpr size_t core = sizeof(usmp_t) + sizeof(usmp_settings_t);
          static_assert(USMP::Config::coreSize >= core && USMP::Config::coreSize <= core + ${most}, "coreSize");`;
        await syntax(t, shim, sketch, extra);
      }
    }
  });
});

describe('every example compiles', { concurrency: 1 }, () => {
  for (const chip of /** @type {(keyof typeof CHIPS)[]} */ (Object.keys(CHIPS))) {
    arduinoTest(`for ${chip}, with the declarations that the IDE makes`, async (t) => {
      const { group, prefix, options, ...rest } = CHIPS[chip];
      const tools = await findTools(/** @type {'riscv' | 'arm' | 'xtensa'} */ (group));
      const bearssl = await bearsslSource();
      if (tools === undefined || bearssl === undefined) return t.skip(`no compiler for ${chip}`);
      const compiler = (/** @type {string} */ name) => tools[`${prefix}gcc`].replace(/gcc$/, name);
      const headers = await folderOfLinks({
        bearssl: join(bearssl, 'inc'),
        psa: '/usr/include/psa',
        mbedtls: '/usr/include/mbedtls',
      });
      const specs = group === 'xtensa' ? [`--specs=${xtensaSpecs(tools[`${prefix}gcc`])}`] : [];
      const target = {
        ...rest,
        c: compiler('gcc'),
        cpp: compiler('g++'),
        options: [...options, ...specs],
        libraries: [],
      };
      await compileForChip(target, EXAMPLES.map(example), ['-isystem', headers, '-isystem', ETHERNET]);
    });
  }

  for (const name of ['MegaSerial', 'OverEthernet']) {
    arduinoTest(`for avr: ${name}, by the builder of the IDE, with the real core`, async () => {
      const switches = name === 'OverEthernet' ? [`-I${ETHERNET}`] : [];
      const { log, flash } = await buildForMega(example(name), switches);
      const warnings = log
        .split('\n')
        .filter((line) => /\bwarning:/.test(line) && !line.includes('/arduino/avr/'));
      assert.deepEqual(warnings, []);
      assert(flash > 10_000);
    });
  }

  arduinoTest('for avr: a key kept in EEPROM', async (t) => {
    const folder = join(await temporary(t), 'KeyInEEPROM');
    const sketch = join(folder, 'KeyInEEPROM.ino');
    await run('mkdir', [folder]);
    await writeFile(
      sketch,
      `#include <USMP.h>\n#include <USMPKeyStore.h>
USMPClient usmp;
USMP::KeyStore keys(100);
void setup() {
    if (!keys.load()) keys.save("a-key-for-this-device");
    usmp.setKey(keys.key(), keys.length());
    usmp.begin(USMP::UART(Serial1));
}
void loop() { usmp.maintain(); }
`,
    );
    const { ram } = await buildForMega(sketch);
    assert(ram > 0);
  });
});

async function packed() {
  const result = await library();
  assert(result);
  return result;
}

/** @param {import('node:test').TestContext} t */
async function temporary(t) {
  const folder = await mkdtemp(join(tmpdir(), 'usmp-arduino-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** @param {string} shim */
function networkOf(shim) {
  return `${shim === 'esp8266' ? '#include <ESP8266WiFi.h>' : '#include <WiFi.h>'}\n#include <WiFiUdp.h>\n`;
}

/** @param {string} shim */
async function pathsOf(shim) {
  const { folder } = await packed();
  return [`-I${folder}/src`, `-I${ARDUINO}/shim/common`, `-I${ARDUINO}/shim/${shim}`];
}

/** @param {string} shim */
function switchesOf(shim) {
  const wifi = shim === 'rp2040' ? ['-DPICO_CYW43_SUPPORTED=1'] : [];
  return ['-DARDUINO=10819', `-DARDUINO_ARCH_${shim.toUpperCase()}`, ...wifi];
}

/** The names of all macros that a source leaves. @param {string} shim @param {string} source */
async function macrosOf(shim, source) {
  const folder = await mkdtemp(join(tmpdir(), 'usmp-macros-'));
  try {
    const file = join(folder, 'source.cpp');
    await writeFile(file, source);
    const options = ['-std=gnu++11', ...switchesOf(shim), ...(await pathsOf(shim)), '-E', '-dM', file];
    const { stdout } = await run('g++', options, { maxBuffer: 16 * 1024 * 1024 });
    return new Set([...stdout.matchAll(/^#define (\w+)/gm)].map(([, name]) => name));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * Compiles without making anything.
 *
 * @param {import('node:test').TestContext} t @param {string} shim @param {string} source @param {readonly string[]} extra
 */
async function syntax(t, shim, source, extra, isKnown = true) {
  const file = join(await temporary(t), 'source.cpp');
  await writeFile(file, source);
  const known = isKnown ? switchesOf(shim) : ['-DARDUINO=10819'];
  await run('g++', ['-std=gnu++11', ...known, ...extra, ...(await pathsOf(shim)), '-fsyntax-only', file]);
}
