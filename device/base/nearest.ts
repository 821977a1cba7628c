// The known name that a mistyped one most likely meant: an edit distance for short names. Never guesses when nothing is
// near. Optimal string alignment distance (insert, delete, substitute, swap of neighbours).

/** Longer names get no suggestion: the distance costs the product of both lengths. */
const MAXIMUM_LENGTH = 64;

/** Shorter beginnings fit too much. */
const MINIMUM_PREFIX_LENGTH = 3;

/**
 * The candidate nearest to `text` (ignoring case, "-" and "_"): within a third of its length, of equally near ones the
 * first; else the first that begins with it; else undefined.
 */
export function nearest(text: string, candidates: Iterable<string>): string | undefined {
  if (text.length === 0 || text.length > MAXIMUM_LENGTH) return undefined;
  const wanted = plain(text);
  let limit = Math.max(1, Math.floor(wanted.length / 3));
  let best: string | undefined;
  let completion: string | undefined;
  for (const candidate of candidates) {
    if (candidate.length > MAXIMUM_LENGTH) continue;
    const name = plain(candidate);
    if (wanted.length >= MINIMUM_PREFIX_LENGTH && name.startsWith(wanted)) completion ??= candidate;
    const distance = editDistance(wanted, name);
    if (distance > limit) continue;
    best = candidate;
    limit = distance - 1;
    if (limit < 0) break;
  }
  return best ?? completion;
}

/** "; did you mean X?" or nothing: the end of a one-line message. */
export function suggestion(name: string | undefined): string {
  return name === undefined ? "" : `; did you mean ${name}?`;
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, "");
}

/** Edits that turn `a` into `b`; a swap of two neighbours counts as one. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      let edits = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (isSame ? 0 : 1));
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (isSwap) edits = Math.min(edits, beforeLast[column - 2]! + 1);
      current.push(edits);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length]!;
}
