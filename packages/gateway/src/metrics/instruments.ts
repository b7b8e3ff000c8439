/**
 * Names, help and units of all metrics.
 *
 * @module
 */

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const PREFIX = 'usmp_gateway_';

/** Handshakes take one to a few round trips; a device on a bad line takes seconds. */
const HANDSHAKE_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const ROUND_TRIP_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const HTTP_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export type Instruments = ReturnType<typeof makeInstruments>;

/** Makes them all, registered in `registry`. */
export function makeInstruments(registry: Registry) {
  return { ...makeFleet(registry), ...makeQueues(registry), ...makeHttp(registry), ...makeProcess(registry) };
}

function makeFleet(registry: Registry) {
  const { gauge, counter, histogram } = makers(registry);
  return {
    devices: gauge('devices', 'Registered devices'),
    sessions: gauge('sessions', 'Open sessions'),
    halfOpen: gauge('half_open_handshakes', 'Handshakes under way'),
    handshakes: counter('handshakes_total', 'Handshakes: accepted, or the reason of the refusal', [
      'outcome',
    ]),
    handshakeDuration: histogram(
      'handshake_duration_seconds',
      'Time of handshakes that became sessions',
      HANDSHAKE_BUCKETS,
    ),
    roundTrip: histogram('round_trip_seconds', 'Measured round trips to devices', ROUND_TRIP_BUCKETS),
    messages: counter('messages_total', 'Messages: in from devices, out to devices', ['direction']),
    messageBytes: counter('message_bytes_total', 'Bytes of messages, without framing', ['direction']),
    messageStates: counter('message_states_total', 'Messages to devices that came into a state', ['state']),
    messagesLost: counter('messages_lost_total', 'Messages that devices gave up (UDP)'),
    retransmissions: counter('retransmissions_total', 'Frames transmitted again (UDP)'),
    datagramsDropped: counter('datagrams_dropped_total', 'Datagrams that were not acceptable (UDP)'),
  };
}

function makeQueues(registry: Registry) {
  const { gauge, counter } = makers(registry);
  return {
    outbox: gauge('outbox_messages', 'Messages that wait for their device'),
    commitQueue: gauge('commit_queue_writes', 'Writes that wait for their transaction'),
    eventsDropped: counter('events_dropped_total', 'Events that were given up while the storage failed'),
    receiveQueue: gauge('receive_queue_bytes', 'Bytes received from devices and not yet read'),
    storageOk: gauge('storage_ok', '1 while the storage takes writes'),
    storageBytes: gauge('storage_bytes', 'Bytes in use in the database'),
  };
}

function makeHttp(registry: Registry) {
  const { gauge, counter, histogram } = makers(registry);
  return {
    httpRequests: counter('http_requests_total', 'Answered requests, by template of the route', [
      'route',
      'method',
      'status',
    ]),
    httpDuration: histogram('http_request_duration_seconds', 'Time to the end of the answer', HTTP_BUCKETS, [
      'route',
      'method',
    ]),
    eventStreams: gauge('event_streams', 'Open event streams'),
  };
}

function makeProcess(registry: Registry) {
  const { gauge, counter } = makers(registry);
  return {
    info: gauge('info', 'The release that runs', ['version']),
    startTime: gauge('process_start_time_seconds', 'When the process began, since 1970'),
    memory: gauge('process_resident_memory_bytes', 'Resident memory of the process'),
    heap: gauge('process_heap_used_bytes', 'Bytes in use on the heap of JavaScript'),
    cpu: counter('process_cpu_seconds_total', 'CPU time of the process', ['mode']),
    eventLoopDelay: gauge(
      'event_loop_delay_seconds',
      'How late the event loop was since the last scrape; quantile 1 is the longest',
      ['quantile'],
    ),
  };
}

function makers(registry: Registry) {
  const common = (name: string, help: string, labelNames: readonly string[]) => ({
    name: PREFIX + name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
  });
  return {
    gauge: (name: string, help: string, labels: readonly string[] = []) =>
      new Gauge<string>(common(name, help, labels)),
    counter: (name: string, help: string, labels: readonly string[] = []) =>
      new Counter<string>(common(name, help, labels)),
    histogram: (name: string, help: string, buckets: number[], labels: readonly string[] = []) =>
      new Histogram<string>({ ...common(name, help, labels), buckets }),
  };
}
