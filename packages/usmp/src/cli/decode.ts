/**
 * `usmp decode`: frames, acknowledgements and capture files in words.
 *
 * @module
 */

import { type Command, InvalidArgumentError } from 'commander';
import { isUtack } from '../core/utack.js';
import { CaptureDecoder } from './capture-decoder.js';
import { type Packet, readCapture } from './capture-file.js';
import { openArgument, type PieceOfInput, readInput } from './decode-input.js';
import { Report } from './decode-report.js';
import { EXIT, UsageError } from './exit-codes.js';
import {
  type Context,
  datagramFacts,
  type Facts,
  frameFacts,
  incompleteFacts,
  refusedFacts,
} from './frame-facts.js';
import { FrameStream } from './frame-stream.js';
import { explain } from './key-file.js';
import { Conversation, KeyLog } from './key-log-reader.js';
import { stopSignal } from './stop-signal.js';

interface DecodeOptions {
  readonly keylog?: string;
  readonly port?: number;
  readonly json?: boolean;
}

export function addDecode(program: Command): void {
  program
    .command('decode')
    .summary('show frames and capture files in words')
    .description(
      'Says what bytes of USMP mean: hexadecimal digits, a file of them or of the bytes themselves, or a capture of tcpdump or Wireshark (pcap, pcapng), in which it looks for USMP over UDP and TCP. A line for each frame; what is no valid frame is marked INVALID, with the reason.',
    )
    .argument('[input]', 'hexadecimal digits, a file, or - for standard input (default)')
    .option('--keylog <file>', 'show what is encrypted, with a file that --danger-keylog has written')
    .option('--port <n>', 'of a capture: all packets of this port and no others', portNumber)
    .option('--json', 'one JSON object a line')
    .addHelpText(
      'after',
      `
Exit codes:
  0 all is valid, also after Ctrl-C     1 output cannot be written
  2 usage, or a file that is damaged    6 something is invalid, or nothing is USMP

Example:
  npx usmp decode capture.pcap --keylog keys.txt
  npx usmp decode 'ac ac 01 00 00 00 00'
  tcpdump -i any -U -w - port 9000 | npx usmp decode -`,
    )
    .action(decode);
}

function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 0xffff) return port;
  throw new InvalidArgumentError('Must be a port, 0 to 65535.');
}

async function decode(input: string | undefined, { keylog, port, json }: DecodeOptions): Promise<void> {
  const keys = keylog === undefined ? new KeyLog() : KeyLog.read(keylog);
  const argument = openArgument(input);
  const name = argument.kind === 'stream' ? argument.name : 'the input';
  const stop = stopSignal();
  if (argument.kind === 'stream') stop.addEventListener('abort', () => argument.stream.destroy());
  const report = new Report(json ?? false, stop);
  let unknownLinkTypes: number[] = [];
  try {
    const content = await readInput(argument);
    if (content.kind === 'capture') {
      const decoder = new CaptureDecoder(report, keys, port);
      await decodeCapture(readCapture(content.source, name), decoder, report);
      unknownLinkTypes = decoder.unknownLinkTypes;
    } else {
      if (port !== undefined) throw new UsageError(`--port is for capture files, and ${name} is none`);
      await decodePieces(content.pieces, keys, report, stop);
    }
  } catch (error) {
    if (stop.aborted) return;
    if (isSystemError(error)) throw new UsageError(`cannot read ${name}: ${explain(error)}`);
    throw error;
  } finally {
    if (argument.kind === 'stream') argument.stream.destroy();
  }
  if (!stop.aborted) judge(report, name, unknownLinkTypes);
}

/** What came before an error is told and summed up, too. */
async function decodeCapture(
  packets: AsyncIterable<Packet>,
  decoder: CaptureDecoder,
  report: Report,
): Promise<void> {
  try {
    for await (const packet of packets) {
      decoder.take(packet);
      await report.ready();
    }
  } finally {
    decoder.end();
  }
}

/** Bytes without packets around them: each piece is a UTACK or frames one behind the other. */
async function decodePieces(
  pieces: Iterable<PieceOfInput>,
  keys: KeyLog,
  report: Report,
  stop: AbortSignal,
): Promise<void> {
  const context = { keys, conversation: new Conversation() };
  for (const { bytes, ...where } of pieces) {
    for (const [facts, offset] of factsIn(bytes, context)) {
      report.show(facts, offset === undefined ? where : { ...where, offset });
      await report.ready();
      if (stop.aborted) return;
    }
  }
}

/** With the place of each frame in its stream. */
function* factsIn(bytes: Uint8Array, context: Context): Generator<[Facts, number?], void> {
  if (isUtack(bytes)) {
    yield [datagramFacts(bytes, context)];
    return;
  }
  const stream = new FrameStream(true);
  for (const pieces of [stream.push(bytes), stream.end()]) {
    for (const piece of pieces) {
      if (piece.kind === 'frame') yield [frameFacts(piece.frame, context), piece.at];
      else if (piece.kind === 'refused') yield [refusedFacts(piece.bytes, piece.error), piece.at];
      else if (piece.kind === 'unfinished') yield [incompleteFacts(piece.bytes), piece.at];
    }
  }
}

/** Says in one line, and by the exit code, that not all is well. */
function judge({ frames, utacks, invalid }: Report, name: string, unknownLinkTypes: readonly number[]): void {
  const valid = frames + utacks;
  if (valid > 0 && invalid === 0) return;
  process.exitCode = EXIT.protocol;
  if (valid > 0) {
    process.stderr.write(`usmp: ${invalid} of ${valid + invalid} frames and UTACKs are invalid\n`);
    return;
  }
  const links =
    unknownLinkTypes.length === 0
      ? ''
      : `; packets of link type ${unknownLinkTypes.join(', ')} are not understood: capture on Ethernet, loopback or "any"`;
  process.stderr.write(`usmp: no valid frame or UTACK in ${name}${links}\n`);
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
