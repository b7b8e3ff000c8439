/** The programs of device/posix as a person uses them, and their two ways to be built. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe } from 'node:test';
import { temporaryFolder } from '../../packages/usmp/dist-test/cli/command.js';
import { hasIPv6 } from '../../packages/usmp/dist-test/support/ipv6.js';
import { testWithPorts } from '../../packages/usmp/dist-test/support/ports.js';
import { DEVICE_ID, KEY, runC, seesBye, serveC, serveTypeScript } from './peers/both.js';
import { build, DEVICE, execute, make, Program, retry, run, testWithTools, tools } from './peers/programs.js';

const TCP = 'tcp://127.0.0.1:0';

/** Nothing listens there, and no test gets that far. */
const NOWHERE = 'tcp://127.0.0.1:1';

const { client, server } = tools === undefined ? {} : await build();

describe('command lines', { concurrency: 4 }, () => {
  testWithTools('the help has every option, all exit codes and an example without a key', async (t) => {
    for (const program of [client, server]) {
      const { code, stdout, stderr } = await run(t, program, ['--help']);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
      const name = path.basename(program);
      assert.match(stdout, new RegExp(`^Usage: ${name} `));
      assert.match(stdout, new RegExp(`Example:\\n {2}${name} .*--psk-file key.txt`));
      assert.doesNotMatch(stdout.split('Example:')[1], /--psk /);
      for (const line of stdout.split('\n')) assert.ok(line.length <= 90, line);
    }
  });

  testWithTools('the version is that of the header', async (t) => {
    const header = readFileSync(path.join(DEVICE, 'core/include/usmp/usmp.h'), 'utf8');
    const [, version] = /^#define USMP_VERSION_STRING "(.+)"$/m.exec(header);
    for (const program of [client, server]) {
      const { code, stdout, stderr } = await run(t, program, ['--version']);
      assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: `${version}\n`, stderr: '' });
    }
  });

  testWithTools('the examples of the help work as printed', async (t) => {
    const folder = temporaryFolder(t);
    const file = path.join(folder, 'key.txt');
    writeFileSync(file, `${KEY}\n`, { mode: 0o600 });
    const exampleOf = async (program) => {
      const { stdout } = await run(t, program, ['--help']);
      return stdout.split('Example:\n')[1].trim().replace('key.txt', file).split(' ').slice(1);
    };
    const hub = new Program(
      t,
      server,
      (await exampleOf(server)).map((word) => word.replace(':9000', ':0')),
    );
    const [, port] = await hub.sees(/^listening tcp:\/\/0\.0\.0\.0:(\d+)$/m);
    const args = (await exampleOf(client)).map((word) => word.replace('9000', port));
    assert.deepEqual(await run(t, client, args), { code: 0, signal: null, stdout: 'hello\n', stderr: '' });
  });

  const mistakes = [
    [client, [], /no URL: name the server, such as tcp:/],
    [client, [NOWHERE, '--sent', 'x'], /unknown option '--sent': did you mean --send\?/],
    [client, [NOWHERE, '--frobnicate'], /unknown option '--frobnicate': --help shows/],
    [client, [NOWHERE, '--send'], /--send needs a value/],
    [client, [NOWHERE, '--ping=1'], /--ping takes no value/],
    [client, [NOWHERE, 'hello'], /too many arguments: "hello" comes after the URL/],
    [client, ['http://127.0.0.1:1'], /"http:\/\/127.0.0.1:1" is no URL of tcp:\/\/, udp:\/\//],
    [client, ['127.0.0.1:9000'], /write it like tcp:\/\/127.0.0.1:9000/],
    [client, ['tcp://:9000'], /names no host/],
    [client, ['tcp://127.0.0.1:65536'], /not 1 to 65535/],
    [client, ['tcp://127.0.0.1:x'], /not 1 to 65535/],
    [client, ['tcp://127.0.0.1:0'], /port 0 cannot be connected to/],
    [client, ['tcp://127.0.0.1:1/path'], /not 1 to 65535|more than transport/],
    [client, ['tcp://127.0.0.1/path'], /holds more than transport, host and port/],
    [client, ['tcp://[::1:9000'], /the address has no end: write it like \[::1\]:9000/],
    [client, ['serial:'], /names no port/],
    [client, ['serial://dev/ttyUSB0'], /comes right behind the colon/],
    [client, ['serial:/dev/ttyUSB0?baud=fast'], /baud is "fast": give bits a second/],
    [client, ['serial:/dev/ttyUSB0?parity=even'], /there is only baud/],
    [client, [NOWHERE, '--device-id', 'aa:bb'], /"aa:bb" is not a device id: write it like aa:bb/],
    [client, [NOWHERE, '--device-id', 'aa:bb:cc:dd:ee:gg'], /is not a device id/],
    [client, [NOWHERE, '--timeout', 'soon'], /--timeout is "soon": it must be seconds/],
    [client, [NOWHERE, '--timeout', '0'], /it must be seconds, 0\.001 to 2147483/],
    [client, [NOWHERE, '--echo-check', '0'], /--echo-check is "0": it must be a number from 1/],
    [client, [NOWHERE, '--window', '65'], /from 1 to 64/],
    [client, [NOWHERE, '--window', '4'], /--window is for an echo check: add --echo-check N/],
    [client, [NOWHERE, '--echo-size', '9', '--ping'], /--echo-size is for an echo check: add --echo-check N/],
    [
      client,
      [NOWHERE, '--send', 'x'.repeat(453)],
      /453 bytes, but a message has at most 452: send it in parts/,
    ],
    [server, ['tcp://127.0.0.1:0'], /give URLs as --listen URL/],
    [server, ['--listen', 'ws://127.0.0.1:0'], /is no URL of/],
    [server, ['--eco'], /did you mean --echo\?/],
    [server, ['--device-id', 'x'], /is not a device id/],
  ];
  for (const [program, args, complaint] of mistakes) {
    testWithTools(
      `${path.basename(program ?? '')} ${args.join(' ').slice(0, 50)}: a usage error`,
      async (t) => {
        const { code, stdout, stderr } = await run(t, program, ['--psk', KEY, ...args]);
        assert.deepEqual({ code, stdout }, { code: 2, stdout: '' });
        assert.match(stderr, /^usmp-(client|server): [^\n]*\n$/);
        assert.match(stderr, complaint);
      },
    );
  }

  testWithTools('options may stand anywhere, and their values behind "="', async (t) => {
    const { url } = await serveC(t, TCP);
    const args = [`--psk=${KEY}`, '--send=a=b', url, '--send', '--c', '--', '--send'];
    const wrong = await run(t, client, args);
    assert.match(wrong.stderr, /too many arguments: "--send"/);
    const { code, stdout } = await run(t, client, args.slice(0, -2));
    assert.deepEqual({ code, stdout }, { code: 0, stdout: 'a=b\n--c\n' });
  });
});

