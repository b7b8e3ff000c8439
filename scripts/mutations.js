#!/usr/bin/env node
/**
 * Shows that the tests would notice: each protection of the core is switched off in a copy of the build, and a named
 * test must fail there. Needs a build. Exits 1 when a protection can be removed unnoticed, or is not found any more.
 */

import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));
const PACKAGE = 'packages/usmp';
const TEST_FOLDERS = ['core', 'crypto', 'support'];
const OFF = 'if (false)';

/** `from` stands exactly once in `dist/FILE`; `test` fails in `dist-test/IN` when it is replaced. */
const MUTATIONS = [
  {
    name: 'tag check off',
    file: 'crypto/node.js',
    from: 'decipher.final();',
    to: '',
    in: 'core/record.test.js',
    test: 'a changed bit in text or tag, and a type or length that was changed',
  },
  {
    name: 'noble: the key is not copied',
    file: 'crypto/web.js',
    from: 'this.#key = new Uint8Array(key)',
    to: 'this.#key = key',
    in: 'crypto/web.test.js',
    test: 'the key is copied: wiping it does not change what is sealed',
  },
  {
    name: 'sequence check off',
    file: 'core/replay.js',
    from: 'seq === this.#next && seq <= MAX_SEQUENCE',
    to: 'seq <= MAX_SEQUENCE',
    in: 'core/record.test.js',
    test: 'a frame that was replayed, skipped or reordered',
  },
  {
    name: 'the last number is taken',
    file: 'core/replay.js',
    from: 'seq === this.#next && seq <= MAX_SEQUENCE',
    to: 'seq === this.#next',
    in: 'core/replay.test.js',
    test: '2^32 - 2 is the last number, and nothing comes after it',
  },
  {
    name: 'nonce check off',
    file: 'core/record.js',
    from: 'if (!this.#hasNonceOf(bytes, seq))',
    to: OFF,
    in: 'core/record.test.js',
    test: 'a nonce of another session, or of another number',
  },
  {
    name: 'comparison of mac_C off',
    file: 'core/handshake.js',
    from: 'this.#crypto.equal(expected, this.#receivedMac) && psk !== undefined',
    to: 'psk !== undefined',
    in: 'core/handshake.test.js',
    test: 'a device with another key',
  },
  {
    name: 'the decoy opens',
    file: 'core/handshake.js',
    from: 'this.#crypto.equal(expected, this.#receivedMac) && psk !== undefined',
    to: 'this.#crypto.equal(expected, this.#receivedMac)',
    in: 'core/handshake.test.js',
    test: 'a device that nobody knows, even if it knows the decoy',
  },
  {
    name: 'comparison of mac_S off',
    file: 'core/handshake.js',
    from: 'if (!this.#crypto.equal(expected, payload.subarray(SESSION_ID_LENGTH)))',
    to: OFF,
    in: 'core/handshake.test.js',
    test: 'a server that does not know the key',
  },
  {
    name: 'a sequence number reused',
    file: 'core/record.js',
    from: 'tx.seq++',
    to: '(tx.seq++ >>> 1)',
    in: 'core/record.test.js',
    test: 'each frame takes the next number, and it stands in the header and in the nonce',
  },
  {
    name: 'numbers go on past the end',
    file: 'core/connection.js',
    from: 'if (this.record.sealable > frames)',
    to: 'if (true)',
    in: 'core/sequence-end.test.js',
    test: 'sends all but the last as frames, the last as BYE, and closes',
  },
  {
    name: 'CRC check off',
    file: 'core/frame.js',
    from: 'if (!isHandshakeType(type) && !checksumFits(bytes, offset, size))',
    to: OFF,
    in: 'core/frame.test.js',
    test: 'the checksum of handshake frames is not looked at, that of session frames is',
  },
  {
    name: 'low-order check off',
    file: 'core/handshake.js',
    from: 'this.#pair.agree(peerPublicKey);',
    to: 'this.#pair.agree(peerPublicKey) ?? new Uint8Array(32);',
    in: 'core/handshake.test.js',
    test: 'a point of low order from either side, whoever holds the key',
  },
  {
    name: 'version check off',
    file: 'core/frame.js',
    from: 'if (bytes[offset + 2] !== VERSION)',
    to: OFF,
    in: 'core/frame.test.js',
    test: 'a refusal has a class and a code of its own, and says what was seen',
  },
  {
    name: 'length limit of the decoder off',
    file: 'core/frame.js',
    from: 'if (length > MAX_PAYLOAD)',
    to: OFF,
    in: 'core/frame.test.js',
    test: 'the largest payload is taken and one byte more is refused',
  },
  {
    name: 'length check of handshake frames off',
    file: 'core/handshake.js',
    from: 'if (frame.payload.length !== accepted.length)',
    to: OFF,
    in: 'core/handshake.test.js',
    test: 'waiting for HELLO, nothing else is taken',
  },
  {
    name: 'limit of the parts of a message off',
    file: 'core/message.js',
    from: 'if (this.#parts.length >= MAX_FRAMES)',
    to: OFF,
    in: 'core/message.test.js',
    test: 'the largest message is four full parts; a fourth that is not the last ends it',
  },
  {
    name: 'control frames between the parts of a message are taken',
    file: 'core/stream-connection.js',
    from: "throw unexpected(type, 'between the parts of a message')",
    to: '{}',
    in: 'core/vectors.test.js',
    test: 'session, server: PING between two parts: unexpected_frame',
  },
  {
    name: 'a REKEY starts before the last one is complete',
    file: 'core/connection.js',
    from: 'if (this.#rekeyIsOurs)',
    to: 'if (false)',
    in: 'core/rekey.test.js',
    test: 'asked for again before it is complete, the one under way serves both calls',
  },
  {
    name: 'the initiator of REKEY forgets the old key',
    file: 'core/record.js',
    from: 'this.#before = { keys: old, rx: this.#rx, repeatsOnly: false };',
    to: '',
    in: 'core/record.test.js',
    test: 'keeps what the responder had under way readable, until the first frame under the new key',
  },
  {
    name: 'old keys are not wiped',
    file: 'core/record.js',
    from: '#forgetBefore() {\n        this.#before?.keys.fill(0);',
    to: '#forgetBefore() {',
    in: 'core/record.test.js',
    test: 'the old ones, when a change is complete',
  },
  {
    name: 'UTACKs are not authenticated',
    file: 'core/record.js',
    from: 'if (this.#crypto.equal(this.#mac(txKey(this.#keys), header), mac))',
    to: 'if (true)',
    in: 'core/utack.test.js',
    test: 'after a UTACK with one bit of the MAC changed',
  },
  {
    name: 'the UTACK of REKEY is taken under the new key alone',
    file: 'core/record.js',
    from: 'if (!ofRekey || this.#rekeyMacKey === undefined)',
    to: 'if (true)',
    in: 'core/datagram-rekey.test.js',
    test: 'complete when the UTACK of the client is lost 2 times',
  },
  {
    name: 'the replay window is twice as wide as what it remembers',
    file: 'core/replay.js',
    from: 'if (age >= REPLAY_WINDOW)',
    to: 'if (age >= 2 * REPLAY_WINDOW)',
    in: 'core/replay.test.js',
    test: 'the sliding window judges as a memory of everything does',
  },
  {
    name: 'a frame whose gap was given up is taken',
    file: 'core/arq.js',
    from: "standing === 'new' && seq < this.#next ? 'refused' : standing",
    to: 'standing',
    in: 'core/datagram-session.test.js',
    test: 'a gap is given up after 13 s, the loss is counted, and what fills it then gets no UTACK',
  },
  {
    name: 'the sending window has no end',
    file: 'core/arq.js',
    from: 'this.#underWay.length < this.#size &&',
    to: '',
    in: 'core/arq.test.js',
    test: 'opens from 1 to 32 frames, by one with each UTACK',
  },
  {
    name: 'bytes under way are not counted',
    file: 'core/arq.js',
    from: 'this.#bytes + bytes <= MAX_BYTES_UNDER_WAY &&',
    to: '',
    in: 'core/arq.test.js',
    test: 'holds at most 4,096 bytes',
  },
  {
    name: 'repeated frames are measured',
    file: 'core/arq.js',
    from: 'if (!frame.repeated)',
    to: 'if (true)',
    in: 'core/arq.test.js',
    test: 'a repeated frame is not measured, and its neighbour is',
  },
  {
    name: 'DATA is taken without room',
    file: 'core/datagram-connection.js',
    from: '&& !this.#receiving)',
    to: '&& false)',
    in: 'core/datagram-session.test.js',
    test: 'without room no DATA is acknowledged, PING is; with room again all of it arrives',
  },
  {
    name: 'REKEY is taken while frames are under way',
    file: 'core/datagram-connection.js',
    from: 'if (type === FrameType.REKEY && !this.#mayTakeRekey(now))',
    to: OFF,
    in: 'core/datagram-rekey.test.js',
    test: 'is not taken while frames of the responder are under way, which sends nothing new then',
  },
  {
    name: 'REKEY is sent where released peers lose frames',
    file: 'core/datagram-connection.js',
    from: 'if (!force && this.#rekeyIsUnsafe())',
    to: OFF,
    in: 'core/datagram-rekey.test.js',
    test: 'after 64 frames it is refused, unless it is forced; the session goes on',
  },
  {
    name: 'a lingering close takes no frames of a responder',
    file: 'core/datagram-connection.js',
    from: ' && !this.#window?.awaitsOnly(FrameType.REKEY))',
    to: ')',
    in: 'core/datagram-close.test.js',
    test: 'with REKEY under way and frames of the peer in its way',
  },
  {
    name: 'damaged handshake frames are taken',
    file: 'core/datagram-connection.js',
    from: "if (this.phase === 'closed' || this.#isDoubtful(frame))",
    to: "if (this.phase === 'closed')",
    in: 'core/datagram-faults.test.js',
    test: 'complete when any one datagram is damaged',
  },
  {
    name: 'any cookie is right',
    file: 'core/endpoint.js',
    from: 'this.#crypto.equal(this.#bake(source, each), cookie)',
    to: 'true',
    in: 'core/endpoint.test.js',
    test: 'is for one address and port, and of one server',
  },
  {
    name: 'cookies are handed out without a limit',
    file: 'core/endpoint.js',
    from: 'if (!this.#limit.take(source.limitKey, now))',
    to: OFF,
    in: 'core/endpoint.test.js',
    test: 'is handed out 256 times at once and 128 times a second to one address, whatever its ports',
  },
  {
    name: 'damaged handshake frames of a line are taken',
    file: 'core/cobs.js',
    from: 'checksumFits(bytes) ? frame : undefined',
    to: 'frame',
    in: 'core/cobs.test.js',
    test: 'takes no frame whose checksum is wrong, of the handshake neither',
  },
  {
    name: 'blocks of a line may be of any length',
    file: 'core/cobs.js',
    from: 'this.#heldLength = Math.min(length, MAX_BLOCK + 1);',
    to: 'this.#heldLength = length > MAX_BLOCK ? 0 : length;',
    in: 'core/cobs.test.js',
    test: 'without end between zeros costs no more than one block, and the next frame is taken',
  },
  {
    name: 'groups of a block may go beyond it',
    file: 'core/cobs.js',
    from: 'if (end > block.length)',
    to: OFF,
    in: 'core/cobs.test.js',
    test: 'where the second group is cut is not decoded',
  },
  {
    name: 'HELLO ends the open session of a line at once',
    file: 'core/serial-endpoint.js',
    from: 'before?.peer.authenticated === true',
    to: 'false',
    in: 'core/serial-connection.test.js',
    test: 'goes on beside a handshake of somebody without the key, however often he tries',
  },
  {
    name: 'handshake frames of a line reach the session',
    file: 'core/serial-endpoint.js',
    from: 'return peer?.authenticated ? undefined : peer;',
    to: 'return peer;',
    in: 'core/serial-endpoint.test.js',
    test: 'frames of a handshake go nowhere while none is under way, and never to a session',
  },
  {
    name: 'a session of a line that was replaced goes on speaking',
    file: 'core/serial-endpoint.js',
    from: 'return !entry.peer.authenticated;',
    to: 'return true;',
    in: 'core/serial-connection.test.js',
    test: 'that is being replaced says BYE to nobody',
  },
  {
    name: 'a session of a line is forgotten without being told',
    file: 'core/serial-endpoint.js',
    from: 'isSession ? before.previous : before',
    to: 'isSession ? undefined : before',
    in: 'core/serial-endpoint.test.js',
    test: 'no session is forgotten where a HELLO comes between authentication and the first word',
  },
  {
    name: 'HELLOs of a line are answered without a limit',
    file: 'core/serial-endpoint.js',
    from: '!this.#beginnings.take(now)',
    to: 'false',
    in: 'core/serial-endpoint.test.js',
    test: 'HELLOs of a line are answered at a bounded rate, repeats among them',
  },
  {
    name: 'a repeated HELLO is answered without a limit',
    file: 'core/serial-connection.js',
    from: '&& this.pendingTransmit === 0',
    to: '',
    in: 'core/serial-connection.test.js',
    test: 'answers a HELLO that comes again and again at most once in what it has not sent yet',
  },
  {
    name: 'a client on a line takes any frame for the answer',
    file: 'core/serial-connection.js',
    from: 'if (!this.handshake.expects(frame))',
    to: OFF,
    in: 'core/serial-connection.test.js',
    test: 'takes what belongs to a session before for what it is: nothing',
  },
  {
    name: 'handshake frames end the session of a line',
    file: 'core/serial-connection.js',
    from: 'if (!isHandshakeType(frame.type))',
    to: 'if (true)',
    in: 'core/serial-connection.test.js',
    test: 'takes no notice of handshake frames at either end',
  },
  {
    name: 'nobody is told of the end of a session of a line',
    file: 'core/serial-connection.js',
    from: 'this.close(now, error);',
    to: 'this.fail(error);',
    in: 'core/serial-connection.test.js',
    test: 'ends with bad_sequence behind a damaged frame of the client, and BYE tells the other side',
  },
];

