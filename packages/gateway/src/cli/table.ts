/**
 * Columns for people.
 *
 * @module
 */

const GAP = '  ';

/** Narrower the last column does not get. */
const LEAST = 10;

export interface TableStyle {
  /** Whether the heads are set off by what terminals know. */
  readonly styled: boolean;
  /** Characters in a line of the terminal; the last column gives way. Undefined: as long as it takes. */
  readonly width: number | undefined;
}

/** Rows under their heads; cells are one line each. */
export function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  style: TableStyle,
): string {
  const widths = heads.map((head, column) =>
    Math.max(...[head, ...rows.map((row) => row[column]!)].map(widthOf)),
  );
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + GAP.length, 0);
  const room = style.width === undefined ? undefined : Math.max(style.width - before, LEAST);
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column < cells.length - 1 ? cell + ' '.repeat(widths[column]! - widthOf(cell)) : shorten(cell, room),
      )
      .join(GAP)
      .trimEnd();
  const head = line(heads);
  return [style.styled ? `\x1b[1m${head}\x1b[0m` : head, ...rows.map(line)]
    .map((text) => `${text}\n`)
    .join('');
}

/** Names and values under one another; those that are undefined are left out. */
export function facts(
  rows: readonly (readonly [name: string, value: string | undefined])[],
  indent = '',
): string {
  const shown = rows.filter((row): row is [string, string] => row[1] !== undefined);
  const width = Math.max(...shown.map(([name]) => widthOf(name)));
  return shown
    .map(([name, value]) => {
      const [first, ...others] = value.split('\n');
      const lines = [`${name}${' '.repeat(width - widthOf(name))}${GAP}${first}`];
      for (const other of others) lines.push(' '.repeat(width) + GAP + other);
      return lines.map((text) => `${(indent + text).trimEnd()}\n`).join('');
    })
    .join('');
}

/** Code points; wide characters count as one, which is near enough. */
function widthOf(text: string): number {
  return [...text].length;
}

function shorten(text: string, room: number | undefined): string {
  if (room === undefined || widthOf(text) <= room) return text;
  return `${[...text].slice(0, room - 1).join('')}…`;
}
