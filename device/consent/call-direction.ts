// Which way a call goes, as rules ask for it: from outside to an agent, from an agent to outside, or between people of
// whom nobody is outside. Fails closed: what is not surely internal is not called so. Pure.
import type { Side } from "../base/ids.js";
import { type NumberRules, normalizeNumber } from "../call/numbers.js";
import type { Config } from "../contract/config.js";
import type { ConsentRule } from "../contract/config-consent.js";
import { isAnonymousForm } from "../sip/identity.js";

export type CallDirection = NonNullable<ConsentRule["direction"]>;
export const DIRECTIONS: readonly CallDirection[] = ["inbound", "outbound", "internal"];

/** Two sides of the call, 0 the originator; as in `AgentVerdict`. */
export interface DirectionFacts {
  agent: Side | undefined;
  /** Evidence that a side is an agent's, "" when none. */
  evidence: readonly [string, string];
  /** Evidence that a side is outside (trunks.match), "" when none; undefined = nobody has looked yet. */
  outside: readonly [string, string] | undefined;
  /** User parts and numbers that name a side; none = nothing is known of it. */
  users: readonly [readonly string[], readonly string[]];
}

/**
 * The direction, undefined while it is not known:
 *
 * - One side is outside: inbound when it is the originator, else outbound, whether or not the agent is known. Both sides
 *   outside (a call that was passed on to another outside line): not known.
 * - Nobody is outside although trunks.match says what is: internal, once each side is either an agent's or goes by
 *   names and extensions only. A telephone number or a withheld one may be an outside caller of whom the mirror port
 *   shows only the PBX: not known. Whoever wants such numbers taken for outside puts them in trunks.match, as in `+*`.
 *   A PBX that gives outside callers an extension of its own belongs there, too.
 * - trunks.match is empty: nothing tells who is outside, so no call is internal; outbound when the agent is the
 *   originator, inbound when the agent is called.
 */
export function directionOf(
  { agent, evidence, outside, users }: DirectionFacts,
  { trunks, numbers }: Pick<Config, "trunks" | "numbers">,
): CallDirection | undefined {
  const isOutside = (outside ?? []).map((text) => text !== "");
  if (isOutside[0] && isOutside[1]) return undefined;
  if (isOutside[0] || isOutside[1]) return isOutside[0] ? "inbound" : "outbound";
  if (trunks.match.length > 0) {
    if (!outside) return undefined;
    const isInside = ([0, 1] as const).every((side) => evidence[side] !== "" || isOfTheHouse(users[side], numbers));
    return isInside ? "internal" : undefined;
  }
  return agent === undefined ? undefined : agent === 0 ? "outbound" : "inbound";
}

/** Goes by names and extensions only. */
function isOfTheHouse(users: readonly string[], numbers: NumberRules): boolean {
  return (
    users.length > 0 && users.every((user) => user !== "" && !isAnonymousForm(user) && !isTelephone(user, numbers))
  );
}

/** Long enough for a telephone number, however it is written. */
function isTelephone(user: string, rules: NumberRules): boolean {
  if (normalizeNumber(user, rules).startsWith("+")) return true;
  const digits = user.replace(/[\s()./-]/g, "");
  return /^\+?\d+$/.test(digits) && digits.length >= rules.shortestNumber;
}
