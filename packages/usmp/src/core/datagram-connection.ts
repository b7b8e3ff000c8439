/**
 * A connection over datagrams, which may be lost, repeated, reordered, damaged and forged (spec/protocol.md §9). What
 * does not authenticate is dropped and has no effect; what does is acknowledged, and delivered once and in order.
 *
 * @module
 */

import { type FrameUnderWay, type ReceivedFrame, ReceiveWindow, RoundTrip, SendWindow } from './arq.js';
import { copyOf, readUint32, sameBytes } from './bytes.js';
import {
  Connection,
  type ConnectionSettings,
  EMPTY,
  type Farewell,
  type RekeyOptions,
} from './connection.js';
import {
  AuthError,
  ConnectionClosedError,
  DeliveryError,
  HandshakeError,
  PayloadError,
  SequenceError,
  TransportError,
  type USMPError,
} from './errors.js';
import { checksumFits, Frame, FrameType, isHandshakeType, parseDatagram } from './frame.js';
import { type ClientCredentials, HELLO_LENGTH, type Secrets } from './handshake.js';
import {
  ACKNOWLEDGEMENT_MAC_LENGTH,
  BYE_TIMEOUT,
  COOKIE_LENGTH,
  DELIVERY_TIMEOUT,
  GAP_TIMEOUT,
  HEADER_LENGTH,
  LINGER_LIMIT,
  MAX_COOKIES_TRIED,
  MAX_HANDSHAKE_RTO,
  MAX_PLAINTEXT,
  SAFE_REKEY_FRAMES,
} from './limits.js';
import { frameCount, Reassembler } from './message.js';
import { type OpenedRecord, RECORD_OVERHEAD, RecordLayer } from './record.js';
import { isUtack, parseUtack, UTACK_HEADER_LENGTH, utackHeader } from './utack.js';

/** A frame that waits for room in the window, not sealed yet. */
interface Outgoing {
  readonly type: FrameType;
  readonly plaintext: Uint8Array;
  /** Parts of a message fly alone: released peers put them together only in order (§13). */
  readonly alone: boolean;
  readonly completes: number | undefined;
}

/** A handshake frame that is repeated until it has done its work. */
interface Flight {
  frame: Frame;
  readonly firstSentAt: number;
  sentAt: number;
  attempts: number;
  acknowledged: boolean;
}

/** One end of a conversation over datagrams. */
export class DatagramConnection extends Connection {
  declare protected record: RecordLayer<ReceiveWindow> | undefined;
  readonly #isClient: boolean;
  readonly #roundTrip = new RoundTrip();
  /** Datagrams that are ready. Undefined when there are none: most sessions are idle. */
  #out: Uint8Array[] | undefined;
  #flight: Flight | undefined;
  #receiving = true;

  // Client, until CHALLENGE.
  #hello: Uint8Array | undefined;
  #cookie: Uint8Array | undefined;
  #cookiesTried = 0;
  #heard = false;
  #doubtful: Uint8Array | undefined;

  // Server, until the first session frame: the last handshake frame of its own, and what SESSION_OK has answered.
  #answer: Uint8Array | undefined;
  #helloAckTag = 0;

  // Session.
  #window: SendWindow | undefined;
  #outbox: Outgoing[] | undefined;
  #outboxBytes = 0;
  #pingsOwed = 0;
  #inMessage = false;
  #inOverlong = false;
  #rekeyForced = false;
  /** Until then nothing new is sent, because the peer wants to change the keys (§9.5). */
  #heldUntil: number | undefined;
  #lingerUntil: number | undefined;
  #lingerLimit: number | undefined;
  #farewell: Farewell | undefined;

  constructor(settings: ConnectionSettings, now: number, client?: ClientCredentials) {
    super(settings, now, client);
    this.#isClient = client !== undefined;
    if (client === undefined) return;
    this.#hello = this.handshake!.hello();
    this.#fly(this.#hello, now);
  }

  get pendingTransmit(): number {
    return this.#outboxBytes + (this.#window?.bytes ?? 0);
  }

