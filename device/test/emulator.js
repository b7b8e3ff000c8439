/**
 * What tests of the firmware stand on: a board in its emulator, the TypeScript server that its UART is connected to, and a relay
 * between them that damages or cuts the line. All of it ends with its test, and what a test fails with has what all of them said.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import net from 'node:net';
import test from 'node:test';
import { USMPServer } from '../../packages/usmp/dist/index.js';
import { build, emulation } from '../firmware/build.js';

/** @typedef {import('../firmware/build.js').BoardName} BoardName */
/** @typedef {import('../firmware/build.js').Image} Image */

/** The one in firmware/main.c. */
const PSK = 'your-psk-here-16+';
const LOCALHOST = '127.0.0.1';

/** Milliseconds. No emulator runs longer; the slowest test waits 10 s, with nothing else to do. */
const LONGEST_RUN = 45_000;
/** A test with a build in it, where nothing has been built before. */
const LONGEST_TEST = 240_000;

/* ── Tests ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/**
 * A test with a board. Where compiler, emulator or BearSSL cannot be had it is skipped loudly; under `CI=true` that is a failure.
 *
 * @param {string} promise @param {BoardName} board
 * @param {(bed: Bed) => Promise<void>} act
 * @param {Record<string, number>} [switches] of the core
 */
export function boardTest(promise, board, act, switches = {}) {
  test(promise, { timeout: LONGEST_TEST }, async (t) => {
    const image = await imageOf(board, switches);
    if (image === undefined) return skip(t, `the tools for ${board}, or BearSSL,`, promise);
    const bed = new Bed(board, image);
    try {
      await act(bed);
    } catch (error) {
      throw new Error(`${error.message}\n${bed.report()}`, { cause: error });
    } finally {
      await bed.close();
    }
  });
}

/** @param {import('node:test').TestContext} t @param {string} what is missing @param {string} promise */
export function skip(t, what, promise) {
  const missing = `${what} cannot be had: see above`;
  assert.notEqual(process.env.CI, 'true', missing);
  console.error(`*** NOT TESTED, ${missing}: ${promise}`);
  t.skip(missing);
}

/** @type {Map<string, Promise<Image | undefined>>} */
const images = new Map();

/** Builds each once: two builds of the same in one process would write the same drafts. @param {BoardName} board @param {Record<string, number>} switches */
function imageOf(board, switches) {
  const key = JSON.stringify([board, switches]);
  const image = images.get(key) ?? build(board, 'main', switches);
  images.set(key, image);
  return image;
}

/** Everything of one test. */
export class Bed {
  /** @type {{ close(): Promise<void>, report(): string }[]} */
  #parts = [];

  /** @param {BoardName} board @param {Image} image */
  constructor(board, image) {
    this.board = board;
    this.image = image;
  }

  /** @param {{ psk?: string }} [options] */
  async startServer(options) {
    return this.#add(await TestServer.start(options?.psk ?? PSK));
  }

  /** @param {number} target port of the server @param {LineDamage} [damage] */
  async openRelay(target, damage) {
    return this.#add(await Relay.open(target, damage));
  }

  /**
   * @param {{ port: number }} line a server or a relay @param {string[]} words arguments of main.c beside the seed
   */
  async startBoard({ port }, ...words) {
    const seed = `seed=${randomBytes(32).toString('hex')}`;
    const how = await emulation(this.board, this.image, { port, arguments: [seed, ...words] });
    assert(how, 'the emulator was there when the program was built');
    return this.#add(new Emulator(how));
  }

  report() {
    return this.#parts.map((part) => part.report()).join('\n');
  }

  /** Boards first: nobody is to tell them anything more. */
  async close() {
    for (const part of this.#parts.reverse()) await part.close();
  }

  /** @template {{ close(): Promise<void>, report(): string }} T @param {T} part */
  #add(part) {
    this.#parts.push(part);
    return part;
  }
}

/* ── The board ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
process.on('exit', killAll);
for (const signal of /** @type {const} */ (['SIGTERM', 'SIGINT', 'SIGHUP']))
  process.once(signal, () => process.exit(1));

function killAll() {
  for (const child of running) child.kill('SIGKILL');
}

/** An emulator that runs. */
class Emulator {
  #output = '';
  #errors = '';
  #how;
  #child;
  #ended;
  #tooLong = false;

