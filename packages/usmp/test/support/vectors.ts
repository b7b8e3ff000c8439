/** The vectors of spec/vectors, and a side of a conversation whose chance is scripted by them. */

import { readFileSync } from 'node:fs';
import type { Connection, ConnectionEvent } from '#dist/core/connection.js';
import type { ErrorCode, USMPError } from '#dist/core/errors.js';
import { StreamConnection } from '#dist/core/stream-connection.js';
import { hex } from './bytes.js';
import { OVER_NODE, scriptedCrypto } from './crypto.js';

export type Role = 'client' | 'server';

export interface SessionVector {
  name: string;
  psk: string;
  device_id: string;
  client_private: string;
  server_private: string;
  client_public: string;
  server_public: string;
  nonce: string;
  session_id: string;
  shared_secret: string;
  hkdf_info: string;
  k_c2s: string;
  k_s2c: string;
  mac_c: string;
  mac_s: string;
  hello: string;
  challenge: string;
  hello_ack: string;
  session_ok: string;
  unchecked: { hello: string; challenge: string; hello_ack: string; session_ok: string };
  messages: { from: Role; plaintext: string; frames: string[] }[];
  control: { from: Role; type: string; seq: number; frame: string }[];
  receive_only?: { from: Role; plaintext: string | null; frames: string[] }[];
}

export interface RekeyVector {
  name: string;
  session: string;
  rekeys: {
    from: Role;
    salt: string;
    old_k_c2s: string;
    old_k_s2c: string;
    k_c2s: string;
    k_s2c: string;
  }[];
  frames: { from: Role; type: string; seq: number; keys: number; plaintext: string; frame: string }[];
  views: Partial<Record<Role, number[]>>;
  received: Partial<Record<Role, string[]>>;
  completed: Partial<Record<Role, number[]>>;
}

export interface InvalidVectors {
  stream: { name: string; bytes: string; error: ErrorCode | null; at: number | null }[];
  handshake: InvalidFrame<{ session: string; frames: string[] }>[];
  session: InvalidFrame<{ session: string; frames: string[] }>[];
  rekey: InvalidFrame<{ script: string; steps: number }>[];
}

interface InvalidFrame<Given> {
  name: string;
  role: Role;
  given: Given;
  bytes: string;
  error: ErrorCode;
}

export interface CobsVectors {
  blocks: { name: string; decoded: string; encoded: string }[];
  decode_only: { name: string; decoded: string; encoded: string }[];
  invalid: { name: string; encoded: string }[];
  lines: { name: string; bytes: string; frames: string[]; dropped: number }[];
}

/** From `dist-test/support/`. */
const FOLDER = new URL('../../../../spec/vectors/', import.meta.url);

function load(file: string): unknown {
  return JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8'));
}

export const { checks: CHECKSUMS } = load('crc.json') as { checks: { bytes: string; crc: number }[] };
export const { sessions: SESSIONS } = load('sessions.json') as { sessions: SessionVector[] };
export const { scripts: REKEYS } = load('rekey.json') as { scripts: RekeyVector[] };
export const INVALID = load('invalid.json') as InvalidVectors;
export const COBS = load('cobs.json') as CobsVectors;

export function sessionNamed(name: string): SessionVector {
  return named(SESSIONS, name);
}

export function rekeyNamed(name: string): RekeyVector {
  return named(REKEYS, name);
}

function named<T extends { name: string }>(vectors: readonly T[], name: string): T {
  const vector = vectors.find((candidate) => candidate.name === name);
  if (vector === undefined) throw new Error(`no vector named ${name}`);
  return vector;
}

/** The four frames of a handshake. */
export type HandshakeFrames = Pick<SessionVector, 'hello' | 'challenge' | 'hello_ack' | 'session_ok'>;

/** One side of a session of the vectors. What it sends is kept until it is taken. */
export class ScriptedEnd {
  readonly role: Role;
  readonly session: SessionVector;
  readonly connection: Connection;
  readonly events: ConnectionEvent[] = [];
  #sent = Buffer.alloc(0);

