// Telephone numbers in what a face shows: as its display says, and taken out of free text.
import type { Config } from "./config.js";
import { maskNumber, NUMBER_MASK } from "./number-mask.js";

export type NumberDisplay = Config["mqtt"]["numbers"];

/** A call's id, which is kept, or five and more digits, with what people write between them. */
const ID_OR_NUMBER = /\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b|\+?\p{Nd}(?:[\s()./\u2010-\u2015-]{0,3}\p{Nd}){4,}/gu;

/** undefined: not shown at all. What is no number (the user part of an address) names a person as well, and is masked. */
export function showNumber(number: string, display: NumberDisplay): string | undefined {
  if (display === "none") return undefined;
  return display === "full" ? number : maskNumber(number);
}

/** Free text without telephone numbers. May take other long numbers for one (a date): better that than the reverse. */
export function withoutNumbers(text: string): string {
  return text.replace(ID_OR_NUMBER, (found) => (/[A-Z]/.test(found) ? found : NUMBER_MASK));
}
