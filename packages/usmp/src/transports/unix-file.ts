/**
 * The file of a Unix socket: how it comes to its path, and how it goes.
 *
 * A socket is bound in a private folder beside its path and appears at the path when it is ready: with its mode, and
 * listening. So nobody can connect before the mode holds, and whoever finds a socket that refuses connections knows that
 * its server is gone. It appears by a hard link, which never replaces anything: of servers that start at once, one
 * wins. Besides, Node unlinks the path that it has bound when a server closes, whoever's file that is by then; so it is
 * not given the real one.
 *
 * A stale file is claimed before it is removed, by a second hard link that only one can make. Who has it looks once
 * more: as long as the claim stands nobody else removes anything, so what is stale now is stale when it goes. The claim
 * of a server that was killed in the middle of that lasts until it is {@link CLAIM_TIME} old.
 *
 * @module
 */

import { type BigIntStats, lstatSync, unlinkSync } from 'node:fs';
import { chmod, link, lstat, mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TransportError } from '../core/errors.js';

/** Of the private folder, to which the system adds six characters. The path of a socket is short, so this is too. */
const FOLDER_PREFIX = '.usmp-';
const NAME = 's';

/** Of the claim, for all sockets of a folder. It is to be connected to, so it must be short as well. */
const CLAIM = '.usmp-stale';

/** A claim is held for a few calls of the system; one that is older was left behind. Milliseconds. */
const CLAIM_TIME = 3_000;

/** How long servers that start at once make room for each other, and how often they look. Milliseconds. */
const PATIENCE = 2 * CLAIM_TIME;
const LOOK_INTERVAL = 20;

/** Numbers of files do not always fit into others. */
const BIGINT = { bigint: true } as const;

/** The longest path, in bytes, that a socket at `path` has on its way there. */
export function longestPath(path: string): number {
  const temporary = join(dirname(path), `${FOLDER_PREFIX}XXXXXX`, NAME);
  return Math.max(Buffer.byteLength(path), Buffer.byteLength(temporary));
}

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
  const folder = await mkdtemp(join(dirname(absolute), FOLDER_PREFIX));
  try {
    // Relative, where the path is: that may be all the system takes.
    const temporary = join(dirname(path), basename(folder), NAME);
    await bind(temporary);
    if (mode !== undefined) await chmod(temporary, mode);
    const identity = await identify(temporary);
    for (const deadline = performance.now() + PATIENCE; performance.now() < deadline; ) {
      if (await appears(temporary, path)) return { path: absolute, identity };
      await removeStale(path);
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
    if (isSame(lstatSync(path, BIGINT), identity)) unlinkSync(path);
  } catch {
    // It is gone, or cannot be removed; then the next start does.
  }
}

/** Gives a file a second name. False where something has that already. */
async function appears(file: string, path: string): Promise<boolean> {
  try {
    await link(file, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removes what is left of a server that is gone, or waits for somebody else who does.
 *
 * @throws {TransportError} `address_in_use`: somebody listens there, or it is no socket
 */
async function removeStale(path: string): Promise<void> {
  const claim = join(dirname(path), CLAIM);
  try {
    await assertStale(path, path);
    if (!(await appears(path, claim))) return await waitFor(claim);
  } catch (error) {
    return unlessMissing(error);
  }
  try {
    // Since its server is gone, and the claim is ours, nobody else takes it away.
    await assertStale(claim, path);
    if (isSame(lstatSync(path, BIGINT), lstatSync(claim, BIGINT))) unlinkSync(path);
  } catch (error) {
    unlessMissing(error);
  } finally {
    await rm(claim, { force: true });
  }
}

async function waitFor(claim: string): Promise<void> {
  await delay(LOOK_INTERVAL);
  // To claim a file changes its status, and with it this time.
  const { ctimeMs } = await lstat(claim);
  if (Date.now() - ctimeMs > CLAIM_TIME) await rm(claim, { force: true });
}

/** @param path how people know the file */
async function assertStale(file: string, path: string): Promise<void> {
  if (!(await lstat(file)).isSocket()) {
    throw inUse(path, 'it is a file of another kind, and is left alone; choose another path');
  }
  const code = await knock(file);
  if (code === 'ECONNREFUSED') return;
  const why =
    code === 'EACCES' || code === 'EPERM'
      ? 'there is the socket of another user; remove it if it is of no use, or choose another path'
      : 'stop the other program or choose another path';
  // Gone meanwhile: nothing is in use.
  if (code !== 'ENOENT') throw inUse(path, why);
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
  return lstat(path, BIGINT);
}

function isSame(one: Identity, other: Identity): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

function unlessMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

function inUse(path: string, why: string): TransportError {
  return new TransportError('address_in_use', `${path} is in use: ${why}`);
}
