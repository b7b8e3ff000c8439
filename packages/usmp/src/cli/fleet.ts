/**
 * A fleet of simulated devices: they connect one after the other, send at a steady rate, and check what comes back.
 *
 * @module
 */

import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { type Key, USMPError, type USMPSession } from '../index.js';
import { EchoCheck, EchoTally } from './echo-check.js';
import { fleetDeviceId, hasOwnAddresses, loopbackAddress } from './fleet-address.js';
import { Histogram } from './percentiles.js';
import { TestMessages } from './probe-message.js';
import { SendSchedule } from './send-schedule.js';
import { type Retransmissions, sumOfRetransmissions } from './session-stats.js';
import { type DeviceOwner, SimulatedDevice } from './simulated-device.js';

/** What a fleet is to do. */
export interface FleetPlan {
  readonly url: string;
  readonly psk: Key;
  readonly devices: number;
  /** Messages a second of each device; 0 for none. */
  readonly rate: number;
  /** Bytes of a message. */
  readonly size: number;
  /** Seconds of sending; Infinity for no end. */
  readonly duration: number;
  /** Milliseconds until an echo counts as lost. */
  readonly timeout: number;
  /** Handshakes begun a second; undefined for what suits the server's address. */
  readonly connectRate: number | undefined;
  /** What tells the device ids of this fleet from those of another. */
  readonly seed: number;
  /** Whether devices connect again when their session ends. */
  readonly reconnect: boolean;
}

/** Who is told as it happens. */
export interface FleetObserver {
  connected(session: USMPSession): void;
  failed(deviceId: string, error: USMPError): void;
  /** A session is over, early or at the end of the run. */
  disconnected(session: USMPSession, error: USMPError): void;
}

/** Handshakes under way at once: a fourth of what a server allows one address. */
const MAX_UNDER_WAY = 64;

/** Handshakes begun a second: what servers allow one address over UDP is 128. */
const CONNECT_RATE = 100;

/** The same where each device has its own address: enough to keep a server busy, and to let it serve the others. */
const LOOPBACK_CONNECT_RATE = 1_000;

/** After so many failures without any success the rest of the devices would only fail the same way. */
const HOPELESS = MAX_UNDER_WAY;

/** Devices that are due within this time share one wake-up. Milliseconds. */
const TICK = 5;

/** For how long one wake-up may send before the echoes get their turn. Milliseconds. */
const MAX_SENDING = 50;

/** A fleet of which no device has had a session for this long is given up: twice the longest wait of a client. Milliseconds. */
const ALL_AWAY = 120_000;

/** How long devices that are away in the end are waited for: a little longer than their longest wait. Milliseconds. */
const LAST_RETURN = 65_000;

/** Ends of sessions that a network or the restart of a server brings; any other is a mistake of somebody. */
const INTERRUPTIONS: ReadonlySet<string> = new Set([
  'bye',
  'connection_lost',
  'idle_timeout',
  'not_acknowledged',
]);

const REFUSALS: ReadonlySet<string> = new Set([
  'refused',
  'rogue_server',
  'turned_away',
  'handshake_timeout',
]);

/** The longest sleep, so that the end of all sessions is noticed. Milliseconds. */
const MAX_SLEEP = 250;

/** Sessions that are closed one behind the other, and the pause before the next ones, in milliseconds. */
const CLOSED_AT_ONCE = 50;
const CLOSING_PAUSE = 25;

/** The fleet, and all that is counted of it. */
export class Fleet implements DeviceOwner {
  readonly plan: FleetPlan;
  readonly messages = new EchoTally();
  readonly handshakes = new Histogram();
  /** How many errors ended a handshake or a session, by code. */
  readonly errors = new Map<string, number>();
  /** How long devices were away between two sessions, in milliseconds. */
  readonly absences = new Histogram();
  /** Why a device could not connect: the first, or one that this process had no file descriptor for. */
  failure: USMPError | undefined;
  /** Why the first session that ended early did so; a mistake of somebody before anything else. */
  end: USMPError | undefined;
  /** Devices that have had a session. */
  connected = 0;
  /** Devices with an open session, until the end of the run. */
  open = 0;
  /** Devices that have never had a session, and whose first attempt failed. */
  failed = 0;
  endedEarly = 0;
  /** Those of `endedEarly` that neither the network nor a restart explains. */
  endedBadly = 0;
  /** Attempts of devices that were away which the server has refused. */
  refused = 0;
  /** Why the last attempt of such a device failed. */
  lastFailure: USMPError | undefined;
  /** Seconds of sending so far. */
  seconds = 0;
  readonly #observer: FleetObserver;
  readonly #devices: SimulatedDevice[] = [];
  readonly #failedDevices = new Set<SimulatedDevice>();
  #ownAddresses = false;
  #leaving = false;
  #allAwaySince: number | undefined;
  #onAllJudged: (() => void) | undefined;

