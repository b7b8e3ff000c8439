/** What is measured, on which servers, and what has to come out. */

/** The servers, in the order in which every round measures them. */
export const SERVERS = /** @type {const} */ ({
  usmp: { title: 'usmp', protocol: 'usmp' },
  pypi: { title: 'PyPI 1.2.2', protocol: 'usmp' },
  tls: { title: 'Node TLS 1.3 mutual', protocol: 'tls' },
  tcp: { title: 'Node plain TCP', protocol: 'tcp' },
});

export const PYPI_VERSION = '1.2.2';

/** @typedef {keyof typeof SERVERS} ServerName */
/** @typedef {keyof typeof WORKLOADS} WorkloadName */

export const WORKLOADS = {
  handshake: { title: 'handshake', kind: 'handshake', unit: 'µs', sessions: 16, window: 0, size: 0 },
  echo64w1: { title: 'echo 64 B, window 1', kind: 'echo', unit: 'µs', sessions: 16, window: 1, size: 64 },
  echo64w32: { title: 'echo 64 B, window 32', kind: 'echo', unit: 'µs', sessions: 16, window: 32, size: 64 },
  echo1800w32: {
    title: 'echo 1,800 B, window 32',
    kind: 'echo',
    unit: 'µs',
    sessions: 16,
    window: 32,
    size: 1800,
  },
  idle: { title: 'idle session', kind: 'idle', unit: 'KiB', sessions: 2000, window: 0, size: 0 },
};

/** How far a goal may be missed on a noisy machine. */
export const TOLERANCE = 0.1;

/**
 * `atLeast`: how many times cheaper than the other server `usmp` has to be; `atMost`: how many times its cost `usmp` may
 * have.
 * @type {readonly { workload: WorkloadName, other: ServerName, atLeast?: number, atMost?: number }[]}
 */
export const GOALS = [
  { workload: 'handshake', other: 'pypi', atLeast: 1.5 },
  { workload: 'handshake', other: 'tls', atLeast: 3.5 },
  { workload: 'echo64w1', other: 'pypi', atLeast: 6.5 },
  { workload: 'echo64w1', other: 'tls', atMost: 2 },
  { workload: 'echo64w32', other: 'pypi', atLeast: 12 },
  { workload: 'echo1800w32', other: 'pypi', atLeast: 50 },
  { workload: 'idle', other: 'pypi', atMost: 1.4 },
  { workload: 'idle', other: 'tls', atMost: 0.35 },
];