  /** @param {{ program: string, arguments: string[] }} how */
  constructor(how) {
    this.#how = how;
    this.#child = spawn(how.program, how.arguments, { stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this.#child);
    this.#child.stdout.on('data', (bytes) => {
      this.#output += bytes;
    });
    this.#child.stderr.on('data', (bytes) => {
      this.#errors += bytes;
    });
    const timer = setTimeout(() => {
      this.#tooLong = true;
      this.#child.kill('SIGKILL');
    }, LONGEST_RUN);
    /** @type {Promise<string>} */
    this.#ended = new Promise((resolve) => {
      this.#child.on('error', (error) => resolve(error.message));
      this.#child.on('close', (code, signal) => resolve(`${code ?? signal}`));
    });
    this.#ended.then(() => {
      running.delete(this.#child);
      clearTimeout(timer);
    });
  }

  /** What the program has said so far. */
  get lines() {
    return this.#output.split(/\r?\n/).filter((line) => line !== '');
  }

  /** What has happened, without figures of instructions and stack. */
  get events() {
    return this.lines.filter((line) => !/^(instructions|stack) /.test(line));
  }

  /** Waits until the program has ended as it should. @param {0 | 1} code */
  async end(code = 0) {
    const ended = await this.#ended;
    assert(!this.#tooLong, `the board has not come to an end in ${LONGEST_RUN / 1_000} s`);
    assert.equal(ended, `${code}`, 'the end of the emulator');
  }

  async close() {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  report() {
    const words = [this.#how.program, ...this.#how.arguments].join(' ');
    return `── ${words}\n${this.lines.join('\n')}\n${this.#errors}`;
  }
}

/* ── The server ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/**
 * What a server knows of a session.
 *
 * @typedef {object} SessionFacts
 * @property {string} peer the line
 * @property {number[]} lengths of the messages that have come
 * @property {number[]} rekeyedAfter how many messages had come, at each change of the keys
 * @property {string | undefined} end code of its end
 */

/** A server on a line over TCP that sends everything back. */
class TestServer {
  /** @type {SessionFacts[]} in the order of their beginning */
  sessions = [];
  /** @type {string[]} reasons */
  refusals = [];

  #server;
  #changes = new EventEmitter();
  /** @type {Map<string, SessionFacts>} by id */
  #byId = new Map();
  /** @type {string[]} */
  #log = [];

  /** @param {string} psk */
  static async start(psk) {
    const server = new TestServer(psk);
    await server.#server.listen();
    return server;
  }

  /** @param {string} psk */
  constructor(psk) {
    this.#server = new USMPServer({
      listen: `serial+tcp://${LOCALHOST}:0`,
      psk,
      // The only way to see that keys were changed. The keys themselves are not kept.
      dangerKeyLog: (line) => this.#onKeys(line.split(' ')[2], Number(line.split(' ')[3])),
    });
    this.#server.on('connect', ({ id, peer }) => {
      const facts = { peer, lengths: [], rekeyedAfter: [], end: undefined };
      this.sessions.push(facts);
      this.#byId.set(id, facts);
      this.#say(`connect ${id} at ${peer}`);
    });
    this.#server.on('disconnect', ({ id }, { code }) => {
      const facts = this.#byId.get(id);
      assert(facts);
      facts.end = code;
      this.#say(`disconnect ${id}: ${code}, after ${facts.lengths.length} messages`);
    });
    this.#server.on('refused', ({ reason }) => {
      this.refusals.push(reason);
      this.#say(`refused: ${reason}`);
    });
    this.#server.onSession((session) => this.#echo(session));
  }

  get port() {
    return Number(new URL(this.#server.urls[0]).port);
  }

  /** How all its sessions have ended. */
  get ends() {
    return this.sessions.map(({ end }) => end);
  }

  /**
   * Waits for something.
   *
   * @param {() => boolean} holds @param {string} what
   */
  async until(holds, what) {
    const deadline = AbortSignal.timeout(LONGEST_RUN);
    while (!holds()) {
      await once(this.#changes, 'change', { signal: deadline }).catch(() => {
        throw new Error(`the server has waited in vain for this: ${what}`);
      });
    }
  }

  /** Waits until all sessions are over. */
  over() {
    return this.until(() => this.ends.every((end) => end !== undefined), 'the end of all sessions');
  }

  /** In good order: its devices are told. */
  async close() {
    await this.#server.close({ timeout: 1_000 });
  }

  report() {
    return `── server\n${this.#log.join('\n')}`;
  }

  /** @param {import('../../packages/usmp/dist/index.js').USMPSession} session */
  async #echo(session) {
    const facts = this.#byId.get(session.id);
    assert(facts);
    try {
      for await (const message of session) {
        facts.lengths.push(message.length);
        this.#changes.emit('change');
        await session.send(message);
      }
    } catch {
      // The event `disconnect` says why it is over.
    }
  }

  /** @param {string} id @param {number} epoch 0 at the beginning of a session */
  #onKeys(id, epoch) {
    if (epoch === 0) return;
    const facts = this.#byId.get(id);
    assert(facts);
    facts.rekeyedAfter.push(facts.lengths.length);
    this.#say(`rekeyed ${id} after ${facts.lengths.length} messages`);
  }

  /** @param {string} line */
  #say(line) {
    this.#log.push(`${(performance.now() / 1_000).toFixed(3)} ${line}`);
    this.#changes.emit('change');
  }
}

