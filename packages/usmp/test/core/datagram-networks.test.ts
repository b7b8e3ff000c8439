/**
 * Random conversations over random networks. `npm run test:long` tries more; USMP_NETWORK_SEED=N repeats one case.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectionEvent } from '#dist/core/connection.js';
import { USMPError } from '#dist/core/errors.js';
import { FrameType, isHandshakeType } from '#dist/core/frame.js';
import { MAX_BYTES_UNDER_WAY, MAX_FRAMES_UNDER_WAY } from '#dist/core/limits.js';
import { isUtack, UTACK_LENGTH } from '#dist/core/utack.js';
import { pattern, toHex } from '../support/bytes.js';
import { type DatagramEnd, DatagramPair, FAIR, typeOf, type Weather } from '../support/datagram-pair.js';
import type { EndName } from '../support/pair.js';
import { SeededRandom } from '../support/random.js';

const ONLY = process.env.USMP_NETWORK_SEED;
const CASES = process.env.USMP_LONG ? 10_000 : 200;

/** Longer than a sender tries, a receiver waits behind a gap, and a close lingers, one after the other. */
const HEALING = 90_000;
const SIZES = [0, 1, 60, 451, 452, 453, 904, 905, 1356, 1357, 1807, 1808];

interface Action {
  readonly at: number;
  readonly end: EndName;
  readonly do: 'send' | 'ping' | 'rekey' | 'stop' | 'go' | 'close';
  readonly size: number;
  readonly acknowledged: boolean;
}

interface Case {
  readonly weather: Weather;
  readonly endpoint: boolean;
  readonly keepaliveInterval: number;
  /** When the network heals, and what is asked for until then and after. */
  readonly healsAt: number;
  readonly actions: readonly Action[];
}

function drawCase(random: SeededRandom): Case {
  const longest = random.pick([0, 5, 40, 300]);
  const weather = {
    delay: [random.pick([0, longest / 2, longest]), longest] as const,
    loss: random.pick([0, 0, 0.02, 0.1, 0.25, 0.45]),
    duplication: random.pick([0, 0, 0.1, 0.5]),
    corruption: random.pick([0, 0, 0.02, 0.2]),
  };
  const healsAt = random.pick([0, 2_000, 8_000]);
  const until = healsAt + 2_000;
  const rekeys = random.pick([0, 0, 1, 4]);
  const actions: Action[] = [];
  const add = (action: Action['do'], end: EndName, at = random.integer(0, until)) => {
    const size = random.pick([...SIZES, random.integer(0, 1808)]);
    actions.push({ at, end, do: action, size, acknowledged: random.next() < 0.5 });
    return at;
  };
  for (const end of ['client', 'server'] as const) {
    const small = random.next() < 0.5;
    for (let left = random.pick([0, 3, 12, 40]); left > 0; left--) {
      const at = add('send', end);
      // Several at once, so that a window is made use of.
      for (let more = random.integer(0, 2); more > 0; more--) add('send', end, at);
    }
    if (small)
      for (const [i, action] of actions.entries()) actions[i] = { ...action, size: action.size % 200 };
    for (let left = random.pick([0, 0, 3]); left > 0; left--) add('ping', end);
    for (let left = rekeys; left > 0; left--) if (random.next() < 0.7) add('rekey', end);
    for (let left = random.pick([0, 0, 2]); left > 0; left--) {
      add('go', end, add('stop', end) + random.integer(0, 3_000));
    }
  }
  // Both ask at once: they cross.
  if (rekeys > 0) for (const end of ['client', 'server'] as const) add('rekey', end, until >> 1);
  for (const end of ['client', 'server'] as const) if (random.next() < 0.3) add('close', end);
  actions.sort((a, b) => a.at - b.at);
  return {
    weather,
    endpoint: random.next() < 0.5,
    keepaliveInterval: random.pick([0, 0, 700]),
    healsAt,
    actions,
  };
}

/** Sees what one end sends and hears, and so what it has under way, without a look into it. */
class Watcher {
  readonly sent: string[] = [];
  readonly received: string[] = [];
  readonly askedFor = new Set<number>();
  readonly acknowledged: number[] = [];
  closedByItself = false;
  asked = false;
  /** Has not taken messages for a while, so that the other side may have given up. */
  stopped = false;
  closedAt = 0;
  /** The UTACK of its BYE has come. */
  byeAcknowledged = false;
  readonly #end: DatagramEnd;
  readonly #known = new Set<string>();
  readonly #underWay = new Map<string, { type: number; length: number }>();

