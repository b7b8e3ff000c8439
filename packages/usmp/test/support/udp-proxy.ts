/**
 * A UDP relay between clients and one server that treats datagrams as badly as it is told to. What happens to a
 * datagram depends on the seed and on what it is (the third transmission of DATA 17 to the server), not on when it
 * comes, so that a run can be repeated although the clock is a real one.
 *
 * @module
 */

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { DIRECTIONS, type Direction, type Exchange, Exchanges, type Reading, read } from './datagrams.js';
import { SeededRandom } from './random.js';

/** What a line does. All but `delay` are probabilities in [0, 1], 0 where nothing is said. */
export interface Treatment {
  readonly loss?: number;
  readonly duplication?: number;
  /** To be held back until the next datagram of this direction has passed, or 40 ms. */
  readonly reordering?: number;
  /** To have a bit or a byte changed, to be cut short, or to be made longer. */
  readonly corruption?: number;
  /** From, to. Milliseconds, for each datagram anew. */
  readonly delay?: readonly [number, number];
}

/** A datagram on its way, for scripts. */
export interface Passing extends Reading {
  readonly datagram: Uint8Array;
  readonly direction: Direction;
  /** Counts the clients' addresses, from 0. */
  readonly flow: number;
  /** Of this frame, or of this UTACK; from 1. */
  readonly transmission: number;
}

/** What a script wants done to a datagram: nothing bad, or exactly this. */
export type Verdict = 'pass' | 'drop' | 'duplicate' | 'hold' | 'corrupt';

export interface ProxyOptions extends Treatment {
  /** `udp://127.0.0.1:9000`. The proxy has the same address and a port of its own. */
  readonly server: string;
  readonly seed: number;
  /** In place of the treatment of both directions. */
  readonly toServer?: Treatment;
  readonly toClient?: Treatment;
  /** How often one frame or a UTACK of it may be lost or corrupted, together; no limit unless said. */
  readonly lossesOfExchange?: number;
  /** Asked first; what it has no opinion of is treated like the rest. */
  readonly decide?: (passing: Passing) => Verdict | undefined;
  /** How many of the last datagrams that left are kept in `passed`; default 4,096. */
  readonly keep?: number;
}

/** What became of the datagrams of a direction. */
export interface Tally {
  arrived: number;
  left: number;
  lost: number;
  duplicated: number;
  held: number;
  corrupted: number;
}

/** A datagram that left the proxy. */
export interface Passed {
  readonly datagram: Uint8Array;
  readonly direction: Direction;
  readonly flow: number;
}

/** The addresses of one client: its own, and the one that the server sees. */
interface Flow {
  readonly number: number;
  readonly port: number;
  readonly address: string;
  readonly upstream: Socket;
  readonly exchanges: Exchanges;
  readonly held: Record<Direction, Departure[]>;
}

interface Departure {
  readonly flow: Flow;
  readonly direction: Direction;
  readonly datagram: Uint8Array;
  readonly dueAt: number;
}

/** A datagram held back for others to pass goes on its way after this. Milliseconds. */
const LONGEST_HOLD = 40;

/** `USMP_PROXY_SEED` repeats a run. */
const RUN_SEED = Number(process.env.USMP_PROXY_SEED ?? Date.now() % 1_000_000);

/** A proxy for one test, with the seed of the run unless told otherwise. The seed is printed when the test fails. */
export async function openProxy(
  t: TestContext,
  options: Omit<ProxyOptions, 'seed'> & { seed?: number },
): Promise<UdpProxy> {
  const seed = options.seed ?? RUN_SEED;
  const proxy = await UdpProxy.open({ ...options, seed });
  t.after(async () => {
    // Node 20.19 has it, its types do not know it yet.
    const { passed } = t as TestContext & { readonly passed?: boolean };
    if (passed === false) console.error(`${t.name}: USMP_PROXY_SEED=${seed} ${JSON.stringify(proxy.tally)}`);
    await proxy.close();
  });
  return proxy;
}

