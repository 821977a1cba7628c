// Rows of text under titles, for a terminal: makes every cell safe and as wide as its column. Knows widths, not meanings.
import { columnsOf, firstColumns, safeText } from "./safe-text.js";

export interface TextColumn {
  title: string;
  isRight?: boolean;
  /** Longer cells are cut; 40 unless told. */
  maximum?: number;
}

const DEFAULT_MAXIMUM = 40;
const GAP = "  ";

/** Lines without trailing blanks, the titles first; `width`: of the terminal, longer lines are cut. */
export function textTable(
  columns: readonly TextColumn[],
  rows: readonly (readonly string[])[],
  width = Number.POSITIVE_INFINITY,
): string[] {
  const cells = rows.map((row) => columns.map(({ maximum }, i) => safeText(row[i] ?? "", maximum ?? DEFAULT_MAXIMUM)));
  const all = [columns.map(({ title }) => title), ...cells];
  const widths = columns.map((_, i) => all.reduce((widest, row) => Math.max(widest, columnsOf(row[i]!)), 0));
  return all.map((row) => {
    const line = row
      .map((cell, i) => {
        const blanks = " ".repeat(widths[i]! - columnsOf(cell));
        return columns[i]!.isRight ? blanks + cell : cell + blanks;
      })
      .join(GAP)
      .trimEnd();
    return columnsOf(line) > width ? firstColumns(line, width) : line;
  });
}
