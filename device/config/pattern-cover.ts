// Whether one pattern (* any text, ? one character) takes everything that another takes. Pure.

/**
 * Whether everything that `narrow` matches is surely matched by `wide` (* any text, ? one character). A wildcard of
 * `narrow` counts as a character that only `*`, or `?` for `?`, can stand for, so some true cases are missed and no
 * false one is reported. Costs at most the product of the lengths.
 */
export function covers(wide: string, narrow: string): boolean {
  let at = 0;
  let starAt = -1;
  let resumeAt = 0;
  let narrowAt = 0;
  while (narrowAt < narrow.length) {
    if (at < wide.length && wide[at] === "*") {
      starAt = at++;
      resumeAt = narrowAt;
    } else if (at < wide.length && standsFor(wide[at]!, narrow[narrowAt]!)) {
      at++;
      narrowAt++;
    } else if (starAt >= 0) {
      at = starAt + 1;
      narrowAt = ++resumeAt;
    } else return false;
  }
  while (wide[at] === "*") at++;
  return at === wide.length;
}

function standsFor(wide: string, narrow: string): boolean {
  return narrow === "*" ? false : wide === narrow || wide === "?";
}
