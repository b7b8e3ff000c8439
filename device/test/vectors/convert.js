/**
 * Makes C of the vectors in `spec/vectors`: `device/build/vectors/vectors.c`, which `vectors.h` in this folder declares. Byte
 * strings stay hexadecimal and are decoded when they are used: that compiles quickest. `node device/test/vectors/convert.js`
 * writes it where it is missing or would change.
 */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

const VECTORS = new URL('../../../spec/vectors/', import.meta.url);
const BUILD = new URL('../../build/vectors/', import.meta.url);

/** Frame types by the names of the vectors (spec/protocol.md §2.3). */
const TYPES = [
  ...['HELLO', 'CHALLENGE', 'HELLO_ACK', 'SESSION_OK', 'DATA', 'PING', 'PONG', 'BYE', 'DATA_FRAG'],
  ...['HELLO_RETRY', 'REKEY'],
];

/** @returns {string} path of the file */
export function convertVectors() {
  const path = fileURLToPath(new URL('vectors.c', BUILD));
  const text = source();
  if (text !== current(path)) {
    mkdirSync(BUILD, { recursive: true });
    // Two runs at once must not read each other's half-written file.
    const draft = `${path}.${process.pid}`;
    writeFileSync(draft, text);
    renameSync(draft, path);
  }
  return path;
}

