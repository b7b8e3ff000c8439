import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { hex } from '../support/bytes.js';
import { sessionNamed } from '../support/vectors.js';
import { CLIENT, noise, pcap, SERVER, udpPacket } from './capture-builder.js';
import { Command, PACKAGE_ROOT, run, temporaryFolder } from './command.js';
import { keyLine, keyLogFile, UTACKS } from './decoding.js';

const ONE = sessionNamed('one');
const HELLO = 'HELLO seq 0, 38 bytes, CRC ok: device aa:bb:cc:dd:ee:ff, public key fe37da90b92abdf5…';
const CHALLENGE = 'CHALLENGE seq 0, 64 bytes, CRC ok: nonce 92f4cfc78acfbe53…, public key 6349f2f2d7956e7b…';
const UTACK = 'acac0100000000';

const spaced = (digits: string, separator: string) => digits.match(/../g)!.join(separator);

test('digits are taken as people paste them', async (t) => {
  const forms = [
    ONE.hello,
    ONE.hello.toUpperCase(),
    `0x${ONE.hello}`,
    spaced(ONE.hello, ':'),
    ` ${spaced(ONE.hello, ' ')}\n`,
    `0x${spaced(ONE.hello, ', 0x')}`,
    `\\x${spaced(ONE.hello, '\\x')}`,
    ONE.hello.replace(/(.{32})/g, '$1\n'),
  ];
  for (const form of forms) {
    assert.deepEqual(await run(t, ['decode', form]), {
      code: 0,
      signal: null,
      stdout: `${HELLO}\n`,
      stderr: '',
    });
  }
});

test('a file holds digits, bytes or a capture, and standard input may do so as well', async (t) => {
  const folder = temporaryFolder(t);
  const text = path.join(folder, 'frames.txt');
  writeFileSync(text, `${ONE.hello}\n\n${UTACK}\n${ONE.challenge}\n`);
  const lines = `1: ${HELLO}\n3: UTACK of HELLO seq 0\n4: ${CHALLENGE}\n`;
  assert.equal((await run(t, ['decode', text])).stdout, lines);
  const input = readFileSync(text, 'utf8');
  assert.equal((await run(t, ['decode', '-'], { input })).stdout, lines);
  assert.equal((await run(t, ['decode'], { input })).stdout, lines);

  const bytes = path.join(folder, 'frames.bin');
  writeFileSync(bytes, Buffer.concat([hex(ONE.hello), hex(ONE.challenge)]));
  assert.equal((await run(t, ['decode', bytes])).stdout, `${HELLO}\n${CHALLENGE}\n`);

  // Named like digits: a file that exists comes first.
  writeFileSync(path.join(folder, 'cdab'), hex(UTACK));
  assert.equal((await run(t, ['decode', 'cdab'], { cwd: folder })).stdout, 'UTACK of HELLO seq 0\n');
});

test('a capture is told with times and ends, and summed up', async (t) => {
  const file = path.join(temporaryFolder(t), 'capture.pcap');
  const packets = [
    { data: udpPacket(CLIENT, SERVER, hex(ONE.hello)), time: 1_700_000_000_000_000_000n },
    { data: udpPacket(SERVER, CLIENT, hex(UTACK)), time: 1_700_000_000_001_500_000n },
    { data: udpPacket(SERVER, CLIENT, noise('something else', 30)), time: 1_700_000_001_000_000_000n },
  ];
  writeFileSync(file, pcap(packets));
  const { code, stdout, stderr } = await run(t, ['decode', file]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.deepEqual(stdout.split('\n'), [
    `0.000000 udp 10.0.0.2:40000 → 10.0.0.1:9000 ${HELLO}`,
    '0.001500 udp 10.0.0.1:9000 → 10.0.0.2:40000 UTACK of HELLO seq 0',
    '--- 3 packets: 1 frame, 1 UTACK, 0 invalid, 1 other packet',
    '',
  ]);

  const json = await run(t, ['decode', file, '--json', '--port', '9000']);
  const events = json.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    events.map(({ event }) => event),
    ['frame', 'utack', 'invalid', 'summary'],
  );
  const place = { transport: 'udp', src: '10.0.0.1:9000', dst: '10.0.0.2:40000' };
  assert.deepEqual(events[1], { event: 'utack', time: 0.0015, ...place, type: 'HELLO', seq: 0 });
  assert.deepEqual(events[3], {
    event: 'summary',
    frames: 1,
    utacks: 1,
    invalid: 1,
    packets: 3,
    other: 0,
    fragments: 0,
    unknownLinks: 0,
  });
  assert.equal(json.code, 6);
});

test('a capture that is still being written is told as it comes', async (t) => {
  const command = new Command(t, ['decode', '-']);
  command.process.stdin.write(pcap([{ data: udpPacket(CLIENT, SERVER, hex(ONE.hello)) }]));
  await command.sees(/HELLO seq 0/);
  command.kill('SIGINT');
  const { code, stdout, stderr } = await command.ended;
  if (process.platform !== 'win32') assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.match(stdout, /1 packet: 1 frame, 0 UTACKs/);
});

