// Calls as a token may see them: numbers in full with the right to listen or to administer, else their last digits.
import type { ActiveCall } from "../contract/commands.js";
import { maskNumber } from "../contract/number-mask.js";
import type { Token } from "../store/tokens.js";

export function visibleTo(token: Token, calls: readonly ActiveCall[]): ActiveCall[] {
  if (token.rights.includes("listen") || token.rights.includes("administer")) return [...calls];
  return calls.map((call) => ({
    ...call,
    parties: call.parties.map((party) => ({ ...party, number: maskNumber(party.number) })),
  }));
}
