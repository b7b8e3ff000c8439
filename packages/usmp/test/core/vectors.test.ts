import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { USMPError } from '#dist/core/errors.js';
import { type Frame, FrameDecoder } from '#dist/core/frame.js';
import { deriveRekeyKeys, joinKeys, rxKey, txKey } from '#dist/core/key-schedule.js';
import { hex, toHex } from '../support/bytes.js';
import { OVER_NODE, OVER_WEB, type TestedCrypto } from '../support/crypto.js';
import {
  INVALID,
  incoming,
  REKEYS,
  type RekeyVector,
  type Role,
  rekeyNamed,
  ScriptedEnd,
  SESSIONS,
  type SessionVector,
  sessionNamed,
  walk,
} from '../support/vectors.js';

const ROLES: readonly Role[] = ['client', 'server'];

/** How frames arrive. `ahead` brings the beginning of the next frame along with each. */
const WAYS = ['whole', 'byte by byte', 'ahead'] as const;
type Way = (typeof WAYS)[number];

/** What may stand behind a frame in the same piece: garbage, and a frame that would be good at any other point. */
const TRAILERS = {
  nothing: '',
  garbage: 'ff',
  'half a frame': 'cdab0205',
  'a frame': SESSIONS[0]!.messages[0]!.frames[0]!,
};

/** Hands over frames one after the other, or each with the first bytes of the next. */
class Feeder {
  readonly #end: ScriptedEnd;
  readonly #way: Way;
  readonly #frames: readonly Uint8Array[];
  #next = 0;
  #ahead = 0;

  constructor(end: ScriptedEnd, way: Way, frames: readonly Uint8Array[]) {
    this.#end = end;
    this.#way = way;
    this.#frames = frames;
  }

  next(): void {
    const rest = this.#frames[this.#next]!.subarray(this.#ahead);
    const following = this.#frames[++this.#next];
    const ahead =
      this.#way === 'ahead' && following !== undefined ? following.subarray(0, 11) : new Uint8Array();
    this.#ahead = ahead.length;
    this.#end.input(
      new Uint8Array(Buffer.concat([rest, ahead])),
      this.#way === 'byte by byte' ? 1 : undefined,
    );
  }
}

function assertSent(end: ScriptedEnd, frame: string, what: string): void {
  assert.equal(toHex(end.takeSent(frame.length / 2)), frame, what);
}

for (const tested of [OVER_NODE, OVER_WEB]) {
  describe(`sessions of the vectors, over ${tested.name}`, () => {
    for (const session of SESSIONS) {
      for (const role of ROLES) {
        for (const way of WAYS) {
          test(`session ${session.name}: the ${role} sends exactly these bytes, input ${way}`, () => {
            replay(tested, session, role, way, session);
          });
        }
        test(`session ${session.name}: the ${role} checks neither number nor CRC of handshake frames`, () => {
          replay(tested, session, role, 'whole', session.unchecked);
        });
      }
    }

    test('a message is delivered whatever stands behind its last frame, and the trailer gets its own verdict', () => {
      for (const role of ROLES) {
        const from = other(role);
        for (const session of SESSIONS) {
          for (const trailer of ['ff', 'cdab01', 'cdab02ff']) {
            const end = ScriptedEnd.open(session, role, [], tested);
            const frames = session.messages.filter((message) => message.from === from);
            end.input(hex(frames.flatMap((message) => message.frames).join('') + trailer));
            assert.deepEqual(
              end.received.map(toHex),
              frames.map((message) => message.plaintext),
            );
            assert.equal(
              end.closed?.code,
              { ff: 'bad_magic', cdab01: 'version_1', cdab02ff: 'bad_type' }[trailer],
            );
          }
        }
      }
    });

    test('what stands behind BYE is not looked at', () => {
      for (const session of SESSIONS.slice(0, 2)) {
        const bye = session.control.at(-1)!;
        const end = ScriptedEnd.open(session, other(bye.from), [], tested);
        const before = session.messages.flatMap(({ from, frames }) =>
          frames.map((frame) => ({ from, frame })),
        );
        const frames = [...before, ...session.control].filter(({ from }) => from === bye.from);
        end.input(hex(`${frames.map(({ frame }) => frame).join('')}ffffffff`));
        assert.equal(end.closed?.code, 'bye');
      }
    });
  });
}

