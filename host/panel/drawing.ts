// How a panel looks in a terminal: the glass in a frame, the LEDs beside it. Pure.
import type { PanelPicture } from "./module.js";

const COLOURS = { off: "90", green: "92", amber: "93", red: "91" } as const;

/** Lines without their ends; with `isColoured`, LEDs in colour (ECMA-48 SGR). */
export function drawPanel({ rows, leds, backlight }: PanelPicture, fate: string, isColoured: boolean): string[] {
  const width = rows[0]?.length ?? 0;
  const glass = rows.map((row, index) => {
    const led = leds[index];
    if (led === undefined) return `│${row}│`;
    const sign = isColoured ? `\x1b[${COLOURS[led]}m●\x1b[0m` : `(${led})`;
    return `│${row}│ ${sign}`;
  });
  return [
    `┌${"─".repeat(width)}┐`,
    ...glass,
    `└${"─".repeat(width)}┘`,
    `backlight ${backlight} %${fate === "" ? "" : `; the host would have been ${fate}`}`,
  ];
}
