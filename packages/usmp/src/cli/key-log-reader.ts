/**
 * Reads key logs, as `--danger-keylog` writes them (`key-log.ts`): with one, recorded sessions can be read.
 *
 * @module
 */

import type { Aead } from '../core/crypto.js';
import { CHECKED_HEADER_LENGTH, type Frame } from '../core/frame.js';
import { HEADER_LENGTH, NONCE_LENGTH } from '../core/limits.js';
import { nodeCrypto } from '../crypto/node.js';
import { hex } from '../hex.js';
import { UsageError } from './exit-codes.js';
import { readTextFile } from './key-file.js';

const LINE =
  /^USMP2 (?<device>[0-9a-f]{2}(?::[0-9a-f]{2}){5}) (?<session>[0-9a-f]{32}) (?<epoch>\d{1,10}) (?<c2s>[0-9a-f]{64}) (?<s2c>[0-9a-f]{64})$/i;

/** The part of a session id that stands in every nonce, in bytes (§4.1). */
const PREFIX_LENGTH = 8;

/** Sessions remembered of one conversation; those that were not seen for the longest time go. */
const SESSIONS_REMEMBERED = 8;

/**
 * Keys tried in all for UTACKs of conversations whose session is not known: some seconds of work, so that a large log
 * and a capture full of UTACKs do not take for ever.
 */
const BLIND_TRIALS = 1_000_000;

export type Role = 'client' | 'server';

/** A frame that was opened, or a UTACK whose MAC fits. */
export interface Authenticated {
  readonly session: LoggedSession;
  /** Who sent the frame that was opened, or that is acknowledged. */
  readonly from: Role;
  readonly epoch: number;
}

/** Why there is none. */
export type KeyFailure =
  /** The key log knows nothing of the session. */
  | 'no-key'
  /** It knows the session, but none of its keys fits. */
  | 'no-fit';

interface TrafficKey {
  readonly epoch: number;
  readonly bytes: Uint8Array;
  aead: Aead | undefined;
}

/** One direction of a session: its keys in the order of the log. */
class Direction {
  readonly from: Role;
  readonly #keys: TrafficKey[] = [];
  readonly #known = new Set<string>();
  /** Where the last search ended: the key in use is most likely there, or right behind. */
  #recent = 0;

  constructor(from: Role) {
    this.from = from;
  }