/* ── The line between them ───────────────────────────────────────────────────────────────────────────────────────── */

/**
 * What becomes of one direction of a line.
 *
 * @typedef {object} Damage
 * @property {Buffer} [before] comes before everything else, once
 * @property {Blow[]} [blows] one after the other
 *
 * A byte is damaged, the first one that has `after` bytes of this direction and `deep` bytes of its block (§10) before it: so it
 * is never a zero between blocks, and it is in a message where `deep` is longer than other frames are.
 *
 * @typedef {{ after: number, deep: number, how: 'flip' | 'lose' | 'add' }} Blow
 *
 * @typedef {{ toServer?: Damage, toBoard?: Damage }} LineDamage
 */

/** Between a board and a server, of which the latter may be exchanged. */
class Relay {
  #listener;
  #target;
  #toServer;
  #toBoard;
  /** @type {Set<net.Socket>} */
  #sockets = new Set();

  /** @param {number} target @param {LineDamage} damage */
  static async open(target, damage = {}) {
    const relay = new Relay(target, damage);
    relay.#listener.listen(0, LOCALHOST);
    await once(relay.#listener, 'listening');
    return relay;
  }

  /** @param {number} target @param {LineDamage} damage */
  constructor(target, damage) {
    this.#target = target;
    this.#toServer = new Direction(damage.toServer);
    this.#toBoard = new Direction(damage.toBoard);
    this.#listener = net.createServer({ noDelay: true }, (board) => this.#join(board));
  }

  get port() {
    return /** @type {net.AddressInfo} */ (this.#listener.address()).port;
  }

  /** How often the line was damaged, what came before everything else not counted. */
  get damaged() {
    return this.#toServer.damaged + this.#toBoard.damaged;
  }

  /**
   * When the server hangs up, another one takes its place, and the board sees nothing of that, as on a real line.
   *
   * @param {number} port
   */
  retarget(port) {
    this.#target = port;
  }

  /** Hangs up at both ends, without a word. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** From now on nobody can connect either. */
  async close() {
    if (!this.#listener.listening) return;
    this.#listener.close();
    this.cut();
    await once(this.#listener, 'close');
  }

  report() {
    const [up, down] = [this.#toServer.passed, this.#toBoard.passed];
    return `── relay: ${up} bytes to the server, ${down} to the board, damaged ${this.damaged} times`;
  }

  /** @param {net.Socket} board */
  #join(board) {
    /** @type {net.Socket} */
    let server;
    const reach = () => {
      const target = this.#target;
      server = net.connect({ port: target, host: LOCALHOST, noDelay: true });
      this.#keep(server);
      server.write(this.#toServer.begin());
      server.on('data', (bytes) => board.write(this.#toBoard.pass(bytes)));
      server.on('close', () => {
        if (target === this.#target) board.destroySoon();
        else reach();
      });
    };
    this.#keep(board);
    board.write(this.#toBoard.begin());
    board.on('data', (bytes) => server.write(this.#toServer.pass(bytes)));
    board.on('close', () => server.destroySoon());
    reach();
  }

  /** @param {net.Socket} socket */
  #keep(socket) {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }
}

class Direction {
  passed = 0;
  damaged = 0;
  #deep = 0;
  #before;
  #blows;

  /** @param {Damage} [damage] */
  constructor({ before = Buffer.alloc(0), blows = [] } = {}) {
    this.#before = before;
    this.#blows = blows;
  }

  begin() {
    const before = this.#before;
    this.#before = Buffer.alloc(0);
    return before;
  }

  /** @param {Buffer} bytes */
  pass(bytes) {
    return Buffer.from([...bytes].flatMap((byte) => this.#passOne(byte)));
  }

  /** @param {number} byte */
  #passOne(byte) {
    const blow = this.#blows[this.damaged];
    const hits = blow !== undefined && byte !== 0 && this.passed >= blow.after && this.#deep >= blow.deep;
    this.passed++;
    this.#deep = byte === 0 ? 0 : this.#deep + 1;
    if (!hits) return [byte];
    this.damaged++;
    if (blow.how === 'lose') return [];
    // Neither makes a zero.
    return blow.how === 'flip' ? [byte === 0x10 ? 0x20 : byte ^ 0x10] : [0x55, byte];
  }
}