  constructor(session: SessionVector, role: Role, salts: readonly string[] = [], tested = OVER_NODE) {
    const chance = role === 'server' ? [session.nonce, session.session_id, ...salts] : salts;
    const privateKeys = [hex(role === 'client' ? session.client_private : session.server_private)];
    const crypto = scriptedCrypto({ privateKeys, random: chance.map(hex) }, tested);
    const settings = { crypto, handshakeTimeout: 10_000, keepaliveInterval: 0, idleTimeout: 0 };
    this.role = role;
    this.session = session;
    this.connection =
      role === 'client'
        ? new StreamConnection(settings, 0, { deviceId: hex(session.device_id), psk: hex(session.psk) })
        : new StreamConnection({ ...settings, decoyKey: hex(session.psk).reverse() }, 0);
  }

  /** A side whose handshake is done. */
  static open(
    session: SessionVector,
    role: Role,
    salts: readonly string[] = [],
    tested = OVER_NODE,
  ): ScriptedEnd {
    const end = new ScriptedEnd(session, role, salts, tested);
    for (const frame of incoming(session, role)) end.input(hex(frame));
    end.takeSent();
    if (end.events.at(-1)?.type !== 'open') throw new Error(`session ${session.name} does not open`);
    end.events.length = 0;
    return end;
  }

  /** Hands over bytes, in pieces of at most `piece`. PONGs stay owed until {@link takeSent}. */
  input(bytes: Uint8Array, piece = Math.max(1, bytes.length)): void {
    for (let start = 0; start < bytes.length; start += piece) {
      this.connection.handleInput(bytes.slice(start, start + piece), 0);
      this.drainEvents();
    }
  }

  drainEvents(): void {
    for (let event = this.connection.pollEvent(); event !== undefined; event = this.connection.pollEvent()) {
      this.events.push(event);
      if (event.type === 'keys-wanted') this.connection.provideKeys([hex(this.session.psk)], 0);
    }
  }

  /** The next bytes that it has sent: all, or as many as asked for. */
  takeSent(length?: number): Uint8Array {
    if (length === undefined || this.#sent.length < length) {
      this.#sent = Buffer.concat([this.#sent, this.connection.pollTransmit(0) ?? Buffer.alloc(0)]);
    }
    const taken = this.#sent.subarray(0, length ?? this.#sent.length);
    this.#sent = this.#sent.subarray(taken.length);
    return new Uint8Array(taken);
  }

  /** The messages that have come out. */
  get received(): Uint8Array[] {
    return this.events.flatMap((event) => (event.type === 'message' ? [event.data] : []));
  }

  get closed(): USMPError | undefined {
    return this.events.flatMap((event) => (event.type === 'closed' ? [event.error] : []))[0];
  }
}

/** The frames of a handshake that come in at a role. */
export function incoming(frames: HandshakeFrames, role: Role): [string, string] {
  return role === 'client' ? [frames.challenge, frames.session_ok] : [frames.hello, frames.hello_ack];
}

/** Walks through the first `steps` entries of a side's view of a script; `deliver` hands over a frame of the other. */
export function walk(
  end: ScriptedEnd,
  script: RekeyVector,
  steps: number,
  deliver: (frame: Uint8Array, number: number) => void,
  onSent: (frame: Uint8Array, number: number) => void,
): void {
  const view = script.views[end.role]!;
  let parts: Uint8Array[] = [];
  for (const [step, number] of view.slice(0, steps).entries()) {
    const frame = script.frames[number]!;
    if (frame.from !== end.role) {
      deliver(hex(frame.frame), number);
      continue;
    }
    const previous = step > 0 ? script.frames[view[step - 1]!] : undefined;
    const behindRekey = previous?.type === 'REKEY' && previous.from === end.role;
    if (frame.type === 'REKEY') end.connection.rekey(0);
    else if (frame.type === 'PING' && !behindRekey) end.connection.ping(0);
    else if (frame.type === 'DATA' || frame.type === 'DATA_FRAG') {
      if (parts.length === 0) end.connection.send(wholeMessage(script, view, step), 0);
      parts = frame.type === 'DATA' ? [] : [...parts, hex(frame.plaintext)];
    }
    onSent(end.takeSent(hex(frame.frame).length), number);
  }
}

/** The message that begins at a step of a view. */
function wholeMessage(script: RekeyVector, view: readonly number[], step: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const number of view.slice(step)) {
    const frame = script.frames[number]!;
    parts.push(hex(frame.plaintext));
    if (frame.type === 'DATA') break;
  }
  return new Uint8Array(Buffer.concat(parts));
}
