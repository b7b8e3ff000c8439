/**
 * The configuration as the parts of the gateway use it.
 *
 * @module
 */

import type { FileValue } from './kinds.js';
import { camelCase, OPTIONS } from './options.js';
import type { ConfigValues, LOG_FORMATS, LOG_LEVELS, SYNC_MODES } from './schema.js';

/** Complete. Durations are milliseconds, sizes bytes, paths absolute. What each means is in schema.ts. */
export interface Config {
  /** The data folder. */
  readonly data: string;
  /** URLs of the listeners of `usmp`. */
  readonly listen: readonly string[];
  readonly http: {
    /** An IPv6 address without brackets. */
    readonly host: string;
    readonly port: number;
    /** Where others reach it, without a slash at its end. */
    readonly url: string | undefined;
    /** Files. */
    readonly tls: { readonly cert: string; readonly key: string } | undefined;
    readonly dangerPlain: boolean;
    /** Requests a minute and address. */
    readonly rateLimit: number;
    readonly bodyLimit: number;
    readonly trustProxy: boolean;
  };
  readonly log: {
    readonly level: (typeof LOG_LEVELS)[number];
    readonly format: (typeof LOG_FORMATS)[number];
  };
  readonly sessions: {
    readonly max: number;
    /** Undefined: no limit. */
    readonly maxPerAddress: number | undefined;
    readonly idleTimeout: number;
    /** Undefined: as the library has it for each transport. */
    readonly handshakeTimeout: number | undefined;
  };
  readonly outbox: {
    /** Per device. */
    readonly maxMessages: number;
    readonly expiry: number;
    readonly redeliver: boolean;
  };
  readonly history: {
    readonly enabled: boolean;
    readonly maxAge: number;
    readonly maxMessages: number;
    readonly maxBytes: number;
  };
  readonly events: { readonly maxAge: number; readonly maxEvents: number };
  readonly refused: { readonly keep: number };
  readonly storage: { readonly sync: (typeof SYNC_MODES)[number] };
  readonly shutdown: { readonly deadline: number };
}

export function toConfig(values: ConfigValues): Config {
  const { data, listen, http, log, sessions, outbox, history, events, refused, storage, shutdown } = values;
  const { tls_cert: cert, tls_key: key } = http;
  return {
    data,
    listen,
    http: {
      ...http.listen,
      url: http.url,
      tls: cert === undefined || key === undefined ? undefined : { cert, key },
      dangerPlain: http.danger_plain,
      rateLimit: http.rate_limit,
      bodyLimit: http.body_limit,
      trustProxy: http.trust_proxy,
    },
    log,
    sessions: {
      max: sessions.max,
      maxPerAddress: sessions.max_per_address,
      idleTimeout: sessions.idle_timeout,
      handshakeTimeout: sessions.handshake_timeout,
    },
    outbox: {
      maxMessages: outbox.max_messages,
      expiry: outbox.expiry,
      redeliver: outbox.redeliver,
    },
    history: {
      enabled: history.enabled,
      maxAge: history.max_age,
      maxMessages: history.max_messages,
      maxBytes: history.max_bytes,
    },
    events: { maxAge: events.max_age, maxEvents: events.max_events },
    refused,
    storage,
    shutdown,
  };
}

/** The reverse: each option's value by its path, as the file would have it. */
export function fileValues(config: Config): ReadonlyMap<string, FileValue> {
  const renamed: Readonly<Record<string, unknown>> = {
    'http.listen': { host: config.http.host, port: config.http.port },
    'http.tls_cert': config.http.tls?.cert,
    'http.tls_key': config.http.tls?.key,
  };
  return new Map(
    OPTIONS.map(({ path, table, name, format }) => {
      const place = (table === '' ? config : config[table as keyof Config]) as object;
      const value = path in renamed ? renamed[path] : Reflect.get(place, camelCase(name.split('_')));
      return [path, format(value as never)];
    }),
  );
}
