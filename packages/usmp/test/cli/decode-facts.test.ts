import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { UsageError } from '#dist/cli/exit-codes.js';
import { type Context, datagramFacts, type Facts } from '#dist/cli/frame-facts.js';
import { inWords } from '#dist/cli/frame-words.js';
import { Conversation, KeyLog } from '#dist/cli/key-log-reader.js';
import { encodeFrame, FrameType } from '#dist/core/frame.js';
import { hex } from '../support/bytes.js';
import { SeededRandom } from '../support/random.js';
import { INVALID, REKEYS, SESSIONS, sessionNamed } from '../support/vectors.js';
import { keyLine, keyLogFile, UTACKS } from './decoding.js';

const ONE = sessionNamed('one');

function context(keys = new KeyLog(), source?: string): Context {
  return { keys, conversation: new Conversation(), ...(source === undefined ? {} : { source }) };
}

function factsOf(digits: string, where = context()): Facts {
  return datagramFacts(hex(digits), where);
}

/** The keys of the sessions of the vectors as they come out of the handshake. */
function sessionKeys(t: TestContext, sessions = SESSIONS): KeyLog {
  return KeyLog.read(keyLogFile(t, ...sessions.map((session) => keyLine(session, 0, session))));
}

test('the frames of a handshake are told with what they carry', () => {
  for (const s of SESSIONS) {
    const { deviceId, publicKey, ...hello } = factsOf(s.hello);
    assert.deepEqual(hello, { event: 'frame', type: 'HELLO', seq: 0, length: 38, crcOk: true });
    assert.equal(deviceId?.replaceAll(':', ''), s.device_id);
    assert.equal(publicKey, s.client_public);
    const { nonce, publicKey: serverKey } = factsOf(s.challenge);
    assert.deepEqual([nonce, serverKey], [s.nonce, s.server_public]);
    assert.equal(factsOf(s.hello_ack).mac, s.mac_c);
    const { sessionId, mac } = factsOf(s.session_ok);
    assert.deepEqual([sessionId, mac], [s.session_id, s.mac_s]);
  }
  const { cookie, hello_retry, hello_with_cookie } = UTACKS.cookie;
  assert.equal(factsOf(hello_retry).cookie, cookie);
  assert.equal(factsOf(hello_with_cookie).cookie, cookie);
});

test('a wrong checksum of a handshake frame is told, though nobody refuses it for that', () => {
  for (const digits of Object.values(ONE.unchecked)) {
    const facts = factsOf(digits);
    assert.deepEqual([facts.event, facts.crcOk], ['frame', false]);
    assert.match(inWords(facts), /CRC wrong \(announced 0x[0-9a-f]{4}, computed 0x[0-9a-f]{4}\)/);
  }
});

test('without keys the size of what is encrypted is told', () => {
  const [message] = ONE.messages;
  assert.equal(
    inWords(factsOf(message!.frames[0]!)),
    'DATA seq 0, 33 bytes, CRC ok: session f6030d6dcdd1bfe1…, encrypted, 5 bytes of plaintext',
  );
});

test('with keys every frame of a session shows its plaintext and who sent it', (t) => {
  const where = context(sessionKeys(t));
  for (const { messages, control, receive_only = [], session_id } of SESSIONS) {
    for (const { from, plaintext, frames } of [...messages, ...receive_only]) {
      const all = frames.map((frame) => factsOf(frame, where));
      for (const facts of all) {
        assert.deepEqual([facts.event, facts.from, facts.epoch], ['frame', from, 0]);
        assert.equal(facts.sessionId, session_id);
      }
      const shown = all.map(({ text, hex: digits }) => digits ?? Buffer.from(text!).toString('hex')).join('');
      if (plaintext !== null) assert.equal(shown, plaintext);
    }
    for (const { from, type, seq, frame } of control) {
      const facts = factsOf(frame, where);
      assert.deepEqual([facts.type, facts.seq, facts.from, facts.bytes], [type, seq, from, 0]);
      assert.match(inWords(facts), /, empty$/);
    }
  }
});

test('keys of all epochs open the frames around a REKEY, and its salt is shown', (t) => {
  for (const script of REKEYS) {
    const session = sessionNamed(script.session);
    const pairs = [session, ...script.rekeys];
    const lines = pairs.map((pair, epoch) => keyLine(session, epoch, pair));
    // Where REKEYs cross, each direction has a key of its own; both stand in the log.
    const where = context(KeyLog.read(keyLogFile(t, ...lines)));
    for (const { from, type, plaintext, frame } of script.frames) {
      const facts = factsOf(frame, where);
      assert.deepEqual([facts.event, facts.from], ['frame', from], script.name);
      if (type === 'REKEY') assert.equal(facts.salt, plaintext);
      else assert.equal(facts.hex ?? Buffer.from(facts.text ?? '').toString('hex'), plaintext);
    }
  }
});