describe('keys', { concurrency: 4 }, () => {
  const bytes = Buffer.from('0102fbff405060708090a0b0c0d0e0f0', 'hex');
  const spellings = [
    `hex:${bytes.toString('hex')}`,
    `hex:${bytes.toString('hex').toUpperCase()}`,
    `base64:${bytes.toString('base64')}`,
    `base64:${bytes.toString('base64url')}`,
    `base64:${bytes.toString('base64').replaceAll('=', '')}`,
  ];

  testWithTools('all spellings of one key are the same key', async (t) => {
    const { url } = await serveTypeScript(t, TCP, { psk: bytes });
    for (const psk of spellings) assert.equal((await runC(t, url, ['--send', 'x'], { psk })).code, 0, psk);
    for (const psk of spellings.map((text) => `${text} `)) {
      const { code, stderr } = await runC(t, url, ['--send', 'x'], { psk });
      assert.equal(code, 2);
      assert.match(stderr, /--psk: (hex|base64): must be followed by/);
    }
  });

  testWithTools('a key may come from a file, without its line end, or from the environment', async (t) => {
    const { url } = await serveC(t, TCP, { psk: 'schlüssel von 16' });
    const file = path.join(temporaryFolder(t), 'key.txt');
    for (const end of ['', '\n', '\r\n']) {
      writeFileSync(file, `schlüssel von 16${end}`, { mode: 0o600 });
      const outcome = await run(t, client, [url, '--psk-file', file, '--send', 'x']);
      assert.deepEqual(outcome, { code: 0, signal: null, stdout: 'x\n', stderr: '' });
    }
    const env = { USMP_PSK: 'schlüssel von 16' };
    assert.equal((await run(t, client, [url, '--send', 'x'], { env })).code, 0);
  });

  testWithTools('a key file that everybody can read is told of, and used', async (t) => {
    const { url } = await serveC(t, TCP);
    const file = path.join(temporaryFolder(t), 'key.txt');
    writeFileSync(file, KEY, { mode: 0o644 });
    const { code, stderr } = await run(t, client, [url, '--psk-file', file, '--send', 'x']);
    assert.equal(stderr, `usmp: ${file} can be read by every user of this machine: chmod 600 it\n`);
    assert.equal(code, 0);
  });

  testWithTools('what is no key is a usage error that does not show it', async (t) => {
    const folder = temporaryFolder(t);
    const file = (name, text) => {
      writeFileSync(path.join(folder, name), text, { mode: 0o600 });
      return path.join(folder, name);
    };
    const cases = [
      [[], /no key: give --psk-file key\.txt \(npx usmp keygen/],
      [['--psk', KEY, '--psk-file', 'x'], /--psk cannot be used with --psk-file/],
      [['--psk', 'too short secret'.slice(1)], /--psk: key is 15 bytes, at least 16/],
      [['--psk', 'hex:0102'], /--psk: key is 2 bytes, at least 16/],
      [['--psk', 'hex:secret'], /--psk: hex: must be followed by pairs of hexadecimal digits alone/],
      [['--psk', 'base64:secret!'], /--psk: base64: must be followed by base64 alone/],
      [['--psk', 'base64:c2VjcmV0c2VjcmV0c2VjcmV0=='], /base64 alone/],
      [['--psk', `secret${'x'.repeat(600)}`], /--psk: key is longer than 512 bytes/],
      [['--psk-file', file('empty.txt', '\n')], /empty\.txt is empty: make a key/],
      [['--psk-file', file('short.txt', 'secret\n')], /short\.txt: key is 6 bytes/],
      [['--psk-file', file('zero.txt', 'secret of 16 bytes\0and more')], /zero\.txt: key holds a zero byte/],
      [['--psk-file', path.join(folder, 'none.txt')], /cannot read .*none\.txt: No such file/],
      [['--psk-file', folder], /cannot read .*: Is a directory/],
    ];
    for (const [args, complaint] of cases) {
      for (const program of [client, server]) {
        const { code, stderr } = await run(t, program, [...(program === client ? [NOWHERE] : []), ...args]);
        assert.match(stderr, complaint);
        assert.doesNotMatch(stderr, /secret/);
        assert.equal(code, 2);
      }
    }
  });
});

describe('what the client does', { concurrency: 4 }, () => {
  testWithTools('it sends each message, waits for its reply and prints it', async (t) => {
    const { url } = await serveC(t, TCP);
    const outcome = await runC(t, url, ['--send', 'hello', '--send', '', '--send', '--21.5 °C']);
    assert.deepEqual(outcome, { code: 0, signal: null, stdout: 'hello\n\n--21.5 °C\n', stderr: '' });
  });

  testWithTools('it fails where what it prints cannot be written', async (t) => {
    const { url } = await serveC(t, TCP);
    const command = 'exec "$0" "$@" > /dev/full';
    const args = ['-c', command, client, url, '--psk', KEY, '--send', 'hello'];
    const { code, stderr } = await run(t, '/bin/sh', args);
    assert.deepEqual({ code, stderr }, { code: 1, stderr: 'usmp-client: cannot write to standard output\n' });
  });

  testWithTools('the server ends where what it prints cannot be written', async (t) => {
    const command = 'exec "$0" "$@" > /dev/full';
    const { code, stderr } = await run(t, '/bin/sh', ['-c', command, server, '--listen', TCP, '--psk', KEY]);
    assert.deepEqual({ code, stderr }, { code: 1, stderr: 'usmp-server: cannot write to standard output\n' });
  });

  testWithTools('it changes the keys, and measures a round trip, before anything else', async (t) => {
    const { server: hub, url } = await serveC(t, TCP);
    const { code, stdout } = await runC(t, url, [
      '--rekey',
      '--ping',
      '--send',
      'x',
      '--device-id',
      DEVICE_ID,
    ]);
    assert.match(stdout, /^round trip: \d+ ms\nx\n$/);
    assert.equal(code, 0);
    await hub.sees(
      new RegExp(`^connected ${DEVICE_ID} .*\nrekeyed ${DEVICE_ID}\ndisconnected `, 'm'),
      'stderr',
    );
    assert.deepEqual(await runC(t, url, ['--rekey']), { code: 0, signal: null, stdout: '', stderr: '' });
  });

  testWithTools('lines of standard input go out as they come', async (t) => {
    const { server: hub, url } = await serveC(t, TCP);
    const device = new Program(t, client, [url, '--psk', KEY, '--device-id', DEVICE_ID]);
    device.process.stdin.write('first\r\n');
    await device.sees(/^first\n/);
    device.process.stdin.write('\nthird\nlast');
    await device.sees(/^first\n\nthird\n/);
    device.process.stdin.end();
    const { code, stdout, stderr } = await device.ended;
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: 'first\n\nthird\nlast\n', stderr: '' });
    await seesBye(hub);
  });

  testWithTools('a line that is too long is a usage error, one that just fits is not', async (t) => {
    const { url } = await serveC(t, TCP);
    const longest = 'x'.repeat(452);
    const { code, stdout, stderr } = await runC(t, url, [], {
      input: `${longest}\r\n${longest}\n${longest}x\nno more`,
    });
    assert.deepEqual({ code, stdout }, { code: 2, stdout: `${longest}\n${longest}\n` });
    assert.match(stderr, /a line is longer than a message may be: send it in parts/);
  });

  testWithTools('what is no text, or moves the cursor, is printed in hexadecimal', async (t) => {
    const { server: hub, url } = await serveTypeScript(t, TCP);
    const cases = { ff01: 'ff01', '1b5b324a': '1b5b324a', c3a9: 'é', c29b: 'c29b', e282: 'e282', '09': '\t' };
    hub.on('connect', (session) => {
      for (const hex of Object.keys(cases)) session.send(Buffer.from(hex, 'hex'));
    });
    const { stdout } = await runC(t, url, ['--listen-for', '0.5']);
    assert.equal(stdout, `${Object.values(cases).join('\n')}\n`);
  });

  testWithTools('it listens for a while, and then says BYE', async (t) => {
    const { server: hub, url, endings } = await serveTypeScript(t, TCP);
    hub.on('connect', (session) => session.send('good morning'));
    const outcome = await runC(t, url, ['--listen-for', '0.3']);
    assert.deepEqual(outcome, { code: 0, signal: null, stdout: 'good morning\n', stderr: '' });
    assert.deepEqual(endings, ['bye']);
  });

  testWithTools('with --no-reply it waits for none, and everything still arrives', async (t) => {
    const hub = new Program(t, server, ['--listen', TCP, '--psk', KEY, '--once']);
    const [, url] = await hub.sees(/listening (\S+)/);
    const args = ['--device-id', DEVICE_ID, '--no-reply', '--send', 'a', '--send', 'b\n', '--send', ''];
    const { code, stdout } = await runC(t, url, args);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: '' });
    const ended = await hub.ended;
    assert.equal(ended.code, 0);
    assert.equal(ended.stdout, `listening ${url}\n${DEVICE_ID} a\n${DEVICE_ID} 620a\n${DEVICE_ID} \n`);
  });

  testWithTools('a reply that does not come is missed', async (t) => {
    const hub = new Program(t, server, ['--listen', TCP, '--psk', KEY]);
    const [, url] = await hub.sees(/listening (\S+)/);
    const { code, stderr } = await runC(t, url, ['--send', 'x', '--timeout', '0.2']);
    assert.equal(
      stderr,
      'usmp-client: no reply within 0.2 s: raise --timeout, or give --no-reply if the server does not answer\n',
    );
    assert.equal(code, 5);
  });

  const harms = {
    'an echo is altered': [
      (send, message, n) => send(n === 7 ? message.map((byte) => byte ^ 1) : message),
      /echo 7 of \d+ bytes came altered/,
    ],
    'an echo is cut': [
      (send, message, n) => send(n === 7 ? message.subarray(1) : message),
      /echo 7 of \d+ bytes came altered/,
    ],
    'an echo is missing': [
      (send, message, n) => n !== 7 && send(message),
      /echo 8 came too early, where 7 was due/,
    ],
    'the last echo is missing': [
      (send, message, n) => n !== 19 && send(message),
      /1 of 20 echoes are missing/,
    ],
    'an echo comes twice': [
      (send, message, n) => [...(n === 7 ? [message] : []), message].map(send),
      /echo 7 came once more, where 8 was due/,
    ],
    'the last echo comes twice': [
      (send, message, n) => [...(n === 19 ? [message] : []), message].map(send),
      /echo 19 came once more/,
    ],
  };
  for (const [harm, [answer, complaint]] of Object.entries(harms)) {
    testWithTools(`the echo check fails when ${harm}`, async (t) => {
      const { server: hub, url } = await serveTypeScript(t, TCP);
      hub.onSession(async (session) => {
        let number = 0;
        for await (const message of session) answer((data) => void session.send(data), message, number++);
      });
      const { code, stderr } = await runC(t, url, ['--echo-check', '20', '--timeout', '1']);
      assert.match(stderr, complaint);
      assert.equal(code, 1);
    });
  }

  testWithTools('each address of a name is tried', async (t) => {
    const { url } = await serveC(t, TCP);
    assert.equal((await runC(t, url.replace('127.0.0.1', 'localhost'), ['--send', 'x'])).code, 0);
    const { code, stderr } = await runC(t, 'tcp://no-such-host.invalid:1', ['--send', 'x']);
    assert.match(stderr, /^usmp-client: unreachable: no address for no-such-host\.invalid: /);
    assert.equal(code, 4);
  });

  testWithTools('IPv6 works like IPv4', async (t) => {
    if (!hasIPv6) return t.skip('this machine has no IPv6');
    for (const transport of ['tcp', 'udp']) {
      const { server: hub, url } = await serveC(t, `${transport}://[::1]:0`);
      assert.match(url, /:\/\/\[::1\]:\d+$/);
      assert.equal((await runC(t, url, ['--echo-check', '20'])).code, 0);
      await hub.sees(/^connected .* from \[::1\]:\d+$/m, 'stderr');
    }
  });

  testWithTools('a connection that is not accepted is given up in time', async (t) => {
    const { server: hub, url } = await serveC(t, TCP);
    hub.kill('SIGSTOP');
    // More than the system keeps for a server that does not accept them.
    for (let i = 0; i < 24; i++) {
      const socket = net.connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
      t.after(() => socket.destroy());
    }
    const refused = async () => {
      const { code, stderr } = await runC(t, url, [
        '--send',
        'x',
        '--timeout',
        '0.5',
        '--handshake-timeout',
        '0.5',
      ]);
      assert.equal(code, 4);
      return stderr;
    };
    let words = await refused();
    // The connections above may still be on their way.
    for (let tries = 0; tries < 10 && !words.includes('unreachable'); tries++) words = await refused();
    assert.match(
      words,
      /^usmp-client: unreachable: no connection to 127\.0\.0\.1:\d+: Connection timed out\n$/,
    );
  });
});

