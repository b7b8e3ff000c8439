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
import { UsmpPeer } from './usmp-peer.js';
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
  },
});

const workload = choose('workload', { handshake, echo, idle });
const openPeer = choose('protocol', {
  usmp: UsmpPeer.open,
  tls: StreamPeer.openTls,
  tcp: StreamPeer.openTcp,
});
const server = {
  port: Number(options.port),
  psk: options.psk,
  identity: JSON.parse(process.env.BENCH_TLS_IDENTITY ?? '{}'),
};

try {
  const result = await workload((index) => openPeer(server, index), {
    pid: Number(options.pid),
    sessions: Number(options.sessions),
    window: Number(options.window),
    size: Number(options.size),
    warmup: Number(options.warmup),
    seconds: Number(options.seconds),
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
  if (chosen) return chosen;
  process.stderr.write(`--${option} is one of ${Object.keys(choices).join(', ')}\n`);
  process.exit(2);
}
