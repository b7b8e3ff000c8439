/** A running HTTP API over a real registry and storage; sessions with devices are made up. */

import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Config } from '#dist/config/config.js';
import { loadConfig } from '#dist/config/load.js';
import { EventLog } from '#dist/events/event-log.js';
import { type AppOptions, createApp } from '#dist/http/app.js';
import type { AppContext, FleetView } from '#dist/http/context.js';
import { makeLogger } from '#dist/logging/logger.js';
import { History } from '#dist/messages/history.js';
import { Outbox } from '#dist/messages/outbox.js';
import { Metrics } from '#dist/metrics/metrics.js';
import type { Role, SessionFacts } from '#dist/model.js';
import { admitRefused } from '#dist/registry/admission.js';
import { Devices } from '#dist/registry/devices.js';
import { KeyVault } from '#dist/registry/key-vault.js';
import { Logins } from '#dist/registry/logins.js';
import { MasterKey } from '#dist/registry/master-key.js';
import { RefusedList } from '#dist/registry/refused.js';
import { Tokens } from '#dist/registry/tokens.js';
import { CommitQueue } from '#dist/storage/commit-queue.js';
import { Storage } from '#dist/storage/storage.js';

type DeepPartial<Value> = Value extends readonly unknown[] | string | number | boolean | undefined
  ? Value
  : { [Name in keyof Value]?: DeepPartial<Value[Name]> };

export interface BedOptions extends AppOptions {
  readonly http?: DeepPartial<Config['http']>;
  readonly outbox?: Partial<Config['outbox']>;
  /** Milliseconds since 1970, for what has a date. */
  readonly now?: () => number;
}

/** Devices that are said to be online. */
export class MadeUpFleet implements FleetView {
  readonly online = new Map<string, SessionFacts>();
  readonly disconnected: string[] = [];
  readonly enforced: string[] = [];
  answers = true;

  connect(deviceId: string): void {
    this.online.set(deviceId, {
      deviceId,
      id: '00'.repeat(16),
      transport: 'tcp',
      peer: '192.0.2.7:51234',
      since: Date.now(),
      keyIndex: 0,
      rtt: 12.5,
      messagesIn: 3,
      messagesOut: 2,
      bytesIn: 30,
      bytesOut: 20,
      framesRetransmitted: 0,
      unconfirmed: 1,
    });
  }

  sessions() {
    return [...this.online.values()];
  }

  session(deviceId: string) {
    return this.online.get(deviceId);
  }

  isOnline(deviceId: string) {
    return this.online.has(deviceId);
  }

  disconnect(deviceId: string) {
    this.disconnected.push(deviceId);
    return this.online.delete(deviceId);
  }

  enforce(deviceId: string) {
    this.enforced.push(deviceId);
  }

  async ping() {
    if (!this.answers) throw new Error('no PONG');
    return 12.5;
  }

  get stats() {
    return {
      messagesSent: 2,
      messagesReceived: 3,
      bytesSent: 20,
      bytesReceived: 30,
      framesSent: 2,
      framesReceived: 3,
      framesRetransmitted: 1,
      framesRepeated: 0,
      datagramsDropped: 0,
      messagesLost: 0,
      sessions: this.online.size,
      halfOpen: 0,
      accepted: 4,
      refused: { 'wrong-key': 2 },
    };
  }
}

export type Bed = Awaited<ReturnType<typeof openBed>>;

/** Everything is closed and removed when the test ends. */
export async function openBed(t: Pick<TestContext, 'after'>, options: BedOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'usmp-gateway-http-'));
  const storage = Storage.open(folder);
  const config = { current: makeConfig(folder, options) };
  const queue = new CommitQueue(storage, { storageFailed() {}, storageRecovered() {} });
  const now = options.now ?? Date.now;
  const vault = new KeyVault(MasterKey.load(storage, {}));
  const events = new EventLog(queue, storage);
  const history = new History(storage);
  const outbox = new Outbox({ storage, queue, history, events, settings: () => config.current.outbox });
  const devices = new Devices(storage, vault, now);
  const refused = new RefusedList(storage, 100, now);
  const tokens = new Tokens(storage, now);
  const logins = new Logins(storage, now);
  const fleet = new MadeUpFleet();
  const metrics = new Metrics('2.0.0');
  const readiness = { ready: true, reasons: [] as string[] };
  const log: string[] = [];
  const logger = makeLogger({ level: 'debug', format: 'json' }, { write: (line) => void log.push(line) });
  const context: AppContext = {
    config: () => config.current,
    devices,
    refused,
    admit: (entryId, facts) => admitRefused(storage, devices, refused, entryId, facts),
    tokens,
    logins,
    fleet,
    outbox,
    history,
    events,
    metrics,
    readiness: () => readiness,
    logger,
    urls: () => ['tcp://127.0.0.1:9000'],
    version: '2.0.0',
  };
  const app = await createApp(context, options);
  await app.listen({ host: config.current.http.host, port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const secrets = {
    read: tokens.create('reader', 'read').token,
    send: tokens.create('sender', 'send').token,
    admin: tokens.create('boss', 'admin').token,
  };

  /** Streams that only hold their places. */
  const held = new AbortController();
  const fillStreams = async () => {
    const headers = { authorization: `Bearer ${secrets.read}` };
    for (;;) {
      const { ok } = await fetch(`${url}/api/v1/events`, { headers, signal: held.signal });
      if (!ok) return;
    }
  };

  t.after(async () => {
    held.abort();
    await app.close();
    metrics.close();
    outbox.close();
    queue.close();
    storage.close();
    rmSync(folder, { recursive: true, force: true });
  });

  return {
    ...context,
    ...{
      app,
      config,
      devices,
      events,
      fleet,
      folder,
      history,
      log,
      outbox,
      port,
      queue,
      refused,
      storage,
      tokens,
    },
    ...{ readinessNow: readiness, fillStreams, secrets, url },
    /** A request as a program sends it. */
    ask: (method: string, path: string, request: AskOptions = {}) => ask(url, secrets, method, path, request),
  };
}

export interface AskOptions {
  /** `admin` unless told otherwise; a token, or nobody. */
  readonly as?: Role | { readonly token: string } | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, unless it is text or bytes. */
  readonly body?: unknown;
  readonly type?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Of JSON; undefined of anything else. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read what schemas have checked.
  readonly json: any;
}

async function ask(
  url: string,
  secrets: Readonly<Record<Role, string>>,
  method: string,
  path: string,
  { as = 'admin', headers = {}, body, type }: AskOptions,
): Promise<Answer> {
  const token = as === null ? undefined : typeof as === 'string' ? secrets[as] : as.token;
  const isRaw = typeof body === 'string' || body instanceof Uint8Array;
  const contentType = type ?? (body === undefined ? undefined : 'application/json');
  const response = await fetch(url + path, {
    method,
    redirect: 'manual',
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: isRaw ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = text !== '' && response.headers.get('content-type')?.startsWith('application/json') === true;
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson ? JSON.parse(text) : undefined,
  };
}

function makeConfig(folder: string, options: BedOptions): Config {
  const { config } = loadConfig({ env: {}, flags: { data: folder } });
  return {
    ...config,
    data: folder,
    http: { ...config.http, rateLimit: 1_000_000, ...(options.http as object) },
    outbox: { ...config.outbox, ...options.outbox },
  };
}
