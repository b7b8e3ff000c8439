/** Devices and callers that work the gateway, and keep what they were promised. */

import { setTimeout as delay } from 'node:timers/promises';
import { USMPClient, type USMPSession } from 'usmp';
import type { GatewayProcess } from './gateway-process.js';
import type { SeededRandom } from './seeded-random.js';

/** Between two messages of one sender. Milliseconds, at most. */
const PACE = 30;

/** Between two PINGs that find out what has arrived. Milliseconds. */
const PING_EVERY = 250;

/** What an answer of the API has promised. */
export interface Acknowledged {
  readonly text: string;
  readonly id: number;
}

/** The gateway of now, for those that work on across its ends. */
export interface Scene {
  gateway: GatewayProcess;
  /** Callers make a pause: what devices send is then stored by itself, not along with what an answer waits for. */
  quiet: boolean;
  /** Everybody ends when it is true. */
  over: boolean;
}

/** What went out in one session. */
interface Sent {
  readonly numbers: number[];
  /** The gateway was known to have all up to this one then. */
  readonly arrived: { readonly number: number; readonly at: number }[];
}

/** A device that sends numbered messages and keeps what it gets, in one session after another. */
export class TestDevice {
  readonly id: string;
  readonly client: USMPClient;
  /** Texts in the order in which they came. */
  readonly received: string[] = [];
  /** Sent to the gateway of now, by session. */
  readonly #sent = new Map<USMPSession, Sent>();
  #number = 0;

  constructor(id: string, psk: string, url: string) {
    this.id = id;
    this.client = new USMPClient({
      url,
      psk,
      deviceId: id,
      handshakeTimeout: 2_000,
      reconnect: { base: 20, cap: 200, stableAfter: 100 },
      // A gateway that was killed says nothing over UDP: the next one, or this, tells.
      keepaliveInterval: 150,
      keepaliveTimeout: 150,
      keepaliveMisses: 1,
    });
    this.client.on('connect', (session) => {
      this.#sent.set(session, { numbers: [], arrived: [] });
      void this.#listen(session);
    });
  }

  async work(scene: Scene, random: SeededRandom): Promise<void> {
    void this.client.connect().catch(() => {});
    let pingedAt = performance.now();
    while (!scene.over) {
      const { session } = this.client;
      if (session !== undefined) {
        this.#send(session);
        if (performance.now() - pingedAt > PING_EVERY && session.transport !== 'udp') {
          pingedAt = performance.now();
          this.#ping(session);
        }
      }
      await delay(random.integer(1, PACE));
    }
  }

  /**
   * The gateway of now has been killed.
   *
   * @param stored what it had by then it must have stored
   * @returns the numbers of those messages
   */
  bury(stored: number): number[] {
    const kept: number[] = [];
    for (const { numbers, arrived } of this.#sent.values()) {
      const last = Math.max(0, ...arrived.filter(({ at }) => at <= stored).map(({ number }) => number));
      kept.push(...numbers.filter((number) => number <= last));
    }
    this.#sent.clear();
    return kept;
  }

  /** Over UDP each message is acknowledged; elsewhere a PONG tells of all before it. */
  #send(session: USMPSession): void {
    const number = ++this.#number;
    this.#sent.get(session)?.numbers.push(number);
    const isUDP = session.transport === 'udp';
    session.send(upText(number), { acknowledged: isUDP }).then(
      () => isUDP && this.#note(number, session),
      () => {},
    );
  }

  #ping(session: USMPSession): void {
    const number = this.#number;
    session.ping().then(
      () => this.#note(number, session),
      () => {},
    );
  }

  #note(number: number, session: USMPSession): void {
    this.#sent.get(session)?.arrived.push({ number, at: performance.now() });
  }

  async #listen(session: USMPSession): Promise<void> {
    try {
      for await (const message of session) this.received.push(Buffer.from(message).toString());
    } catch {
      // How the session ended: what came before has been taken.
    }
  }
}

export const upText = (number: number) => `up ${number}`;

/** Sends numbered messages to one device, one after the other, and repeats those without an answer. */
export class Caller {
  readonly deviceId: string;
  readonly redeliver: boolean;
  readonly acknowledged: Acknowledged[] = [];
  /** Texts whose request was given up: they may exist, once. */
  readonly givenUp: string[] = [];
  #number = 0;

  constructor(deviceId: string, redeliver: boolean) {
    this.deviceId = deviceId;
    this.redeliver = redeliver;
  }

