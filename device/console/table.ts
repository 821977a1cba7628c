// Columns of plain text for a terminal. Knows widths, not meanings.

export interface Column {
  title: string;
  align: "left" | "right";
}

/** Lines without trailing white space, the title first. Every row has one cell per column. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const titles = columns.map((column) => column.title);
  const cells = [titles, ...rows];
  const widths = columns.map((_, index) => cells.reduce((widest, row) => Math.max(widest, row[index]!.length), 0));
  return cells.map((row) =>
    row
      .map((cell, index) =>
        columns[index]!.align === "left" ? cell.padEnd(widths[index]!) : cell.padStart(widths[index]!),
      )
      .join("  ")
      .trimEnd(),
  );
}

/** Text from the network as it may reach a terminal: printable ASCII, at most `maximum` characters. */
export function plainCell(text: string, maximum: number): string {
  const ascii = text.slice(0, maximum + 1).replaceAll(/[^\x20-\x7e]/g, "?");
  return ascii.length > maximum ? `${ascii.slice(0, maximum - 2)}..` : ascii;
}

/** A line as it may reach a terminal: any script, but nothing that moves the cursor or hides text. */
export function plainLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "?");
}
