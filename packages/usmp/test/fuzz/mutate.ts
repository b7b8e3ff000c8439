/** Changes to valid conversations, of the kind that a bad line or an attacker without the keys can make. */

import { crc16 } from '#dist/core/crc16.js';
import type { SeededRandom } from '../support/random.js';
import type { Step } from './case.js';
import { type Conversation, FOREIGN } from './conversation.js';

type Input = Extract<Step, { do: 'input' }>;

/** One step more, less or different. */
type Mutation = (steps: Step[], random: SeededRandom, from: Conversation) => void;

/** Changes the bytes of one input. */
function onInput(
  change: (bytes: Uint8Array, random: SeededRandom, from: Conversation) => Uint8Array,
): Mutation {
  return (steps, random, from) => {
    const inputs = [...steps.keys()].filter((i) => steps[i]!.do === 'input');
    if (inputs.length === 0) return;
    const at = random.pick(inputs);
    steps[at] = { do: 'input', bytes: change(new Uint8Array((steps[at] as Input).bytes), random, from) };
  };
}

/** Changes header fields, and repairs the checksum half of the time, so that later checks are reached too. */
function onHeader(change: (frame: DataView, random: SeededRandom) => void): Mutation {
  return onInput((bytes, random) => {
    if (bytes.length < 12) return bytes;
    change(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), random);
    return random.next() < 0.5 ? withChecksum(bytes) : bytes;
  });
}

function withChecksum(frame: Uint8Array): Uint8Array {
  const crc = crc16(frame, 12, frame.length, crc16(frame, 0, 10));
  frame[10] = crc;
  frame[11] = crc >>> 8;
  return frame;
}

const NUMBERS = [0, 1, 2, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
const LENGTHS = [0, 1, 27, 28, 29, 38, 54, 480, 481, 512, 0xffff];

const MUTATIONS: readonly Mutation[] = [
  // Bits and bytes
  onInput((bytes, random) => {
    if (bytes.length > 0) bytes[random.integer(0, bytes.length - 1)]! ^= 1 << random.integer(0, 7);
    return bytes;
  }),
  onInput((bytes, random) => {
    if (bytes.length > 12) bytes[random.integer(12, bytes.length - 1)] = random.integer(0, 0xff);
    return bytes.length > 12 ? withChecksum(bytes) : bytes;
  }),
  onInput((bytes, random) => bytes.subarray(0, random.integer(0, bytes.length))),
  onInput((bytes, random) => bytes.subarray(random.integer(0, Math.min(20, bytes.length)))),
  onInput((bytes, random) => join(bytes, random.bytes(random.integer(1, 40)))),
  onInput((bytes, random) => join(random.bytes(random.integer(1, 5)), bytes)),
  // Fields
  onHeader((frame, random) => frame.setUint8(2, random.pick([0, 1, 3, 0xff]))),
  onHeader((frame, random) => frame.setUint8(3, random.integer(0, 13))),
  onHeader((frame, random) => frame.setUint32(4, random.pick(NUMBERS), true)),
  onHeader((frame, random) => frame.setUint32(4, frame.getUint32(4, true) + random.pick([-1, 1, 2]), true)),
  onHeader((frame, random) => frame.setUint16(8, random.pick(LENGTHS), true)),
  onHeader((frame, random) => frame.setUint16(8, frame.getUint16(8, true) + random.pick([-1, 1]), true)),
  // A shorter or longer payload whose length and checksum fit
  onInput((bytes, random) => {
    if (bytes.length <= 12) return bytes;
    const longer = random.next() < 0.5;
    const frame = longer
      ? join(bytes, random.bytes(1))
      : bytes.slice(0, random.integer(12, bytes.length - 1));
    if (frame.length > 492) return bytes;
    new DataView(frame.buffer).setUint16(8, frame.length - 12, true);
    return withChecksum(frame);
  }),
  // Order
  (steps, random) => void steps.splice(random.integer(0, steps.length), 0, random.pick(steps)),
  (steps, random) => void steps.splice(random.integer(0, steps.length - 1), random.integer(1, 3)),
  (steps, random) => {
    const [a, b] = [random.integer(0, steps.length - 1), random.integer(0, steps.length - 1)];
    [steps[a], steps[b]] = [steps[b]!, steps[a]!];
  },
  // Splices: of this conversation, of another, of one's own frames
  onInput((bytes, random, from) => {
    const other = random.pick(from.steps.filter((step): step is Input => step.do === 'input')).bytes;
    return join(
      bytes.subarray(0, random.integer(0, bytes.length)),
      other.subarray(random.integer(0, other.length)),
    );
  }),
  (steps, random) => insert(steps, random, { do: 'input', bytes: random.pick(FOREIGN) }),
  (steps, random, from) => {
    if (from.own.length > 0) insert(steps, random, { do: 'input', bytes: random.pick(from.own) });
  },
  (steps, random) => insert(steps, random, { do: 'input', bytes: random.bytes(random.integer(0, 600)) }),
  // What the application and the clock may do at any point
  (steps, random) =>
    insert(steps, random, { do: random.pick(['ping', 'rekey', 'close', 'end', 'transmit'] as const) }),
  (steps, random) => insert(steps, random, { do: 'send', size: random.pick([0, 1, 453, 1808]) }),
  (steps, random) =>
    insert(steps, random, { do: 'time', milliseconds: random.pick([1, 9_999, 10_000, 30_000, 60_000]) }),
];

/** A changed copy of the steps of a conversation. */
export function mutate(from: Conversation, random: SeededRandom): Step[] {
  const steps = [...from.steps];
  for (let left = random.integer(1, 3); left > 0; left--) {
    if (steps.length > 0) random.pick(MUTATIONS)(steps, random, from);
  }
  return random.next() < 0.3 ? recut(steps, random) : steps;
}

/** The same bytes in other pieces. */
function recut(steps: readonly Step[], random: SeededRandom): Step[] {
  const most = random.pick([1, 5, 100]);
  return steps.flatMap((step): Step[] => {
    if (step.do !== 'input') return [step];
    const pieces: Step[] = [];
    for (let start = 0; start < step.bytes.length; ) {
      const end = start + random.integer(1, most);
      pieces.push({ do: 'input', bytes: step.bytes.subarray(start, end) });
      start = end;
    }
    return pieces;
  });
}

function insert(steps: Step[], random: SeededRandom, step: Step): void {
  steps.splice(random.integer(0, steps.length), 0, step);
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
