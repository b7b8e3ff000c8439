/**
 * The file of a Unix socket: how it comes to its path, and how it goes.
 *
 * A socket is bound in a private folder beside its path and appears at the path when it is ready: with its mode, and
 * listening. So nobody can connect before the mode holds, and whoever finds a socket that refuses connections knows that
 * its server is gone. It appears by a hard link, which never replaces anything: of servers that start at once, one
 * wins. Besides, Node unlinks the path that it has bound when a server closes, whoever's file that is by then; so it is
 * not given the real one.
 *
 * A stale file is moved away before it is removed, and looked at once more. Where another server has replaced it in
 * between, it gets its file back; only a third one that takes the path within these microseconds could prevent that.
 *
 * @module
 */

import { type BigIntStats, lstatSync, unlinkSync } from 'node:fs';
import { chmod, link, lstat, mkdtemp, rename, rm } from 'node:fs/promises';
import net from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { TransportError } from '../core/errors.js';

/** Of the private folder, to which the system adds six characters. The path of a socket is short, so this is too. */
const FOLDER_PREFIX = '.usmp-';
const NAME = 's';
const STALE = 'stale';

/** The longest path, in bytes, that a socket at `path` has on its way there. */
export function longestPath(path: string): number {
  const temporary = join(dirname(path), `${FOLDER_PREFIX}XXXXXX`, NAME);
  return Math.max(Buffer.byteLength(path), Buffer.byteLength(temporary));
}

/** Stale files found at one start, one after the other: more than one means that others are at work there. */
const MAX_TRIES = 5;

/** The file of an open socket. */
export interface OpenedFile {
  /** Absolute: the process may change its folder. */
  readonly path: string;
  readonly identity: Identity;
}

/** What tells a file from all others that exist at the same time. */
interface Identity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/**
 * Opens a socket at a path. A file that was left behind by a server that is gone is replaced; any other stays.
 *
 * @param mode permissions of the file; undefined leaves them to the umask
 * @param bind binds the socket to the path that it is given, and listens
 * @throws {TransportError} `address_in_use`: somebody listens there, or there is another kind of file
 * @throws the error of the system
 */
export async function placeSocket(
  path: string,
  mode: number | undefined,
  bind: (path: string) => Promise<void>,
): Promise<OpenedFile> {
  // Before anything is awaited.
  const absolute = resolve(path);
  const folder = await mkdtemp(join(dirname(path), FOLDER_PREFIX));
  try {
    const temporary = join(folder, NAME);
    await bind(temporary);
    if (mode !== undefined) await chmod(temporary, mode);
    const identity = await identify(temporary);
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (await appears(temporary, path)) return { path: absolute, identity };
      await clear(path, join(folder, STALE));
    }
    throw inUse(path, 'other servers start there at the same time');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Removes the file of a socket, unless another has taken its place. Call it while the socket is open. */
export function removeSocket({ path, identity }: OpenedFile): void {
  try {
    // In one go, so that nobody comes in between who waits for this process.
    if (isSame(lstatSync(path, { bigint: true }), identity)) unlinkSync(path);
  } catch {
    // It is gone, or cannot be removed; then the next start does.
  }
}

async function appears(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes what is left of a server that is gone. */
async function clear(path: string, aside: string): Promise<void> {
  const found = await identify(path).catch(unlessMissing);
  if (found === undefined || !(await isStale(path, found))) return;
  await rename(path, aside).catch(unlessMissing);
  const moved = await identify(aside).catch(unlessMissing);
  // Another server was faster, and has the path already.
  if (moved !== undefined && !isSame(moved, found)) await appears(aside, path);
  await rm(aside, { force: true });
}

/** @throws {TransportError} `address_in_use`: somebody listens there, or it is no socket */
async function isStale(path: string, found: BigIntStats): Promise<boolean> {
  if (!found.isSocket()) {
    throw inUse(path, 'it is a file of another kind, and is left alone; choose another path');
  }
  const code = await knock(path);
  if (code === 'ECONNREFUSED') return true;
  if (code === 'ENOENT') return false;
  const why =
    code === 'EACCES' || code === 'EPERM'
      ? 'there is the socket of another user; remove it if it is of no use, or choose another path'
      : 'stop the other program or choose another path';
  throw inUse(path, why);
}

/** Why nobody opens at a path; undefined when somebody does. */
function knock(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect({ path });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
  });
}

function identify(path: string): Promise<BigIntStats> {
  return lstat(path, { bigint: true });
}

function isSame(one: Identity, other: Identity): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

function inUse(path: string, why: string): TransportError {
  return new TransportError('address_in_use', `${path} is in use: ${why}`);
}
