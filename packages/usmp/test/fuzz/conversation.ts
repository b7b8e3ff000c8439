/** Honest conversations to start from: two real ends, and a record of what happened to one of them. */

import { FrameDecoder } from '#dist/core/frame.js';
import { hex } from '../support/bytes.js';
import { SeededRandom } from '../support/random.js';
import { SESSIONS } from '../support/vectors.js';
import type { Case, Step } from './case.js';
import { Target } from './target.js';

/** A valid case, and what its peer has really sent. */
export interface Conversation extends Case {
  readonly honest: readonly Uint8Array[];
  /** What the side under test has sent itself: material for reflections. */
  readonly own: readonly Uint8Array[];
}

const SIZES = [0, 1, 20, 451, 452, 453, 905, 1808];

/** Both sides of one talk of about `turns` turns. */
export function record(seed: number, turns: number): [Conversation, Conversation] {
  const random = new SeededRandom(seed);
  const client = recorder('client');
  const server = recorder('server');
  const sides = [client, server] as const;
  exchange(client, server);
  for (let turn = 0; turn < turns; turn++) {
    for (const from of sides) {
      if (random.next() < 0.6) command(from, randomCommand(random));
      if (random.next() < 0.3) command(from, { do: 'time', milliseconds: random.integer(0, 1000) });
    }
    if (random.next() < 0.7) exchange(client, server);
  }
  if (random.next() < 0.5) command(random.pick(sides), { do: 'close' });
  exchange(client, server);
  return [conversation(client, server), conversation(server, client)];
}

interface Recorder {
  readonly target: Target;
  readonly steps: Step[];
}

function recorder(role: Case['role']): Recorder {
  return { target: new Target(role), steps: [] };
}

function conversation(side: Recorder, peer: Recorder): Conversation {
  return {
    role: side.target.role,
    steps: side.steps,
    expect: side.target.verdict,
    honest: peer.target.said,
    own: side.target.sent.flatMap(frames),
  };
}

function randomCommand(random: SeededRandom): Step {
  const kind = random.next();
  if (kind < 0.6) return { do: 'send', size: random.pick(SIZES) };
  return { do: kind < 0.8 ? 'ping' : 'rekey' };
}

function command(side: Recorder, step: Step): void {
  side.steps.push(step);
  side.target.step(step);
}

/** Lets both talk until neither has anything to say. */
function exchange(client: Recorder, server: Recorder): void {
  for (let moved = true; moved; ) {
    moved = false;
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.steps.push({ do: 'transmit' });
      const bytes = from.target.transmit();
      if (bytes === undefined) continue;
      moved = true;
      for (const frame of frames(bytes)) {
        const step: Step = { do: 'input', bytes: frame };
        to.steps.push(step);
        to.target.step(step);
      }
    }
  }
}

/** Cuts bytes into their frames. */
export function frames(bytes: Uint8Array): Uint8Array[] {
  const decoder = new FrameDecoder();
  const found: Uint8Array[] = [];
  decoder.push(bytes);
  for (let frame = decoder.next(); frame !== undefined; frame = decoder.next())
    found.push(new Uint8Array(frame.bytes));
  return found;
}

/** Frames that are good in another session, and so never in this one. */
export const FOREIGN: readonly Uint8Array[] = SESSIONS.slice(1).flatMap((session) =>
  [
    session.hello,
    session.challenge,
    session.hello_ack,
    session.session_ok,
    ...session.messages.flatMap((message) => message.frames),
    ...session.control.map(({ frame }) => frame),
  ].map(hex),
);
