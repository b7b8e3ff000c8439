/**
 * The Arduino library, as it is packed, on this machine: against a server of its own in virtual time, and sketches against the real
 * one, over a small Arduino core of the tests (arduino/shim).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'node:test';
import { promisify } from 'node:util';
import { arduinoTest, DEVICE_ID, KEY, remember, Sketch, until, usmpServe } from './arduino/bench.js';
import { ARDUINO, buildSketch, buildVirtual, example, HOSTS } from './arduino/workshop.js';

const run = promisify(execFile);

/** Of Wi-Fi joined in 50 ms, and X25519 of this machine under a sanitizer. A network that is away may block for longer. Milliseconds. */
const QUICK = 250;

/** The sketch that the mission promises, to the letter. */
const PROMISED = `#include <USMP.h>

USMPClient usmp("your-psk-here-16+");

void setup() {
    usmp.begin(USMP::TCP("192.168.1.100").wifi("SSID", "password"));
    usmp.send("hello from esp32");
}

void loop() {
    usmp.maintain(); // keepalive + reconnect

    if (usmp.available()) {
        Serial.println(usmp.read());
    }
}
`;

describe('the Arduino client, in virtual time', { concurrency: 2 }, () => {
  virtualTests('keeps what USMP.h promises', 'client_test', 42);
  virtualTests('holds out for twelve hours', 'twelve_hours_test', 6);
});

/** @param {string} promise @param {string} name @param {number} least how many there are at least */
function virtualTests(promise, name, least) {
  arduinoTest(promise, async (t) => {
    const { stdout, stderr } = await run(await buildVirtual(name), { timeout: 120_000 }).catch(
      (error) => error,
    );
    const results = [...stdout.matchAll(/^(ok|not ok) \d+ - (.*)$/gm)];
    for (const [, result, what] of results)
      await t.test(what, () => assert.equal(result, 'ok', `${stdout}\n${stderr}`));
    assert.equal(stderr, '', 'the sanitizers have nothing to say');
    assert.match(stdout, new RegExp(`^1\\.\\.${results.length}$`, 'm'), 'it came to its end');
    assert(results.length >= least);
  });
}

describe('sketches', { concurrency: 4 }, () => {
  describe('the promised one', { concurrency: 3 }, promised);
  describe('the other examples', { concurrency: 3 }, others);
});

function promised() {
  arduinoTest('is the example Hello, to the letter', async () => {
    assert.equal(await readFile(example('Hello'), 'utf8'), PROMISED);
  });

  for (const host of /** @type {(keyof typeof HOSTS)[]} */ (Object.keys(HOSTS))) {
    arduinoTest(`says hello to usmp serve, and prints the reply, as on an ${host}`, async (t) => {
      const program = await buildSketch(host, example('Hello'));
      const { server, port } = await usmpServe(t);
      const sketch = new Sketch(t, program, { port });
      const [, id] = await server.sees(/^((?:\w\w:){5}\w\w) hello from esp32$/m);
      if (host !== 'rp2040') assert.equal(id, DEVICE_ID);
      server.process.stdin.write('reply from server\n');
      await sketch.sees(/^reply from server\r?$/m);
      assert((await sketch.longestLoop()) < QUICK);
      await sketch.quit();
    });
  }

  arduinoTest('connects again when the server was restarted', async (t) => {
    const program = await buildSketch('esp32', example('Hello'));
    const first = await remember(t, 'tcp://127.0.0.1:0');
    const sketch = new Sketch(t, program, { port: first.port });
    await until(() => first.messages.includes('hello from esp32'), 'hello');
    await first.server.close();
    const second = await remember(t, `tcp://127.0.0.1:${first.port}`);
    await until(() => second.sessions.length === 1, 'another session');
    await second.sessions[0].send('after the restart');
    await sketch.sees(/^after the restart\r?$/m);
    assert.deepEqual(second.messages, [], 'hello was sent once');
    assert((await sketch.longestLoop()) < QUICK);
    await sketch.quit();
  });

  arduinoTest('connects again when Wi-Fi was lost', async (t) => {
    const program = await buildSketch('esp32', example('Hello'));
    const { port, sessions, messages, ends } = await remember(t, 'tcp://127.0.0.1:0');
    const sketch = new Sketch(t, program, { port });
    await until(() => messages.length === 1, 'hello');
    await sketch.tell('air off');
    await until(() => ends.length === 1, 'the end of the session');
    await sketch.tell('air on');
    await until(() => sessions.length === 2, 'another session');
    await sessions[1].send('in the air again');
    await sketch.sees(/^in the air again\r?$/m);
    assert.deepEqual(messages, ['hello from esp32']);
    await sketch.quit();
  });

  arduinoTest('goes on trying with a key that the server does not know, and loop() goes on', async (t) => {
    const program = await buildSketch('esp32', example('Hello'));
    const { port, refusals, messages } = await remember(t, 'tcp://127.0.0.1:0', { psk: 'another key, 16+' });
    const sketch = new Sketch(t, program, { port });
    await until(() => refusals.length > 0, 'a refusal');
    assert.equal(refusals[0], 'wrong-key');
    assert.deepEqual(messages, []);
    await sketch.quit();
  });

  arduinoTest('goes on after a message that is longer than it takes', async (t) => {
    const program = await buildSketch('esp32', example('Hello'));
    const { port, sessions, messages, ends } = await remember(t, 'tcp://127.0.0.1:0');
    const sketch = new Sketch(t, program, { port });
    await until(() => messages.length === 1, 'hello');
    await sessions[0].send('x'.repeat(1_808));
    await sessions[0].send('short');
    await sketch.sees(/^short\r?$/m);
    assert.doesNotMatch(sketch.stdout, /x/);
    assert.deepEqual(ends, []);
    await sketch.quit();
  });

  arduinoTest('leaves no memory behind, by the word of valgrind', async (t) => {
    const program = await buildSketch('esp8266', example('Hello'));
    const { port, sessions, messages } = await remember(t, 'tcp://127.0.0.1:0');
    const valgrind = [
      'valgrind',
      '--quiet',
      '--leak-check=full',
      '--error-exitcode=9',
      '--exit-on-first-error=yes',
    ];
    const sketch = new Sketch(t, program, { port, under: valgrind });
    await until(() => messages.length === 1, 'hello');
    await sessions[0].send('under valgrind');
    await sketch.sees(/^under valgrind\r?$/m);
    await sketch.quit();
  });
}