/** Lives through a whole session in one role; `handshake` are the frames that arrive. */
function replay(
  tested: TestedCrypto,
  session: SessionVector,
  role: Role,
  way: Way,
  handshake: SessionVector['unchecked'],
): void {
  const talk = [
    ...session.messages,
    ...session.control.map((frame) => ({ ...frame, frames: [frame.frame] })),
    ...(session.receive_only ?? []).filter(({ from }) => from !== role),
  ];
  const arriving = talk.filter(({ from }) => from !== role).flatMap(({ frames }) => frames);
  const end = new ScriptedEnd(session, role, [], tested);
  const feeder = new Feeder(end, way, [...incoming(handshake, role), ...arriving].map(hex));

  if (role === 'client') assertSent(end, session.hello, 'HELLO');
  feeder.next();
  assertSent(end, role === 'client' ? session.hello_ack : session.challenge, 'answer to the first frame');
  feeder.next();
  if (role === 'server') assertSent(end, session.session_ok, 'SESSION_OK');
  const opened = end.events.find((event) => event.type === 'open');
  assert.equal(toHex(opened!.deviceId), session.device_id);
  assert.equal(toHex(opened!.sessionId), session.session_id);

  const expected: string[] = [];
  let pongs = 0;
  for (const part of talk) {
    if (part.from !== role) {
      for (const _ of part.frames) feeder.next();
      if ('plaintext' in part && part.plaintext !== null) expected.push(part.plaintext);
      if ('type' in part && part.type === 'PONG') pongs++;
      continue;
    }
    if ('plaintext' in part) end.connection.send(hex(part.plaintext!), 0);
    else if (part.type === 'PING') end.connection.ping(0);
    else if (part.type === 'BYE') end.connection.close(0);
    end.drainEvents();
    assertSent(end, part.frames.join(''), 'type' in part ? part.type : 'message');
  }
  assert.deepEqual(end.received.map(toHex), expected);
  assert.equal(end.events.filter((event) => event.type === 'pong').length, pongs);
  const bye = talk.findLast((part) => 'type' in part && part.type === 'BYE');
  const dropped = talk.some((part) => 'plaintext' in part && part.plaintext === null);
  assert.equal(end.closed?.code, bye?.from === role ? 'closed' : bye || dropped ? 'bye' : undefined);
  assert.equal(end.takeSent().length, 0, 'nothing else is sent');
}

for (const tested of [OVER_NODE, OVER_WEB]) {
  describe(`changes of keys in the vectors, over ${tested.name}`, () => {
    for (const script of REKEYS) {
      for (const role of ROLES) {
        if (script.views[role] === undefined) continue;
        for (const way of WAYS) {
          test(`${script.name}: as ${role}, input ${way}`, () => replayRekey(tested, script, role, way));
        }
      }
    }

    test('each salt gives the keys that the vectors say', () => {
      for (const script of REKEYS) {
        const sessionId = hex(sessionNamed(script.session).session_id);
        for (const { from, salt, old_k_c2s, old_k_s2c, k_c2s, k_s2c } of script.rekeys) {
          const [tx, rx] = from === 'client' ? [old_k_c2s, old_k_s2c] : [old_k_s2c, old_k_c2s];
          const keys = deriveRekeyKeys(tested.crypto, joinKeys(hex(tx), hex(rx)), hex(salt), sessionId);
          const [newTx, newRx] = from === 'client' ? [k_c2s, k_s2c] : [k_s2c, k_c2s];
          assert.equal(toHex(txKey(keys)), newTx);
          assert.equal(toHex(rxKey(keys)), newRx);
        }
      }
    });
  });
}

function replayRekey(tested: TestedCrypto, script: RekeyVector, role: Role, way: Way): void {
  const view = script.views[role]!;
  const salts = script.rekeys.filter(({ from }) => from === role).map(({ salt }) => salt);
  const end = ScriptedEnd.open(sessionNamed(script.session), role, salts, tested);
  const arriving = view.map((number) => script.frames[number]!).filter(({ from }) => from !== role);
  const feeder = new Feeder(
    end,
    way,
    arriving.map(({ frame }) => hex(frame)),
  );
  const completed: number[] = [];
  let rekeyed = 0;
  walk(
    end,
    script,
    view.length,
    (_, number) => {
      feeder.next();
      const now = end.events.filter((event) => event.type === 'rekeyed').length;
      if (now > rekeyed) completed.push(number);
      rekeyed = now;
    },
    (sent, number) => {
      const { frame, type } = script.frames[number]!;
      assert.equal(toHex(sent), frame, `${type}, frame ${number}`);
    },
  );
  assert.deepEqual(end.received.map(toHex), script.received[role]);
  assert.deepEqual(completed, script.completed[role]);
  assert.equal(end.closed, undefined);
  assert.equal(end.takeSent().length, 0, 'nothing else is sent');
}

