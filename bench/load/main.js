/**
 * The load generator: one workload against one server on 127.0.0.1, one line of JSON on standard output.
 *
 *   node load/main.js --workload echo --protocol usmp --port 9000 --pid 4711 --sessions 16 --window 32 --size 64
 *
 * It ends when its standard input does. For TLS, BENCH_TLS_IDENTITY holds {"key", "cert"} as PEM.
 */
import { parseArgs } from 'node:util';
import { exitWithParent } from '../lifeline.js';
import { StreamPeer } from './stream-peer.js';
import { UdpPeer } from './udp-peer.js';
import { UsmpPeer } from './usmp-peer.js';
import { WebSocketPeer } from './websocket-peer.js';
import { echo, handshake, idle } from './workloads.js';

exitWithParent();

const { values: options } = parseArgs({
  options: {
    workload: { type: 'string', default: 'echo' },
    protocol: { type: 'string', default: 'usmp' },
    port: { type: 'string', default: '9000' },
    pid: { type: 'string' },
    psk: { type: 'string', default: 'correct-horse-battery' },
    sessions: { type: 'string', default: '16' },
    window: { type: 'string', default: '1' },
    size: { type: 'string', default: '64' },
    warmup: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '4' },
    confirm: { type: 'boolean', default: false },
  },
});

const workload = choose('workload', { handshake, echo, idle });
const openPeer = choose('protocol', {
  usmp: UsmpPeer.open,
  udp: UdpPeer.open,
  tls: StreamPeer.openTls,
  tcp: StreamPeer.openTcp,
  'usmp-ws': UsmpPeer.openWebSocket,
  ws: WebSocketPeer.open,
});
if (options.protocol === 'udp' && options.workload !== 'idle') usage('udp is for idle sessions');
const server = {
  port: Number(options.port),
  psk: options.psk,
  identity: JSON.parse(process.env.BENCH_TLS_IDENTITY ?? '{}'),
};

try {
  // Which of them can do what the workload asks for has been checked.
  const open = /** @type {(index: number) => Promise<any>} */ ((index) => openPeer(server, index));
  const result = await workload(open, {
    pid: Number(options.pid),
    sessions: Number(options.sessions),
    window: Number(options.window),
    size: Number(options.size),
    warmup: Number(options.warmup),
    seconds: Number(options.seconds),
    confirm: options.confirm,
  });
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
} catch (error) {
  process.stderr.write(`${/** @type {Error} */ (error).message}\n`, () => process.exit(1));
}

/**
 * @template T
 * @param {'workload' | 'protocol'} option @param {Record<string, T>} choices
 */
function choose(option, choices) {
  const chosen = choices[options[option]];
  return chosen ?? usage(`--${option} is one of ${Object.keys(choices).join(', ')}`);
}

/** @param {string} message @returns {never} */
function usage(message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
