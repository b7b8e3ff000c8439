/**
 * Writes the seeds of the fuzz targets, `corpus/<target>/seeds.txt`, an input a line: what the vectors of `spec/vectors` make, the
 * conversations written down below, and with `--distil` whatever long runs have found that reaches more of the code, as far as it is
 * small. `node device/test/fuzz/seeds.js [--distil]`; without it, what was distilled before stays.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUILD, buildTarget } from './build.js';

const VECTORS = new URL('../../../spec/vectors/', import.meta.url);
const CORPUS = fileURLToPath(new URL('corpus/', import.meta.url));

/** What is distilled of one target: its lines, in bytes. All corpora together stay below 100 kB. */
const MAX_DISTILLED = 10_000;
const MAX_VECTORS = 6_000;
const DISTILLED = '# Distilled from what was found:';

/** @param {string} file */
function load(file) {
  return JSON.parse(readFileSync(new URL(file, VECTORS), 'utf8'));
}

/** @param {...number} bytes */
function hex(...bytes) {
  return Buffer.from(bytes).toString('hex');
}

/* ── Of the vectors ──────────────────────────────────────────────────────────────────────────────────────────────── */

/** The first byte chooses what is tried (decoder.c): 0 functions, 1 encoding, 2 a stream, 6 and 3 serial lines. */
function decoderSeeds() {
  const { blocks, decode_only, invalid, lines } = load('cobs.json');
  const { sessions } = load('sessions.json');
  const { stream } = load('invalid.json');
  const { checks } = load('crc.json');
  const short = (/** @type {{decoded: string}} */ block) => block.decoded.length < 600;
  return [
    ...checks.map((/** @type {{bytes: string}} */ check) => hex(0) + check.bytes.slice(0, 128)),
    ...blocks.filter(short).map((/** @type {{decoded: string}} */ block) => hex(1) + block.decoded),
    ...[...blocks, ...decode_only]
      .filter(short)
      .map((/** @type {{encoded: string}} */ b) => hex(0) + b.encoded),
    ...invalid.map((/** @type {{encoded: string}} */ block) => hex(0) + block.encoded),
    ...stream.map((/** @type {{bytes: string}} */ one) => hex(0x32) + one.bytes),
    hex(0x72) + sessions[0].hello + sessions[0].hello_ack,
    ...lines.map((/** @type {{bytes: string}} */ line) => hex(0x36) + line.bytes),
    ...lines.map((/** @type {{bytes: string}} */ line) => hex(0x53) + line.bytes),
  ];
}

/** A frame of the vectors as bytes of the attacker (handshake.c, action 5), at the beginning or once the handshake is done (9). */
function handshakeSeeds(/** @type {'client' | 'server'} */ role) {
  const { handshake, session } = load('invalid.json');
  const { sessions } = load('sessions.json');
  const said = (/** @type {string} */ bytes) =>
    bytes.length < 256 ? hex(5, bytes.length / 2) + bytes : undefined;
  const seeds = [];
  for (const transport of [0, 1, 2]) {
    const begin = hex(transport, 0, 0, 0);
    seeds.push(
      begin + hex(9, 9, 12, 6, 9, 13),
      begin + hex(6, 0, 6, 0),
      hex(transport + 0x81, 0, 0, 0, 9, 9, 9),
    );
    seeds.push(begin + hex(9) + said(sessions[0].challenge), begin + hex(9, 9) + said(sessions[0].hello));
  }
  for (const [cases, opened] of [
    [handshake, hex()],
    [session, hex(9, 9)],
  ]) {
    for (const one of cases.filter((/** @type {{role: string}} */ c) => c.role === role)) {
      const bytes = said(one.bytes);
      if (bytes !== undefined) seeds.push(hex(seeds.length % 3, 0, 0, 0) + opened + bytes);
    }
  }
  return seeds;
}

/* ── Conversations ───────────────────────────────────────────────────────────────────────────────────────────────── */

/** Actions of session.c; those of the server have the highest bit. */
const S = 0x80;
const OPEN_STREAM = [2, 0, 0, 0];
const OPEN_LINE = [3, 0, 0, 0];
const SESSIONS = [OPEN_STREAM, OPEN_LINE].flatMap((open) => [
  // Messages of all sizes, both ways; the end in order.
  [...open, 6, 38, 70, 102, 12, 7, 12, 39, 12, 71, 12, S + 7, 12, 11, 12],
  // PING, REKEY of each, both at once, with traffic, output in pieces.
  [...open, 9, 12, 10, 12, S + 10, 12, 10, S + 10, 12, 10, 7, S + 7, 0, 40, 0, 2, 50, S + 1, 3, 10, 0, 12],
  // Forged parts, forged controls between them.
  [...open, 21, 4, 0, 0, 21, 4, 50, 0, 21, 0, 7, 0, 12, 21, 4, 1, 0, 21, 1, 0, 0, 12],
  [...open, S + 23, 3, S + 6, 12, S + 6, 12, S + 6, 12],
  [...open, 38, 1, 17, 20, 0, 4, 12],
  [...open, 10, 1, S + 26, 3, S + 31, S + 1, 12],
  [...open, 15, 200, 15, 200, 12, 14, 255, 14, 255, 27, 12],
]);

