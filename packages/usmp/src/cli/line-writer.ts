/**
 * Lines for a stream, gathered for a moment: telling about a thousand devices must not cost a thousand system calls.
 *
 * @module
 */

/** How long a line waits for others, in milliseconds. */
const GATHER = 10;

/** Gathers lines for one stream. What is left when the process ends is still written. */
export class LineWriter {
  readonly #stream: NodeJS.WritableStream;
  #lines = '';

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
    process.once('exit', () => this.#flush());
  }

  write(line: string): void {
    if (this.#lines === '') setTimeout(() => this.#flush(), GATHER);
    this.#lines += `${line}\n`;
  }

  #flush(): void {
    if (this.#lines === '') return;
    const lines = this.#lines;
    this.#lines = '';
    this.#stream.write(lines);
  }
}