const work = await mkdtemp(join(tmpdir(), 'usmp-mutations-'));
try {
  const results = await Promise.all(lanes(MUTATIONS).map(runLane));
  const survived = results.flat().filter((line) => !line.killed);
  for (const { name, test, killed, note } of results.flat()) {
    console.log(`${killed ? '✔' : '✖'} ${name.padEnd(56)} ${killed ? test : note}`);
  }
  console.log(`${MUTATIONS.length - survived.length} of ${MUTATIONS.length} mutations are noticed`);
  process.exitCode = survived.length > 0 ? 1 : 0;
} finally {
  await rm(work, { recursive: true, force: true });
}

/** Deals the mutations out, so that as many run at once as there are processors. */
function lanes(mutations) {
  const count = Math.min(availableParallelism(), 4);
  return Array.from({ length: count }, (_, lane) => mutations.filter((_mutation, i) => i % count === lane));
}

async function runLane(mutations, lane) {
  const copy = await copyPackage(join(work, String(lane)));
  const results = [];
  for (const mutation of mutations) results.push({ ...mutation, ...(await tryOut(copy, mutation)) });
  return results;
}

/** As much of the repository as the tests of the core look at. */
async function copyPackage(root) {
  const copy = join(root, PACKAGE);
  await mkdir(join(copy, 'dist-test'), { recursive: true });
  await cp(join(REPOSITORY, PACKAGE, 'package.json'), join(copy, 'package.json'));
  await cp(join(REPOSITORY, PACKAGE, 'dist'), join(copy, 'dist'), { recursive: true });
  for (const folder of TEST_FOLDERS) {
    const tests = join(PACKAGE, 'dist-test', folder);
    await cp(join(REPOSITORY, tests), join(root, tests), { recursive: true });
  }
  for (const link of ['spec', 'node_modules'])
    await symlink(join(REPOSITORY, link), join(root, link), 'junction');
  return copy;
}

