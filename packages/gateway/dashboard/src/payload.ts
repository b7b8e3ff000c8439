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

/** As it is shown. */
export function show(body: Body, view: View): string {
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

function prettyOf(body: Body): string {
  try {
    const value = 'json' in body ? body.json : JSON.parse(new TextDecoder().decode(bytesOf(body)));
    return JSON.stringify(value, undefined, 2);
  } catch {
    return show(body, 'sent');
  }
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
