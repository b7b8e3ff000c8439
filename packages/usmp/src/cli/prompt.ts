/**
 * A prompt with history and line editing, above which lines can be printed while somebody types.
 *
 * @module
 */

import { clearLine, createInterface, cursorTo } from 'node:readline';

export interface Prompt {
  /** What is typed, line by line, until Ctrl-D or `close`. */
  readonly lines: AsyncIterable<string>;
  /** Prints a line; what has been typed so far stays behind the prompt. */
  print(line: string): void;
  close(): void;
}

/** @param onInterrupt is called on Ctrl-C, which a prompt gets instead of the process */
export function openPrompt(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  onInterrupt: () => void,
): Prompt {
  const editor = createInterface({ input, output, terminal: true, prompt: '> ' });
  let closed = false;
  editor.on('SIGINT', onInterrupt);
  editor.on('close', () => {
    closed = true;
    output.write('\n');
  });
  const redraw = () => {
    if (!closed) editor.prompt(true);
  };
  editor.on('line', redraw);
  return {
    lines: editor,
    print(line) {
      cursorTo(output, 0);
      clearLine(output, 0);
      output.write(`${line}\n`);
      redraw();
    },
    close: () => editor.close(),
  };
}