  private constructor(plan: FleetPlan, observer: FleetObserver) {
    this.plan = plan;
    this.#observer = observer;
  }

  /** @throws {ArgumentError} the URL or the key cannot be used */
  static async of(plan: FleetPlan, observer: FleetObserver): Promise<Fleet> {
    const fleet = new Fleet(plan, observer);
    fleet.#ownAddresses = await hasOwnAddresses(plan.url);
    const messages = new TestMessages(plan.size);
    for (let index = 0; index < plan.devices; index++) {
      const deviceId = fleetDeviceId(plan.seed, index);
      const localAddress = fleet.#ownAddresses ? { localAddress: loopbackAddress(index) } : {};
      const check = new EchoCheck(deviceId, messages, fleet.messages, plan.timeout);
      fleet.#devices.push(
        new SimulatedDevice(
          { url: plan.url, psk: plan.psk, deviceId, ...localAddress },
          check,
          fleet,
          plan.reconnect,
        ),
      );
    }
    return fleet;
  }

  /** Devices that had a session and have none now. */
  get away(): number {
    return this.connected - this.open;
  }

  /** Frames sent over UDP; undefined over streams, where the system takes care of losses. */
  get retransmissions(): Retransmissions | undefined {
    return this.#devices.map((device) => device.retransmissions).reduce(sumOfRetransmissions, undefined);
  }

  /** Connects, sends, waits for the last echoes and says BYE. When `stop` is aborted it ends early. */
  async run(stop: AbortSignal): Promise<void> {
    // Each device that has not had a session listens to it, and so does whoever waits here.
    setMaxListeners(this.plan.devices + 10, stop);
    await this.#connectAll(stop);
    if (!stop.aborted && this.connected > 0) await this.#sendAll(stop);
    // Where no session has ended early, devices that are missing are not missing because of a restart.
    if (!stop.aborted && this.plan.reconnect && this.endedEarly > 0) await this.#awaitReturn(stop);
    await this.#awaitEchoes();
    await this.#closeAll();
  }

  /** Counts as lost what has been under way for too long. */
  giveUpLate(): void {
    for (const device of this.#devices) device.giveUpLate();
  }

  /** For the devices alone. */
  handleSession(device: SimulatedDevice, session: USMPSession, away: number | undefined): void {
    this.open++;
    this.#allAwaySince = undefined;
    if (away === undefined) this.connected++;
    else this.absences.record(away);
    if (this.#failedDevices.delete(device)) this.failed--;
    this.#observer.connected(session);
  }

  /** For the devices alone. */
  handleEnd(session: USMPSession, error: USMPError): void {
    this.#observer.disconnected(session, error);
    if (this.#leaving) return;
    this.open--;
    if (this.open === 0) this.#allAwaySince = performance.now();
    this.endedEarly++;
    const isBad = !INTERRUPTIONS.has(error.code);
    if (this.end === undefined || (isBad && this.endedBadly === 0)) this.end = error;
    if (isBad) this.endedBadly++;
    this.#count(error);
  }

  /** For the devices alone. */
  handleRetry(error: USMPError): void {
    this.#count(error);
    this.lastFailure = error;
    if (isRefusal(error)) this.refused++;
  }

  /** For the devices alone. */
  handleJudged(): void {
    if (this.messages.outstanding === 0) this.#onAllJudged?.();
  }

  /** Starts the handshakes, a few at a time, and waits for the last of them. */
  async #connectAll(stop: AbortSignal): Promise<void> {
    const { connectRate = this.#ownAddresses ? LOOPBACK_CONNECT_RATE : CONNECT_RATE } = this.plan;
    const underWay = new Set<Promise<void>>();
    let nextAt = performance.now();
    for (const device of this.#devices) {
      while (underWay.size >= MAX_UNDER_WAY) await Promise.race(underWay);
      await pause(nextAt - performance.now(), stop);
      if (stop.aborted || (this.connected === 0 && this.failed >= HOPELESS)) break;
      // From now, not from the planned time: a hold-up is not made good by a burst.
      nextAt = Math.max(nextAt, performance.now() - TICK) + 1_000 / connectRate;
      const attempt = this.#connect(device, stop).finally(() => underWay.delete(attempt));
      underWay.add(attempt);
    }
    await Promise.all(underWay);
  }

  async #connect(device: SimulatedDevice, stop: AbortSignal): Promise<void> {
    const began = performance.now();
    try {
      await device.connect(stop);
      this.handshakes.record(performance.now() - began);
    } catch (error) {
      if (stop.aborted) return;
      if (!(error instanceof USMPError)) throw error;
      this.failed++;
      this.#failedDevices.add(device);
      if (this.failure === undefined || isLackOfDescriptors(error)) this.failure = error;
      this.#count(error);
      this.#observer.failed(device.deviceId, error);
    }
  }

  /** Lets all devices send by one timer, until the time is over, `stop` is aborted, or nobody is left. */
  #sendAll(stop: AbortSignal): Promise<void> {
    const { devices, rate, duration } = this.plan;
    const schedule = new SendSchedule(devices, rate, duration);
    const began = performance.now();
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout;
      const tick = () => {
        clearTimeout(timer);
        const elapsed = performance.now() - began;
        this.seconds = elapsed / 1_000;
        if (!stop.aborted) this.#sendDue(schedule, elapsed);
        if (!stop.aborted && !schedule.isOver(elapsed) && this.#hasHope()) {
          timer = setTimeout(tick, Math.min(Math.max(TICK, schedule.nextAt - elapsed), MAX_SLEEP));
          return;
        }
        stop.removeEventListener('abort', tick);
        resolve();
      };
      stop.addEventListener('abort', tick);
      tick();
    });
  }

  #sendDue(schedule: SendSchedule, elapsed: number): void {
    const { from, to, missed } = schedule.take(elapsed);
    this.#skip(missed);
    const devices = this.#devices;
    const until = performance.now() + MAX_SENDING;
    for (let turn = from; turn < to; turn++) {
      const device = devices[turn % devices.length];
      if (device.isConnected) device.send();
      if (performance.now() < until) continue;
      if (schedule.isOver(elapsed)) this.#skip(to - turn - 1);
      else schedule.giveBack(turn + 1);
      return;
    }
  }

  /** Nobody took these turns; those of devices without a session would have sent nothing. */
  #skip(turns: number): void {
    this.messages.skipped += Math.round((turns * this.open) / this.plan.devices);
  }

  /** Whether a device is connected, or may be again. */
  #hasHope(): boolean {
    if (this.#allAwaySince === undefined) return this.open > 0;
    return this.plan.reconnect && performance.now() - this.#allAwaySince < ALL_AWAY;
  }

  /** Waits for devices that are away because of the network or a restart. */
  async #awaitReturn(stop: AbortSignal): Promise<void> {
    const isExpected = ({ isConnected, lastFailure: failure }: SimulatedDevice) =>
      !isConnected && (failure === undefined || !(isRefusal(failure) || isLackOfDescriptors(failure)));
    const until = performance.now() + LAST_RETURN;
    while (this.#hasHope() && this.#devices.some(isExpected) && performance.now() < until) {
      await pause(MAX_SLEEP, stop);
      if (stop.aborted) return;
    }
  }

  async #awaitEchoes(): Promise<void> {
    const late = new AbortController();
    this.#onAllJudged = () => late.abort();
    this.handleJudged();
    await pause(this.plan.timeout, late.signal);
    for (const device of this.#devices) device.giveUpAll();
  }

  /** All BYEs at once would be a load of their own, and over UDP frames that are repeated for nothing. */
  async #closeAll(): Promise<void> {
    this.#leaving = true;
    const closing: Promise<void>[] = [];
    for (const device of this.#devices) {
      const wasConnected = device.isConnected;
      closing.push(device.close());
      if (wasConnected && closing.length % CLOSED_AT_ONCE === 0) await delay(CLOSING_PAUSE);
    }
    await Promise.all(closing);
  }

  #count({ code }: USMPError): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }
}

/** Waits; not at all for a time that is over, and no longer when `signal` is aborted. Milliseconds. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds <= 0) return;
  await delay(milliseconds, undefined, { signal }).catch(() => {});
}

/** Attempts that came through to a server, which did not take them. */
function isRefusal({ code }: USMPError): boolean {
  return REFUSALS.has(code);
}

function isLackOfDescriptors({ cause }: USMPError): boolean {
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  return code === 'EMFILE' || code === 'ENFILE';
}
