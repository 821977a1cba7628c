// Calls as a token may see them: numbers in full with the right to listen or to administer, else their last digits.
import type { ActiveCall } from "../contract/commands.js";
import type { Token } from "../store/tokens.js";

const MASK = "•••";
const SHOWN_DIGITS = 3;
/** Extensions: three of their four digits would mask nothing, and whoever gives commands tells phones by them. */
const SHORT_NUMBER = /^[0-9*#]{0,4}$/;
const LONG_NUMBER = /^\+?[0-9*#]{5,}$/;

export function visibleTo(token: Token, calls: readonly ActiveCall[]): ActiveCall[] {
  if (token.rights.includes("listen") || token.rights.includes("administer")) return [...calls];
  return calls.map((call) => ({
    ...call,
    parties: call.parties.map((party) => ({ ...party, number: maskNumber(party.number) })),
  }));
}

/** "•••456" for +4930123456. A user part that is no number names a person, and nothing of it is shown. */
export function maskNumber(number: string): string {
  if (SHORT_NUMBER.test(number)) return number;
  return LONG_NUMBER.test(number) ? MASK + number.slice(-SHOWN_DIGITS) : MASK;
}
