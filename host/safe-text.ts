// The one place where text that somebody else wrote becomes fit for a terminal: nothing in it moves the cursor, changes colours,
// turns the reading direction, hides or breaks the line. Any script stays readable.

/** Control, format (bidi, joiners), line and paragraph separators, lone surrogates, private use, unassigned, and what shows as nothing. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}]/gu;
/** White space other than the plain blank. */
const BLANK = /\p{Zs}/gu;
/** More marks on one letter than any script has cover the lines around. */
const MARKS = /(\p{M}{3})\p{M}+/gu;
const REPLACEMENT = "?";
const CUT = "..";
/** East Asian wide and full-width letters and emoji take two columns (UAX #11, the blocks that matter). */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1f64f}\u{1f680}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const MARK = /\p{M}/u;

/** One line for a terminal; `maximum` in columns, beyond it ".." stands. */
export function safeText(text: string, maximum = Number.POSITIVE_INFINITY): string {
  // What can be seen of a longer text is in its beginning.
  const start = Number.isFinite(maximum) ? text.slice(0, maximum * 8 + 8) : text;
  const line = start.replace(UNSAFE, REPLACEMENT).replace(BLANK, " ").replace(MARKS, "$1");
  if (line.length <= maximum && start.length === text.length && !/[^\x20-\x7e]/.test(line)) return line;
  const isWhole = start.length === text.length && columnsOf(line) <= maximum;
  return isWhole ? line : `${firstColumns(line, Math.max(0, maximum - CUT.length))}${CUT}`.slice(0, maximum * 8);
}

/** Columns that a safe line takes. */
export function columnsOf(line: string): number {
  if (!/[^\x20-\x7e]/.test(line)) return line.length;
  let columns = 0;
  for (const letter of line) columns += columnsOfLetter(letter);
  return columns;
}

/** As much of a safe line as `columns` hold. */
export function firstColumns(line: string, columns: number): string {
  let [taken, left] = ["", columns];
  for (const letter of line) {
    left -= columnsOfLetter(letter);
    if (left < 0) break;
    taken += letter;
  }
  return taken;
}

/** JSON on one line in which what a terminal would obey is escaped: the same value. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(/[^\x20-\x7e]/gu, (letter) => (isUnsafe(letter) ? escaped(letter) : letter));
}

function isUnsafe(letter: string): boolean {
  UNSAFE.lastIndex = 0;
  return UNSAFE.test(letter);
}

/** RFC 8259 §7: a pair of escapes beyond U+FFFF. */
function escaped(letter: string): string {
  let text = "";
  for (let i = 0; i < letter.length; i++) text += `\\u${letter.charCodeAt(i).toString(16).padStart(4, "0")}`;
  return text;
}

function columnsOfLetter(letter: string): number {
  if (MARK.test(letter)) return 0;
  return WIDE.test(letter) ? 2 : 1;
}
