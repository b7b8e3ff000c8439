/** The Arduino library as a package: what is in it, that the IDE takes it, and that its examples compile for every chip. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe } from 'node:test';
import { promisify } from 'node:util';
import { ARDUINO_AVR, bearsslSource, findTools, xtensaSpecs } from '../../scripts/toolchain.js';
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

const PROPERTIES = {
  ...{ name: 'USMP', version: '1.2.3', author: 'A', maintainer: 'B', sentence: 'One.', paragraph: 'Two.' },
  ...{ category: 'Communication', url: 'https://example.com/', architectures: 'avr', license: 'Apache-2.0' },
};

/** @param {Record<string, string | undefined>} changes undefined leaves a field out */
function properties(changes = {}) {
  const fields = Object.entries({ ...PROPERTIES, ...changes });
  const lines = fields
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}\n`);
  return { 'library.properties': lines.join('') };
}

/** A library that has nothing wrong. */
const FLAWLESS = {
  ...properties(),
  'keywords.txt': 'USMP\tKEYWORD1\n',
  'README.md': '',
  LICENSE: '',
  'src/USMP.h': '',
  'examples/Hello/Hello.ino': '',
};

/** What is said of it when files were changed, added, or with null removed. */
const BREACHES = /** @type {[RegExp, Record<string, string | null>][]} */ ([
  [/^nothing$/, {}],
  [/library\.properties is missing/, { 'library.properties': null }],
  [/README is missing/, { 'README.md': null }],
  [/LICENSE is missing/, { LICENSE: null }],
  [/no header named USMP/, { 'src/USMP.h': null, 'src/Other.h': '' }],
  [/no header in src/, { 'src/USMP.h': null, 'src/USMP.cpp': '' }],
  [/Src .*src/, { 'src/USMP.h': null, 'Src/USMP.h': '' }],
  [/utility/, { 'utility/a.c': '' }],
  [/extra .*extras/, { 'extra/a': '' }],
  [/Extras .*extras/, { 'Extras/a': '' }],
  [/exmaples .*examples/, { 'exmaples/a/a.ino': '' }],
  [/Example .*examples/, { 'Example/a/a.ino': '' }],
  [/library\.property .*library\.properties/, { 'library.property': '' }],
  [/src\/library\.properties/, { 'src/library.properties': '' }],
  [/\.development/, { '.development': '' }],
  [/\.gitmodules/, { '.gitmodules': '' }],
  [/tool\.exe/, { 'extras/tool.exe': '' }],
  [/stray\.ino/, { 'src/stray/stray.ino': '' }],
  [/no examples/, { 'examples/Hello/Hello.ino': null }],
  [/Other\.ino .*not named/, { 'examples/Hello/Hello.ino': null, 'examples/Hello/Other.ino': '' }],
  [/Hello\.pde/, { 'examples/Hello/Hello.pde': '' }],
  [/"Hello You" is not allowed/, { 'examples/Hello You/Hello You.ino': '' }],
  [/arduino\.h/, { 'src/USMP.cpp': '#include <arduino.h>\n' }],
  [/differs .* in case/, { 'src/usmp.h': '' }],
  [/no "="/, { 'library.properties': `${properties()['library.properties']}nonsense\n` }],
  [/name stands there twice/, { 'library.properties': `${properties()['library.properties']}name=USMP\n` }],
  [/include is no field/, properties({ include: 'USMP.h' })],
  ...['name', 'version', 'author', 'maintainer', 'sentence', 'paragraph', 'category', 'url'].map((name) => [
    new RegExp(`${name} is missing`),
    properties({ [name]: undefined }),
  ]),
  [/architectures is missing/, properties({ architectures: undefined })],
  [/author is empty/, properties({ author: '' })],
  [/characters/, properties({ name: 'US/MP' })],
  [/17 characters/, properties({ name: 'USMP0123456789abc' })],
  [/Arduino/, properties({ name: 'ArduinoUSMP' })],
  [/spaces/, properties({ name: 'US MP' })],
  [/library/, properties({ name: 'USMPlibrary' })],
  [/version 1\.2 /, properties({ version: '1.2' })],
  [/maintainer .*Arduino/, properties({ maintainer: 'the Arduino people' })],
  [/repeats/, properties({ paragraph: 'One. And two.' })],
  [/category Uncategorized/, properties({ category: 'Uncategorized' })],
  [/url example/, properties({ url: 'example' })],
  [/architecture AVR/, properties({ architectures: 'AVR' })],
  [/architecture atmelavr/, properties({ architectures: 'atmelavr' })],
  [/Missing\.h/, properties({ includes: 'USMP.h, Missing.h' })],
  [/depends/, properties({ depends: 'Ethernet (about 2)' })],
  [/dot_a_linkage/, properties({ dot_a_linkage: 'yes' })],
  [/precompiled/, properties({ precompiled: 'yes' })],
  [/ldflags/, properties({ ldflags: '' })],
  [/KEYWORD, tab, type/, { 'keywords.txt': 'USMP KEYWORD1\n' }],
  [/KEYWORD, tab, type/, { 'keywords.txt': 'USMP\tKEYWORD9\n' }],
  [/KEYWORD, tab, type/, { 'keywords.txt': 'USMP\tKEYWORD1 \n' }],
  [/twice/, { 'keywords.txt': 'USMP\tKEYWORD1\nUSMP\tKEYWORD2\n' }],
]);

describe('the package', { concurrency: 2 }, () => {
  arduinoTest('keeps to the rules of arduino-lint', async () => {
    assert.deepEqual(await lint((await packed()).folder), []);
  });

  arduinoTest('would not pass where it broke one of them', async (t) => {
    for (const [message, files] of BREACHES) {
      const folder = join(await temporary(t), 'USMP');
      for (const [name, text] of Object.entries({ ...FLAWLESS, ...files })) {
        if (text === null) continue;
        await mkdir(dirname(join(folder, name)), { recursive: true });
        await writeFile(join(folder, name), text);
      }
      assert.match((await lint(folder)).join('\n') || 'nothing', message);
    }
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
      assert((await packed()).files.includes('src/usmp/bearssl/LICENSE.txt'));
      assert.deepEqual(await symbolsOfBearssl(t, 'ESP32'), []);
    },
  );

  arduinoTest('has no name of BearSSL for the linker, which another library may bring', async (t) => {
    const symbols = await symbolsOfBearssl(t, 'SAMD');
    assert(symbols.length > 30);
    assert.deepEqual(
      symbols.filter((name) => !name.startsWith('usmp_br_')),
      [],
    );
  });

  for (const core of /** @type {const} */ (['esp32', 'esp8266', 'rp2040', 'avr'])) {
    arduinoTest(`leaves no macro behind, but for the guard of one header, on ${core}`, async (t) => {
      const before = '#include <Arduino.h>\n#include <Client.h>\n#include <IPAddress.h>\n';
      const after = core === 'avr' ? '#include <avr/eeprom.h>\n' : `${networkOf(core)}${storeOf(core)}`;
      const library = '#include <USMP.h>\n#include <USMPKeyStore.h>\n';
      const macros = core === 'avr' ? macrosOfMega : macrosOf;
      const without = await macros(t, core, before + after);
      const withIt = await macros(t, core, before + library + after);
      const left = [...withIt].filter(([name, value]) => without.get(name) !== value);
      assert.deepEqual(left, [['USMP_ERRORS_H', '']]);
      const lost = [...without.keys()].filter((name) => !withIt.has(name));
      assert.deepEqual(lost, []);
    });
  }

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
    for (const [shim, most, ...cryptography] of /** @type {const} */ ([
      ['esp32', 160],
      ['esp32', 320, '-DUSMP_CRYPTO_MBEDTLS'],
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
        await syntax(t, shim, sketch, [...cryptography, ...extra]);
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

/** @param {string} shim */
function storeOf(shim) {
  return shim === 'esp32' ? '#include <Preferences.h>\n' : '#include <EEPROM.h>\n';
}

/**
 * All macros that a source leaves.
 *
 * @param {import('node:test').TestContext} t @param {string} shim @param {string} source
 */
async function macrosOf(t, shim, source) {
  return await macrosBy(t, 'g++', [...switchesOf(shim), ...(await pathsOf(shim))], source);
}

/** The same with the real core. @param {import('node:test').TestContext} t @param {string} _ @param {string} source */
async function macrosOfMega(t, _, source) {
  const { folder } = await packed();
  const options = ['-mmcu=atmega2560', '-DF_CPU=16000000L', '-DARDUINO=10819', '-DARDUINO_ARCH_AVR'];
  const paths = [`${ARDUINO_AVR}/cores/arduino`, `${ARDUINO_AVR}/variants/mega`, `${folder}/src`];
  return await macrosBy(t, 'avr-g++', [...options, ...paths.map((path) => `-I${path}`)], source);
}

/**
 * @param {import('node:test').TestContext} t @param {string} compiler @param {string[]} options @param {string} source
 * @returns {Promise<Map<string, string>>} what they stand for, by name with parameters
 */
async function macrosBy(t, compiler, options, source) {
  const file = join(await temporary(t), 'source.cpp');
  await writeFile(file, source);
  const { stdout } = await run(compiler, ['-std=gnu++11', ...options, '-E', '-dM', file], {
    maxBuffer: 16 * 1024 * 1024,
  });
  return new Map(
    [...stdout.matchAll(/^#define (\w+(?:\([^)]*\))?) ?(.*)$/gm)].map(([, name, value]) => [name, value]),
  );
}

/**
 * What the files of BearSSL in the package give the linker.
 *
 * @param {import('node:test').TestContext} t @param {string} architecture
 */
async function symbolsOfBearssl(t, architecture) {
  const { folder, files } = await packed();
  const sources = files.filter((file) => /^src\/usmp\/bearssl\/\w+\.c$/.test(file));
  assert(sources.length > 15);
  const object = join(await temporary(t), 'object.o');
  const options = ['-w', '-DARDUINO=10819', `-DARDUINO_ARCH_${architecture}`, `-I${folder}/src`];
  const symbols = [];
  for (const file of sources) {
    await run('gcc', [...options, '-c', join(folder, file), '-o', object]);
    const { stdout } = await run('nm', ['--extern-only', '--defined-only', object]);
    symbols.push(...[...stdout.matchAll(/^\w+ \w (\w+)$/gm)].map(([, name]) => name));
  }
  return symbols;
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
