// Calls in progress as a token may see them: numbers in full or their last digits.
import type { ActiveCall } from "../contract/commands.js";
import { maskNumber } from "../contract/number-mask.js";
import type { Token } from "../store/tokens.js";
import { seesNumbers } from "./handler.js";

export function visibleTo(token: Token, calls: readonly ActiveCall[]): ActiveCall[] {
  if (seesNumbers(token)) return [...calls];
  return calls.map((call) => ({
    ...call,
    parties: call.parties.map((party) => ({ ...party, number: maskNumber(party.number) })),
  }));
}
