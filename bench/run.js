#!/usr/bin/env node
/** Server CPU per operation, memory per idle session, and speed over UDP, beside others in the same run: see README.md. */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeIdentity } from './certificate.js';
import { run, startServer } from './children.js';
import { measurePair } from './pair.js';
import { FIGURES, PYPI_VERSION, SERVERS, WORKLOADS } from './plan.js';
import { figureTable, goalTable, judge, machine, significant } from './report.js';

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

const heading = machine();
const pace = options.quick ? { warmup: 0.5, seconds: 1.5 } : { warmup: 1, seconds: 4 };
const environment = { BENCH_TLS_IDENTITY: JSON.stringify(makeIdentity()) };
const { servers: commands, clients } = programs(await peerPython());

/** @type {import('./report.js').Sample[]} */
const samples = [];
for (let round = 1; round <= options.runs; round++) {
  for (const workload of options.workloads) {
    /** @type {import('./plan.js').Workload} */
    const { servers, figures } = WORKLOADS[workload];
    for (const server of servers) {
      const command = commands[server];
      if (command === undefined || !options.servers.includes(server)) continue;
      const results = await measure(workload, server, command, round);
      for (const [result, figure] of Object.entries(figures)) {
        const value = results[result];
        samples.push({ figure, server, run: round, value });
        const { title, unit } = FIGURES[figure];
        process.stderr.write(
          `run ${round}  ${title}  ${SERVERS[server].title}  ${significant(value)} ${unit}\n`,
        );
      }
    }
  }
}

const verdicts = judge(samples);
const runs = options.runs === 1 ? '1 run' : `median of ${options.runs} interleaved runs (least..most)`;
console.log(`\n${heading}\nµs of server CPU an operation, KiB of resident memory an idle session, ${runs}`);
for (const transport of /** @type {const} */ (['tcp', 'ws', 'udp'])) {
  const rows = samples.filter(({ figure }) => FIGURES[figure].transport === transport);
  if (rows.length > 0) console.log(`\n${figureTable(rows)}`);
}
if (verdicts.length > 0) console.log(`\n${goalTable(verdicts)}`);
if (options.json) {
  const report = { machine: heading, runs: options.runs, ...pace, samples, goals: verdicts };
  await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
}
process.exit(verdicts.every(({ holds }) => holds) ? 0 : 1);

/**
 * One workload on a freshly started server.
 * @param {WorkloadName} name @param {ServerName} serverName @param {string[]} command
 * @param {number} round from 1, which seeds what has to look random
 * @returns {Promise<Record<string, number>>} in the units of its figures
 */
async function measure(name, serverName, command, round) {
  /** @type {import('./plan.js').Workload} */
  const { transport, generator, pair } = WORKLOADS[name];
  let server;
  try {
    const args = transport === 'tcp' ? [] : [transport, pair?.work ?? 'echo'];
    server = await startServer(command, environment, args);
    if (pair) return await measurePair(server, clients[serverName] ?? [], pairPlan(pair, serverName, round));
    const load = {
      ...generator,
      protocol: protocolOf(serverName, transport),
      port: server.port,
      pid: server.pid,
      ...pace,
    };
    return await generate(load, transport === 'udp' && serverName !== 'forgetful');
  } catch (error) {
    const reason = /** @type {Error} */ (error).message.trim();
    const said = server?.errors();
    return fail(
      1,
      `${name} on ${SERVERS[serverName].title}: ${reason}${said ? `\nThe server said:\n${said}` : ''}`,
    );
  } finally {
    await server?.stop();
  }
}

/**
 * What the generator has to speak.
 * @param {ServerName} server @param {'tcp' | 'ws' | 'udp'} transport
 */
function protocolOf(server, transport) {
  if (transport === 'udp') return 'udp';
  const { protocol } = SERVERS[server];
  return transport === 'ws' && protocol === 'usmp' ? 'usmp-ws' : protocol;
}

/**
 * @param {Record<string, string | number>} load @param {boolean} confirm whether idle sessions have to prove that they live
 * @returns {Promise<Record<string, number>>}
 */
async function generate({ kind, ...load }, confirm) {
  const flags = Object.entries(load).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  const command = [process.execPath, path('load/main.js'), '--workload', String(kind), ...flags];
  if (confirm) command.push('--confirm');
  return JSON.parse(await run(command, environment, (pace.warmup + pace.seconds + GRACE) * 1000));
}

/**
 * @param {import('./plan.js').Pair} pair @param {ServerName} server @param {number} seed
 * @returns {import('./pair.js').PairPlan}
 */
function pairPlan({ work, window, size, link, atLeast }, server, seed) {
  const plan = {
    work,
    window: window[server] ?? 1,
    size,
    ...(options.quick ? pace : { ...pace, ...atLeast }),
  };
  if (link === undefined) return plan;
  return { ...plan, proxy: [process.execPath, path('proxy.js')], link: [link.delay, link.loss, seed] };
}

/**
 * The command lines of what is measured, by make.
 * @param {string | undefined} python
 * @returns {Record<'servers' | 'clients', Partial<Record<ServerName, string[]>>>}
 */
function programs(python) {
  const node = (/** @type {string} */ file) => [process.execPath, path(file)];
  const py = (/** @type {string} */ file) => (python === undefined ? undefined : [python, path(file)]);
  return {
    servers: {
      usmp: node('servers/usmp.js'),
      pypi: py('servers/pypi.py'),
      tls: node('servers/tls.js'),
      tcp: node('servers/tcp.js'),
      ws: node('servers/ws.js'),
      forgetful: node('servers/forgetful.js'),
    },
    clients: { usmp: node('clients/usmp.js'), pypi: py('clients/pypi.py') },
  };
}

/** @returns {Promise<string | undefined>} the interpreter that has the PyPI package, if it is wanted and to be had */
async function peerPython() {
  if (!options.servers.includes('pypi')) return undefined;
  if (process.env.USMP_PEER_PYTHON) return process.env.USMP_PEER_PYTHON;
  const peers = await import('../scripts/peers.js');
  const python = await peers.peerPython(PYPI_VERSION);
  if (python === undefined) {
    process.stderr.write(
      `No Python with usmp ${PYPI_VERSION}: measured without it. USMP_PEER_PYTHON may name one.\n`,
    );
  }
  return python;
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