test('a key log shows plaintext and judges MACs', async (t) => {
  const keys = keyLogFile(t, keyLine(ONE, 0, ONE));
  const [message] = ONE.messages;
  const input = `${ONE.hello}\n${message!.frames[0]}\n${UTACKS.session[0]!.bytes}\n`;
  const { code, stdout } = await run(t, ['decode', '--keylog', keys], { input });
  assert.equal(code, 0);
  assert.deepEqual(stdout.split('\n').slice(1, 3), [
    '2: DATA seq 0, 33 bytes, CRC ok: from the client, epoch 0, 5 bytes as hex: 9ed8645f5c',
    '3: UTACK of DATA seq 0, mac ok, for the client, epoch 0',
  ]);
});

test('what is invalid shows in the line, on stderr and in the exit code, and the next line goes on', async (t) => {
  const input = `${ONE.hello}00\ncdab01\n${ONE.challenge}\n`;
  const { code, stdout, stderr } = await run(t, ['decode'], { input });
  assert.equal(code, 6);
  assert.equal(stderr, 'usmp: 2 of 4 frames and UTACKs are invalid\n');
  assert.match(
    stdout,
    /^1: HELLO .*\n1: at byte 50: INVALID: .*\n2: INVALID: version 1 .*\n3: CHALLENGE .*\n$/,
  );
});

test('a datagram that is cut off does not take the next line for its end', async (t) => {
  const { stdout } = await run(t, ['decode'], { input: `${ONE.hello.slice(0, 40)}\n${ONE.challenge}\n` });
  assert.match(stdout, /^1: INVALID HELLO seq 0, 38 bytes: only 20 of the 50 bytes .*\n2: CHALLENGE .*\n$/);
});

test('input without any frame is an error that says so', async (t) => {
  const folder = temporaryFolder(t);
  const capture = path.join(folder, 'other.pcap');
  writeFileSync(capture, pcap([{ data: udpPacket(CLIENT, SERVER, noise('other', 30)) }]));
  const link = path.join(folder, 'link.pcap');
  writeFileSync(link, pcap([{ data: hex('00') }], { linkType: 127 }));
  const cases: [string, RegExp][] = [
    ['474554', /^usmp: no valid frame or UTACK in the input\n$/],
    [capture, /^usmp: no valid frame or UTACK in .*other\.pcap\n$/],
    [link, /^usmp: no valid frame or UTACK in .*; packets of link type 127 are not understood: .*\n$/],
  ];
  for (const [argument, message] of cases) {
    const { code, stderr } = await run(t, ['decode', argument]);
    assert.equal(code, 6);
    assert.match(stderr, message);
  }
});

test('an argument or a file that cannot be used is a usage error in one line', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(path.join(folder, 'folder'));
  const file = (name: string, content: string | Uint8Array) => {
    writeFileSync(path.join(folder, name), content);
    return name;
  };
  const cut = pcap([{ data: udpPacket(CLIENT, SERVER, hex(ONE.hello)) }]).subarray(0, -1);
  const cases: [string[], RegExp][] = [
    [['capture.pcap'], /"capture\.pcap" is neither a file that exists nor pairs of hexadecimal digits/],
    [['cdab0'], /"cdab0" is neither/],
    [['folder'], /cannot read folder: it is a folder/],
    [[file('empty', '')], /nothing to decode/],
    [[file('text', 'cdab02\nhello\n')], /text is neither a capture file nor .*, and line 2 is not/],
    [[file('cut', cut)], /cut ends in the middle of a packet, after \d+ bytes/],
    [[file('large', Buffer.alloc(16_777_217))], /large is no capture file, and more than 16 MiB/],
    [[UTACK, '--port', '9000'], /--port is for capture files/],
    [[UTACK, '--port', '65536'], /Must be a port/],
    [[UTACK, '--keylog', 'text'], /text: line 1 is not one of a key log/],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await run(t, ['decode', ...args], { cwd: folder });
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n./);
  }
});

test('the help has examples to paste', async (t) => {
  const { code, stdout } = await run(t, ['decode', '--help']);
  assert.equal(code, 0);
  assert.match(stdout, /Example:\n {2}npx usmp decode capture\.pcap --keylog keys\.txt\n/);
});

test('the examples of the documentation print what stands there', async (t) => {
  const text = readFileSync(path.join(PACKAGE_ROOT, '../../docs/decode.md'), 'utf8');
  const examples = [...text.matchAll(/```sh\nnpx usmp decode ([^\n]*)\n```\n[^`]*```text\n(.*?)```/gs)];
  assert.equal(examples.length, 2);
  for (const [, argument, output] of examples) {
    const { stdout } = await run(t, ['decode', argument!.replaceAll("'", '')]);
    assert.equal(stdout, output);
  }
});
