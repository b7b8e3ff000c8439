/**
 * One serial port as a link of bytes, and what can go wrong with opening it.
 *
 * @module
 */

import { readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { SerialPort } from 'serialport';
import { ArgumentError, TransportError } from '../core/errors.js';
import type { AbortSignalLike } from '../waiting.js';
import type { Link, LinkHandler, Role } from './transport.js';

/** Which port, and how fast. */
export interface PortName {
  /** As the system calls it: `/dev/ttyUSB0`, `COM3`. */
  readonly path: string;
  /** Bits a second. */
  readonly baudRate: number;
}

/** How often a port is asked whether it is still there. Milliseconds. */
const WATCH_INTERVAL = 1_000;

/** What the system says of one that is not. */
const GONE = /input\/output error|bad file descriptor|no such device/i;

/**
 * How long to wait for a lock, and how often to try, in milliseconds: the system keeps that of a port that was closed for
 * as long as a read of it is under way.
 */
const LOCK_PATIENCE = 500;
const LOCK_INTERVAL = 25;

/** What the package says when somebody else has the lock. */
const LOCKED = /cannot lock port/i;

/** Ports that are about to be closed. Until that is done the system lets nobody open them, and us neither. */
const closing = new Map<string, Promise<void>>();

/**
 * Opens a port for this process alone.
 *
 * @throws {TransportError} `unreachable`, to listen also `address_in_use`
 * @throws {ArgumentError} the package `serialport` is not installed
 */
export async function openPort(name: PortName, role: Role, signal?: AbortSignalLike): Promise<PortLink> {
  if (signal?.aborted) throw signal.reason;
  const opening = open(name, role);
  if (signal === undefined) return opening;
  return new Promise((resolve, reject) => {
    const abort = () => {
      reject(signal.reason);
      opening.then((link) => link.destroy()).catch(() => {});
    };
    signal.addEventListener('abort', abort);
    opening.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

async function open({ path, baudRate }: PortName, role: Role): Promise<PortLink> {
  const { SerialPort } = await loadPackage();
  await closing.get(path);
  const giveUpAt = performance.now() + LOCK_PATIENCE;
  for (;;) {
    const port = new SerialPort({ path, baudRate, autoOpen: false });
    const error = await new Promise<Error | null>((resolve) => port.open(resolve));
    if (error === null) {
      waitForBoth(port);
      return new PortLink(port);
    }
    if (!LOCKED.test(error.message) || performance.now() > giveUpAt) throw await openError(path, role, error);
    await delay(LOCK_INTERVAL);
  }
}

/** Flags of `uv_poll_start`. */
const READABLE = 1;
const WRITABLE = 2;

/** As much of what is inside of the package as the next function needs. */
interface Inside {
  readonly poller?: {
    poll(events: number): void;
    listenerCount(event: 'readable' | 'writable'): number;
  };
}

/**
 * On Linux and macOS the package waits for one kind of event at a time: while it waits for room to write it is not told that
 * there is something to read. Two ends with much to say would wait for each other, and a slow line would lose what comes in.
 * So whatever it asks for, it gets all that somebody waits for.
 */
function waitForBoth({ port }: SerialPort): void {
  const { poller } = (port ?? {}) as Inside;
  if (typeof poller?.poll !== 'function') return;
  const poll = poller.poll.bind(poller);
  poller.poll = (events) => {
    const reading = poller.listenerCount('readable') > 0 ? READABLE : 0;
    const writing = poller.listenerCount('writable') > 0 ? WRITABLE : 0;
    poll(events | reading | writing);
  };
}

async function loadPackage(): Promise<typeof import('serialport')> {
  try {
    return await import('serialport');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_MODULE_NOT_FOUND') {
      throw new ArgumentError(
        'invalid_argument',
        'serial ports need the package serialport: npm install serialport',
        { cause: error },
      );
    }
    throw new TransportError('unreachable', `the package serialport cannot be used here: ${message}`, {
      cause: error,
    });
  }
}

/** Why a port cannot be opened. The package has no codes for its errors, only the words of the system. */
export async function openError(path: string, role: Role, error: Error): Promise<TransportError> {
  const because = { cause: error };
  if (/no such file|file not found|no such device/i.test(error.message)) {
    const message = `there is no serial port ${path}: plug it in, or correct the name${await knownPorts()}`;
    return new TransportError('unreachable', message, because);
  }
  if (/cannot lock port|resource busy/i.test(error.message)) {
    const message = `another program has the serial port ${path} open: close it there`;
    return new TransportError(role === 'listen' ? 'address_in_use' : 'unreachable', message, because);
  }
  if (/permission denied|access denied/i.test(error.message))
    return new TransportError('unreachable', deniedAt(path), because);
  if (/inappropriate ioctl|is a directory/i.test(error.message)) {
    return new TransportError('unreachable', `${path} is no serial port`, because);
  }
  return new TransportError('unreachable', `cannot open the serial port ${path}: ${error.message}`, because);
}

function deniedAt(path: string): string {
  if (process.platform === 'win32')
    return `no access to the serial port ${path}: close the program that has it open`;
  return (
    `no permission to open the serial port ${path}: add your user to its group, on most systems ` +
    'with "sudo usermod -aG dialout $USER", and log in again'
  );
}

/** Names of devices that are serial ports on Linux and macOS. */
const PORT_NAME = /^(tty(USB|ACM|AMA)\d+|cu\..+)$/;

/** How many of them a message names. */
const MAX_NAMED = 8;

/** Not by `SerialPort.list()`: that starts `udevadm`, which may be missing. */
async function knownPorts(): Promise<string> {
  const names = await readdir('/dev').catch(() => []);
  const ports = names.filter((name) => PORT_NAME.test(name)).map((name) => `/dev/${name}`);
  return ports.length === 0 ? '' : ` (there are ${ports.slice(0, MAX_NAMED).join(', ')})`;
}

/** An open port. Its peer is whatever is connected to it, so it is called by the port. */
export class PortLink implements Link {
  readonly transport = 'serial';
  readonly peer: string;
  readonly address: string;
  readonly #port: SerialPort;
  readonly #closed: Promise<void>;
  #tellClosed!: () => void;
  readonly #watch: ReturnType<typeof setInterval>;
  #leaving = false;

  constructor(port: SerialPort) {
    this.#port = port;
    this.peer = this.address = port.path;
    this.#closed = new Promise((resolve) => {
      this.#tellClosed = resolve;
    });
    // The stream may have given up, after an error, before the port is closed.
    port.on('close', () => this.#shut());
    port.on('error', () => this.#shut());
    this.#watch = setInterval(() => this.#look(), WATCH_INTERVAL);
  }

  attach(handler: LinkHandler): void {
    const port = this.#port;
    port.on('data', ({ buffer, byteOffset, byteLength }: Buffer) => {
      handler.handleBytes(new Uint8Array(buffer, byteOffset, byteLength));
    });
    port.on('drain', () => handler.handleDrain());
    this.#closed.then(() => handler.handleClosed());
  }

  write(bytes: Uint8Array): boolean {
    return this.#leaving || !this.#port.writable ? true : this.#port.write(bytes);
  }

  pause(): void {
    this.#port.pause();
  }

  resume(): void {
    this.#port.resume();
  }

  close(): void {
    if (this.#leaving || !this.#port.isOpen) return;
    this.#leaving = true;
    // `drain` waits for what is under way in the system, `end` for what is in front of it.
    this.#port.end(() => {
      if (this.#port.isOpen) this.#port.drain(() => this.#shut());
    });
  }

  destroy(): void {
    this.#leaving = true;
    this.#shut();
  }

  /**
   * The package takes a read of nothing, which is how Linux says that a device was unplugged in the middle of a read, for
   * a reason to read once more, without end.
   */
  #look(): void {
    this.#port.port?.getBaudRate().catch(({ message }: Error) => {
      if (GONE.test(message)) this.#shut();
    });
  }

  /** Closes the port, or takes note that it is closed. */
  #shut(): void {
    const port = this.#port;
    if (port.isOpen) {
      closing.set(port.path, this.#closed);
      port.close(() => this.#shut());
    } else if (!port.closing) {
      clearInterval(this.#watch);
      if (closing.get(port.path) === this.#closed) closing.delete(port.path);
      this.#tellClosed();
    }
  }
}