/** See the module. */
export class UdpProxy {
  /** Of each direction. May be replaced at any time. */
  readonly treatment: Record<Direction, Treatment>;
  readonly tally: Record<Direction, Tally> = { 'to-server': tally(), 'to-client': tally() };
  readonly #options: ProxyOptions;
  readonly #server: { readonly address: string; readonly port: number };
  readonly #downstream: Socket;
  readonly #flows = new Map<string, Flow>();
  readonly #byNumber: Flow[] = [];
  /** By due time; what is due at the same time, in the order of arrival. */
  readonly #departures: Departure[] = [];
  readonly #passed: Passed[] = [];
  readonly #farewells: (() => Promise<unknown>)[] = [];
  #behaves = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  private constructor(options: ProxyOptions) {
    const { hostname, port } = new URL(options.server);
    this.#server = { address: hostname.replace(/^\[|\]$/g, ''), port: Number(port) };
    this.#options = options;
    this.treatment = {
      'to-server': options.toServer ?? options,
      'to-client': options.toClient ?? options,
    };
    this.#downstream = this.#socket();
    this.#downstream.on('message', (datagram, { address, port }) => {
      const flow = this.#flowOf(address, port);
      this.#take(flow, 'to-server', datagram);
    });
  }

  /** Listens on a free port of the address of the server. */
  static async open(options: ProxyOptions): Promise<UdpProxy> {
    const proxy = new UdpProxy(options);
    proxy.#downstream.bind(0, proxy.#server.address);
    await once(proxy.#downstream, 'listening');
    return proxy;
  }

  /** What clients connect to. */
  get url(): string {
    const { address } = this;
    return `udp://${address.includes(':') ? `[${address}]` : address}:${this.port}`;
  }

  get address(): string {
    return this.#server.address;
  }

  get port(): number {
    return this.#downstream.address().port;
  }

  /** The last datagrams that left. */
  get passed(): readonly Passed[] {
    return this.#passed;
  }

  /** Sends a datagram, as the other end of that flow would: recorded before, or made up. */
  inject({ datagram, direction, flow }: Passed): void {
    this.#depart({ datagram, direction, flow: this.#byNumber[flow]!, dueAt: 0 });
  }

  /** From now on everything passes at once, whatever treatment and script say. */
  behave(): void {
    this.#behaves = true;
  }

  /** Has something done before the proxy closes, while everything passes: to end sessions without a wait. */
  beforeClose(farewell: () => Promise<unknown>): void {
    this.#farewells.push(farewell);
  }

  /** Forgets what is still on its way. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.behave();
    await Promise.all(this.#farewells.map((farewell) => farewell()));
    this.#closed = true;
    clearTimeout(this.#timer);
    const sockets = [this.#downstream, ...this.#byNumber.map(({ upstream }) => upstream)];
    await Promise.all(
      sockets.map((socket) => {
        socket.close();
        return once(socket, 'close');
      }),
    );
  }

  #socket(): Socket {
    const socket = createSocket(this.#server.address.includes(':') ? 'udp6' : 'udp4');
    // Nobody listens at the other end: for a relay, that is one more loss.
    socket.on('error', () => {});
    return socket;
  }

  #flowOf(address: string, port: number): Flow {
    const key = `${address} ${port}`;
    const known = this.#flows.get(key);
    if (known !== undefined) return known;
    const flow: Flow = {
      number: this.#byNumber.length,
      address,
      port,
      upstream: this.#socket(),
      exchanges: new Exchanges(),
      held: { 'to-server': [], 'to-client': [] },
    };
    flow.upstream.on('message', (datagram) => this.#take(flow, 'to-client', datagram));
    this.#flows.set(key, flow);
    this.#byNumber.push(flow);
    return flow;
  }

  /** Decides what becomes of a datagram that has arrived. */
  #take(flow: Flow, direction: Direction, datagram: Uint8Array): void {
    const treatment = this.#behaves ? {} : this.treatment[direction];
    const tally = this.tally[direction];
    const reading = read(datagram);
    const exchange = flow.exchanges.count(datagram, direction, reading);
    const transmission = reading.kind === 'utack' ? exchange.utacks : exchange.frames;
    const random = new SeededRandom(this.#seedOf(flow, direction, reading, exchange, transmission));
    // Always the same numbers for the same decision, whatever the others are.
    const [lost, duplicated, held, corrupted, delay, again] = Array.from({ length: 6 }, () => random.next());
    const passing = { ...reading, datagram, direction, flow: flow.number, transmission };
    const verdict = this.#behaves ? 'pass' : this.#options.decide?.(passing);
    const decide = (which: Verdict, drawn: number, probability = 0): boolean =>
      verdict === undefined ? drawn < probability : verdict === which;

    tally.arrived++;
    const bearsLoss = exchange.losses < (this.#options.lossesOfExchange ?? Number.POSITIVE_INFINITY);
    if (bearsLoss && decide('drop', lost!, treatment.loss)) {
      exchange.losses++;
      tally.lost++;
      return;
    }
    let bytes = datagram;
    if (bearsLoss && decide('corrupt', corrupted!, treatment.corruption)) {
      exchange.losses++;
      tally.corrupted++;
      bytes = corrupt(datagram, random);
    }
    const now = performance.now();
    const [shortest, longest] = treatment.delay ?? [0, 0];
    const dueAt = now + shortest + delay! * (longest - shortest);
    if (decide('hold', held!, treatment.reordering)) {
      tally.held++;
      const departure = { flow, direction, datagram: bytes, dueAt: dueAt + LONGEST_HOLD };
      flow.held[direction].push(departure);
      this.#schedule(departure, now);
    } else this.#schedule({ flow, direction, datagram: bytes, dueAt }, now);
    if (decide('duplicate', duplicated!, treatment.duplication)) {
      tally.duplicated++;
      this.#schedule({ flow, direction, datagram: bytes, dueAt: dueAt + again! * (longest - shortest) }, now);
    }
  }

  #seedOf(
    { number }: Flow,
    direction: Direction,
    { kind, type, seq }: Reading,
    { generation }: Exchange,
    transmission: number,
  ): number {
    const place = [DIRECTIONS.indexOf(direction), kind === 'utack' ? 1 : 0];
    return mix([this.#options.seed, number, ...place, type, seq, generation, transmission]);
  }

  #schedule(departure: Departure, now: number): void {
    if (departure.dueAt <= now) {
      this.#depart(departure);
      return;
    }
    const index = this.#departures.findLastIndex(({ dueAt }) => dueAt <= departure.dueAt) + 1;
    this.#departures.splice(index, 0, departure);
    if (index === 0) this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const first = this.#departures[0];
    if (first === undefined || this.#closed) return;
    this.#timer = setTimeout(() => this.#fire(), first.dueAt - performance.now());
  }

  #fire(): void {
    const now = performance.now();
    while (this.#departures.length > 0 && this.#departures[0]!.dueAt <= now) {
      this.#depart(this.#departures.shift()!);
    }
    this.#arm();
  }

  /** Sends a datagram, and behind it those that were held back for it. */
  #depart(departure: Departure): void {
    const { flow, direction } = departure;
    const held = flow.held[direction];
    const place = held.indexOf(departure);
    if (place >= 0) held.splice(place, 1);
    this.#send(departure);
    if (place >= 0) return;
    for (const waiting of held.splice(0)) {
      const index = this.#departures.indexOf(waiting);
      if (index >= 0) this.#departures.splice(index, 1);
      this.#send(waiting);
    }
  }

  #send({ flow, direction, datagram }: Departure): void {
    if (this.#closed) return;
    this.tally[direction].left++;
    this.#passed.push({ datagram, direction, flow: flow.number });
    if (this.#passed.length > (this.#options.keep ?? 4_096)) this.#passed.shift();
    if (direction === 'to-server') flow.upstream.send(datagram, this.#server.port, this.#server.address);
    else this.#downstream.send(datagram, flow.port, flow.address);
  }
}

function tally(): Tally {
  return { arrived: 0, left: 0, lost: 0, duplicated: 0, held: 0, corrupted: 0 };
}

/** One number out of several: a change of any of them changes it all over (FNV-1a over words, and a final mix). */
function mix(words: readonly number[]): number {
  let mixed = 0x811c9dc5;
  for (const word of words) {
    mixed = Math.imul(mixed ^ word, 0x01000193);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
    mixed ^= mixed >>> 13;
  }
  return mixed >>> 0;
}

/** A damaged copy. */
function corrupt(datagram: Uint8Array, random: SeededRandom): Uint8Array {
  const damaged = Uint8Array.from(datagram);
  const place = random.integer(0, damaged.length - 1);
  switch (damaged.length === 0 ? 3 : random.integer(0, 3)) {
    case 0:
      damaged[place]! ^= 1 << random.integer(0, 7);
      return damaged;
    case 1:
      damaged[place]! ^= random.integer(1, 0xff);
      return damaged;
    case 2:
      return damaged.subarray(0, place);
    default:
      return Uint8Array.from([...damaged, ...random.bytes(random.integer(1, 20))]);
  }
}