describe('signals', { concurrency: 4 }, () => {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    testWithTools(`${signal} makes the client say BYE and exit 0, whatever it waits for`, async (t) => {
      const { server: hub, url, endings } = await serveTypeScript(t, TCP);
      hub.on('connect', (session) => session.send('hello'));
      hub.onSession(async (session) => session.recv().catch(() => {}));
      for (const args of [[], ['--listen-for', '60'], ['--send', 'x', '--timeout', '60']]) {
        const device = new Program(t, client, [url, '--psk', KEY, ...args]);
        await device.sees(/hello/);
        device.kill(signal);
        const { code, stderr } = await device.ended;
        assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
      }
      assert.deepEqual(endings.slice(0, 2), ['bye', 'bye']);
    });
  }

  testWithTools('a signal also ends the wait for the handshake', async (t) => {
    let connected;
    const connection = new Promise((resolve) => {
      connected = resolve;
    });
    const mute = net.createServer(connected).listen(0, '127.0.0.1');
    await new Promise((resolve) => mute.once('listening', resolve));
    const device = new Program(t, client, [`tcp://127.0.0.1:${mute.address().port}`, '--psk', KEY]);
    const socket = await connection;
    t.after(() => socket.destroy());
    t.after(() => mute.close());
    device.kill('SIGINT');
    socket
      .on('error', () => {})
      .resume()
      .on('end', () => socket.end());
    const { code, stderr } = await device.ended;
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  });

  testWithTools('a second signal ends the client at once', async (t) => {
    const { server: hub, url } = await serveC(t, 'udp://127.0.0.1:0');
    const device = new Program(t, client, [url, '--psk', KEY]);
    device.process.stdin.write('x\n');
    await device.sees(/x/);
    hub.kill('SIGSTOP');
    const began = performance.now();
    device.kill('SIGINT');
    const timer = setInterval(() => device.kill('SIGINT'), 200);
    t.after(() => clearInterval(timer));
    assert.equal((await device.ended).code, 0);
    assert.ok(performance.now() - began < 2_500, 'BYE would be repeated for 3 s');
  });

  testWithTools('SIGTERM makes the server say BYE over everything and exit 0', async (t) => {
    const listen = ['udp', 'serial+tcp'].flatMap((transport) => ['--listen', `${transport}://127.0.0.1:0`]);
    const { server: hub } = await serveC(t, TCP, { args: listen });
    await hub.sees(/(?:listening .*\n){3}/);
    const urls = [...hub.stdout.matchAll(/^listening (\S+)$/gm)].map(([, url]) => url);
    const devices = urls.map((url) => new Program(t, client, [url, '--psk', KEY, '--listen-for', '60']));
    await hub.sees(/(?:connected .*\n){3}/, 'stderr');
    hub.kill('SIGTERM');
    assert.equal((await hub.ended).code, 0);
    for (const device of devices) {
      const { code, stderr } = await device.ended;
      assert.match(stderr, /^usmp-client: bye: /);
      assert.equal(code, 5);
    }
  });
});

