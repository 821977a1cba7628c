// Telephone numbers in what goes to the broker: shown as mqtt.numbers says, and taken out of free text.
import type { Config } from "../contract/config.js";

export type NumberDisplay = Config["mqtt"]["numbers"];

const MASK = "•••";
const SHOWN_DIGITS = 3;
/** Extensions and short codes: three of their four digits would mask nothing, and an admin tells phones by them. */
const SHORT_NUMBER = /^[0-9*#]{0,4}$/;
const LONG_NUMBER = /^\+?[0-9*#]{5,}$/;
/** A call's id, which is kept, or five and more digits, with what people write between them. */
const ID_OR_NUMBER = /\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b|\+?\p{Nd}(?:[\s()./\u2010-\u2015-]{0,3}\p{Nd}){4,}/gu;

/** undefined: not shown at all. What is no number (the user part of an address) names a person as well, and is masked. */
export function showNumber(number: string, display: NumberDisplay): string | undefined {
  if (display === "none") return undefined;
  if (display === "full" || SHORT_NUMBER.test(number)) return number;
  return LONG_NUMBER.test(number) ? MASK + number.slice(-SHOWN_DIGITS) : MASK;
}

/** Free text without telephone numbers. May take other long numbers for one (a date): better that than the reverse. */
export function withoutNumbers(text: string): string {
  return text.replace(ID_OR_NUMBER, (found) => (/[A-Z]/.test(found) ? found : MASK));
}
