/**
 * What `usmp decode` is given: hexadecimal digits, a file, or standard input; and in the latter a capture, digits, or
 * the bytes themselves.
 *
 * @module
 */

import { createReadStream, existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { ByteSource } from './byte-source.js';
import { isCapture } from './capture-file.js';
import { UsageError } from './exit-codes.js';
import { firstFrame, looksLikeUSMP } from './frame-facts.js';

/** Input that is no capture is held as a whole. Bytes. */
const MAX_INPUT = 16_777_216;

export type Input =
  /** Streams or datagrams, each by itself. */
  | { readonly kind: 'pieces'; readonly pieces: Iterable<PieceOfInput> }
  | { readonly kind: 'capture'; readonly source: ByteSource };

export interface PieceOfInput {
  readonly bytes: Uint8Array;
  /** Where it stands in a text of several lines, from 1. */
  readonly line?: number;
}

/** An argument before anything of it is read. */
export type Argument =
  | { readonly kind: 'digits'; readonly text: string }
  | { readonly kind: 'stream'; readonly name: string; readonly stream: Readable };

/** Decides what the argument is. A file that exists comes first. */
export function openArgument(argument: string | undefined): Argument {
  if (argument === undefined || argument === '-') {
    return { kind: 'stream', name: 'standard input', stream: process.stdin };
  }
  if (existsSync(argument)) return { kind: 'stream', name: argument, stream: createReadStream(argument) };
  return { kind: 'digits', text: argument };
}

/** Reads what is no capture, and the beginning of what is one. */
export async function readInput(argument: Argument): Promise<Input> {
  if (argument.kind === 'digits') {
    const problem = `"${shorten(argument.text)}" is neither a file that exists nor pairs of hexadecimal digits`;
    return { kind: 'pieces', pieces: piecesOf(argument.text, () => problem) };
  }
  const { name, stream } = argument;
  const source = new ByteSource(stream);
  if (isCapture(await source.peek(4))) return { kind: 'capture', source };
  const bytes = await source.take(MAX_INPUT + 1);
  if (bytes.length > MAX_INPUT) {
    throw new UsageError(`${name} is no capture file, and more than ${MAX_INPUT / 1_048_576} MiB`);
  }
  if (!isText(bytes)) return { kind: 'pieces', pieces: [{ bytes }] };
  const problem = (line: number) =>
    `${name} is neither a capture file nor bytes of USMP, and line ${line} is not pairs of hexadecimal digits`;
  return { kind: 'pieces', pieces: piecesOf(Buffer.from(bytes).toString('latin1'), problem) };
}

/** The bytes of each line, or of all lines together where one goes on in the next. Lines may be millions. */
function* piecesOf(text: string, problem: (line: number) => string): Generator<PieceOfInput, void> {
  const bytesOf = (line: string, number: number) => {
    const bytes = parseDigits(line);
    if (bytes === undefined) throw new UsageError(problem(number));
    return bytes;
  };
  const [first, second] = [...firstLines(text, 2)].map(({ line, number }) => bytesOf(line, number));
  if (first === undefined) throw new UsageError('nothing to decode: give a file or hexadecimal digits');
  if (second === undefined || (isBeginning(first) && !looksLikeUSMP(second))) {
    for (const { line, number } of linesOf(text)) bytesOf(line, number);
    yield { bytes: parseDigits(text)! };
    return;
  }
  for (const { line, number } of linesOf(text)) yield { line: number, bytes: bytesOf(line, number) };
}

interface Line {
  readonly line: string;
  /** From 1. */
  readonly number: number;
}

function* firstLines(text: string, count: number): Generator<Line, void> {
  for (const line of linesOf(text)) {
    yield line;
    if (--count === 0) return;
  }
}

/** The lines that are not blank. */
function* linesOf(text: string): Generator<Line, void> {
  let number = 1;
  for (let start = 0; start <= text.length; number++) {
    const end = text.indexOf('\n', start);
    const line = text.slice(start, end === -1 ? text.length : end);
    if (line.trim() !== '') yield { line, number };
    if (end === -1) return;
    start = end + 1;
  }
}

/** Digits as people paste them: `cdab02`, `cd ab 02`, `cd:ab:02`, `0xcd, 0xab`, `\xcd\xab`. Undefined if it is none. */
function parseDigits(text: string): Uint8Array | undefined {
  const bytes = Buffer.alloc(text.length >>> 1);
  let length = 0;
  for (const [word] of text.replaceAll('\\x', ' ').matchAll(/[^\s:,]+/g)) {
    const digits = word.replace(/^0x/i, '');
    if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) return undefined;
    length += bytes.write(digits, length, 'hex');
  }
  return bytes.subarray(0, length);
}

/** Whether a frame begins here and does not end. */
function isBeginning(bytes: Uint8Array): boolean {
  try {
    return firstFrame(bytes) === undefined;
  } catch {
    return false;
  }
}

/** Frames are never text: their first byte is none. */
function isText(bytes: Uint8Array): boolean {
  return bytes.every((byte) => (byte >= 0x20 && byte < 0x7f) || (byte >= 0x09 && byte <= 0x0d));
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
