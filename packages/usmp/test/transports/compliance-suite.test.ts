/** The compliance suite notices what it is there for. */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { broken, describeTransport } from './compliance.js';
import { beds, leaked } from './faulty-beds.js';

const ORDER = 'messages of all sizes arrive whole, once and in order, both ways at once';
const VOLUME = 'a large volume arrives complete and in order, both ways at once';
const BACKPRESSURE =
  'a receiver that does not read stops its sender, holds little, and gets everything in the end';
const MIXING = 'sessions at the same time do not mix';
const CUT = 'a line that is cut within a message ends both sides, and nothing is half delivered';
const CLOSE = 'close() from either side lets arrive what was sent before, then tells the other by BYE';
const RETURN = 'a client that stays connected is back when its server is, with what was sent meanwhile';
const REMAINS = 'many sessions, one after the other, leave nothing behind';
const EXIT = 'a process whose server and client are closed ends by itself';

/** How a session ends whose bytes were tampered with. */
const DAMAGED =
  /magic|tag|checksum|CRC|sequence|length|frame|not a USMP|authentication|closed the session|broke/;

/** Which transport breaks which promise, and what is said about it. */
const FAULTS: readonly [fault: string, scheme: string, promise: string, complaint: RegExp][] = [
  ['drops a byte', 'dropping', ORDER, DAMAGED],
  ['drops a byte', 'dropping', VOLUME, DAMAGED],
  ['repeats a byte', 'repeating', ORDER, DAMAGED],
  ['swaps two bytes', 'swapping', ORDER, DAMAGED],
  ['swaps two bytes', 'swapping', VOLUME, DAMAGED],
  ['sends two writes in the wrong order', 'reordering', ORDER, DAMAGED],
  ['gives the bytes of one session to another', 'mixing', MIXING, DAMAGED],
  ['does not tell that the line is gone', 'deaf', CUT, /the end of the session at both sides/],
  ['does not tell that the line is gone', 'deaf', RETURN, /another session|the end of the server/],
  ['ignores backpressure', 'greedy', BACKPRESSURE, /taken without a wait|bytes are unread/],
  ['forgets the last bytes when it closes', 'forgetful', CLOSE, /./],
  ['forgets a timer', 'leaking', REMAINS, /handles and timers to be gone: \[\["Timeout",\d+\]\]/],
  ['forgets a timer', 'leaking', EXIT, /the end of a process that has left closed .*Timeout/],
];

afterEach(() => {
  for (const timer of leaked.splice(0)) clearInterval(timer);
});

for (const [fault, scheme, promise, complaint] of FAULTS) {
  test(`a transport that ${fault} breaks the promise: ${promise}`, async () => {
    const error = await broken(promise, beds[scheme]!);
    assert.ok(error instanceof Error, 'nothing was noticed');
    assert.match(error.message, complaint);
  });
}

describeTransport('the same transport without a fault keeps all promises', beds.faultless!);
