/** The released peer, in a Python process of its own that obeys commands (`peers/control.py`). */

import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DEADLINE } from './deadline.js';

// From the compiled file as from the source, the package is two folders up.
const PACKAGE = new URL('../../', import.meta.url);
const PROGRAMS = new URL('test/interop/peers/', PACKAGE);
const PEERS_SCRIPT = new URL('../../scripts/peers.js', PACKAGE);

export interface PeerState {
  /** Messages that arrived, each once and whole, and in order where that is promised. */
  readonly received: number;
  /** The highest number among them; -1 before the first. */
  readonly highest: number;
  readonly txSeq: number;
  readonly rxSeq: number;
  /** A fingerprint of the keys in use. */
  readonly keys: string;
}

export interface ServeOptions {
  readonly host?: string;
  readonly psk: string;
  /** Whether it sends back what it gets; otherwise it checks that and counts. */
  readonly echo?: boolean;
  readonly protocol?: 'tcp' | 'udp';
  /** Whether messages have to come to it in order; where not, each must have four bytes or more. */
  readonly ordered?: boolean;
}

/** The answers to the commands of `peers/`. */
interface Answers {
  connect: { sessionId: string };
  send: object;
  waitReceived: PeerState;
  ping: object;
  bye: object;
  rekey: object;
  pause: object;
  resume: object;
  limitSendBuffer: object;
  state: PeerState;
}

interface Events {
  listening: { port: number };
  ready: object;
  session: { deviceId: string; sessionId: string };
  closed: { error: string; message: string };
}

interface Event {
  event: keyof Events;
}

interface Answer {
  id: number;
  result?: object;
  /** Instead of a result: the class of an exception, and what it says. */
  error?: string;
  message?: string;
}

/** A command that raised an exception in the peer. */
export class PeerError extends Error {
  /** Name of the class of the exception. */
  readonly type: string;

  constructor(type: string, message: string) {
    super(`${type}: ${message}`);
    this.type = type;
  }
}

/**
 * A test that needs the released peer. Where there is none it is left out, loudly; under CI, where nothing may be left
 * out, it fails.
 */
export function testWithPeer(
  version: string,
  promise: string,
  run: (t: TestContext, python: string) => Promise<void>,
): void {
  test(promise, async (t) => {
    const { peerPython } = await import(PEERS_SCRIPT.href);
    const python: string | undefined = await peerPython(version);
    if (python !== undefined) return run(t, python);
    const missing = `PyPI usmp ${version} is not installed`;
    assert.notEqual(process.env.CI, 'true', missing);
    console.error(`*** NOT TESTED, ${missing}: ${promise}`);
    t.skip(missing);
  });
}

/** Each test has one of its own: the released server locks out an address for what one test did to it. */
export class ReleasedPeer {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #exited: Promise<unknown>;
  readonly #news = new EventEmitter();
  readonly #answers = new Map<number, Answer>();
  #events: Event[] = [];
  #ended = false;
  #lastId = 0;
  #complaints = '';

  private constructor(python: string, program: string, args: readonly string[]) {
    const file = fileURLToPath(new URL(program, PROGRAMS));
    // -E: no settings of the caller's environment; -B: no compiled files between the sources.
    this.#process = spawn(python, ['-E', '-B', file, ...args]);
    this.#exited = new Promise((resolve) => this.#process.on('close', resolve));
    this.#process.on('error', (error) => {
      this.#complaints += error.message;
    });
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints = (this.#complaints + text).slice(-4_000);
    });
    // A peer that has ended reads no more commands; the wait for the answer tells.
    this.#process.stdin.on('error', () => {});
    createInterface(this.#process.stdout).on('line', (line) => this.#take(JSON.parse(line)));
    this.#process.on('close', () => {
      this.#ended = true;
      this.#news.emit('line');
    });
  }

  /** The released server, listening. It sends back what it gets, or only checks that. */
  static async serve(
    t: TestContext,
    python: string,
    { host = '127.0.0.1', psk, echo = true, protocol = 'tcp', ordered = true }: ServeOptions,
  ): Promise<{ peer: ReleasedPeer; port: number }> {
    const flags = [
      ...(echo ? [] : ['--no-echo']),
      ...(protocol === 'udp' ? ['--udp'] : []),
      ...(ordered ? [] : ['--unordered']),
    ];
    const peer = new ReleasedPeer(python, 'echo_server.py', [host, psk, ...flags]);
    t.after(() => peer.stop());
    return { peer, port: (await peer.event('listening')).port };
  }

  /** The released client, ready for `connect`. */
  static async client(t: TestContext, python: string): Promise<ReleasedPeer> {
    const peer = new ReleasedPeer(python, 'client.py', []);
    t.after(() => peer.stop());
    await peer.event('ready');
    return peer;
  }

  /** @throws {PeerError} the command failed there */
  async command<Name extends keyof Answers>(name: Name, args: object = {}): Promise<Answers[Name]> {
    const id = ++this.#lastId;
    this.#process.stdin.write(`${JSON.stringify({ id, command: name, ...args })}\n`);
    const answer = await this.#wait(`an answer to "${name}"`, () => this.#answers.get(id));
    this.#answers.delete(id);
    if (answer.error !== undefined) throw new PeerError(answer.error, answer.message ?? '');
    return answer.result as Answers[Name];
  }

  /** The next event of that name, also one that came before. */
  async event<Name extends keyof Events>(name: Name): Promise<Events[Name]> {
    const found = await this.#wait(`the event "${name}"`, () =>
      this.#events.find((event) => event.event === name),
    );
    this.#events = this.#events.filter((event) => event !== found);
    return found as unknown as Events[Name];
  }

  /** Waits until the server has that session, which then is the one that commands reach. */
  async sessionOf(id: string): Promise<void> {
    while ((await this.event('session')).sessionId !== id);
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exited;
  }

  #take(line: Event | Answer): void {
    if ('event' in line) this.#events.push(line);
    else this.#answers.set(line.id, line);
    this.#news.emit('line');
  }

  async #wait<T>(what: string, find: () => T | undefined): Promise<T> {
    const signal = AbortSignal.timeout(DEADLINE);
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      assert.ok(!this.#ended, `the peer ended before ${what}\n${this.#complaints}`);
      await once(this.#news, 'line', { signal }).catch(() =>
        assert.fail(`waited in vain for ${what} from the peer\n${this.#complaints}`),
      );
    }
  }
}