  get wantsTransmit(): boolean {
    if (this.#out !== undefined || this.#outbox !== undefined) return true;
    return this.phase === 'open' && (this.pongsOwed > 0 || this.#pingsOwed > 0 || this.rekeyWanted);
  }

  override get roundTrip(): number | undefined {
    return this.#roundTrip.smoothed;
  }

  override get lingers(): boolean {
    return this.#lingerUntil !== undefined;
  }

  override get farewell(): Farewell | undefined {
    return this.#farewell;
  }

  override setReceiving(receiving: boolean): void {
    this.#receiving = receiving;
  }

  // ── Input ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes one datagram. */
  handleInput(datagram: Uint8Array, now: number): void {
    if (this.phase === 'closed' && !this.lingers) return;
    if (isUtack(datagram)) return this.#handleUtack(datagram, now);
    let frame: Frame;
    try {
      frame = parseDatagram(datagram);
    } catch {
      return this.#drop();
    }
    try {
      if (isHandshakeType(frame.type)) this.#handleHandshakeFrame(frame, now);
      else if (this.record !== undefined) this.#handleSessionFrame(frame, now);
      else this.#drop();
    } catch (error) {
      this.fail(error);
    }
  }

  override handleTimeout(now: number): void {
    super.handleTimeout(now);
    if (this.#flight !== undefined && now >= this.#flightDueAt(this.#flight)) this.#repeatFlight(now);
    if (this.#window !== undefined && now >= this.#window.pollTimeout()) this.#repeatFrames(now);
    if (this.record !== undefined) {
      this.#giveUpGap(this.record.filter, now);
      if (this.record.oldFilter !== undefined) this.#giveUpGap(this.record.oldFilter, now);
    }
    if (this.#lingerUntil !== undefined && now >= this.#lingerUntil) this.#finish();
    if (this.#heldUntil !== undefined && now >= this.#heldUntil) this.#heldUntil = undefined;
  }

  override pollTimeout(): number {
    let earliest = super.pollTimeout();
    if (this.#flight !== undefined) earliest = Math.min(earliest, this.#flightDueAt(this.#flight));
    if (this.#window !== undefined) earliest = Math.min(earliest, this.#window.pollTimeout());
    if (this.#lingerUntil !== undefined) earliest = Math.min(earliest, this.#lingerUntil);
    if (this.phase === 'open') {
      if (this.#heldUntil !== undefined) earliest = Math.min(earliest, this.#heldUntil);
      const { filter, oldFilter } = this.record!;
      earliest = Math.min(earliest, filter.gapUntil);
      if (oldFilter !== undefined) earliest = Math.min(earliest, oldFilter.gapUntil);
    }
    return earliest;
  }

  // ── Commands ───────────────────────────────────────────────────────────────────────────────────────────────────

  send(message: Uint8Array, now: number, wantsAcknowledgement = false): number {
    const frames = frameCount(message.length);
    this.require(frames + this.#queued, now);
    this.stats.bytesSent += message.length;
    const number = ++this.stats.messagesSent;
    const completes = wantsAcknowledgement ? number : undefined;
    if (frames === 1 && this.#outbox === undefined && this.#admits(message.length, false, now)) {
      this.#transmit(FrameType.DATA, message, false, completes, now);
      return number;
    }
    const alone = frames > 1;
    for (let left = frames, start = 0; left > 0; left--, start += MAX_PLAINTEXT) {
      const plaintext = copyOf(message, start, Math.min(message.length, start + MAX_PLAINTEXT));
      if (left > 1) this.#enqueue({ type: FrameType.DATA_FRAG, plaintext, alone, completes: undefined });
      else this.#enqueue({ type: FrameType.DATA, plaintext, alone, completes });
    }
    return number;
  }

  /** @throws {SequenceError} `rekey_unsafe`: a released peer would lose frames, and it is not forced (§9.5) */
  override rekey(now: number, { force = false }: RekeyOptions = {}): void {
    this.require(2 + this.#queued, now);
    if (!force && this.#rekeyIsUnsafe()) throw new SequenceError('rekey_unsafe');
    super.rekey(now);
    if (force && this.rekeyWanted) this.#rekeyForced = true;
  }

  /** What was sent before goes first; BYE is repeated until it is acknowledged. */
  close(now: number, error: USMPError = new ConnectionClosedError('closed')): void {
    const bye = this.phase === 'open' && this.record!.sealable > (this.#outbox?.length ?? 0);
    // What has not begun has no purpose any more.
    this.rekeyWanted = false;
    if (bye) {
      this.#enqueue({ type: FrameType.BYE, plaintext: EMPTY, alone: true, completes: undefined });
      this.#lingerUntil = now + DELIVERY_TIMEOUT + BYE_TIMEOUT;
      this.#lingerLimit = now + LINGER_LIMIT;
    }
    this.fail(error, bye);
  }

  // ── Output ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The next datagram. */
  pollTransmit(now: number): Uint8Array | undefined {
    if (this.#out === undefined) this.#sealNext(now);
    const datagram = this.#out?.shift();
    if (this.#out?.length === 0) this.#out = undefined;
    return datagram;
  }

  // ── Handshake ──────────────────────────────────────────────────────────────────────────────────────────────────

  #handleHandshakeFrame(frame: Frame, now: number): void {
    if (this.phase === 'closed' || this.#isDoubtful(frame)) return this.#drop();
    if (frame.type === FrameType.HELLO_RETRY) return this.#onHelloRetry(frame, now);
    const expected = this.#isClient ? frame : withoutCookie(frame);
    if (this.phase === 'handshake' && this.handshake!.expects(expected)) {
      return this.#takeHandshakeFrame(expected, now);
    }
    if (!this.#isRepeat(frame)) return this.#drop();
    this.stats.framesRepeated++;
    this.#acknowledgeHandshake(frame);
    if (!this.#isClient) this.#answerAgain(frame);
  }

  /**
   * Nothing but the checksum shows damage before it is too late to take a good repeat. But peers need not fill it in
   * (§3.1): what comes twice in the same way is as it was sent (§9.3).
   */
  #isDoubtful({ bytes }: Frame): boolean {
    if (checksumFits(bytes) || sameBytes(bytes, this.#doubtful)) return false;
    this.#doubtful = copyOf(bytes);
    return true;
  }

  /** Without regard to the content, which the handshake has judged when it came first (§9.3). */
  #isRepeat({ type }: Frame): boolean {
    const state = this.handshakeState;
    if (this.#isClient) {
      if (type === FrameType.CHALLENGE) return state !== 'CHALLENGE';
      return type === FrameType.SESSION_OK && state === 'done';
    }
    if (type === FrameType.HELLO) return state !== 'HELLO';
    return type === FrameType.HELLO_ACK && (state === 'keys' || state === 'done');
  }

  #takeHandshakeFrame(frame: Frame, now: number): void {
    const handshake = this.handshake!;
    const { type } = frame;
    const reply = handshake.handleFrame(frame);
    this.#heard = true;
    this.#flight = undefined;
    if (type === FrameType.HELLO_ACK) this.#helloAckTag = tagOf(frame);
    this.#acknowledgeHandshake(frame);
    if (type === FrameType.HELLO) this.emit({ type: 'keys-wanted', deviceId: handshake.deviceId! });
    this.advanceHandshake(reply, now);
  }

  protected advanceHandshake(reply: Uint8Array | undefined, now: number): void {
    if (reply !== undefined) this.#fly(reply, now);
    this.openIfDone(now);
  }

  protected makeRecordLayer({ sessionId, keys }: Secrets): RecordLayer<ReceiveWindow> {
    this.#hello = this.#cookie = this.#doubtful = undefined;
    return new RecordLayer(this.settings.crypto, sessionId, keys, ReceiveWindow);
  }

  /** A cookie that differs from the last replaces it, so that a forged one does no harm (§9.2). */
  #onHelloRetry(frame: Frame, now: number): void {
    if (!this.#isClient || frame.payload.length !== COOKIE_LENGTH) return this.#drop();
    this.#heard = true;
    this.#acknowledgeHandshake(frame);
    if (this.handshakeState !== 'CHALLENGE' || sameBytes(frame.payload, this.#cookie)) return;
    this.#cookie = copyOf(frame.payload);
    const hello = this.handshake!.hello(this.#cookie);
    if (++this.#cookiesTried <= MAX_COOKIES_TRIED) this.#fly(hello, now);
    else this.#flight!.frame = new Frame(hello);
  }

  /** The answer may have been lost although its UTACK was not: anybody can make that. */
  #answerAgain(frame: Frame): void {
    const answer = this.#answer;
    if (answer === undefined) return;
    const wanted =
      frame.type === FrameType.HELLO
        ? typeOf(answer) === FrameType.CHALLENGE
        : typeOf(answer) === FrameType.SESSION_OK && tagOf(frame) === this.#helloAckTag;
    if (wanted) this.#push(answer);
  }

  protected errorForEnd(): USMPError {
    if (this.phase === 'handshake' && this.#isClient && !this.#heard) {
      return new TransportError(
        'unreachable',
        'nothing listens there; is the server running, and is it this port?',
      );
    }
    return new ConnectionClosedError('connection_lost');
  }

  protected override errorForTimeout(): USMPError {
    if (this.handshakeState === 'SESSION_OK') {
      return new AuthError(
        'refused',
        'the server fell silent after HELLO_ACK: wrong key or unknown device id',
      );
    }
    if (this.handshakeState === 'CHALLENGE' && this.#cookie !== undefined) {
      return new HandshakeError(
        'turned_away',
        'the server did not begin the handshake: busy, or backing off',
      );
    }
    return super.errorForTimeout();
  }

  #fly(bytes: Uint8Array, now: number): void {
    const flight: Flight = {
      frame: new Frame(bytes),
      firstSentAt: now,
      sentAt: now,
      attempts: 0,
      acknowledged: false,
    };
    this.#flight = flight;
    // A copy, because what is handed to a socket keeps memory outside of the heap.
    if (!this.#isClient) this.#answer = copyOf(bytes);
    this.#push(bytes);
  }

  #flightDueAt({ sentAt, attempts }: Flight): number {
    return sentAt + this.#roundTrip.timeout(attempts, MAX_HANDSHAKE_RTO);
  }

  /** A client goes on although its frame was acknowledged, because the answer may be lost (§9.3). */
  #repeatFlight(now: number): void {
    const flight = this.#flight!;
    if (flight.frame.type === FrameType.SESSION_OK && now >= flight.firstSentAt + DELIVERY_TIMEOUT) {
      if (this.lingers) return this.#finish();
      return this.fail(new DeliveryError('not_acknowledged'));
    }
    flight.attempts++;
    flight.sentAt = now;
    // The cookie may be old, or forged: ask for another one now and then.
    const asksAgain = this.#cookie !== undefined && flight.attempts % 3 === 0;
    this.#push(asksAgain ? this.#hello! : flight.frame.bytes);
  }

  #acknowledgeHandshake({ type, seq }: Frame): void {
    this.#push(utackHeader(type, seq));
  }

  // ── Acknowledgements ───────────────────────────────────────────────────────────────────────────────────────────

  #handleUtack(datagram: Uint8Array, now: number): void {
    const utack = parseUtack(datagram);
    if (utack === undefined) return this.#drop();
    const { type, seq } = utack;
    if (isHandshakeType(type)) return this.#onFlightAcknowledged(type, seq, now);
    const frame = this.#window?.find(type, seq);
    // That of a frame which was sent twice comes twice.
    if (frame === undefined) return;
    const header = datagram.subarray(0, UTACK_HEADER_LENGTH);
    const mac = datagram.subarray(UTACK_HEADER_LENGTH);
    if (!this.record!.verifyAcknowledgement(header, mac, type === FrameType.REKEY)) return this.#drop();
    this.lastHeard = now;
    this.#resend(this.#window!.acknowledge(seq, now));
    if (frame.completes !== undefined && this.phase === 'open') {
      this.emit({ type: 'acknowledged', message: frame.completes });
    }
    if (type === FrameType.DATA) this.messagesConfirmed++;
    if (type === FrameType.REKEY) this.record!.rekeyAcknowledged();
    if (type === FrameType.BYE) this.#finish();
    else this.#prolongLinger(now);
  }

  #onFlightAcknowledged(type: number, seq: number, now: number): void {
    const flight = this.#flight;
    if (flight === undefined || flight.frame.type !== type || flight.frame.seq !== seq) return;
    this.#heard = true;
    if (flight.attempts === 0 && !flight.acknowledged) this.#roundTrip.measure(now - flight.sentAt);
    flight.acknowledged = true;
    if (!this.#isClient) this.#flight = undefined;
  }

  #resend(frames: readonly FrameUnderWay[]): void {
    for (const { bytes } of frames) this.#push(bytes);
    this.stats.framesRetransmitted += frames.length;
  }

  #repeatFrames(now: number): void {
    const due = this.#window!.handleTimeout(now);
    if (due !== undefined) return this.#resend(due);
    if (this.lingers) this.#finish();
    else this.fail(new DeliveryError('not_acknowledged'));
  }

  /** A peer that goes on taking what was sent before BYE gets the time for it. */
  #prolongLinger(now: number): void {
    if (this.#lingerUntil === undefined || this.#outbox === undefined) return;
    this.#lingerUntil = Math.min(now + DELIVERY_TIMEOUT + BYE_TIMEOUT, this.#lingerLimit!);
  }

  #acknowledge({ type, seq }: Frame, { underOldKey }: OpenedRecord): Uint8Array {
    const utack = this.#utack(type, seq, underOldKey);
    this.#push(utack);
    // A released responder checks with the new key as soon as it has read REKEY (§9.5).
    if (underOldKey && this.record!.oldFilter !== undefined) this.#push(this.#utack(type, seq, false));
    return utack;
  }

  #utack(type: FrameType, seq: number, underOldKey: boolean): Uint8Array {
    const utack = utackHeader(type, seq, ACKNOWLEDGEMENT_MAC_LENGTH);
    const header = utack.subarray(0, UTACK_HEADER_LENGTH);
    utack.set(this.record!.acknowledgementMac(header, underOldKey), UTACK_HEADER_LENGTH);
    return utack;
  }

  // ── Session: receiving ─────────────────────────────────────────────────────────────────────────────────────────

  #handleSessionFrame(frame: Frame, now: number): void {
    const record = this.record!;
    const opened = record.authenticate(frame);
    if (opened === undefined) return this.#drop();
    if (opened.repeat) {
      this.stats.framesRepeated++;
      this.#acknowledge(frame, opened);
      return;
    }
    const { type } = frame;
    this.lastHeard = now;
    this.#onFirstFrame();
    if (this.lingers && type !== FrameType.BYE && !this.#window?.awaitsOnly(FrameType.REKEY)) return;
    if ((type === FrameType.DATA || type === FrameType.DATA_FRAG) && !this.#receiving) return;
    if (type === FrameType.REKEY && !this.#mayTakeRekey(now)) return;

    const old = record.oldFilter;
    if (old !== undefined && !opened.underOldKey) this.#onSwitchedPeer(old, now);
    const rekeying = !record.rekeyComplete;
    record.confirm(frame.seq, opened);
    this.stats.framesReceived++;
    const utack = this.#acknowledge(frame, opened);
    if (rekeying && record.rekeyComplete && this.phase === 'open') this.onRekeyed(now);
    this.#sort(frame, opened, utack, now);
  }

  /** The client has SESSION_OK (§9.3). */
  #onFirstFrame(): void {
    if (this.#answer === undefined) return;
    this.#flight = this.#answer = undefined;
  }

  /** The peer sends under the new key: it has our REKEY, and what is missing under the old key will not come. */
  #onSwitchedPeer(old: ReceiveWindow, now: number): void {
    if (this.#window?.awaitsOnly(FrameType.REKEY)) {
      this.#window.acknowledgeAll();
      this.record!.rekeyAcknowledged();
    }
    this.#deliverAll(old, now);
  }

  /** Frames that end something come after all that their sender will ever repeat: no gap before them gets filled. */
  #sort(frame: Frame, opened: OpenedRecord, utack: Uint8Array, now: number): void {
    const filter = opened.underOldKey ? this.record!.oldFilter! : this.record!.filter;
    const { type, seq } = frame;
    const { plaintext } = opened;
    if (type === FrameType.REKEY || type === FrameType.BYE) {
      filter.hold(seq, { type, plaintext }, now);
      return this.#deliverAll(filter, now, { bye: frame.bytes, utack });
    }
    if (!filter.holds && filter.isNext(seq)) return this.#deliver({ type, plaintext }, now);
    filter.hold(seq, { type, plaintext }, now);
    this.#deliverHeld(filter, now);
  }

  #giveUpGap(filter: ReceiveWindow, now: number): void {
    if (now < filter.gapUntil) return;
    this.#skipGap(filter);
    this.#deliverHeld(filter, now);
  }

  /** All that has its turn. */
  #deliverHeld(filter: ReceiveWindow, now: number, farewell?: Farewell): void {
    for (;;) {
      for (let frame = filter.shift(); frame !== undefined; frame = filter.shift()) {
        this.#deliver(frame, now, farewell);
      }
      if (!filter.overrun) return;
      this.#skipGap(filter, filter.start);
    }
  }

  /** All that has come, whatever is missing. */
  #deliverAll(filter: ReceiveWindow, now: number, farewell?: Farewell): void {
    this.#deliverHeld(filter, now, farewell);
    while (filter.holds) {
      this.#skipGap(filter);
      this.#deliverHeld(filter, now, farewell);
    }
  }

  #skipGap(filter: ReceiveWindow, limit?: number): void {
    this.stats.messagesLost += filter.skipGap(limit);
    this.#dropParts();
  }

  /** What opens and then breaks a rule costs the unfinished message, not the session (§9.4). */
  #deliver({ type, plaintext }: ReceivedFrame, now: number, farewell?: Farewell): void {
    if (this.phase === 'closed' && type !== FrameType.BYE && type !== FrameType.REKEY) return;
    try {
      if (type === FrameType.DATA_FRAG) return this.#onPart(plaintext);
      if (type === FrameType.DATA) return this.#onLastPart(plaintext);
      this.#dropParts();
      this.checkControl(type, plaintext);
      if (type === FrameType.BYE) this.#onBye(farewell!);
      else if (type === FrameType.REKEY) this.onRekey(plaintext);
      else this.onPingPong(type, now);
    } catch (error) {
      if (!(error instanceof PayloadError)) throw error;
      this.#drop();
    }
  }

  #onPart(plaintext: Uint8Array): void {
    if (this.#inOverlong) return;
    this.reassembler ??= new Reassembler();
    try {
      this.reassembler.addPart(plaintext);
    } catch (error) {
      this.#inOverlong = true;
      this.#dropParts();
      throw error;
    }
  }

  #onLastPart(plaintext: Uint8Array): void {
    if (this.#inOverlong) this.#inOverlong = false;
    else this.onMessage(this.reassembler === undefined ? plaintext : this.reassembler.finish(plaintext));
  }

  #dropParts(): void {
    if (this.reassembler?.drop()) this.stats.messagesLost++;
  }

  protected override onRekey(salt: Uint8Array): void {
    this.#heldUntil = undefined;
    super.onRekey(salt);
  }

  protected override rekeyAsInitiator(salt: Uint8Array): void {
    this.record!.rekeyAsInitiator(salt, true);
  }

  protected override rekeyAsResponder(salt: Uint8Array): void {
    this.record!.rekeyAsResponder(salt, true);
  }

  /** Not while frames of ours are under way or a message is half sent; what is new has to wait for it then (§9.5). */
  #mayTakeRekey(now: number): boolean {
    const window = this.#window;
    const free = window === undefined || window.empty || window.awaitsOnly(FrameType.REKEY);
    if (free && !this.#inMessage) return true;
    this.#heldUntil = now + GAP_TIMEOUT;
    return false;
  }

  #onBye({ bye, utack }: Farewell): void {
    this.#farewell = { bye: copyOf(bye), utack };
    if (this.lingers) this.#finish();
    else this.fail(new ConnectionClosedError('bye'));
  }

  // ── Session: sending ───────────────────────────────────────────────────────────────────────────────────────────

  protected sendControl(): void {
    this.#pingsOwed++;
  }

  protected override get pingWaits(): boolean {
    return this.#pingsOwed > 0;
  }

  protected sendRekey(salt: Uint8Array, now: number): void {
    this.#transmit(FrameType.REKEY, salt, true, undefined, now);
  }

  /** REKEY waits in `#sealNext` until everything that has left is acknowledged (§9.5); what is queued goes behind it. */
  protected override considerRekey(): void {}

  #rekeyIsUnsafe(): boolean {
    return this.record!.highestSent + 1 >= SAFE_REKEY_FRAMES;
  }

  /** Frames that wait to be sealed. */
  get #queued(): number {
    return (this.#outbox?.length ?? 0) + this.#pingsOwed;
  }

  #push(datagram: Uint8Array): void {
    if (this.#out === undefined) this.#out = [datagram];
    else this.#out.push(datagram);
  }

  #enqueue(frame: Outgoing): void {
    if (this.#outbox === undefined) this.#outbox = [frame];
    else this.#outbox.push(frame);
    this.#outboxBytes += frame.plaintext.length + RECORD_OVERHEAD;
  }

  /** Whether a frame of the session may leave now. */
  #admits(length: number, alone: boolean, now: number): boolean {
    if (this.#flight !== undefined) return false;
    if (this.rekeyWanted && this.record!.rekeyComplete && !this.#inMessage) return false;
    if (this.#isHeld(now) && !this.#inMessage) return false;
    const window = this.#window;
    return window === undefined || window.admits(this.record!.nextSequence, length + RECORD_OVERHEAD, alone);
  }

  #isHeld(now: number): boolean {
    return this.#heldUntil !== undefined && now < this.#heldUntil && this.phase === 'open';
  }

  /** Seals what is next, if it may leave: between messages first REKEY, then PONG and PING. */
  #sealNext(now: number): void {
    if (this.record === undefined || (this.phase === 'closed' && !this.lingers)) return;
    if (this.phase === 'open' && !this.#inMessage) {
      if (this.rekeyWanted && this.record.rekeyComplete) {
        if (this.#window?.empty !== false && this.#flight === undefined) this.#beginRekey(now);
        return;
      }
      if (this.pongsOwed + this.#pingsOwed > 0) return this.#sealPingPong(now);
    }
    const next = this.#outbox?.[0];
    if (next === undefined || !this.#admits(next.plaintext.length, next.alone, now)) return;
    this.#outbox!.shift();
    if (this.#outbox!.length === 0) this.#outbox = undefined;
    this.#outboxBytes -= next.plaintext.length + RECORD_OVERHEAD;
    this.#transmit(next.type, next.plaintext, next.alone, next.completes, now);
    if (next.type === FrameType.BYE) {
      this.#lingerUntil = Math.min(this.#lingerUntil!, now + BYE_TIMEOUT);
    }
  }

  #beginRekey(now: number): void {
    const forced = this.#rekeyForced;
    this.#rekeyForced = false;
    if (forced || !this.#rekeyIsUnsafe()) return this.startRekey(now);
    this.rekeyWanted = false;
    this.emit({ type: 'rekey-refused', error: new SequenceError('rekey_unsafe') });
  }

  #sealPingPong(now: number): void {
    if (!this.#admits(0, false, now)) return;
    if (this.record!.sealable - (this.#outbox?.length ?? 0) <= 1)
      return this.close(now, new SequenceError('sequence_spent'));
    if (this.pongsOwed > 0) {
      this.pongsOwed--;
      this.#transmit(FrameType.PONG, EMPTY, false, undefined, now);
    } else {
      this.#pingsOwed--;
      this.#transmit(FrameType.PING, EMPTY, false, undefined, now);
    }
  }

  #transmit(
    type: FrameType,
    plaintext: Uint8Array,
    alone: boolean,
    completes: number | undefined,
    now: number,
  ): void {
    const bytes = this.settings.crypto.allocate(plaintext.length + RECORD_OVERHEAD);
    const seq = this.record!.seal(type, plaintext, bytes, 0);
    this.#window ??= new SendWindow(this.#roundTrip);
    this.#window.add({ type, seq, bytes, alone, completes }, now);
    this.#inMessage = type === FrameType.DATA_FRAG;
    this.#push(bytes);
    this.lastSent = now;
    this.stats.framesSent++;
  }

  // ── The end ────────────────────────────────────────────────────────────────────────────────────────────────────

  protected override fail(error: unknown, bye = false): void {
    if (this.phase === 'closed') return;
    // What was acknowledged is delivered, whatever is missing in front of it.
    if (this.phase === 'open') {
      const { filter, oldFilter } = this.record!;
      if (oldFilter !== undefined) this.#deliverAll(oldFilter, this.lastHeard);
      this.#deliverAll(filter, this.lastHeard);
    }
    super.fail(error, bye);
    if (!bye) this.#finish();
  }

  /** Nothing more is sent but the UTACK of the peer's BYE. */
  #finish(): void {
    this.#lingerUntil = undefined;
    this.#out = this.#farewell && [this.#farewell.utack];
    this.#outbox = undefined;
    this.#outboxBytes = 0;
    this.#flight = this.#answer = this.#window = undefined;
    this.record?.wipe();
    this.reassembler = undefined;
  }

  #drop(): void {
    this.stats.datagramsDropped++;
  }
}

/** HELLO as the handshake takes it. Whether the cookie is right was judged before (§9.2). */
function withoutCookie(frame: Frame): Frame {
  if (frame.type !== FrameType.HELLO || frame.payload.length !== HELLO_LENGTH + COOKIE_LENGTH) return frame;
  return new Frame(frame.bytes.subarray(0, HEADER_LENGTH + HELLO_LENGTH));
}

/** Enough of a HELLO_ACK to know it again. */
function tagOf({ bytes }: Frame): number {
  return readUint32(bytes, HEADER_LENGTH);
}

function typeOf(frame: Uint8Array): number {
  return frame[3];
}
