/** The ESP-IDF component against the real server, over a shim of ESP-IDF's API; on ESP-IDF itself it is checked elsewhere. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { findTools } from '../../scripts/toolchain.js';
import {
  ADDRESS_SANITIZER,
  build,
  CHIP,
  COMPONENT,
  DEVICE,
  KEY,
  optionsFor,
  partsOf,
  Running,
  SCENARIOS,
  scenario,
  serve,
  serveSilence,
  THREAD_SANITIZER,
  temporaryFolder,
  unreachable,
} from './esp-idf/bed.js';

const run = promisify(execFile);
const tools = await findTools('analysis');
const skip = tools === undefined && 'no C compiler and Mbed TLS: node scripts/toolchain.js says why';

/** Larger than one frame, other cryptography: what a chip is given that has the memory. */
const LARGE = {
  USMP_MAX_MESSAGE: 1_808,
  USMP_QUEUE_SIZE: 4_096,
  USMP_SEND_QUEUE: 3,
  USMP_MAX_HELD: 4,
  USMP_CRYPTO_CHOICE_MBEDTLS: 1,
};

/** Each with its programs. */
const BUILDS = [
  {
    name: 'memory',
    flags: ADDRESS_SANITIZER,
    mains: {
      memory: SCENARIOS,
      basic: join(COMPONENT, 'examples/basic/main'),
      sensor: join(COMPONENT, 'examples/sensor_deep_sleep/main'),
    },
  },
  { name: 'threads', flags: THREAD_SANITIZER, mains: { threads: SCENARIOS } },
  { name: 'chip', config: { ...CHIP, ...LARGE }, flags: THREAD_SANITIZER, mains: { chip: SCENARIOS } },
];