describe('ports', { concurrency: 4 }, () => {
  testWithTools('a TCP port that is taken is told of', async (t) => {
    const { url } = await serveC(t, TCP);
    const { code, stderr } = await run(t, server, ['--listen', url, '--psk', KEY]);
    assert.match(stderr, /^usmp-server: cannot listen on 127\.0\.0\.1:\d+: Address already in use\n$/);
    assert.equal(code, 1);
  });

  testWithPorts('a serial port is afterwards as it was, also after a signal', async (t, bench) => {
    const port = await bench.plug('port');
    const settings = () => execFileSync('stty', ['-F', port.path, '-a'], { encoding: 'utf8' });
    execFileSync('stty', ['-F', port.path, 'sane', '9600']);
    const before = settings();
    const args = [
      `serial:${port.path}?baud=57600`,
      '--psk',
      KEY,
      '--send',
      'x',
      '--handshake-timeout',
      '0.2',
    ];
    assert.equal((await run(t, client, args)).code, 4);
    assert.equal(settings(), before);
    const device = new Program(t, client, args.slice(0, -2));
    await retry(() => assert.match(settings(), /speed 57600 baud.* -icanon /s));
    device.kill('SIGTERM');
    assert.equal((await device.ended).code, 0);
    assert.equal(settings(), before);
  });

  testWithPorts('a serial port belongs to one program at a time', async (t, bench) => {
    const port = await bench.plug('port');
    await serveC(t, port.url);
    const { code, stderr } = await runC(t, port.url, ['--send', 'x']);
    assert.match(stderr, /^usmp-client: unreachable: .*: another program has it open\n$/);
    assert.equal(code, 4);
    assert.match((await runC(t, 'serial:/dev/null', ['--send', 'x'])).stderr, /it is no serial port/);
    assert.match((await runC(t, `${port.url}7`, ['--send', 'x'])).stderr, /this program has no 1152007 baud/);
  });
});

