/** What the compliance suite needs to know of a transport, and what all of its promises are tried with. */

import {
  type ErrorCode,
  USMPClient,
  type USMPClientOptions,
  type USMPServerOptions,
  type USMPSession,
} from '#dist/index.js';
import {
  eventually,
  type LiveServer,
  nextSession,
  PSK,
  park,
  type Scope,
  startServer,
  within,
} from '../server/live.js';

/** A transport with a place to try it out. */
export interface TransportBed {
  /** The scheme of its URLs, which sessions tell. */
  readonly scheme: string;
  /** `import.meta.url` of the module that exports `beds`, with this one under its scheme: for processes of their own. */
  readonly module: string;
  /** A program without which it cannot be tried out. */
  readonly needs?: string;
  /** A URL for a server to listen on, where nobody else does. */
  place(scope: Scope): string | Promise<string>;
  /** A URL that clients of a server at `url` connect to, where it is another one. */
  meet?(scope: Scope, url: string): string | Promise<string>;
  /** A URL to connect to that leads nowhere. */
  nowhere(scope: Scope): string | Promise<string>;
  /** A line to the server at `url` that can be cut; left out where the promise about cuts is kept elsewhere. */
  line?(scope: Scope, url: string): Promise<CuttableLine>;
  readonly profile?: Profile;
}

/** A way to a server that can be cut from outside. */
export interface CuttableLine {
  /** What clients connect to. */
  readonly url: string;
  /** Cuts the line for good when this many bytes more have gone to the server, be it within a frame. */
  cutAfter(bytes: number): void;
}

/** What is different on a transport. All of it has a default, which suits a fast and reliable stream. */
export interface Profile {
  /** Only one session at a time: a line with one peer. */
  readonly single?: boolean;
  /** Neither end hears of a cut: sessions end when nothing comes any more. */
  readonly silentCuts?: boolean;
  /** A server that refuses can only be silent: the client finds out when the time for the handshake is over. */
  readonly silentRefusals?: boolean;
  /** How an attempt to connect ends where nobody listens; default `unreachable`. */
  readonly nowhere?: readonly ErrorCode[];
  /** Bytes to be carried each way by the promise about volume; default 1,500,000, and twenty times that in long runs. */
  readonly volume?: number;
  /** Sessions to be opened one after the other; default 200. */
  readonly sessions?: number;
  /** How long anything may take on a busy machine, in milliseconds; default 15,000. */
  readonly patience?: number;
}

/** Whether there is time for large volumes. */
const LONG = process.env.USMP_LONG === '1';

/** A profile with its defaults. */
export function profileOf({ profile = {} }: TransportBed): Required<Profile> {
  return {
    single: false,
    silentCuts: false,
    silentRefusals: false,
    nowhere: ['unreachable'],
    sessions: 200,
    patience: 15_000,
    ...profile,
    volume: (profile.volume ?? 1_500_000) * (LONG ? 20 : 1),
  };
}

/** How both ends of a session are set up. */
export interface EndOptions {
  readonly server?: Partial<USMPServerOptions>;
  readonly client?: Partial<USMPClientOptions>;
}

/** Both ends of a session. */
export interface Ends {
  /** At the client. */
  readonly here: USMPSession;
  /** At the server. */
  readonly there: USMPSession;
}

/** A server on the transport; unless told otherwise it leaves its sessions to the test. */
export async function listen(
  scope: Scope,
  bed: TransportBed,
  options: Partial<USMPServerOptions> = {},
  handler: (session: USMPSession) => unknown = park,
): Promise<{ live: LiveServer; url: string }> {
  const live = await startServer(scope, handler, { listen: [await bed.place(scope)], ...options });
  return { live, url: (await bed.meet?.(scope, live.url)) ?? live.url };
}

/** A client that is set up for tests. */
export function clientTo(url: string, options: Partial<USMPClientOptions> = {}): USMPClient {
  return new USMPClient({ url, psk: PSK, ...options });
}

/** Opens a session with a server. */
export async function meetAt(
  scope: Scope,
  bed: TransportBed,
  live: LiveServer,
  url: string,
  options: Partial<USMPClientOptions> = {},
): Promise<Ends> {
  const { patience } = profileOf(bed);
  const arriving = nextSession(live.server);
  const here = await within(clientTo(url, options).connect(), 'a session', patience);
  scope.after(() => here.close());
  return { here, there: await within(arriving, 'the session at the server', patience) };
}

/** A server, and both ends of a session with it. */
export async function openEnds(
  scope: Scope,
  bed: TransportBed,
  { server, client }: EndOptions = {},
): Promise<Ends & { live: LiveServer; url: string }> {
  const { live, url } = await listen(scope, bed, server);
  return { live, url, ...(await meetAt(scope, bed, live, url, client)) };
}

/** Both ends as they are in turn the one that something begins at. */
export function bothWays({
  here,
  there,
}: Ends): readonly { from: USMPSession; to: USMPSession; name: string }[] {
  return [
    { from: here, to: there, name: 'the client' },
    { from: there, to: here, name: 'the server' },
  ];
}

/** Waits until both ends are over. */
export function bothOver({ here, there }: Ends, patience: number): Promise<void> {
  return eventually(() => here.closed && there.closed, 'the end of the session at both sides', patience);
}

/** Handles, timers and sockets that keep this process alive, counted by kind. */
export function activeResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** Waits until nothing keeps this process alive but what did before. */
export async function leavesNothing(before: ReadonlyMap<string, number>, patience: number): Promise<void> {
  const surplus = () => [...activeResources()].filter(([kind, count]) => count > (before.get(kind) ?? 0));
  await eventually(() => surplus().length === 0, 'handles and timers to be gone', patience).catch((error) => {
    throw new Error(`${error.message}: ${JSON.stringify(surplus())}`, { cause: error });
  });
}
