/**
 * Lines for a stream, gathered: all lines of one turn of the event loop leave in one write, so that telling about a
 * thousand devices does not cost a thousand system calls.
 *
 * @module
 */

/** Gathers lines for one stream. */
export class LineWriter {
  readonly #stream: NodeJS.WritableStream;
  #lines = '';

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
  }

  write(line: string): void {
    if (this.#lines === '') {
      setImmediate(this.#flush);
      process.once('exit', this.#flush);
    }
    this.#lines += `${line}\n`;
  }

  readonly #flush = () => {
    process.removeListener('exit', this.#flush);
    if (this.#lines === '') return;
    const lines = this.#lines;
    this.#lines = '';
    this.#stream.write(lines);
  };
}
