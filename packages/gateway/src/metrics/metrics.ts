/**
 * What Prometheus reads: counted here as it happens, or read from the parts of the gateway when somebody asks.
 *
 * @module
 */

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { Registry } from 'prom-client';
import type { RefusalReason, USMPServerStats } from 'usmp';
import { makeInstruments } from './instruments.js';
import { SAMPLE_INTERVAL, type Sample, Samples } from './samples.js';

/** Where the values come from that are read when somebody asks. */
export interface MetricsSources {
  readonly server: () => USMPServerStats;
  /** Registered devices. */
  readonly devices: () => number;
  /** Messages that wait in the outboxes. */
  readonly outboxQueued: () => number;
  /** Writes that wait for their transaction. */
  readonly commitQueue: () => number;
  /** Events that were given up. */
  readonly eventsDropped: () => number;
  /** Bytes received from devices and not yet read. */
  readonly receiveQueueBytes: () => number;
  readonly storageOk: () => boolean;
  /** Mean round trip of the devices that are online. Milliseconds. */
  readonly roundTrip: () => number | undefined;
  readonly storageBytes: () => number;
}

/** So that a rate is 0 before the first of them, and not missing. */
const REFUSAL_REASONS: readonly RefusalReason[] = [
  'wrong-key',
  'unknown-device',
  'version-1',
  'timeout',
  'bad-frame',
  'busy',
  'revoked',
  'backoff',
];

const QUANTILES = [0.5, 0.9, 0.99, 1];

/** Resolution of the event-loop delay. Milliseconds. */
const DELAY_RESOLUTION = 10;

const NANOSECONDS = 1e9;
const MICROSECONDS = 1e6;

/**
 * The metrics of one gateway, in a registry of their own.
 *
 * @example
 * ```ts
 * const metrics = new Metrics('2.0.0');
 * metrics.watch(sources);
 * metrics.handshake(0.012);
 * console.log(await metrics.text());
 * ```
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #instruments = makeInstruments(this.#registry);
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION });
  #sources: MetricsSources | undefined;
  #samples: Samples | undefined;

  constructor(version: string) {
    this.#instruments.info.set({ version }, 1);
    this.#instruments.startTime.set(Date.now() / 1_000 - process.uptime());
    this.#delay.enable();
  }

  /** Content-Type of `text`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Says where the rest comes from. Until then it is 0. */
  watch(sources: MetricsSources): void {
    this.#sources = sources;
    this.#samples = new Samples(sources);
  }

  /** Between two samples. Milliseconds. */
  get sampleInterval(): number {
    return SAMPLE_INTERVAL;
  }

  /** The fleet in numbers over the last hour, those samples that are newer than `after`. */
  samples(after: number): readonly Sample[] {
    return this.#samples?.since(after) ?? [];
  }

  /** Mean round trip of the devices that are online, milliseconds; undefined: nothing was measured. */
  get fleetRoundTrip(): number | undefined {
    return this.#sources?.roundTrip();
  }

  /** A device has come in. Seconds from its first bytes. */
  handshake(seconds: number): void {
    this.#instruments.handshakeDuration.observe(seconds);
  }

  /** A round trip to a device was measured. */
  roundTrip(seconds: number): void {
    this.#instruments.roundTrip.observe(seconds);
  }

  /** A message to a device has a new state: `queued`, `sent`, `confirmed`, `expired`, `refused`. */
  messageState(state: string): void {
    this.#instruments.messageStates.inc({ state });
  }

  /** @param seconds undefined for event streams, whose length says nothing */
  httpRequest(route: string, method: string, status: number, seconds: number | undefined): void {
    this.#instruments.httpRequests.inc({ route, method, status: String(status) });
    if (seconds !== undefined) this.#instruments.httpDuration.observe({ route, method }, seconds);
  }

  eventStreams(open: number): void {
    this.#instruments.eventStreams.set(open);
  }

  /** Everything in the text format of Prometheus. */
  text(): Promise<string> {
    this.#readProcess();
    if (this.#sources !== undefined) this.#readSources(this.#sources);
    return this.#registry.metrics();
  }

  /** Names of all metrics. */
  get names(): readonly string[] {
    return this.#registry.getMetricsAsArray().map(({ name }) => name);
  }

  /** Ends the measurement of the event-loop delay. */
  close(): void {
    this.#delay.disable();
    this.#samples?.close();
  }

  #readProcess(): void {
    const { memory, heap, cpu, eventLoopDelay } = this.#instruments;
    const { rss, heapUsed } = process.memoryUsage();
    memory.set(rss);
    heap.set(heapUsed);
    const { user, system } = process.cpuUsage();
    setTotal(cpu, [
      [{ mode: 'user' }, user / MICROSECONDS],
      [{ mode: 'system' }, system / MICROSECONDS],
    ]);
    for (const quantile of QUANTILES) {
      // The histogram measures the time between two ticks.
      const between = this.#delay.count === 0 ? 0 : this.#delay.percentile(quantile * 100) / NANOSECONDS;
      eventLoopDelay.set({ quantile: String(quantile) }, Math.max(0, between - DELAY_RESOLUTION / 1_000));
    }
    this.#delay.reset();
  }

  #readSources(sources: MetricsSources): void {
    const { devices, outbox, commitQueue, eventsDropped, receiveQueue, storageOk, storageBytes } =
      this.#instruments;
    this.#readServer(sources.server());
    storageOk.set(sources.storageOk() ? 1 : 0);
    commitQueue.set(sources.commitQueue());
    setTotal(eventsDropped, [[{}, sources.eventsDropped()]]);
    receiveQueue.set(sources.receiveQueueBytes());
    // What the database cannot tell while it is out of order keeps its last value.
    readInto(devices, sources.devices);
    readInto(outbox, sources.outboxQueued);
    readInto(storageBytes, sources.storageBytes);
  }

  #readServer(stats: USMPServerStats): void {
    const instruments = this.#instruments;
    instruments.sessions.set(stats.sessions);
    instruments.halfOpen.set(stats.halfOpen);
    const refused: Readonly<Record<string, number>> = stats.refused;
    const reasons = new Set([...REFUSAL_REASONS, ...Object.keys(refused)]);
    setTotal(instruments.handshakes, [
      [{ outcome: 'accepted' }, stats.accepted],
      ...[...reasons].map((outcome): Labelled => [{ outcome }, refused[outcome] ?? 0]),
    ]);
    setTotal(instruments.messages, [
      [{ direction: 'in' }, stats.messagesReceived],
      [{ direction: 'out' }, stats.messagesSent],
    ]);
    setTotal(instruments.messageBytes, [
      [{ direction: 'in' }, stats.bytesReceived],
      [{ direction: 'out' }, stats.bytesSent],
    ]);
    setTotal(instruments.retransmissions, [[{}, stats.framesRetransmitted]]);
    setTotal(instruments.datagramsDropped, [[{}, stats.datagramsDropped]]);
    setTotal(instruments.messagesLost, [[{}, stats.messagesLost]]);
  }
}

type Labelled = [labels: Record<string, string>, total: number];

interface Total {
  reset(): void;
  inc(labels: Record<string, string>, value: number): void;
}

/** Sets a counter to what another has counted. */
function setTotal(counter: Total, totals: readonly Labelled[]): void {
  counter.reset();
  for (const [labels, total] of totals) counter.inc(labels, total);
}

function readInto(gauge: { set(value: number): void }, read: () => number): void {
  try {
    gauge.set(read());
  } catch {
    // `usmp_gateway_storage_ok` tells.
  }
}