describe('what a decoder must refuse', () => {
  for (const { name, bytes, error, at } of INVALID.stream) {
    test(`${name}: ${error ?? 'neither frame nor error'}`, () => {
      const all = hex(bytes);
      if (error === null) {
        for (const piece of [Math.max(1, all.length), 1, 5]) assert.equal(decode(all, piece), undefined);
        return;
      }
      for (const piece of [all.length, 1, 2, 7, 11, 13]) {
        assert.equal(decode(all, piece), error, `in pieces of ${piece}`);
        assert.equal(
          decode(all.subarray(0, at!), piece),
          error,
          `its first ${at} bytes in pieces of ${piece}`,
        );
        assert.equal(decode(all.subarray(0, at! - 1), piece), undefined, 'one byte less');
      }
      for (const trailer of Object.values(TRAILERS)) {
        assert.equal(decode(hex(bytes.slice(0, 2 * at!) + trailer), 512), error, `with ${trailer} behind it`);
      }
    });
  }
});

/** What a decoder says of bytes: an error code, a frame, or nothing. */
function decode(bytes: Uint8Array, piece: number): string | Frame | undefined {
  const decoder = new FrameDecoder();
  try {
    for (let start = 0; start < bytes.length; start += piece) {
      decoder.push(bytes.slice(start, start + piece));
      const frame = decoder.next();
      if (frame !== undefined) return frame;
    }
    return undefined;
  } catch (error) {
    return (error as USMPError).code;
  }
}

for (const tested of [OVER_NODE, OVER_WEB]) {
  describe(`what a connection must refuse, over ${tested.name}`, () => {
    for (const { name, role, given, bytes, error } of INVALID.handshake) {
      test(`handshake, ${role}: ${name}: ${error}`, () => {
        refuses(tested, bytes, error, () => {
          const end = new ScriptedEnd(sessionNamed(given.session), role, [], tested);
          for (const frame of given.frames) end.input(hex(frame));
          return end;
        });
      });
    }

    for (const { name, role, given, bytes, error } of INVALID.session) {
      test(`session, ${role}: ${name}: ${error}`, () => {
        refuses(tested, bytes, error, () => {
          const end = ScriptedEnd.open(sessionNamed(given.session), role, [], tested);
          for (const frame of given.frames) end.input(hex(frame));
          return end;
        });
      });
    }

    for (const { name, role, given, bytes, error } of INVALID.rekey) {
      test(`rekey, ${role}: ${name}: ${error}, ${given.script} after ${given.steps}`, () => {
        refuses(tested, bytes, error, () => {
          const script = rekeyNamed(given.script);
          const salts = script.rekeys.filter(({ from }) => from === role).map(({ salt }) => salt);
          const end = ScriptedEnd.open(sessionNamed(script.session), role, salts, tested);
          walk(
            end,
            script,
            given.steps,
            (frame) => end.input(frame),
            () => {},
          );
          return end;
        });
      });
    }
  });
}

/** The same verdict whole, byte by byte, and with anything behind it; and nothing is delivered or answered. */
function refuses(tested: TestedCrypto, bytes: string, code: string, prepare: () => ScriptedEnd): void {
  // Trailers are a matter of the decoder, which is the same over any cryptography.
  const { nothing, ...others } = TRAILERS;
  const trailers = tested === OVER_NODE || process.env.USMP_LONG ? { nothing, ...others } : { nothing };
  for (const [behind, trailer] of Object.entries(trailers)) {
    for (const piece of [undefined, 1]) {
      const end = prepare();
      assert.equal(end.closed?.code, undefined, 'what comes before is taken');
      end.takeSent();
      const eventsBefore = end.events.length;
      end.input(hex(bytes + trailer), piece);
      const what = `${behind} behind it, ${piece === 1 ? 'byte by byte' : 'whole'}`;
      assert.deepEqual(
        end.events.slice(eventsBefore).map(({ type }) => type),
        ['closed'],
        what,
      );
      assert.equal(end.closed?.code, code, what);
      assert.equal(end.takeSent().length, 0, `no answer, ${what}`);
    }
  }
}

function other(role: Role): Role {
  return role === 'client' ? 'server' : 'client';
}