  async work(scene: Scene, random: SeededRandom): Promise<void> {
    while (!scene.over) {
      if (!scene.quiet) await this.#submit(scene, random.next() < 0.5);
      await delay(random.integer(1, PACE));
    }
  }

  async #submit(scene: Scene, persistent: boolean): Promise<void> {
    const text = `down ${++this.#number}`;
    const body = { text, redeliver: this.redeliver };
    do {
      try {
        const { status, body: answer } = await scene.gateway.call(
          'POST',
          `/api/v1/devices/${this.deviceId}/messages`,
          body,
          { key: `key-${this.#number}` },
        );
        if (status !== 202) throw new Error(`${status} ${JSON.stringify(answer)}`, { cause: 'answered' });
        this.acknowledged.push({ text, id: answer.message.id });
        return;
      } catch (error) {
        if ((error as Error).cause === 'answered') throw error;
        await delay(20);
      }
    } while (persistent);
    this.givenUp.push(text);
  }
}

/** Adds devices and rotates their keys, each once. */
export class Registrar {
  /** Keys that were shown, the old one first. */
  readonly keys = new Map<string, string[]>();
  #number = 0;

  async work(scene: Scene, random: SeededRandom): Promise<void> {
    while (!scene.over) {
      const id = `02:0a:00:00:${(++this.#number).toString(16).padStart(4, '0').replace(/..$/, ':$&')}`;
      // Each of them is tried in the end.
      await delay(random.integer(50, 250));
      if (scene.quiet) continue;
      const added = await this.#attempt(scene, '/api/v1/devices', { id });
      if (added !== undefined) {
        this.keys.set(id, [added]);
        const rotated =
          random.next() < 0.6 && (await this.#attempt(scene, `/api/v1/devices/${id}/rotate`, {}));
        if (rotated) this.keys.get(id)!.push(rotated);
      }
    }
  }

  async #attempt(scene: Scene, path: string, body: object): Promise<string | undefined> {
    try {
      const answer = await scene.gateway.call('POST', path, body);
      return answer.status < 300 ? answer.body.key : undefined;
    } catch {
      return undefined;
    }
  }
}

/** Reads the event stream across all ends, and resumes where it was. */
export class StreamReader {
  /** Messages by id, as they were told. */
  readonly messages = new Map<number, { readonly device: string; readonly text: string }>();
  /** What is wrong with the order of what was told. */
  readonly faults: string[] = [];
  #lastId = 0;

  async work(scene: Scene): Promise<void> {
    while (!scene.over) {
      let rest = '';
      await scene.gateway.stream(this.#lastId, (piece) => {
        const blocks = (rest + piece).split('\n\n');
        rest = blocks.pop()!;
        for (const block of blocks) this.#take(block);
      });
      await delay(20);
    }
  }

  #take(block: string): void {
    const data = /^data: (.*)$/m.exec(block)?.[1];
    if (data === undefined) return;
    if (!/^id: /m.test(block)) {
      this.faults.push(`after ${this.#lastId}: ${block}`);
      return;
    }
    const event = JSON.parse(data);
    if (event.id <= this.#lastId) this.faults.push(`${event.id} after ${this.#lastId}`);
    this.#lastId = event.id;
    if (event.type === 'message')
      this.messages.set(event.id, { device: event.device, text: event.data.text });
  }
}

/**
 * Finds out what the gateway must have stored. A message that it had 50 ms before a request of ours came is due, and the
 * loop of its events has gone round once more when it answers the request behind that: however slow the machine is.
 */
export class Heartbeat {
  #before = Number.NEGATIVE_INFINITY;
  /** What had arrived by then is stored. Of `performance.now()`. */
  stored = Number.NEGATIVE_INFINITY;

  async work(scene: Scene): Promise<void> {
    while (!scene.over) {
      const at = performance.now();
      try {
        await scene.gateway.call('GET', '/healthz');
        this.stored = this.#before - COMMITTED_WITHIN;
        this.#before = at;
      } catch {
        this.#before = Number.NEGATIVE_INFINITY;
      }
      await delay(10);
    }
  }

  /** What a kill at this moment must leave. The next gateway is another one. */
  take(): number {
    const { stored } = this;
    this.#before = this.stored = Number.NEGATIVE_INFINITY;
    return stored;
  }
}

const COMMITTED_WITHIN = 50;
