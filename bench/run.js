#!/usr/bin/env node
/** Server CPU per operation and memory per idle session, beside other servers in the same run: see README.md. */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeIdentity } from './certificate.js';
import { run, startServer } from './children.js';
import { PYPI_VERSION, SERVERS, WORKLOADS } from './plan.js';
import { costTable, goalTable, judge, machine, significant } from './report.js';

/** @typedef {import('./plan.js').ServerName} ServerName */
/** @typedef {import('./plan.js').WorkloadName} WorkloadName */

const USAGE = `node bench/run.js [--quick] [--runs 3] [--only ${Object.keys(WORKLOADS).join(',')}]
                 [--servers ${Object.keys(SERVERS).join(',')}] [--json FILE]`;

/** What the load generator may take beyond warm-up and measurement, in seconds. */
const GRACE = 60;

const options = parseOptions();
if (process.platform !== 'linux') {
  fail(
    1,
    `The benchmark reads CPU time and memory of the servers from /proc, which ${process.platform} lacks: it needs Linux.`,
  );
}

const pace = options.quick ? { warmup: 0.5, seconds: 1.5 } : { warmup: 1, seconds: 4 };
const environment = { BENCH_TLS_IDENTITY: JSON.stringify(makeIdentity()) };
const commands = await serverCommands();

/** @type {import('./report.js').Sample[]} */
const samples = [];
for (let round = 1; round <= options.runs; round++) {
  for (const workload of options.workloads) {
    for (const [server, command] of commands) {
      const value = await measure(workload, server, command);
      samples.push({ workload, server, run: round, value });
      const { title, unit } = WORKLOADS[workload];
      process.stderr.write(
        `run ${round}  ${title}  ${SERVERS[server].title}  ${significant(value)} ${unit}\n`,
      );
    }
  }
}

const verdicts = judge(samples);
const heading = machine();
const runs = options.runs === 1 ? '1 run' : `median of ${options.runs} interleaved runs (least..most)`;
console.log(`\n${heading}\nServer CPU per operation and resident memory per idle session, ${runs}\n`);
console.log(costTable(samples));
if (verdicts.length > 0) console.log(`\n${goalTable(verdicts)}`);
if (options.json) {
  const report = { machine: heading, runs: options.runs, ...pace, samples, goals: verdicts };
  await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
}
process.exit(verdicts.every(({ holds }) => holds) ? 0 : 1);

/**
 * One workload on a freshly started server.
 * @param {WorkloadName} name @param {ServerName} serverName @param {string[]} command
 * @returns {Promise<number>} µs an operation, or KiB a session
 */
async function measure(name, serverName, command) {
  const { kind, sessions, window, size } = WORKLOADS[name];
  let server;
  try {
    server = await startServer(command, environment);
    const { protocol } = SERVERS[serverName];
    const load = {
      workload: kind,
      protocol,
      port: server.port,
      pid: server.pid,
      sessions,
      window,
      size,
      ...pace,
    };
    const flags = Object.entries(load).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
    const timeout = (pace.warmup + pace.seconds + GRACE) * 1000;
    return JSON.parse(await run([process.execPath, path('load/main.js'), ...flags], environment, timeout))
      .value;
  } catch (error) {
    const reason = /** @type {Error} */ (error).message.trim();
    const said = server?.errors();
    return fail(
      1,
      `${WORKLOADS[name].title} on ${SERVERS[serverName].title}: ${reason}${said ? `\nThe server said:\n${said}` : ''}`,
    );
  } finally {
    await server?.stop();
  }
}

/** @returns {Promise<[ServerName, string[]][]>} the servers that can be started here */
async function serverCommands() {
  const python = options.servers.includes('pypi') ? await peerPython() : undefined;
  if (options.servers.includes('pypi') && python === undefined) {
    process.stderr.write(
      `No Python with usmp ${PYPI_VERSION}: measured without it. USMP_PEER_PYTHON may name one.\n`,
    );
  }
  const node = (/** @type {string} */ file) => [process.execPath, path(file)];
  const all = {
    usmp: node('servers/usmp.js'),
    pypi: python && [python, path('servers/pypi.py')],
    tls: node('servers/tls.js'),
    tcp: node('servers/tcp.js'),
  };
  return options.servers.flatMap((name) => (all[name] ? [[name, all[name]]] : []));
}

/** @returns {Promise<string | undefined>} */
async function peerPython() {
  if (process.env.USMP_PEER_PYTHON) return process.env.USMP_PEER_PYTHON;
  const peers = await import('../scripts/peers.js');
  return peers.peerPython(PYPI_VERSION);
}

function parseOptions() {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        runs: { type: 'string' },
        only: { type: 'string' },
        servers: { type: 'string' },
        json: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const runs = Number(values.runs ?? (values.quick ? 1 : 3));
    if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs takes a whole number from 1 on');
    return {
      quick: values.quick,
      runs,
      workloads: chosen('--only', WORKLOADS, values.only),
      servers: chosen('--servers', SERVERS, values.servers),
      json: values.json,
    };
  } catch (error) {
    return fail(2, `${/** @type {Error} */ (error).message}\n${USAGE}`);
  }
}

/**
 * @template {string} Name
 * @param {string} flag @param {Readonly<Record<Name, unknown>>} all @param {string | undefined} list
 * @returns {Name[]} in the order of `all`
 */
function chosen(flag, all, list) {
  const names = /** @type {Name[]} */ (Object.keys(all));
  if (list === undefined) return names;
  const wanted = new Set(list.split(','));
  const unknown = [...wanted].find((name) => !(name in all));
  if (unknown !== undefined) throw new Error(`${flag} knows ${names.join(', ')}, not '${unknown}'`);
  return names.filter((name) => wanted.has(name));
}

/** @param {string} file in this folder */
function path(file) {
  return fileURLToPath(new URL(file, import.meta.url));
}

/** @param {number} code @param {string} message @returns {never} */
function fail(code, message) {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}