test('text is shown as text, safe on a terminal, and everything else as digits', (t) => {
  const [script] = REKEYS;
  const where = context(KeyLog.read(keyLogFile(t, keyLine(ONE, 0, ONE))));
  const facts = factsOf(script!.frames[0]!.frame, where);
  assert.equal(facts.text, 'before, client');
  assert.match(inWords(facts), /: from the client, epoch 0, 14 bytes: before, client$/);
  assert.match(
    inWords({ ...facts, text: 'a\nb\u{9b}31m', bytes: 8 }),
    /8 bytes: a\\x0ab\\x9b31m$/,
    'nothing that moves the cursor',
  );
  const binary = factsOf(ONE.messages[0]!.frames[0]!, where);
  assert.equal(binary.hex, ONE.messages[0]!.plaintext);
});

test('acknowledgements are told, and with keys their MACs are judged', (t) => {
  for (const { type, seq, bytes } of UTACKS.handshake) {
    assert.deepEqual(factsOf(bytes), { event: 'utack', type, seq });
  }
  const keys = sessionKeys(t);
  for (const { session, from, type, seq, bytes } of UTACKS.session) {
    const { mac, ...plain } = factsOf(bytes);
    assert.deepEqual(plain, { event: 'utack', type, seq });
    assert.equal(mac, bytes.slice(14));
    const judged = factsOf(bytes, context(keys));
    assert.deepEqual(
      [judged.macOk, judged.from, judged.sessionId],
      [true, from, sessionNamed(session).session_id],
    );
    assert.match(
      inWords(judged),
      new RegExp(`^UTACK of ${type} seq ${seq}, mac ok, for the ${from}, epoch 0$`),
    );
  }
});

test('a REKEY may be acknowledged under the key before it and the key after it', (t) => {
  for (const vector of UTACKS.rekey) {
    const script = REKEYS.find(({ name }) => name === vector.script)!;
    const session = sessionNamed(script.session);
    const log = keyLogFile(t, keyLine(session, 0, session), keyLine(session, 1, script.rekeys[0]!));
    const where = context(KeyLog.read(log));
    for (const [epoch, bytes] of [vector.old, vector.new].entries()) {
      const facts = factsOf(bytes, where);
      assert.deepEqual([facts.macOk, facts.from, facts.epoch], [true, vector.from, epoch]);
    }
  }
});

test('an acknowledgement that acknowledges nothing is invalid', (t) => {
  const keys = sessionKeys(t, [ONE]);
  for (const { name, bytes } of UTACKS.invalid) {
    const where = context(keys, 'server');
    // The conversation has shown who is who.
    const frame = hex(ONE.messages[0]!.frames[0]!);
    datagramFacts(frame, { ...where, source: 'client' });
    const facts = factsOf(bytes, where);
    assert.equal(facts.event, 'invalid', name);
    if (facts.macOk === false)
      assert.match(inWords(facts), /^INVALID UTACK of .*: mac does not fit \(bad_tag\)$/);
  }
});

test('a MAC is not judged where the key log lacks a session of the conversation', (t) => {
  const where = context(sessionKeys(t, [ONE]));
  factsOf(ONE.session_ok, where);
  const other = SESSIONS.find(({ name }) => name === 'two')!;
  factsOf(other.session_ok, where);
  const facts = factsOf('acac0507000000aa46ced84ce04705', where);
  assert.deepEqual([facts.event, facts.macOk], ['utack', undefined]);
});

test('what the specification refuses is invalid, with its code', () => {
  for (const { name, bytes, error } of INVALID.stream) {
    const facts = factsOf(bytes);
    assert.deepEqual([facts.event, facts.code], ['invalid', error ?? 'bad_length'], name);
    assert.equal(facts.data, bytes);
  }
  for (const { name, bytes } of UTACKS.invalid_datagrams) assert.equal(factsOf(bytes).event, 'invalid', name);
});

test('what is wrong is told with the numbers', () => {
  const cases = {
    '474554202f': /^INVALID: begins with 47 45 54 20, a frame with cd ab \(bad_magic\)$/,
    cdab01: /^INVALID: version 1 firmware.*update it \(version_1\)$/,
    cdab03: /^INVALID: protocol version 3, known is 2 \(unsupported_version\)$/,
    cdab020c: /^INVALID 0x0c: unknown frame type 0x0c \(bad_type\)$/,
    cdab020500000000e101: /^INVALID DATA seq 0, 481 bytes: .* 481 bytes, at most 480 \(bad_length\)$/,
    cdab02050000: /^INVALID DATA: only 6 bytes of the 12 of a header \(bad_length\)$/,
    cdab0205000000002100c650:
      /^INVALID DATA seq 0, 33 bytes: only 12 of the 45 bytes of the frame \(bad_length\)$/,
    [`${ONE.hello}00`]: /^INVALID HELLO .*: a datagram of 51 bytes, but its frame has 50 \(bad_length\)$/,
    cdab020600000000000089ff:
      /^INVALID PING seq 0, 0 bytes: CRC wrong: announced 0xff89, computed 0x[0-9a-f]{4} \(bad_crc\)$/,
    acac05: /^INVALID: a UTACK has at least 7 bytes, this one 3 \(bad_length\)$/,
    acac0500000000: /^INVALID UTACK of DATA seq 0: a UTACK of DATA has 15 bytes, this one 7 \(bad_length\)$/,
    acac7700000000: /^INVALID UTACK of 0x77 seq 0: .*unknown frame type 0x77 \(bad_type\)$/,
  };
  for (const [digits, words] of Object.entries(cases)) assert.match(inWords(factsOf(digits)), words);
});