describe('builds', () => {
  testWithTools(
    'make builds everything from nothing, without a warning, with gcc and with clang',
    async (t) => {
      const folder = temporaryFolder(t);
      for (const compiler of ['gcc', 'clang']) {
        const output = await make([
          `CC=${tools[compiler]}`,
          'CFLAGS=-O0 -Werror',
          `BUILD=${folder}/${compiler}`,
        ]);
        assert.equal(output, '');
        for (const name of ['libusmp.a', 'usmp-client', 'usmp-server']) {
          assert.ok(statSync(path.join(folder, compiler, name)).size > 0);
        }
      }
      const again = await execute('make', [
        '-C',
        DEVICE,
        `BUILD=${folder}/gcc`,
        `CC=${tools.gcc}`,
        'CFLAGS=-O0 -Werror',
      ]);
      assert.doesNotMatch(again, / -c /);
      await make(['clean', `BUILD=${folder}/gcc`]);
      assert.deepEqual(readdirSync(folder), ['clang']);
    },
  );

  testWithTools(
    'make builds a client alone, of any transport, and again when a switch changes',
    async (t) => {
      const BUILD = `BUILD=${temporaryFolder(t)}/build`;
      const sizes = new Set();
      for (const name of ['STREAM', 'SERIAL', 'DATAGRAM']) {
        const without = ['STREAM', 'SERIAL', 'DATAGRAM'].filter((other) => other !== name);
        const switches = without.map((other) => `-DUSMP_${other}=0`).join(' ');
        await make([BUILD, 'USMP_SERVER=0', 'CFLAGS=-O0 -Werror', `CPPFLAGS=${switches}`, 'client']);
        sizes.add(statSync(path.join(BUILD.slice('BUILD='.length), 'libusmp.a')).size);
      }
      assert.equal(sizes.size, 3);
      const program = path.join(BUILD.slice('BUILD='.length), 'usmp-client');
      const outcome = await run(t, program, [
        'udp://127.0.0.1:9',
        '--psk',
        KEY,
        '--handshake-timeout',
        '0.1',
      ]);
      assert.equal(outcome.code, 4);
      const { url } = await serveC(t, TCP);
      const { code, stderr } = await run(t, program, [url, '--psk', KEY, '--send', 'x']);
      assert.match(stderr, /^usmp-client: invalid_argument: .*not compiled in/);
      assert.equal(code, 2);
    },
  );

  testWithTools('make names the backends that there are', async (t) => {
    await assert.rejects(
      make(['CRYPTO=openssl', `BUILD=${temporaryFolder(t)}`]),
      /there are bearssl, psa and mbedtls/,
    );
  });

  testWithTools('cmake builds the programs, and the library for a project of somebody else', async (t) => {
    const folder = temporaryFolder(t);
    const cmake = (args) =>
      execute(tools.cmake, args, { env: { ...process.env, CFLAGS: '-O0 -Wall -Wextra -Werror' } });
    const own = ['-DUSMP_CRYPTO=psa', '-DUSMP_MAX_MESSAGE=1808', '-DCMAKE_BUILD_TYPE=Debug'];
    await cmake(['-S', DEVICE, '-B', `${folder}/own`, ...own]);
    await cmake(['--build', `${folder}/own`, '-j2']);
    const hub = new Program(t, `${folder}/own/usmp-server`, ['--listen', TCP, '--psk', KEY, '--echo']);
    const [, url] = await hub.sees(/listening (\S+)/);
    const { code, stdout } = await run(t, `${folder}/own/usmp-client`, [
      url,
      '--psk',
      KEY,
      '--send',
      'x'.repeat(1_808),
    ]);
    assert.deepEqual([code, stdout.length], [0, 1_809]);

    writeFileSync(
      path.join(folder, 'CMakeLists.txt'),
      `cmake_minimum_required(VERSION 3.16)
project(mine LANGUAGES C)
add_subdirectory(${DEVICE} usmp)
add_executable(mine mine.c)
target_link_libraries(mine PRIVATE usmp)
`,
    );
    writeFileSync(
      path.join(folder, 'mine.c'),
      `#include <stdio.h>
#include <usmp/usmp.h>
static usmp_t usmp;
int main(void)
{
    return printf("%d %d %d %d\\n", usmp_prepare(&usmp), USMP_SERVER, USMP_DATAGRAM, USMP_MAX_HELD) < 0;
}
`,
    );
    await cmake(['-S', folder, '-B', `${folder}/mine`, '-DUSMP_DATAGRAM=OFF', '-DUSMP_MAX_HELD=7']);
    await cmake(['--build', `${folder}/mine`, '-j2']);
    assert.equal((await run(t, `${folder}/mine/mine`, [])).stdout, '0 0 0 7\n');
    assert.ok(!readdirSync(`${folder}/mine/usmp`).includes('usmp-client'));
    await assert.rejects(
      cmake(['-S', DEVICE, '-B', `${folder}/none`, '-DUSMP_CRYPTO=openssl']),
      /there are bearssl, psa/,
    );
  });
});
