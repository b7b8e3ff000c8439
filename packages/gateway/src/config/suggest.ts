/**
 * Which name was meant?
 *
 * @module
 */

/**
 * The known name that a wrong one is most likely meant to be: one that differs in few letters, or the same name in another
 * table. Undefined when there is none.
 */
export function nearest(wrong: string, known: readonly string[]): string | undefined {
  const name = normalize(wrong);
  const scored = known.map((candidate) => ({ candidate, score: scoreOf(name, normalize(candidate)) }));
  scored.sort((a, b) => a.score - b.score);
  const [best] = scored;
  return best !== undefined && best.score < Number.POSITIVE_INFINITY ? best.candidate : undefined;
}

/** For the end of an error message. */
export function didYouMean(wrong: string, known: readonly string[]): string | undefined {
  const name = nearest(wrong, known);
  return name === undefined ? undefined : `did you mean ${name}?`;
}

/** `tlsCert` and `tls-cert` are no further from `tls_cert` than a letter. */
function normalize(name: string): string {
  return name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();
}

function scoreOf(wrong: string, known: string): number {
  const distance = distanceOf(wrong, known);
  if (distance <= Math.max(1, Math.floor(known.length / 4))) return distance;
  // Behind those, what stands in the wrong table: `rate_limit` for `http.rate_limit`.
  const [wrongLast, knownLast] = [lastOf(wrong), lastOf(known)];
  if (wrongLast === knownLast) return 100 + distance;
  if (knownLast.length > 3 && distanceOf(wrongLast, knownLast) === 1) return 200 + distance;
  return Number.POSITIVE_INFINITY;
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

/** Letters to insert, to remove, to replace or to swap with their neighbour (optimal string alignment). */
function distanceOf(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(replaced, rows[i - 1]![j]! + 1, row[j - 1]! + 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
