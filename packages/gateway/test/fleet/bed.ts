/**
 * Fleet, messages and events of a gateway in a folder of its own, with devices in the same process.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { USMPClient, type USMPSession } from 'usmp';
import { AgeClock } from '#dist/age-clock.js';
import { GatewayError } from '#dist/errors.js';
import { EventLog } from '#dist/events/event-log.js';
import { Fleet } from '#dist/fleet/fleet.js';
import { History } from '#dist/messages/history.js';
import { Outbox } from '#dist/messages/outbox.js';
import type { EventType, GatewayEvent, Message } from '#dist/model.js';
import { Devices } from '#dist/registry/devices.js';
import { KeyVault } from '#dist/registry/key-vault.js';
import { MasterKey } from '#dist/registry/master-key.js';
import { RefusedList } from '#dist/registry/refused.js';
import { CommitQueue } from '#dist/storage/commit-queue.js';
import { Storage } from '#dist/storage/storage.js';

export const KEY = 'a key of thirty-two characters!!';
export const LAMP = '02:00:00:00:00:01';
export const PUMP = '02:00:00:00:00:02';

const DEADLINE = 5_000;
let names = 0;

export interface BedConfig {
  readonly listen?: string;
  readonly maxMessages?: number;
  readonly expiry?: number;
  readonly redeliver?: boolean;
  readonly historyEnabled?: boolean;
}

/** A folder that is removed after the test. */
export function temporaryFolder(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'usmp-gateway-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A gateway that has started; LAMP and PUMP are registered. Stopped after the test. */
export async function startGateway(
  test: TestContext,
  config: BedConfig = {},
  folder = temporaryFolder(test),
): Promise<Bed> {
  const bed = new Bed(folder, config);
  test.after(() => bed.stop());
  await bed.fleet.listen();
  return bed;
}

const logger = { debug() {}, info() {}, warn() {}, error() {} };

export class Bed {
  readonly folder: string;
  readonly storage: Storage;
  readonly queue: CommitQueue;
  readonly events: EventLog;
  readonly history: History;
  readonly outbox: Outbox;
  readonly devices: Devices;
  readonly refused: RefusedList;
  readonly fleet: Fleet;
  /** Everything that was published. */
  readonly published: GatewayEvent[] = [];
  readonly listenerErrors: unknown[] = [];
  readonly roundTrips: number[] = [];
  readonly clock: AgeClock;
  /** What the clock has told. */
  readonly clockLog: string[] = [];
  /** Added to the wall clock of all parts: set, and not passed. Milliseconds. */
  clockOffset = 0;
  /** Added to all clocks: time that has passed. Milliseconds. */
  passed = 0;
  /** Whether the disk is full. */
  full = false;
  #running = true;
  readonly #clients: USMPClient[] = [];

  constructor(folder: string, config: BedConfig) {
    const { maxMessages = 100, expiry = 60_000, redeliver = false, historyEnabled = true } = config;
    const now = () => Date.now() + this.passed + this.clockOffset;
    const steady = () => performance.now() + this.passed;
    const tell = (message: string) => void this.clockLog.push(message);
    this.clock = new AgeClock({
      logger: { info: tell, warn: tell },
      believe: (jump, done) => this.outbox.postpone(jump, done),
      ...{ wall: now, awake: steady, sinceBoot: steady },
    });
    this.folder = folder;
    this.storage = Storage.open(folder);
    this.storage.join({
      beforeCommit: () => {
        if (this.full) throw new GatewayError('storage_full', 'the disk is full');
      },
      committed() {},
      rolledBack() {},
    });
    this.queue = new CommitQueue(this.storage, { storageFailed() {}, storageRecovered() {} });
    this.events = new EventLog(this.queue, this.storage, now, (error) => this.listenerErrors.push(error));
    this.history = new History(this.storage);
    const vault = new KeyVault(new MasterKey(Buffer.alloc(32, 7), 'environment'));
    this.devices = new Devices(this.storage, vault, this.clock.now);
    this.refused = new RefusedList(this.storage, 100);
    if (this.devices.count() === 0)
      for (const id of [LAMP, PUMP]) this.devices.add({ id, key: Buffer.from(KEY) });
    const settings = () => ({ maxMessages, expiry, redeliver });
    const { storage, queue, history, events, devices, refused } = this;
    this.outbox = new Outbox({ storage, queue, history, events, settings, now, ageNow: this.clock.now });
    const sessions = { max: 100, maxPerAddress: undefined, idleTimeout: 60_000, handshakeTimeout: undefined };
    this.fleet = new Fleet({
      config: () => ({
        listen: [config.listen ?? `memory:gateway-${++names}`],
        sessions,
        history: { enabled: historyEnabled },
      }),
      ...{ devices, refused, outbox: this.outbox, history, events, queue, logger, now },
      observer: { roundTrip: (milliseconds) => this.roundTrips.push(milliseconds) },
    });
    this.events.subscribe((event) => this.published.push(event));
  }

  get url(): string {
    return this.fleet.urls[0]!;
  }

  /** A device that comes online. */
  async connect(deviceId = LAMP, options: { url?: string; psk?: string } = {}): Promise<USMPSession> {
    const client = new USMPClient({ url: this.url, psk: KEY, deviceId, ...options });
    this.#clients.push(client);
    const session = await client.connect();
    await until(() => this.fleet.isOnline(deviceId));
    return session;
  }

  submit(
    text: string,
    options: Partial<Parameters<Outbox['submit']>[2]> = {},
    deviceId = LAMP,
  ): Promise<Message> {
    return this.outbox.submit(deviceId, Buffer.from(text), { format: 'text', ...options });
  }

  /** Lets time pass for all clocks, and the clocks be looked at. */
  pass(milliseconds: number): void {
    this.passed += milliseconds;
    this.clock.look();
    this.outbox.expireDue();
    this.settle();
  }

  /** Stores what waits, and what that brings about. */
  settle(): void {
    while (this.queue.length > 0) this.queue.flush();
  }

  stateOf({ id }: Message): string | undefined {
    return this.history.get(id)?.state;
  }

  /** What was published, by type. */
  of(type: EventType): readonly GatewayEvent[] {
    return this.published.filter((event) => event.type === type);
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    this.full = false;
    await this.fleet.close(1_000);
    this.#close();
    for (const client of this.#clients) await client.disconnect();
  }

  /** As SIGKILL leaves it: what is stored is stored, nothing else happens. The sessions are cut off. */
  async crash(): Promise<void> {
    // Nothing of what closing brings about gets into the database.
    this.full = true;
    await this.fleet.close(0);
    this.#close();
  }

  #close(): void {
    this.#running = false;
    this.outbox.close();
    this.refused.close();
    this.queue.close();
    this.storage.close();
  }
}

/** Waits for something to become true. */
export async function until(condition: () => unknown, what = 'what was waited for'): Promise<void> {
  const deadline = performance.now() + DEADLINE;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`${what} did not happen: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The next messages of a session, as text. */
export async function take(session: USMPSession, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) texts.push(Buffer.from(await session.recv({ timeout: DEADLINE })).toString());
  return texts;
}

/** A TCP line that can go dead: bytes are taken and go nowhere, and nobody hangs up. */
export class DeadableLine {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  dead = false;

  private constructor(target: number) {
    this.#server = net.createServer((near) => {
      const far = net.connect(target, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => {});
        from.on('data', (bytes) => {
          if (!this.dead) to.write(bytes);
        });
        from.on('close', () => {
          if (!this.dead) to.destroy();
        });
      }
    });
  }

  static async to(test: TestContext, url: string): Promise<DeadableLine> {
    const line = new DeadableLine(Number(new URL(url).port));
    await new Promise<void>((resolve) => line.#server.listen(0, '127.0.0.1', resolve));
    test.after(() => {
      line.cut();
      line.#server.close();
    });
    return line;
  }

  get url(): string {
    return `tcp://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
