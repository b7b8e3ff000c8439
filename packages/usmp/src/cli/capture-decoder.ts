/**
 * Finds USMP among the packets of a capture: datagrams of UDP, and the two directions of each TCP connection. What is
 * remembered of connections is bounded, whatever a capture holds.
 *
 * @module
 */

import type { Packet } from './capture-file.js';
import type { Place, Report } from './decode-report.js';
import { datagramFacts, frameFacts, looksLikeUSMP, refusedFacts } from './frame-facts.js';
import { FrameStream, type Piece } from './frame-stream.js';
import { Conversation, type KeyLog } from './key-log-reader.js';
import { type Datagram, layersOf, type Segment } from './packet-layers.js';
import { type Budget, type StreamPart, TCPDirection } from './tcp-streams.js';

/** Directions of TCP connections, and conversations, that are remembered; those quiet for the longest time go. */
const MAX_FLOWS = 16_384;

/** Link types told of in the end. */
const LINK_TYPES_TOLD = 8;

const NANOSECONDS = 1e9;

/** One direction of a TCP connection. */
interface Track {
  readonly tcp: TCPDirection;
  readonly frames: FrameStream;
  readonly conversation: Conversation;
  /** The number of the first byte, where SYN was seen. */
  readonly initial: number | undefined;
  /** The sender. */
  readonly source: string;
  /** Of its last packet. */
  place: Place;
  /** Packets with data, as long as it is not known what they are. */
  undecided: number;
  /** What follows is not looked at. */
  closed: boolean;
}

/** Where the results go. */
export type Findings = Pick<Report, 'show' | 'note' | 'summary'>;

/** Takes one packet after the other. */
export class CaptureDecoder {
  readonly #report: Findings;
  readonly #keys: KeyLog;
  readonly #port: number | undefined;
  readonly #budget: Budget = { held: 0 };
  readonly #conversations = new Map<string, Conversation>();
  readonly #tracks = new Map<string, Track>();
  #firstTime: bigint | undefined;
  #packets = 0;
  #other = 0;
  #fragments = 0;
  #unknownLinks = 0;
  readonly #linkTypes = new Set<number>();

  /** @param port all that goes to or comes from it is taken for USMP, and nothing else */
  constructor(report: Findings, keys: KeyLog, port: number | undefined) {
    this.#report = report;
    this.#keys = keys;
    this.#port = port;
  }