  constructor(end: DatagramEnd) {
    this.#end = end;
    end.leaving = (bytes) => this.#leaving(bytes);
    end.arrived = (bytes, intact) => this.#arrived(bytes, intact);
    end.told = (event) => this.#told(event);
  }

  #leaving(bytes: Uint8Array): void {
    const type = typeOf(bytes);
    if (isUtack(bytes) || isHandshakeType(type)) return;
    const name = toHex(bytes);
    if (this.#known.has(name)) return;
    this.#known.add(name);
    // A frame under the new key may have told that REKEY has arrived.
    for (const [key, frame] of this.#underWay) if (frame.type === FrameType.REKEY) this.#underWay.delete(key);
    if (type === FrameType.REKEY || type === FrameType.BYE || type === FrameType.DATA_FRAG) {
      assert.equal(
        this.#underWay.size,
        0,
        `a frame of type ${type} flies alone, not beside ${[...this.#underWay.keys()]}`,
      );
    }
    this.#underWay.set(toHex(bytes.subarray(3, 8)), { type, length: bytes.length });
    assert.ok(this.#underWay.size <= MAX_FRAMES_UNDER_WAY, `${this.#underWay.size} frames under way`);
    const total = [...this.#underWay.values()].reduce((sum, { length }) => sum + length, 0);
    assert.ok(total <= MAX_BYTES_UNDER_WAY, `${total} bytes under way`);
  }

  #arrived(bytes: Uint8Array, intact: boolean): void {
    if (!intact || !isUtack(bytes) || bytes.length !== UTACK_LENGTH) return;
    this.#underWay.delete(toHex(bytes.subarray(2, 7)));
    if (bytes[2] === FrameType.BYE && this.#end.connection.lingers) this.byeAcknowledged = true;
  }

  #told(event: ConnectionEvent): void {
    assert.ok(this.#end.of('closed').length === 0 || event.type === 'closed', `${event.type} behind closed`);
    if (event.type === 'message') this.received.push(toHex(event.data));
    if (event.type === 'acknowledged') this.acknowledged.push(event.message);
    if (event.type === 'closed') assert.ok(event.error instanceof USMPError);
  }
}

function perform(
  pair: DatagramPair,
  watchers: Record<EndName, Watcher>,
  action: Action,
  number: number,
): void {
  const end = pair[action.end];
  const watcher = watchers[action.end];
  if (action.do === 'stop') watcher.stopped = true;
  if (action.do === 'stop' || action.do === 'go') return end.connection.setReceiving(action.do === 'go');
  if (end.connection.state !== 'open') return;
  if (action.do === 'send') {
    const message = pattern(number, action.size);
    watcher.sent.push(toHex(message));
    const id = end.send(message, action.acknowledged);
    assert.equal(id, watcher.sent.length, 'messages are counted');
    if (action.acknowledged) watcher.askedFor.add(id);
  } else if (action.do === 'rekey') {
    watcher.asked = true;
    end.rekey(true);
  } else if (action.do === 'close') {
    watcher.closedByItself = true;
    watcher.closedAt = pair.now;
    end.close();
  } else {
    end.ping();
  }
}

function check(pair: DatagramPair, watchers: Record<EndName, Watcher>, { healsAt }: Case): string {
  for (const end of pair.ends) {
    const other = pair.other(end);
    const own = watchers[end.name];
    const theirs = watchers[other.name];
    const orderly = own.closedByItself || theirs.closedByItself;
    assert.deepEqual(end.crypto.reused, [], 'no nonce twice');
    assertInOrder(own.received, theirs.sent, other, orderly);
    for (const message of own.acknowledged) assert.ok(own.askedFor.has(message), 'only what was asked for');
    assert.equal(new Set(own.acknowledged).size, own.acknowledged.length, 'acknowledged once');
    if (other.closed === undefined || other.closed.code === 'bye') {
      for (const message of own.acknowledged) {
        assert.ok(
          theirs.received.includes(own.sent[message - 1]!),
          `what ${other.name} has acknowledged is there`,
        );
      }
    }
    // A clean close: everything that the closing side has sent arrives, and then BYE.
    if (own.closedByItself && own.byeAcknowledged && !theirs.closedByItself) {
      assert.equal(other.closed?.code, 'bye', `${other.name} has BYE`);
      assert.deepEqual(theirs.received, own.sent, `${other.name} has all that came before BYE`);
    }
    const closedAfter = own.closedAt >= healsAt;
    if (
      own.closedByItself &&
      !theirs.closedByItself &&
      !theirs.stopped &&
      closedAfter &&
      end.closed?.code === 'closed'
    ) {
      if (other.closed?.code !== 'not_acknowledged') {
        assert.equal(other.closed?.code, 'bye', `${other.name} hears of a close over a good line`);
      }
    }
    assert.ok(!end.connection.lingers, 'nobody lingers for ever');
    if (end.closed !== undefined) {
      assert.ok(
        ['closed', 'bye', 'not_acknowledged', ...HANDSHAKE_ENDS].includes(end.closed.code),
        end.closed.code,
      );
    }
  }
  if (pair.ends.some((end) => end.closed !== undefined)) return [...ends(pair)].sort().join(' ');
  for (const end of pair.ends) {
    const own = watchers[end.name];
    assert.equal(end.connection.state, 'open');
    assert.deepEqual(own.received, watchers[pair.other(end).name].sent, 'all has arrived on a good line');
    assert.deepEqual(new Set(own.acknowledged), own.askedFor, 'and is acknowledged');
    assert.equal(end.connection.pendingTransmit, 0);
    assert.equal(end.connection.stats.messagesLost, 0);
    if (own.asked)
      assert.ok(
        end.of('rekeyed').some(({ initiator }) => initiator),
        'a REKEY was completed',
      );
  }
  assert.equal(
    pair.client.of('rekeyed').length,
    pair.server.of('rekeyed').length,
    'keys changed on both sides',
  );
  return 'open open';
}

const HANDSHAKE_ENDS = [
  'refused',
  'rogue_server',
  'wrong_key',
  'turned_away',
  'handshake_timeout',
  'low_order_point',
];

function* ends(pair: DatagramPair): Iterable<string> {
  for (const end of pair.ends) yield end.closed?.code ?? 'open';
}

/**
 * Once and in order, and without a gap, unless the sender has given up: then what it had sent behind that may come, and
 * the loss is counted.
 */
function assertInOrder(
  received: readonly string[],
  sent: readonly string[],
  sender: DatagramEnd,
  orderly: boolean,
): void {
  let position = 0;
  let gaps = 0;
  for (const message of received) {
    const found = sent.indexOf(message, position);
    assert.ok(found >= 0, 'once and in order');
    if (found > position) gaps++;
    position = found + 1;
  }
  if (gaps > 0) assert.ok(sender.closed?.code === 'not_acknowledged' || orderly, 'a gap without an end');
}

/** Runs one case and says how both ends ended. */
function run(seed: number): string {
  const random = new SeededRandom(seed);
  const drawn = drawCase(random);
  const { weather, endpoint, keepaliveInterval, actions, healsAt } = drawn;
  const settings = { keepaliveInterval };
  const pair = new DatagramPair({ seed: seed + 1, weather, endpoint, client: settings, server: settings });
  const watchers = { client: new Watcher(pair.client), server: new Watcher(pair.server) };
  const isOpen = () => pair.ends.every((end) => end.connection.state === 'open');
  pair.advanceUntil(() => isOpen() || pair.client.closed !== undefined, 20_000);
  const begin = pair.now;
  if (healsAt === 0) pair.weather = { ...FAIR, delay: weather.delay };
  let number = 0;
  for (const action of actions) {
    const at = begin + action.at;
    if (pair.now < begin + healsAt && at >= begin + healsAt) {
      pair.advance(begin + healsAt - pair.now);
      pair.weather = { ...FAIR, delay: weather.delay };
    }
    if (at > pair.now) pair.advance(at - pair.now);
    perform(pair, watchers, action, ++number);
    pair.flush();
  }
  pair.weather = FAIR;
  for (const end of pair.ends) {
    watchers[end.name].closedAt -= begin;
    end.connection.setReceiving(true);
  }
  pair.advance(HEALING);
  return check(pair, watchers, drawn);
}

test(`random networks: every message once and in order, or a typed end (${ONLY ? `seed ${ONLY}` : `${CASES} cases`})`, (t) => {
  const endings = new Map<string, number>();
  const seeds = ONLY === undefined ? Array.from({ length: CASES }, (_, i) => i + 1) : [Number(ONLY)];
  for (const seed of seeds) {
    try {
      const ending = run(seed);
      endings.set(ending, (endings.get(ending) ?? 0) + 1);
    } catch (error) {
      throw new Error(`seed ${seed} (USMP_NETWORK_SEED=${seed} repeats it): ${error}`, { cause: error });
    }
  }
  t.diagnostic([...endings].map(([ending, count]) => `${ending}: ${count}`).join(', '));
  if (ONLY !== undefined) return;
  assert.ok((endings.get('open open') ?? 0) > CASES / 10, 'some stay open to the end');
  assert.ok((endings.get('bye closed') ?? 0) > CASES / 20, 'some are closed');
});