describe('the ESP-IDF component', { skip, concurrency: 2 }, () => {
  /** @type {Record<string, string>} */
  const programs = {};
  /** @type {Awaited<ReturnType<typeof temporaryFolder>>} */
  let place;

  before(async () => {
    place = await temporaryFolder();
    const built = await Promise.all(BUILDS.map((each) => build(tools.gcc, place.folder, each)));
    Object.assign(programs, ...built);
  });
  after(() => place.remove());

  /**
   * A scenario that needs an echo server.
   *
   * @param {import('node:test').TestContext} t
   * @param {string} program @param {string} name @param {string} listen
   */
  const tryOut = async (t, program, name, listen) => {
    const server = await serve(t, listen);
    await scenario(t, programs[program], name, server.url).succeeds();
    return server;
  };

  for (const [program, listen] of [
    ['memory', 'tcp://127.0.0.1:0'],
    ['memory', 'udp://127.0.0.1:0'],
    ['threads', 'tcp://127.0.0.1:0'],
    ['chip', 'tcp://127.0.0.1:0'],
    ['chip', 'udp://127.0.0.1:0'],
    ['chip', 'serial+tcp://127.0.0.1:0'],
  ]) {
    test(`has a session, in its own task (${program}, ${listen})`, (t) => tryOut(t, program, 'echo', listen));
    test(`has a session, in the caller's loop (${program}, ${listen})`, (t) =>
      tryOut(t, program, 'loop', listen));
  }

  for (const listen of ['tcp://127.0.0.1:0', 'udp://127.0.0.1:0']) {
    test(`finds the server at the second address of its name (${listen})`, async (t) => {
      const { url } = await serve(t, listen);
      await scenario(t, programs.memory, 'names', url.replace('127.0.0.1', 'two.test')).succeeds();
    });
  }

  for (const [program, listen] of [
    ['threads', 'tcp://127.0.0.1:0'],
    ['threads', 'udp://127.0.0.1:0'],
    ['memory', 'tcp://127.0.0.1:0'],
    ['chip', 'tcp://127.0.0.1:0'],
  ]) {
    test(`brings what eight tasks send at once, each in its order (${program}, ${listen})`, async (t) => {
      const { received } = await tryOut(t, program, 'threads', listen);
      assert.equal(received.length, 8 * 40);
      for (let sender = 0; sender < 8; sender++) {
        const numbers = received.map((text) => text.split(' ')).filter(([from]) => Number(from) === sender);
        assert.deepEqual(
          numbers.map(([, number]) => Number(number)),
          Array.from({ length: 40 }, (_, number) => number),
        );
      }
    });
  }

  for (const scheme of ['tcp', 'udp']) {
    test(`comes back to a server that was away, with what was sent meanwhile (${scheme})`, async (t) => {
      const first = await serve(t, `${scheme}://127.0.0.1:0`);
      const client = scenario(t, programs.threads, 'restart', first.url);
      await client.sees(/^flushed$/m);
      await first.close();
      await client.sees(/^waiting$/m);
      const second = await serve(t, first.url);
      const output = await client.succeeds();
      assert.deepEqual([first.received, second.received], [['first'], ['second']]);
      assert.equal(output.match(/^connected$/gm)?.length, 2);
    });
  }

  for (const program of ['memory', 'chip']) {
    test(`tells of a wrong key, and tries again as it is told (${program})`, (t) =>
      tryOut(t, program, 'wrong_key', 'tcp://127.0.0.1:0'));
    test(`stops in the middle of a handshake (${program})`, async (t) => {
      await scenario(t, programs[program], 'silent', await serveSilence(t)).succeeds();
    });
    test(`says when the queue is full, and how much was never sent (${program})`, async (t) => {
      await scenario(t, programs[program], 'full', await unreachable()).succeeds();
    });
    test(`answers calls from the callback (${program})`, (t) =>
      tryOut(t, program, 'callback', 'tcp://127.0.0.1:0'));
    test(`rejects what it cannot use (${program})`, (t) =>
      tryOut(t, program, 'arguments', 'tcp://127.0.0.1:0'));
    test(`takes the key from NVS, and keeps a device id there (${program})`, async (t) => {
      const { url } = await serve(t, 'tcp://127.0.0.1:0');
      const folder = join(place.folder, `nvs-${program}`);
      await mkdir(folder);
      await scenario(t, programs[program], 'keys', url, { USMP_SHIM_NVS: folder }).succeeds();
    });
  }

  test('lets two connections compute at once', (t) => tryOut(t, 'threads', 'two', 'tcp://127.0.0.1:0'));
  test('posts events, and a handler may stop it', (t) => tryOut(t, 'threads', 'events', 'tcp://127.0.0.1:0'));
  test('is deleted while others wait in its calls', async (t) => {
    await scenario(t, programs.threads, 'delete', await unreachable()).succeeds();
  });
  test('has a queue, waits and URLs that hold by themselves', async (t) => {
    await scenario(t, programs.memory, 'parts', '').succeeds();
  });

  test('never logs the key', async (t) => {
    const { url } = await serve(t, 'tcp://127.0.0.1:0');
    const output = await scenario(t, programs.memory, 'wrong_key', url).succeeds();
    assert.match(output, /refused/);
    assert.ok(!output.includes(KEY.slice(0, -1)), output);
  });

  test('the example "basic" says hello in each session', async (t) => {
    const first = await serve(t, 'tcp://127.0.0.1:0');
    const example = new Running(t, programs.basic, { USMP_URL: first.url, USMP_PSK: KEY });
    await example.sees(/server: hello\n/);
    await first.close();
    await example.sees(/disconnected/);
    const second = await serve(t, first.url);
    await example.sees(/server: hello\n.*server: hello\n/s);
    assert.deepEqual([first.received[0], second.received[0]], ['hello', 'hello']);
  });

  test('the example "sensor_deep_sleep" delivers one reading each time it wakes up', async (t) => {
    const { url, received } = await serve(t, 'udp://127.0.0.1:0');
    const example = new Running(t, programs.sensor, { USMP_URL: url, USMP_PSK: KEY });
    await example.sees(/delivered: reading 2: /);
    assert.match(received[0], /^reading 1: \d\d\.\d C$/);
    assert.match(received[1], /^reading 2: \d\d\.\d C$/);
  });

  for (const [name, config] of /** @type {const} */ ([
    ['TCP alone', { USMP_UDP: undefined }],
    ['UDP alone', { USMP_TCP: undefined }],
    ['a UART alone', { ...CHIP, USMP_TCP: undefined, USMP_UDP: undefined }],
    [
      'a key in the firmware',
      { USMP_KEY_SOURCE_NVS: undefined, USMP_KEY_SOURCE_TEXT: 1, USMP_PSK: '"0123456789abcdef"' },
    ],
    ['no log', { USMP_LOG_LEVEL: 0, USMP_LOG_LEVEL_NONE: 1 }],
  ])) {
    test(`compiles for ${name}`, async () => {
      const { sources, includes } = await partsOf(COMPONENT, DEVICE);
      const options = await optionsFor(join(place.folder, name.replaceAll(' ', '-')), includes, config);
      await run(tools.gcc, [...options, '-fsyntax-only', ...sources]);
    });
  }

  test('compiles as C23, as ESP-IDF does after 6.0', async () => {
    const { sources, includes } = await partsOf(COMPONENT, DEVICE);
    const options = await optionsFor(join(place.folder, 'c23'), includes, CHIP);
    await run(tools.gcc, [...options, '-std=gnu2x', '-fsyntax-only', ...sources]);
  });

  test('says which part of Mbed TLS is switched off', async () => {
    const { includes } = await partsOf(COMPONENT, DEVICE);
    const options = await optionsFor(join(place.folder, 'parts'), includes, {});
    const file = join(place.folder, 'parts.c');
    const drive = join(COMPONENT, 'src/drive.c');
    for (const [part, what] of [
      ['PSA_WANT_ECC_MONTGOMERY_255', 'CURVE25519'],
      ['PSA_WANT_ALG_GCM', 'GCM'],
      ['PSA_WANT_ALG_HMAC', 'HMAC'],
    ]) {
      await writeFile(file, `#include <psa/crypto.h>\n#undef ${part}\n#include "${drive}"\n`);
      await assert.rejects(
        run(tools.gcc, [...options, '-fsyntax-only', file]),
        new RegExp(`error: .*menuconfig, mbedTLS: switch on .*${what}`),
      );
    }
  });

  for (const [name, config] of /** @type {const} */ ([
    ['Wi-Fi', { SOC_WIFI_SUPPORTED: 1, EXAMPLE_WIFI_SSID: '"network"', EXAMPLE_WIFI_PASSWORD: '"password"' }],
    ['a chip without Wi-Fi', {}],
  ])) {
    test(`its examples compile for ${name}`, async () => {
      const { includes } = await partsOf(COMPONENT, DEVICE);
      const folder = join(place.folder, name.replaceAll(' ', '-'));
      const options = await optionsFor(folder, includes, { ...CHIP, ...config });
      for (const example of [
        'basic/main/basic.c',
        'sensor_deep_sleep/main/sensor_deep_sleep.c',
        'basic/main/network.c',
      ])
        await run(tools.gcc, [...options, '-fsyntax-only', join(COMPONENT, 'examples', example)]);
    });
  }

  test('its header serves C++', async () => {
    const { includes } = await partsOf(COMPONENT, DEVICE);
    const options = await optionsFor(join(place.folder, 'cpp'), includes, {});
    const flags = options.filter((option) => !option.startsWith('-std'));
    const file = join(place.folder, 'header.cpp');
    await writeFile(file, '#include "usmp_esp.h"\nusmp_esp_config_t config = USMP_ESP_CONFIG_DEFAULT();\n');
    await run(tools.gcc, [...flags, '-x', 'c++', '-std=gnu++20', '-fsyntax-only', file]);
  });
});
