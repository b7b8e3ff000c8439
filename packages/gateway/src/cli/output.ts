/**
 * What commands print: the answer of the API as JSON, or text for people.
 *
 * @module
 */

import { facts, table } from './table.js';

/** Where and how a command prints. */
export class Output {
  /** `--json`. */
  readonly json: boolean;

  constructor(json: boolean) {
    this.json = json;
  }

  /** The answer with `--json`, else what `text` makes of it. */
  answer(answer: unknown, text: () => string): void {
    process.stdout.write(this.json ? `${JSON.stringify(answer ?? {}, null, 2)}\n` : text());
  }

  /** One line of a stream. */
  line(answer: unknown, text: () => string): void {
    process.stdout.write(`${this.json ? JSON.stringify(answer) : text()}\n`);
  }

  /** Rows, or a sentence that there are none. */
  table(heads: readonly string[], rows: readonly (readonly string[])[], none: string): string {
    if (rows.length === 0) return `${none}\n`;
    const onTerminal = process.stdout.isTTY === true;
    return table(heads, rows, {
      styled: onTerminal && process.env.NO_COLOR === undefined,
      width: onTerminal ? process.stdout.columns : undefined,
    });
  }

  facts = facts;

  /** What is no answer: on stderr, so that it does not get among it. */
  notice(message: string): void {
    process.stderr.write(`usmp-gateway: ${message}\n`);
  }
}