/** Actions of datagrams.c. */
const OPEN = [2, 0, 0, 0];
const DATAGRAMS = [
  [...OPEN, 9, 41, 73, 14, 105, 14, S + 10, 8, 7, 14, 13, 14],
  [...OPEN, 12, 14, S + 12, 14, 12, S + 12, 14, 41, 12, 1, S + 41, S + 12, S + 1, 4, S + 4, 14],
  [...OPEN, 41, 41, 41, 41, 1, 3, 3, 3, 2, 3, 0, 16, 100, 15, 0x55, 0x33, 0x0f, 0xf0, 255, 14],
  [...OPEN, 41, 1, 12, 1, 24, 0, 24, 1, 14, 24, 2, 13, 14, 24, 3, 14],
  [...OPEN, 26, 2, 41, 14, 41, 14, 41, 14],
  [...OPEN, 17, S + 41, S + 41, S + 41, 16, 200, 17, 14],
  [...OPEN, 30, 70, 12, 14, 44, 14],
  [0, 4, 0, 0, 1, 6, 16, 30, S + 22, 9, 0, 0, 16, 1, 14, 32 + 16, 100, 16, 100],
];

/** Actions of endpoint.c. */
const ENDPOINTS = [0, 1].flatMap((transport) => [
  [transport, 0, 9, 2, 2, 9, 32, 9, 34, 34, 9, 18, 9],
  [transport, 0, 9, 2, 1, 9, 10, 100, 2, 9, 0, 9, 2, 9, 10, 200],
  [transport, 0, 9, 2, 0, 5, 7, 2, 5, 9, 20, 9, 2, 9],
  [transport, 0, 5, 7, 15, 19, 1, 19, 0, 9, 11, 100],
]);

const SEEDS = {
  decoder: decoderSeeds(),
  client: handshakeSeeds('client'),
  server: handshakeSeeds('server'),
  session: SESSIONS.map((actions) => hex(...actions)),
  datagrams: DATAGRAMS.map((actions) => hex(...actions)),
  endpoint: ENDPOINTS.map((actions) => hex(...actions)),
};

/** As far as they are not too many, spread over all. @param {string[]} seeds */
function some(seeds) {
  const total = seeds.join('\n').length;
  const every = Math.max(1, Math.ceil(total / MAX_VECTORS));
  return seeds.filter((_, index) => index % every === 0);
}

/* ── Distilled ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/** @param {string} path */
function distilledBefore(path) {
  if (!existsSync(path)) return [];
  const text = readFileSync(path, 'utf8');
  const at = text.indexOf(DISTILLED);
  return at < 0 ? [] : text.slice(at).split('\n').slice(1).filter(Boolean);
}

/**
 * The smallest of what was found that reach every part of the code that any of them reaches.
 *
 * @param {keyof typeof SEEDS} name @param {string[]} seeds
 */
async function distil(name, seeds) {
  const program = await buildTarget(name);
  const found = join(BUILD, 'found', name);
  mkdirSync(found, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), 'usmp-distil-'));
  const base = join(work, 'base');
  const path = join(CORPUS, name, 'seeds.txt');
  mkdirSync(base);
  for (const [index, seed] of [...seeds, ...distilledBefore(path)].entries()) {
    writeFileSync(join(work, `seed-${index}`), Buffer.from(seed, 'hex'));
  }
  // By lines of the code alone: with counters, thousands would differ.
  const options = ['-merge=1', '-use_counters=0', '-max_len=512', base, work, found];
  execFileSync(program, options, { stdio: 'ignore' });
  const all = readdirSync(base).map((file) => readFileSync(join(base, file)).toString('hex'));
  rmSync(work, { recursive: true });
  const more = all.filter((line) => line !== '' && !seeds.includes(line));
  more.sort((a, b) => a.length - b.length);
  let size = 0;
  return more.filter((line) => {
    size += line.length + 1;
    return size <= MAX_DISTILLED;
  });
}

for (const name of /** @type {(keyof typeof SEEDS)[]} */ (Object.keys(SEEDS))) {
  const path = join(CORPUS, name, 'seeds.txt');
  const seeds = some([...new Set(SEEDS[name])].filter((line) => line !== ''));
  const distilled = process.argv.includes('--distil') ? await distil(name, seeds) : distilledBefore(path);
  mkdirSync(join(CORPUS, name), { recursive: true });
  const head = `# Made by device/test/fuzz/seeds.js: inputs of the target ${name}, an input a line.`;
  writeFileSync(path, `${[head, ...seeds, DISTILLED, ...distilled].join('\n')}\n`);
  console.log(`${name}: ${seeds.length} seeds, ${distilled.length} distilled`);
}
