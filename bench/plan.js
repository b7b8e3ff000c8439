/** What is measured, on which servers, and what has to come out. */

/** The servers, in the order in which every round measures them. */
export const SERVERS = /** @type {const} */ ({
  usmp: { title: 'usmp', protocol: 'usmp' },
  pypi: { title: 'PyPI 1.2.2', protocol: 'usmp' },
  tls: { title: 'Node TLS 1.3 mutual', protocol: 'tls' },
  tcp: { title: 'Node plain TCP', protocol: 'tcp' },
  ws: { title: 'Node plain ws', protocol: 'ws' },
  forgetful: { title: 'keeps nothing', protocol: 'usmp' },
});

export const PYPI_VERSION = '1.2.2';

/** @typedef {keyof typeof SERVERS} ServerName */
/** @typedef {keyof typeof WORKLOADS} WorkloadName */
/** @typedef {keyof typeof FIGURES} FigureName */

/**
 * What is printed: a row each, by transport. Costs unless `moreIsBetter`.
 * @type {Record<string, { title: string, transport: 'tcp' | 'ws' | 'udp', unit: string, moreIsBetter?: boolean }>}
 */
export const FIGURES = {
  handshake: { title: 'handshake', transport: 'tcp', unit: 'µs' },
  echo64w1: { title: 'echo 64 B, window 1', transport: 'tcp', unit: 'µs' },
  echo64w32: { title: 'echo 64 B, window 32', transport: 'tcp', unit: 'µs' },
  echo1800w32: { title: 'echo 1,800 B, window 32', transport: 'tcp', unit: 'µs' },
  idle: { title: 'idle session', transport: 'tcp', unit: 'KiB' },
  wsEcho1: { title: 'WebSocket echo 64 B, window 1', transport: 'ws', unit: 'µs' },
  udpEcho: { title: 'UDP pair, echo 64 B', transport: 'udp', unit: 'per s', moreIsBetter: true },
  udpEchoCost: { title: 'UDP pair, echo 64 B', transport: 'udp', unit: 'µs' },
  udpEcho1: { title: 'UDP pair, echo 64 B, window 1', transport: 'udp', unit: 'per s', moreIsBetter: true },
  udpEcho1Cost: { title: 'UDP pair, echo 64 B, window 1', transport: 'udp', unit: 'µs' },
  udpFar: { title: 'UDP pair, 64 B one way, far', transport: 'udp', unit: 'per s', moreIsBetter: true },
  udpIdle: { title: 'UDP idle session', transport: 'udp', unit: 'KiB' },
};

/**
 * @typedef {object} Workload
 * @property {'tcp' | 'ws' | 'udp'} transport
 * @property {readonly ServerName[]} servers that it can be measured on
 * @property {Readonly<Record<string, FigureName>>} figures where each number goes that comes of it
 * @property {Generated} [generator] what load/ does to the server
 * @property {Pair} [pair] what the client of the same make does with the server
 */
/** @typedef {{ kind: 'handshake' | 'echo' | 'idle', sessions: number, window: number, size: number }} Generated */
/**
 * @typedef {object} Pair
 * @property {'echo' | 'sink'} work
 * @property {Readonly<Partial<Record<ServerName, number>>>} window messages under way, by make
 * @property {number} size
 * @property {{ delay: number, loss: number }} [link] in between: ms and share, each way
 * @property {{ warmup: number, seconds: number }} [atLeast] when it takes longer to become steady
 */

/** @type {readonly ServerName[]} */
const STREAMS = ['usmp', 'pypi', 'tls', 'tcp'];

/** @satisfies {Record<string, Workload>} */
export const WORKLOADS = {
  handshake: {
    transport: 'tcp',
    servers: STREAMS,
    figures: { value: 'handshake' },
    generator: { kind: 'handshake', sessions: 16, window: 0, size: 0 },
  },
  echo64w1: {
    transport: 'tcp',
    servers: STREAMS,
    figures: { value: 'echo64w1' },
    generator: { kind: 'echo', sessions: 16, window: 1, size: 64 },
  },
  echo64w32: {
    transport: 'tcp',
    servers: STREAMS,
    figures: { value: 'echo64w32' },
    generator: { kind: 'echo', sessions: 16, window: 32, size: 64 },
  },
  echo1800w32: {
    transport: 'tcp',
    servers: STREAMS,
    figures: { value: 'echo1800w32' },
    generator: { kind: 'echo', sessions: 16, window: 32, size: 1800 },
  },
  idle: {
    transport: 'tcp',
    servers: STREAMS,
    figures: { value: 'idle' },
    generator: { kind: 'idle', sessions: 2000, window: 0, size: 0 },
  },
  wsecho1: {
    transport: 'ws',
    servers: ['usmp', 'ws'],
    figures: { value: 'wsEcho1' },
    generator: { kind: 'echo', sessions: 16, window: 1, size: 64 },
  },
  udpecho: {
    transport: 'udp',
    servers: ['usmp', 'pypi'],
    figures: { perSecond: 'udpEcho', cost: 'udpEchoCost' },
    // One under way is all that the PyPI client can do.
    pair: { work: 'echo', window: { usmp: 8, pypi: 1 }, size: 64 },
  },
  udpecho1: {
    transport: 'udp',
    servers: ['usmp'],
    figures: { perSecond: 'udpEcho1', cost: 'udpEcho1Cost' },
    pair: { work: 'echo', window: { usmp: 1 }, size: 64 },
  },
  udpfar: {
    transport: 'udp',
    servers: ['usmp', 'pypi'],
    figures: { perSecond: 'udpFar' },
    pair: {
      work: 'sink',
      window: {},
      size: 64,
      link: { delay: 25, loss: 0.02 },
      atLeast: { warmup: 3, seconds: 12 },
    },
  },
  udpidle: {
    transport: 'udp',
    servers: ['usmp', 'pypi', 'forgetful'],
    figures: { value: 'udpIdle' },
    generator: { kind: 'idle', sessions: 2000, window: 0, size: 0 },
  },
};

/** How far a goal that compares may be missed on a noisy machine. */
export const TOLERANCE = 0.1;

/**
 * `atLeast`: how many times better than the other server `usmp` has to be; `atMost`: how many times its cost `usmp` may
 * have. Without another server `atMost` is in the unit of the figure, and there is no tolerance.
 * @type {readonly { figure: FigureName, other?: ServerName, atLeast?: number, atMost?: number }[]}
 */
export const GOALS = [
  { figure: 'handshake', other: 'pypi', atLeast: 1.5 },
  { figure: 'handshake', other: 'tls', atLeast: 3.5 },
  { figure: 'echo64w1', other: 'pypi', atLeast: 6.5 },
  { figure: 'echo64w1', other: 'tls', atMost: 2 },
  { figure: 'echo64w32', other: 'pypi', atLeast: 12 },
  { figure: 'echo1800w32', other: 'pypi', atLeast: 50 },
  { figure: 'idle', other: 'pypi', atMost: 1.4 },
  { figure: 'idle', other: 'tls', atMost: 0.35 },
  { figure: 'wsEcho1', other: 'ws', atMost: 1.8 },
  { figure: 'udpEcho', other: 'pypi', atLeast: 6 },
  { figure: 'udpEchoCost', other: 'pypi', atMost: 0.2 },
  { figure: 'udpFar', other: 'pypi', atLeast: 10 },
  { figure: 'udpIdle', atMost: 12 },
];