test('a payload that its type does not have is invalid', (t) => {
  const prefix = hex(ONE.session_id).subarray(0, 8);
  const record = (seq: number, length: number) =>
    new Uint8Array(Buffer.concat([Uint8Array.of(seq, 0, 0, 0), prefix, Buffer.alloc(length + 16)]));
  const cases: [Uint8Array, string, RegExp][] = [
    [
      encodeFrame(FrameType.HELLO, 0, new Uint8Array(39)),
      'bad_length',
      /38 or 54 bytes of payload, this one 39/,
    ],
    [encodeFrame(FrameType.SESSION_OK, 0, new Uint8Array(0)), 'bad_length', /has 48 bytes of payload/],
    [encodeFrame(FrameType.DATA, 0, new Uint8Array(27)), 'bad_length', /payload of 27 bytes, at least 28/],
    [encodeFrame(FrameType.DATA, 0xffffffff, record(0, 1)), 'sequence_spent', /never valid/],
    [encodeFrame(FrameType.DATA, 5, record(4, 1)), 'bad_nonce', /the nonce is that of seq 4/],
    [encodeFrame(FrameType.PING, 5, record(5, 3)), 'bad_length', /PING carries nothing, this one 3 bytes/],
    [encodeFrame(FrameType.REKEY, 5, record(5, 31)), 'bad_length', /has 32 bytes, this one 31/],
  ];
  for (const [frame, code, message] of cases) {
    const facts = datagramFacts(frame, context());
    assert.deepEqual([facts.event, facts.code], ['invalid', code]);
    assert.match(facts.message!, message);
  }
  const forged = datagramFacts(cases[4]![0].slice(), context(sessionKeys(t)));
  assert.equal(forged.code, 'bad_nonce');
  const unopened = encodeFrame(FrameType.DATA, 5, record(5, 1));
  assert.equal(datagramFacts(unopened, context()).event, 'frame', 'nobody can tell');
  assert.equal(datagramFacts(unopened, context(sessionKeys(t))).code, 'bad_tag');
});

test('a key log is refused where it is none, and never quoted', (t) => {
  const line = keyLine(ONE, 0, ONE);
  const bad = [line.slice(0, -1), `${line}0`, line.replace('USMP2', 'USMP1'), 'CLIENT_RANDOM 00 11'];
  for (const wrong of bad) {
    const file = keyLogFile(t, '# comment', '', line, wrong);
    assert.throws(
      () => KeyLog.read(file),
      (error: Error) => {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, /keys\.txt: line 4 is not one of a key log/);
        return !error.message.includes(ONE.k_c2s.slice(0, 16));
      },
    );
  }
  assert.throws(() => KeyLog.read(keyLogFile(t)), /holds no keys/);
  assert.throws(() => KeyLog.read('no-such-file'), /cannot read no-such-file/);
});

test('a key log that both sides have written to is as good as one', (t) => {
  const upper = keyLine(ONE, 0, { k_c2s: ONE.k_c2s.toUpperCase(), k_s2c: ONE.k_s2c });
  const keys = KeyLog.read(keyLogFile(t, `${keyLine(ONE, 0, ONE)}\r`, upper));
  assert.equal(factsOf(ONE.messages[0]!.frames[0]!, context(keys)).from, 'client');
});

test('whatever follows a valid header, it is described', (t) => {
  const random = new SeededRandom(4);
  const keys = sessionKeys(t);
  const whole = [ONE.hello, ONE.session_ok, ONE.messages[0]!.frames[0]!, UTACKS.session[0]!.bytes].map(hex);
  for (let round = 0; round < 3_000; round++) {
    const start = random.pick(whole);
    const kept = start.subarray(0, random.integer(0, start.length));
    const datagram = new Uint8Array(Buffer.concat([kept, random.bytes(random.integer(0, 40))]));
    if (random.next() < 0.5 && datagram.length > 0) datagram[random.integer(0, datagram.length - 1)] ^= 1;
    const facts = datagramFacts(datagram, context(keys), random.pick([0, 0, 7]));
    const words = inWords(facts);
    assert.doesNotMatch(words, /undefined|NaN|\n/);
    if (facts.event !== 'invalid') continue;
    assert.equal(facts.data, Buffer.from(datagram).toString('hex'));
    assert.match(words, /^INVALID.*: .+ \([a-z_]+\d?\)$/);
  }
});