/** Whether the named test fails on the mutated code. That it passes on the code as it is, the tests show by themselves. */
async function tryOut(copy, { file, from, to, in: testFile, test }) {
  const path = join(copy, 'dist', file);
  const original = await readFile(path, 'utf8');
  const parts = original.split(from);
  if (parts.length !== 2)
    return { killed: false, note: `stands ${parts.length - 1} times in ${file}: ${from}` };
  await writeFile(path, parts.join(to));
  try {
    const after = await outcome(copy, testFile, test);
    return { killed: after === 'not ok', note: `"${test}" is ${after} with the mutation` };
  } finally {
    await writeFile(path, original);
  }
}

/** What becomes of one test: `ok`, `not ok` or `missing`. */
function outcome(copy, testFile, test) {
  const pattern = `^${test.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`;
  const path = join(copy, 'dist-test', testFile);
  // Without a runner around it, which is a process more.
  const args = ['--test-reporter=tap', `--test-name-pattern=${pattern}`, path];
  // A runner that is itself run by one would report to it and not to us.
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      args,
      { cwd: dirname(path), env, timeout: 60_000, maxBuffer: 1e8 },
      (_error, output) => {
        const line = output
          .split('\n')
          .find((candidate) => candidate.endsWith(` - ${test}`) && /^ *(not )?ok /.test(candidate));
        resolve(line === undefined ? 'missing' : line.trimStart().startsWith('not') ? 'not ok' : 'ok');
      },
    );
  });
}