  /** Link types that were seen and are not known. */
  get unknownLinkTypes(): number[] {
    return [...this.#linkTypes];
  }

  take(packet: Packet): void {
    this.#packets++;
    this.#firstTime ??= packet.time;
    const layers = layersOf(packet);
    switch (layers.protocol) {
      case 'udp':
        this.#takeDatagram(layers, this.#place(packet, layers));
        break;
      case 'tcp':
        this.#takeSegment(layers, packet);
        break;
      case 'fragment':
        this.#fragments++;
        break;
      case 'unknown-link':
        this.#unknownLinks++;
        if (this.#linkTypes.size < LINK_TYPES_TOLD) this.#linkTypes.add(packet.linkType);
        break;
      default:
        this.#other++;
    }
  }

  /** The capture is over: tells what is left, and sums up. */
  end(): void {
    for (const track of this.#tracks.values()) this.#finish(track);
    this.#tracks.clear();
    this.#report.summary({
      packets: this.#packets,
      other: this.#other,
      fragments: this.#fragments,
      unknownLinks: this.#unknownLinks,
    });
  }

  #takeDatagram(datagram: Datagram, place: Place): void {
    const { payload, missing, fragmented, source } = datagram;
    if (!(this.#port === undefined ? looksLikeUSMP(payload) : this.#isOfPort(datagram))) {
      if (fragmented) this.#fragments++;
      else this.#other++;
      return;
    }
    if (fragmented) {
      this.#fragments++;
      const message = `the first ${payload.length} bytes of a datagram in several IP fragments: left out`;
      this.#report.note('fragment', payload.length, message, place);
      return;
    }
    const conversation = this.#conversationOf('udp', datagram);
    const context = { keys: this.#keys, conversation, source: source.key };
    this.#report.show(datagramFacts(payload, context, missing), place);
  }

  #takeSegment(segment: Segment, packet: Packet): void {
    if (this.#port !== undefined && !this.#isOfPort(segment)) {
      if (segment.payload.length > 0) this.#other++;
      return;
    }
    const track = this.#trackOf(segment);
    if (track === undefined) return;
    if (track.closed) {
      if (segment.payload.length > 0 && !this.#isShown(track)) this.#other++;
      return;
    }
    track.place = this.#place(packet, segment);
    const { payload, missing, syn, fin } = segment;
    const seq = syn ? (segment.seq + 1) >>> 0 : segment.seq;
    this.#takeParts(track, track.tcp.push({ seq, payload, missing }, fin));
    if (this.#isShown(track)) track.undecided = 0;
    else if (payload.length > 0) track.undecided++;
    if (track.tcp.isOver || track.frames.isOver) this.#finish(track);
  }

  /** The direction that a segment belongs to. Undefined where it says nothing of a connection not known. */
  #trackOf(segment: Segment): Track | undefined {
    const { source, target, syn, payload } = segment;
    const key = source.key + target.key;
    let track = this.#tracks.get(key);
    const initial = syn ? (segment.seq + 1) >>> 0 : undefined;
    const isNew = syn ? track?.initial !== initial : track === undefined && payload.length > 0;
    if (isNew) {
      if (track !== undefined) this.#finish(track);
      track = {
        tcp: new TCPDirection(this.#budget, initial),
        frames: new FrameStream(syn),
        conversation: this.#conversationOf('tcp', segment),
        initial,
        source: source.key,
        place: {},
        undecided: 0,
        closed: false,
      };
    }
    if (track === undefined) return undefined;
    const oldest = remember(this.#tracks, key, track);
    if (oldest !== undefined) this.#finish(oldest);
    return track;
  }

  #takeParts(track: Track, parts: Iterable<StreamPart>): void {
    for (const part of parts) {
      if (part.kind === 'bytes') {
        this.#showPieces(track, track.frames.push(part.bytes));
      } else {
        this.#showPieces(track, track.frames.lose(part.bytes));
        if (!this.#isShown(track)) continue;
        const message = `${part.bytes} bytes are missing in the capture`;
        this.#report.note('gap', part.bytes, message, track.place);
      }
    }
  }

  #showPieces(track: Track, pieces: Iterable<Piece>): void {
    for (const piece of pieces) {
      if (this.#isShown(track)) this.#showPiece(track, piece);
    }
  }

  #showPiece({ conversation, source, place: at }: Track, piece: Piece): void {
    const place = { ...at, offset: piece.at };
    const context = { keys: this.#keys, conversation, source };
    switch (piece.kind) {
      case 'frame':
        this.#report.show(frameFacts(piece.frame, context), place);
        break;
      case 'refused':
        this.#report.show(refusedFacts(piece.bytes, piece.error), place);
        this.#report.note('stopped', 0, 'the rest of this direction is not decoded', place);
        break;
      case 'skipped':
        this.#report.note('skipped', piece.bytes, `${piece.bytes} bytes skipped`, place);
        break;
      case 'unfinished': {
        const message = `${piece.bytes.length} bytes of a frame whose end is missing`;
        this.#report.note('unfinished', piece.bytes.length, message, place);
      }
    }
  }

  /** Tells what is left of a direction. */
  #finish(track: Track): void {
    if (track.closed) return;
    track.closed = true;
    if (this.#isShown(track)) {
      this.#takeParts(track, track.tcp.end());
      this.#showPieces(track, track.frames.end());
    }
    this.#other += track.undecided;
    track.tcp.drop();
  }

  /** Of what is not USMP nothing is told, unless its port was named. */
  #isShown({ frames }: Track): boolean {
    return this.#port !== undefined || frames.isUSMP === true;
  }

  #isOfPort({ source, target }: Segment | Datagram): boolean {
    return source.port === this.#port || target.port === this.#port;
  }

  #conversationOf(transport: string, { source, target }: Segment | Datagram): Conversation {
    const ends = [source.key, target.key].sort();
    const key = `${transport} ${ends.join('')}`;
    const conversation = this.#conversations.get(key) ?? new Conversation();
    remember(this.#conversations, key, conversation);
    return conversation;
  }

  #place({ time }: Packet, { protocol, source, target }: Segment | Datagram): Place {
    const ends = { transport: protocol, src: source.toString(), dst: target.toString() };
    if (time === undefined || this.#firstTime === undefined) return ends;
    return { time: Number(time - this.#firstTime) / NANOSECONDS, ...ends };
  }
}

/** Puts an entry behind all others. Takes out and returns the first one when there are too many. */
function remember<T>(entries: Map<string, T>, key: string, value: T): T | undefined {
  entries.delete(key);
  entries.set(key, value);
  if (entries.size <= MAX_FLOWS) return undefined;
  const [oldestKey, oldest] = entries.entries().next().value!;
  entries.delete(oldestKey);
  return oldest;
}