function others() {
  arduinoTest('UDPSensor: the server has the message before the sensor sleeps', async (t) => {
    const program = await buildSketch('esp32', example('UDPSensor'));
    const { port, messages, ends } = await remember(t, 'udp://127.0.0.1:0');
    const sketch = new Sketch(t, program, { port });
    await sketch.sees(/^@sleep 600000000$/m);
    assert.deepEqual(messages, ['battery 512']);
    await until(() => ends.length === 1, 'the end');
    assert.deepEqual(ends, ['bye']);
    await sketch.quit();
  });

  arduinoTest('UDPSensor: without a server it says so, and sleeps', async (t) => {
    const program = await buildSketch('esp32', example('UDPSensor'));
    const sketch = new Sketch(t, program, { port: 9 });
    await sketch.sees(/^closed, and 1 messages were not sent\r?\n@sleep/m);
    await sketch.quit();
  });

  arduinoTest('RemoteCommands: each command is answered', async (t) => {
    const program = await buildSketch('esp32', example('RemoteCommands'));
    const { port, messages, sessions } = await remember(t, 'tcp://127.0.0.1:0');
    const sketch = new Sketch(t, program, { port });
    await until(() => sessions.length === 1, 'a session');
    for (const command of ['led on', 'read', 'dance', 'state']) await sessions[0].send(command);
    await until(() => messages.length === 4, 'four answers');
    assert.deepEqual(messages, ['led is on', 'A0 512', 'what?', '4 commands, 1 unknown']);
    assert.match(sketch.stdout, /^@pin 13 1$/m);
    assert.match(sketch.stdout, new RegExp(`^session ${sessions[0].id}\r?$`, 'm'));
    await sketch.quit();
  });

  arduinoTest('MegaSerial: over a line, with a change of keys', async (t) => {
    const program = await buildSketch('esp32', example('MegaSerial'));
    const server = await remember(t, 'serial+tcp://127.0.0.1:0', { psk: { [DEVICE_ID]: KEY } });
    const { port, messages, sessions } = server;
    const sketch = new Sketch(t, program, { line: port });
    await until(() => messages.length === 1, 'hello');
    assert.equal(messages[0], 'hello from mega');
    await sessions[0].send('rekey');
    await sketch.sees(/^rekey\r?$/m);
    await until(() => server.changesOfKeys() > 0, 'a change of keys');
    await sessions[0].send('under new keys');
    await sketch.sees(/^under new keys\r?$/m);
    await sketch.quit();
  });

  arduinoTest('a sketch with random numbers of its own: they are the ones that are asked for', async (t) => {
    const program = await buildSketch('esp8266', join(ARDUINO, 'sketches/OwnRandom/OwnRandom.ino'));
    const { port, messages } = await remember(t, 'tcp://127.0.0.1:0');
    const sketch = new Sketch(t, program, { port });
    await sketch.sees(/^no random numbers, or no memory: see README, Random numbers\r?$/m);
    await until(() => messages.length === 1, 'hello');
    assert.match(messages[0], /^asked [1-9]/);
    await sketch.quit();
  });

  arduinoTest(
    'KeyFromNVS: asks for a key once, connects with it, and finds it at the next start',
    async (t) => {
      const program = await buildSketch('esp32', example('KeyFromNVS'));
      const folder = await mkdtemp(join(tmpdir(), 'usmp-nvs-'));
      t.after(() => rm(folder, { recursive: true }));
      const question = /^key, 16 to 64 characters\?\r?$/gm;
      const psk = { [DEVICE_ID]: 'typed by a person' };
      const { port, sessions } = await remember(t, 'tcp://127.0.0.1:0', { psk });
      const world = { port, nvs: join(folder, 'nvs') };

      const first = new Sketch(t, program, world);
      await first.sees(new RegExp(question.source, 'm'));
      for (const [index, wrong] of ['fifteen-bytes-x', 'x'.repeat(65), 'x'.repeat(200)].entries()) {
        first.type(wrong);
        await until(() => [...first.stdout.matchAll(question)].length === index + 2, 'the question again');
      }
      first.type(psk[DEVICE_ID]);
      await first.sees(new RegExp(`^${DEVICE_ID}\r?$`, 'm'));
      assert.equal(sessions.length, 1);
      await first.quit();

      const second = new Sketch(t, program, world);
      await until(() => sessions.length === 2, 'another session');
      await sessions[1].send('welcome back');
      await second.sees(/^welcome back\r?$/m);
      assert.doesNotMatch(second.stdout, question);
      await second.quit();
    },
  );

  arduinoTest(
    'a wrong password of Wi-Fi is said, as on an esp8266, whose core has a word of its own for it',
    async (t) => {
      const program = await buildSketch('esp8266', join(ARDUINO, 'sketches/WrongPassword/WrongPassword.ino'));
      const sketch = new Sketch(t, program, {});
      await sketch.sees(/^Wi-Fi refused us: check its password\r?$/m);
      await sketch.quit();
    },
  );
}
