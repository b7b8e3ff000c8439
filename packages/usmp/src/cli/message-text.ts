/**
 * Messages for people: text where they are text, hexadecimal digits where not.
 *
 * @module
 */

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What a terminal acts on instead of showing it; a device must not move the cursor of whoever watches. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;

/** The text of a message, undefined where it is not UTF-8. */
export function textOf(data: Uint8Array): string | undefined {
  try {
    return utf8.decode(data);
  } catch {
    return undefined;
  }
}

/** Text or hexadecimal digits, as they are. */
export function show(data: Uint8Array): string {
  return textOf(data) ?? Buffer.from(data).toString('hex');
}

/** The same in one line that is safe on a terminal: control characters other than tabs are escaped. */
export function showInLine(data: Uint8Array): string {
  return show(data).replace(
    CONTROL,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