  /** Both sides may write to one log, and epochs after a REKEY may share a key (§7.3): each key counts once. */
  add(epoch: number, digits: string): void {
    if (this.#known.has(digits)) return;
    this.#known.add(digits);
    this.#keys.push({ epoch, bytes: Buffer.from(digits, 'hex'), aead: undefined });
  }

  get size(): number {
    return this.#keys.length;
  }

  find(fits: (key: TrafficKey) => boolean): TrafficKey | undefined {
    for (let i = 0; i < this.#keys.length; i++) {
      const place = (this.#recent + i) % this.#keys.length;
      if (!fits(this.#keys[place])) continue;
      this.#recent = place;
      return this.#keys[place];
    }
    return undefined;
  }
}

/** A session of the log. */
export class LoggedSession {
  /** 32 digits in lower case. */
  readonly id: string;
  readonly deviceId: string;
  readonly directions = [new Direction('client'), new Direction('server')] as const;

  constructor(id: string, deviceId: string) {
    this.id = id;
    this.deviceId = deviceId;
  }

  /** The key that fits, of the given direction or of any. */
  find(from: Role | undefined, fits: (key: TrafficKey) => boolean): Authenticated | undefined {
    for (const direction of this.directions) {
      if (from !== undefined && from !== direction.from) continue;
      const key = direction.find(fits);
      if (key !== undefined) return { session: this, from: direction.from, epoch: key.epoch };
    }
    return undefined;
  }
}

/** What two ends have shown of themselves so far: which sessions they have, and which of them is the client. */
export class Conversation {
  /** Sessions seen here that the log knows, the last one first. */
  readonly sessions: LoggedSession[] = [];
  /** Sessions were seen here that the log does not know. */
  hasUnlogged = false;
  #client: string | undefined;
  #server: string | undefined;

  /** A session was seen here. */
  sees(session: LoggedSession): void {
    if (this.sessions[0] === session) return;
    const place = this.sessions.indexOf(session);
    if (place > 0) this.sessions.splice(place, 1);
    this.sessions.unshift(session);
    if (this.sessions.length > SESSIONS_REMEMBERED) this.sessions.pop();
  }

  /** Something proved that `end` has this role. */
  proves(end: string | undefined, role: Role): void {
    if (role === 'client') this.#client = end;
    else this.#server = end;
  }

  /** The role of the other end, as far as it is known. */
  roleOfPeerOf(end: string | undefined): Role | undefined {
    if (end === undefined) return undefined;
    if (end === this.#client) return 'server';
    if (end === this.#server) return 'client';
    if (this.#client !== undefined) return 'client';
    return this.#server === undefined ? undefined : 'server';
  }
}

/** The keys of a log, and what can be done with them. */
export class KeyLog {
  readonly #byId = new Map<string, LoggedSession>();
  readonly #byPrefix = new Map<string, LoggedSession[]>();
  #blindTrials = BLIND_TRIALS;

  /**
   * Reads a file.
   *
   * @throws {UsageError} it cannot be read, has a line that is none of a key log, or no keys at all. The message never
   * shows what stands in the file
   */
  static read(file: string): KeyLog {
    const log = new KeyLog();
    const lines = readTextFile(file).split('\n');
    for (const [i, line] of lines.entries()) {
      const text = line.trim();
      if (text === '' || text.startsWith('#')) continue;
      if (!log.#add(text)) {
        throw new UsageError(
          `${file}: line ${i + 1} is not one of a key log: give a file that --danger-keylog has written`,
        );
      }
    }
    if (log.isEmpty) throw new UsageError(`${file}: holds no keys: no session has written to it yet`);
    return log;
  }

  get isEmpty(): boolean {
    return this.#byId.size === 0;
  }

  /** The plaintext of a session frame (§4.1). Its number is in any place: a capture begins and loses where it likes. */
  open(
    frame: Frame,
    conversation: Conversation,
    source?: string,
  ): (Authenticated & { plaintext: Uint8Array }) | KeyFailure {
    const { payload, bytes } = frame;
    const sessions = this.#byPrefix.get(hex(payload.subarray(4, 4 + PREFIX_LENGTH)));
    if (sessions === undefined) {
      conversation.hasUnlogged = true;
      return 'no-key';
    }
    const nonce = payload.subarray(0, NONCE_LENGTH);
    const aad = bytes.subarray(0, CHECKED_HEADER_LENGTH);
    const sealed = bytes.subarray(HEADER_LENGTH + NONCE_LENGTH);
    let plaintext: Uint8Array | undefined;
    for (const session of sessions) {
      const found = session.find(undefined, (key) => {
        key.aead ??= nodeCrypto.aes256gcm(key.bytes);
        plaintext = key.aead.open(nonce, aad, sealed);
        return plaintext !== undefined;
      });
      conversation.sees(session);
      if (found === undefined) continue;
      conversation.proves(source, found.from);
      return { ...found, plaintext: plaintext! };
    }
    return 'no-fit';
  }

  /** SESSION_OK says in clear which session begins. */
  announce(sessionId: string, conversation: Conversation): void {
    const session = this.#byId.get(sessionId);
    if (session === undefined) conversation.hasUnlogged = true;
    else conversation.sees(session);
  }

  /**
   * Checks the MAC of a UTACK (§9.1).
   *
   * @param covered the bytes before the MAC
   * @param source who sent the UTACK
   */
  verify(
    covered: Uint8Array,
    mac: Uint8Array,
    conversation: Conversation,
    source?: string,
  ): Authenticated | KeyFailure {
    const fits = ({ bytes }: TrafficKey) =>
      nodeCrypto.equal(nodeCrypto.hmacSha256(bytes, covered).subarray(0, mac.length), mac);
    const from = conversation.roleOfPeerOf(source);
    for (const session of conversation.sessions) {
      const found = session.find(from, fits);
      if (found !== undefined) return found;
    }
    if (conversation.sessions.length > 0) return conversation.hasUnlogged ? 'no-key' : 'no-fit';
    for (const session of this.#byId.values()) {
      if (this.#blindTrials <= 0) break;
      this.#blindTrials -= session.directions[0].size + session.directions[1].size;
      const found = session.find(from, fits);
      if (found === undefined) continue;
      conversation.sees(session);
      return found;
    }
    return 'no-key';
  }

  #add(line: string): boolean {
    const fields = LINE.exec(line.toLowerCase().replace(/^usmp2/, 'USMP2'))?.groups;
    if (fields === undefined) return false;
    const { device, session: id, epoch, c2s, s2c } = fields;
    let session = this.#byId.get(id);
    if (session === undefined) {
      session = new LoggedSession(id, device);
      this.#byId.set(id, session);
      const prefix = id.slice(0, 2 * PREFIX_LENGTH);
      this.#byPrefix.set(prefix, [...(this.#byPrefix.get(prefix) ?? []), session]);
    }
    session.directions[0].add(Number(epoch), c2s);
    session.directions[1].add(Number(epoch), s2c);
    return true;
  }
}
