/** Runs a fuzz case against the real code, and checks what must hold whatever arrives. */

import assert from 'node:assert/strict';
import type { Connection, ConnectionEvent, ConnectionSettings } from '#dist/core/connection.js';
import type { CryptoProvider } from '#dist/core/crypto.js';
import { ERROR_CODES, USMPError } from '#dist/core/errors.js';
import { StreamConnection } from '#dist/core/stream-connection.js';
import { hex, pattern, toHex, utf8 } from '../support/bytes.js';
import { importKeyPair, scriptedCrypto } from '../support/crypto.js';
import { sessionNamed } from '../support/vectors.js';
import type { Case } from './case.js';

/** Both roles have the keys, nonce and session id of this session, so that recorded frames open again. */
const SESSION = sessionNamed('one');
const PAIRS = {
  client: importKeyPair(hex(SESSION.client_private)),
  server: importKeyPair(hex(SESSION.server_private)),
};
const PSK = hex(SESSION.psk);
const DEVICE_ID = hex(SESSION.device_id);
const DECOY = utf8('a key that nobody has');

/** What a peer can make a connection want to send without it being asked: the answers to HELLO, HELLO_ACK and REKEY. */
const MOST_UNASKED = 512;

/** Changes of keys that one run may start. */
const MOST_REKEYS = 200;

/** The same for every run, so that a recorded conversation fits. */
function scripted(role: Case['role']): CryptoProvider {
  const handshake = role === 'server' ? [hex(SESSION.nonce), hex(SESSION.session_id)] : [];
  const salts = Array.from({ length: MOST_REKEYS }, (_, i) =>
    pattern(i + (role === 'server' ? 1000 : 0), 32),
  );
  return scriptedCrypto({ privateKeys: [PAIRS[role]], random: [...handshake, ...salts] });
}

export function connect(role: Case['role']): Connection {
  const settings: ConnectionSettings = {
    crypto: scripted(role),
    handshakeTimeout: 10_000,
    keepaliveInterval: role === 'client' ? 30_000 : 0,
    idleTimeout: 60_000,
    decoyKey: DECOY,
  };
  return new StreamConnection(settings, 0, role === 'client' ? { deviceId: DEVICE_ID, psk: PSK } : undefined);
}

/** One connection, and what it has told. */
export class Target {
  readonly connection: Connection;
  readonly role: Case['role'];
  readonly messages: Uint8Array[] = [];
  /** What its application has sent, and what that and everything else became on the wire. */
  readonly said: Uint8Array[] = [];
  readonly sent: Uint8Array[] = [];
  now = 0;
  #opened = false;
  #asked = false;
  #closedByUs = false;
  #error: USMPError | undefined;
  #commanded = 0;

  constructor(role: Case['role']) {
    this.role = role;
    this.connection = connect(role);
    this.#commanded = this.connection.pendingTransmit;
  }

  /** `handshake`, `open`, or the code that it was closed with. */
  get verdict(): string {
    return this.#error?.code ?? this.connection.state;
  }

  run(steps: Case['steps']): void {
    for (const step of steps) this.step(step);
  }

  step(step: Case['steps'][number]): void {
    const { connection } = this;
    switch (step.do) {
      case 'input':
        connection.handleInput(step.bytes, this.now);
        break;
      case 'time':
        this.now += step.milliseconds;
        this.#command(() => void connection.handleTimeout(this.now));
        break;
      case 'end':
        connection.handleEnd();
        break;
      case 'transmit':
        this.transmit();
        break;
      case 'close':
        this.#closedByUs ||= connection.state !== 'closed';
        this.#command(() => void connection.close(this.now));
        break;
      default:
        if (connection.state === 'open') this.#command(() => this.#openCommand(step));
    }
    this.#drainEvents();
    assert.ok(
      connection.pendingTransmit - this.#commanded <= MOST_UNASKED,
      'what waits to be sent is bounded',
    );
    assert.ok(connection.pollTimeout() > 0, 'a deadline is a time');
  }

  /** What it wants to send now. */
  transmit(): Uint8Array | undefined {
    const bytes = this.connection.pollTransmit(this.now);
    this.#commanded = 0;
    if (bytes !== undefined) this.sent.push(bytes);
    this.#drainEvents();
    return bytes;
  }

  #openCommand(step: Case['steps'][number]): void {
    if (step.do === 'send') {
      const message = pattern(step.size, step.size);
      this.connection.send(message, this.now);
      this.said.push(message);
    } else if (step.do === 'ping') this.connection.ping(this.now);
    else this.connection.rekey(this.now);
  }

  #command(run: () => void): void {
    const before = this.connection.pendingTransmit;
    run();
    this.#commanded += this.connection.pendingTransmit - before;
  }

  #drainEvents(): void {
    const { connection } = this;
    for (let event = connection.pollEvent(); event !== undefined; event = connection.pollEvent()) {
      assert.equal(this.#error, undefined, `nothing comes after closed, not ${event.type}`);
      this.#check(event);
    }
    assert.equal(connection.state === 'closed', this.#error !== undefined, 'the end is told');
  }

  #check(event: ConnectionEvent): void {
    switch (event.type) {
      case 'keys-wanted':
        assert.ok(this.role === 'server' && !this.#asked && !this.#opened);
        assert.equal(event.deviceId.length, 6);
        this.#asked = true;
        // No other device is known.
        return this.connection.provideKeys(
          toHex(event.deviceId) === SESSION.device_id ? [PSK] : [],
          this.now,
        );
      case 'open':
        assert.ok(!this.#opened, 'opened once');
        assert.equal(toHex(event.deviceId), SESSION.device_id);
        assert.equal(toHex(event.sessionId), SESSION.session_id);
        assert.equal(event.keyIndex, 0);
        this.#opened = true;
        return;
      case 'message':
        assert.ok(this.#opened && event.data.length <= 1808);
        this.messages.push(event.data);
        return;
      case 'pong':
        assert.ok(this.#opened && Number.isInteger(event.ping) && event.rtt >= 0);
        return;
      case 'rekeyed':
        assert.ok(this.#opened && typeof event.initiator === 'boolean');
        return;
      case 'closed':
        assert.ok(event.error instanceof USMPError, 'the end is a typed error');
        assert.ok(event.error.code in ERROR_CODES, 'with a documented code');
        assert.ok(this.#closedByUs || event.error.fault !== 'caller', 'and not our fault, unless we closed');
        this.#error = event.error;
        return;
      default:
        assert.fail(`an event that is not documented: ${JSON.stringify(event)}`);
    }
  }
}
