/**
 * All options: the one place that says what there is, what it means, what it may be, and what it is by default. Names of
 * flags and of the environment, the template, the documentation and the checks are derived from it.
 *
 * @module
 */

import { z } from 'zod';
import { type Endpoint, formatEndpoint, isLoopback } from './endpoint.js';
import { boolean, choice, count, duration, endpoint, httpURL, listenURLs, path, size } from './kinds.js';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export const LOG_FORMATS = ['auto', 'pretty', 'json'] as const;
export const SYNC_MODES = ['acknowledged', 'always'] as const;

const http = z.strictObject({
  listen: endpoint({
    default: '127.0.0.1:8080',
    description: 'Address and port of the HTTP API and the dashboard; port 0 for any free one',
  }),
  url: httpURL({
    default: '',
    live: true,
    description: 'Address that browsers and programs reach it at, such as that of a proxy; for links',
  }),
  tls_cert: path({
    default: '',
    optional: true,
    description:
      'PEM file of the certificate and those between it and the root; makes it HTTPS, with tls_key',
  }),
  tls_key: path({ default: '', optional: true, description: 'PEM file of the private key of tls_cert' }),
  danger_plain: boolean({
    default: false,
    description:
      'Allows HTTP without TLS on addresses that other machines reach: tokens, messages and new keys can be read on the way',
  }),
  rate_limit: count({
    default: 1_200,
    min: 10,
    max: 10_000_000,
    live: true,
    description: 'Requests a minute from one address; more are answered with 429',
  }),
  body_limit: size({
    default: '16MiB',
    min: '4KiB',
    max: '1GiB',
    description:
      'Largest body of a request, such as a CSV file of devices; larger ones are answered with 413',
  }),
  trust_proxy: boolean({
    default: false,
    description: 'Takes the address of a caller from X-Forwarded-For: only behind a proxy that sets it',
  }),
});

const log = z.strictObject({
  level: choice({
    default: 'info',
    choices: LOG_LEVELS,
    live: true,
    description: 'From which level on to log',
  }),
  format: choice({
    default: 'auto',
    choices: LOG_FORMATS,
    description: 'How to log: auto is pretty on a terminal and JSON elsewhere',
  }),
});

const sessions = z.strictObject({
  max: count({ default: 20_000, min: 1, max: 1_000_000, description: 'Sessions open at a time' }),
  max_per_address: count({
    default: 0,
    none: 0,
    min: 1,
    max: 1_000_000,
    description: 'Sessions open at a time from one IPv4 address or IPv6 /64',
  }),
  idle_timeout: duration({
    default: '1m',
    min: '1s',
    max: '7d',
    description: 'Ends a session that nothing was heard of for this long',
  }),
  handshake_timeout: duration({
    default: '',
    optional: true,
    min: '1s',
    max: '5m',
    description: 'For a whole handshake; "" is 10s, and 30s on serial lines',
  }),
});

const outbox = z.strictObject({
  max_messages: count({
    default: 100,
    min: 1,
    max: 100_000,
    live: true,
    description: 'Messages that may wait for one device; more are answered with 429',
  }),
  expiry: duration({
    default: '7d',
    min: '1s',
    max: '3650d',
    live: true,
    description: 'How long a message waits for its device, unless it says so itself',
  }),
  redeliver: boolean({
    default: false,
    live: true,
    description:
      'Sends a message again when its session ended before it was confirmed, so that it may arrive twice; unless it says so itself',
  }),
});

const history = z.strictObject({
  enabled: boolean({
    default: true,
    live: true,
    description: 'Keeps the messages that devices sent; without it they are events only',
  }),
  max_age: duration({
    default: '30d',
    min: '1m',
    max: '3650d',
    live: true,
    description: 'Messages older than this are removed',
  }),
  max_messages: count({
    default: 1_000_000,
    min: 100,
    max: 1_000_000_000,
    live: true,
    description: 'Messages kept; the oldest are removed first',
  }),
  max_bytes: size({
    default: '1GB',
    min: '1MB',
    max: '10TB',
    live: true,
    description: 'Room for messages; the oldest are removed first',
  }),
});

const events = z.strictObject({
  max_age: duration({
    default: '7d',
    min: '1m',
    max: '3650d',
    live: true,
    description: 'Events older than this are removed; a stream cannot resume before them',
  }),
  max_events: count({
    default: 100_000,
    min: 100,
    max: 100_000_000,
    live: true,
    description: 'Events kept; the oldest are removed first',
  }),
});

/** Values as the file names them; what they are read to is what the helpers of kinds.ts say. */
export const configSchema = z
  .strictObject({
    data: path({
      default: './usmp-gateway-data',
      description:
        'Folder of the database and of the master key; made at the first start, for its owner alone',
    }),
    listen: listenURLs({
      default: ['tcp://0.0.0.0:9000', 'udp://0.0.0.0:9000'],
      description: 'Where devices connect: tcp, udp, ws, serial, serial+tcp and unix URLs, see transports.md',
    }),
    http: http.prefault({}),
    log: log.prefault({}),
    sessions: sessions.prefault({}),
    outbox: outbox.prefault({}),
    history: history.prefault({}),
    events: events.prefault({}),
    refused: z
      .strictObject({
        keep: count({
          default: 1_000,
          min: 10,
          max: 100_000,
          live: true,
          description: 'Entries in the list of refused devices; the oldest are removed first',
        }),
      })
      .prefault({}),
    storage: z
      .strictObject({
        sync: choice({
          default: 'acknowledged',
          choices: SYNC_MODES,
          description:
            'What survives a power cut: what an answer of the API has promised, or always everything that was written',
        }),
      })
      .prefault({}),
    shutdown: z
      .strictObject({
        // `docker stop` kills after 10 s.
        deadline: duration({
          default: '8s',
          min: '1s',
          max: '10m',
          live: true,
          description: 'Time to end in good order after SIGTERM',
        }),
      })
      .prefault({}),
  })
  .check(
    rule(['http', 'tls_cert'], ({ tls_cert, tls_key }) =>
      isSet(tls_cert) && tls_key === undefined
        ? 'is given without http.tls_key: give the file of the private key, too'
        : undefined,
    ),
    rule(['http', 'tls_key'], ({ tls_cert, tls_key }) =>
      isSet(tls_key) && tls_cert === undefined
        ? 'is given without http.tls_cert: give the file of the certificate, too'
        : undefined,
    ),
    rule(['http', 'listen'], ({ listen, tls_cert, tls_key, danger_plain }) => {
      if (danger_plain !== false || isSet(tls_cert) || isSet(tls_key)) return undefined;
      const { host } = (listen ?? {}) as Partial<Endpoint>;
      if (host === undefined || isLoopback(host)) return undefined;
      return `${JSON.stringify(formatEndpoint(listen as Endpoint))} can be reached by other machines, without TLS: give http.tls_cert and http.tls_key, or listen on 127.0.0.1 (behind a proxy that does TLS), or set http.danger_plain = true`;
    }),
  );

/** Values by name, as they were read. */
export type ConfigValues = z.output<typeof configSchema>;

/** A check of options of `http` against each other, done even where others are wrong, so that all is said at once. */
function rule(
  where: readonly ['http', keyof typeof http.shape],
  objection: (values: Readonly<Record<string, unknown>>) => string | undefined,
) {
  return z.check<{ http: z.output<typeof http> }>((payload) => {
    const message = objection(payload.value.http ?? {});
    if (message === undefined) return;
    payload.issues.push({ code: 'custom', message, input: payload.value, path: [...where] });
  });
}

function isSet(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
