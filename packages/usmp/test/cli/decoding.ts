/** Decodes captures in this process, and has the vectors in the shape that decoding needs. */

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { ByteSource } from '#dist/cli/byte-source.js';
import { CaptureDecoder } from '#dist/cli/capture-decoder.js';
import { readCapture } from '#dist/cli/capture-file.js';
import type { PacketCounts, Place } from '#dist/cli/decode-report.js';
import type { Facts } from '#dist/cli/frame-facts.js';
import { inWords } from '#dist/cli/frame-words.js';
import { KeyLog } from '#dist/cli/key-log-reader.js';
import type { SessionVector } from '../support/vectors.js';
import { temporaryFolder } from './command.js';

export class Decoded {
  readonly shown: { facts: Facts; place: Place }[] = [];
  readonly notes: { kind: string; bytes: number; place: Place }[] = [];
  counts: PacketCounts | undefined;
  error: unknown;

  get words(): string[] {
    return this.shown.map(({ facts }) => inWords(facts));
  }

  /** Type and number of each frame in the order of their completion. */
  get frames(): string[] {
    return this.shown.map(({ facts }) => `${facts.event} ${facts.type} ${facts.seq}`);
  }

  show(facts: Facts, place: Place): void {
    this.shown.push({ facts, place });
  }

  note(kind: string, bytes: number, _message: string, place: Place): void {
    this.notes.push({ kind, bytes, place });
  }

  summary(counts: PacketCounts): void {
    this.counts = counts;
  }
}

interface Options {
  readonly keys?: KeyLog;
  readonly port?: number;
  /** Bytes that are read at a time. */
  readonly piece?: number;
}

/** What a capture holds. The error that ends it is kept beside what came before. */
export async function decodeCapture(file: Uint8Array, options: Options = {}): Promise<Decoded> {
  const { keys = new KeyLog(), port, piece = file.length } = options;
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < file.length; at += piece) pieces.push(file.subarray(at, at + piece));
  const decoded = new Decoded();
  const decoder = new CaptureDecoder(decoded, keys, port);
  try {
    for await (const packet of readCapture(new ByteSource(Readable.from(pieces)), 'the capture')) {
      decoder.take(packet);
    }
  } catch (error) {
    decoded.error = error;
  }
  decoder.end();
  return decoded;
}

/** The line of a key log for a session. */
export function keyLine(
  { device_id, session_id }: Pick<SessionVector, 'device_id' | 'session_id'>,
  epoch: number,
  { k_c2s, k_s2c }: { k_c2s: string; k_s2c: string },
): string {
  return `USMP2 ${device_id.match(/../g)!.join(':')} ${session_id} ${epoch} ${k_c2s} ${k_s2c}`;
}

/** A file with these lines, which goes away with the test. */
export function keyLogFile(t: TestContext, ...lines: string[]): string {
  const file = path.join(temporaryFolder(t), 'keys.txt');
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
  return file;
}

interface UtackVectors {
  readonly handshake: readonly { type: string; seq: number; bytes: string }[];
  readonly session: readonly {
    session: string;
    from: 'client' | 'server';
    type: string;
    seq: number;
    bytes: string;
  }[];
  readonly rekey: readonly { script: string; from: 'client' | 'server'; old: string; new: string }[];
  readonly cookie: { cookie: string; hello_retry: string; hello_with_cookie: string };
  readonly invalid: readonly { name: string; session: string; bytes: string }[];
  readonly invalid_datagrams: readonly { name: string; bytes: string }[];
}

/** From `dist-test/cli/`. */
const UTACKS_FILE = new URL('../../../../spec/vectors/utack.json', import.meta.url);

/** Acknowledgements of the vectors. */
export const UTACKS: UtackVectors = JSON.parse(readFileSync(UTACKS_FILE, 'utf8'));
