/**
 * Messages as text, hexadecimal and JSON, in both directions.
 *
 * @module
 */

export type View = 'sent' | 'text' | 'hex' | 'json';
export type Format = 'text' | 'hex' | 'json';

/** The body of a message, as the API has it. */
export interface Body {
  readonly text?: string | undefined;
  readonly base64?: string | undefined;
  readonly json?: unknown;
}

/** Longest message that USMP carries. Bytes. */
export const MAX_BYTES = 1_808;

export function bytesOf(body: Body): Uint8Array {
  if (body.base64 !== undefined)
    return Uint8Array.from(atob(body.base64), (character) => character.charCodeAt(0));
  return new TextEncoder().encode(body.text ?? JSON.stringify(body.json));
}

/** As it is shown: what would change the order in which the rest is read is told by its number. */
export function show(body: Body, view: View): string {
  return textOf(body, view).replace(
    /\p{Bidi_Control}/gu,
    (hidden) => `‹U+${hidden.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}›`,
  );
}

function textOf(body: Body, view: View): string {
  if (view === 'hex') return hexOf(bytesOf(body));
  if (view === 'json') return prettyOf(body);
  if (body.base64 !== undefined) {
    const bytes = bytesOf(body);
    return view === 'text' ? new TextDecoder().decode(bytes) : hexOf(bytes);
  }
  return body.text ?? JSON.stringify(body.json);
}

/** `68 65 6c 6c 6f`. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** Deeper than this nothing is broken into lines: a message may be nothing but brackets. */
const MOST_LEVELS = 16;

function prettyOf(body: Body): string {
  const text = new TextDecoder().decode(bytesOf(body));
  try {
    JSON.parse(text);
  } catch {
    return textOf(body, 'sent');
  }
  return inLines(text);
}

/** JSON with each value in a line of its own, written as it came: large numbers and repeated names, too. */
function inLines(json: string): string {
  const parts = json.match(/"(?:\\.|[^"\\])*"|[[\]{},:]|[^\s[\]{},:"]+/g) ?? [];
  let level = 0;
  let lines = '';
  const breakLine = () => {
    if (level <= MOST_LEVELS) lines += `\n${'  '.repeat(level)}`;
  };
  parts.forEach((part, index) => {
    if (isOneOf('[{', part)) {
      lines += part;
      level++;
      if (!isOneOf(']}', parts[index + 1])) breakLine();
    } else if (isOneOf(']}', part)) {
      const isBroken = level <= MOST_LEVELS && !isOneOf('[{', parts[index - 1]);
      level--;
      if (isBroken) breakLine();
      lines += part;
    } else {
      lines += part === ':' ? ': ' : part;
      if (part === ',') breakLine();
    }
  });
  return lines;
}

function isOneOf(brackets: string, part: string | undefined): boolean {
  return part?.length === 1 && brackets.includes(part);
}

export type Parsed = { readonly body: Body; readonly size: number } | { readonly problem: string };

/** What somebody has typed, as the API takes it, or what is wrong with it. */
export function parse(typed: string, format: Format): Parsed {
  if (format === 'text') return limited({ text: typed });
  if (format === 'json') {
    try {
      return limited({ json: JSON.parse(typed) });
    } catch (error) {
      return {
        problem: `This is not JSON: ${(error as Error).message}. Text in JSON stands in double quotes.`,
      };
    }
  }
  const digits = typed.replace(/0x|[\s,:;-]/gi, '');
  if (/[^0-9a-f]/i.test(digits)) return { problem: 'Only the digits 0 to 9 and a to f, such as: 01 a0 ff' };
  if (digits.length % 2 === 1) return { problem: 'Half of a byte is missing: each has two digits.' };
  const pairs = digits.match(/../g) ?? [];
  return limited({
    base64: btoa(pairs.map((pair) => String.fromCharCode(Number.parseInt(pair, 16))).join('')),
  });
}

function limited(body: Body): Parsed {
  const size = bytesOf(body).length;
  if (size > MAX_BYTES) return { problem: `This has ${size} bytes; a message has at most ${MAX_BYTES}.` };
  return { body, size };
}