/** @param {string} path */
function current(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** @param {string} file */
function load(file) {
  return JSON.parse(readFileSync(new URL(file, VECTORS), 'utf8'));
}

function source() {
  const { checks } = load('crc.json');
  const { sessions } = load('sessions.json');
  const { scripts } = load('rekey.json');
  const invalid = load('invalid.json');
  const utack = load('utack.json');
  const cobs = load('cobs.json');
  return [
    '/* Made by device/test/vectors/convert.js of spec/vectors. */\n#include "vectors.h"\n',
    table('crc_vector_t', 'CRCS', checks.map(pick('bytes', 'crc'))),
    table('session_vector_t', 'SESSIONS', sessions.map(session)),
    table('rekey_vector_t', 'REKEYS', scripts.map(rekey)),
    table('stream_vector_t', 'INVALID_STREAMS', invalid.stream.map(invalidStream)),
    table('invalid_vector_t', 'INVALID_HANDSHAKES', invalid.handshake.map(invalidFrame)),
    table('invalid_vector_t', 'INVALID_SESSIONS', invalid.session.map(invalidFrame)),
    table('invalid_rekey_vector_t', 'INVALID_REKEYS', invalid.rekey.map(invalidRekey)),
    table('block_vector_t', 'COBS_BLOCKS', cobs.blocks.map(pick('name', 'decoded', 'encoded'))),
    table('block_vector_t', 'COBS_DECODE_ONLY', cobs.decode_only.map(pick('name', 'decoded', 'encoded'))),
    table('block_vector_t', 'COBS_INVALID', cobs.invalid.map(pick('name', 'encoded'))),
    table('line_vector_t', 'COBS_LINES', cobs.lines.map(pick('name', 'bytes', 'frames', 'dropped'))),
    table('utack_vector_t', 'UTACK_HANDSHAKES', utack.handshake.map(utackOf('type', 'seq', 'bytes'))),
    table(
      'utack_vector_t',
      'UTACK_SESSIONS',
      utack.session.map(utackOf('session', 'from', 'type', 'seq', 'key', 'bytes')),
    ),
    table(
      'utack_rekey_vector_t',
      'UTACK_REKEYS',
      utack.rekey.map(utackOf('script', 'from', 'type', 'seq', 'old', 'new')),
    ),
    table('utack_vector_t', 'UTACK_INVALID', utack.invalid.map(utackOf('name', 'session', 'from', 'bytes'))),
    table('datagram_vector_t', 'INVALID_DATAGRAMS', utack.invalid_datagrams.map(pick('name', 'bytes'))),
    `const cookie_vector_t COOKIE = ${struct(utack.cookie)};\n`,
  ].join('\n');
}

function session(vector) {
  const { note: _, receive_only: more = [], ...rest } = vector;
  const controls = vector.control.map(({ from, type, seq, frame }) => {
    return { from: role(from), type: typeOf(type), seq, frame };
  });
  return {
    ...rest,
    unchecked: new Raw(struct(vector.unchecked)),
    messages: messages(vector.messages),
    message_count: vector.messages.length,
    control: array('control_vector_t', controls),
    control_count: controls.length,
    receive_only: messages(more),
    receive_only_count: more.length,
  };
}

function messages(list) {
  const rows = list.map(({ from, plaintext, frames }) => {
    return { from: role(from), plaintext, frames, frame_count: frames.length };
  });
  return array('message_vector_t', rows);
}

function rekey({ name, session: sessionName, rekeys, frames, views, received, completed }) {
  const rows = frames.map(({ from, type, seq, keys, plaintext, frame }) => {
    return { from: role(from), type: typeOf(type), seq, keys, plaintext, frame };
  });
  const salts = rekeys.map((each) => ({ ...each, from: role(each.from) }));
  const row = {
    name,
    session: sessionName,
    rekeys: array('salt_vector_t', salts),
    rekey_count: salts.length,
    frames: array('rekey_frame_t', rows),
    frame_count: rows.length,
  };
  const sides = ['client', 'server'].map((side) => {
    const numbers = views[side] ?? [];
    return struct({
      view: array('unsigned char', numbers),
      view_length: numbers.length,
      received: received[side] ?? [],
      received_count: (received[side] ?? []).length,
      completed: array('unsigned char', completed[side] ?? []),
      completed_count: (completed[side] ?? []).length,
    });
  });
  return { ...row, sides: new Raw(`{${sides.join(', ')}}`) };
}

function invalidStream({ name, bytes, error, at }) {
  return { name, bytes, error, at: at ?? 0 };
}

function invalidFrame({ name, role: side, given, bytes, error }) {
  return { name, role: role(side), session: given.session, frames: given.frames, bytes, error };
}

function invalidRekey({ name, role: side, given, bytes, error }) {
  return { name, role: role(side), script: given.script, steps: given.steps, bytes, error };
}

/** @param {string[]} names */
function utackOf(...names) {
  return (vector) => {
    const row = pick(...names)(vector);
    if (row.from !== undefined) row.from = role(row.from);
    if (row.type !== undefined) row.type = typeOf(row.type);
    if (row.new !== undefined) row.new_ = row.new;
    delete row.new;
    return row;
  };
}

/** @param {string[]} names */
function pick(...names) {
  return (vector) => Object.fromEntries(names.map((name) => [name, vector[name]]));
}

/** @param {string} name */
function role(name) {
  return new Raw(name === 'client' ? 'CLIENT' : 'SERVER');
}

/** @param {string} name */
function typeOf(name) {
  return TYPES.indexOf(name) + 1;
}

/* ── C ───────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** An expression that is C already. */
class Raw {
  constructor(text) {
    this.text = text;
  }
}

function table(type, name, rows) {
  const lines = rows.map((row) => `    ${struct(row)},\n`).join('');
  return `const ${type} ${name}[] = {\n${lines}};\nconst size_t ${name}_COUNT = ${rows.length};\n`;
}

/** An array with an address, also of no elements. */
function array(type, rows) {
  const values = rows.map((row) => (typeof row === 'object' ? struct(row) : String(row)));
  return new Raw(rows.length === 0 ? 'NULL' : `(const ${type}[]){${values.join(', ')}}`);
}

function struct(row) {
  const fields = Object.entries(row).map(([name, value]) => `.${name} = ${literal(value)}`);
  return `{${fields.join(', ')}}`;
}

/** Lists of strings end with a null pointer. */
function literal(value) {
  if (value instanceof Raw) return value.text;
  if (value === null || value === undefined) return 'NULL';
  if (Array.isArray(value)) return `(const char *const[]){${[...value.map(literal), 'NULL'].join(', ')}}`;
  return typeof value === 'string' ? JSON.stringify(value) : `${value}u`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.log(convertVectors());
