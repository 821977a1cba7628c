// The decision: may this leg's packets be recorded now? A pure function of policy, role, consent and the call's phase.
// Everything that is not positively allowed is refused, with the reason that the counts will name.
import type { ConsentState, DiscardReason, Policy } from "../contract/call-record.js";

export type GateRole = "agent" | "caller" | "unknown";

export interface GateFacts {
  policy: Policy;
  /** Unknown or contradictory evidence is "unknown", never "agent". */
  role: GateRole;
  /** The caller's consent. */
  consent: ConsentState;
  answered: boolean;
  /** The call is over and what was on its way has had its time. */
  ended: boolean;
  keepsEarlyMedia: boolean;
}

/** undefined = admit; else why not. */
export function judgeGate(facts: GateFacts): DiscardReason | undefined {
  const refused = judgePolicy(facts);
  if (refused) return refused;
  if (facts.ended) return "ended";
  if (!facts.answered && !facts.keepsEarlyMedia) return "early-media";
  return undefined;
}

function judgePolicy(facts: GateFacts): DiscardReason | undefined {
  switch (facts.policy) {
    case "both-parties":
      return undefined;
    case "agent-only":
      if (facts.role === "agent") return undefined;
      if (facts.role === "unknown") return "role-unknown";
      return facts.consent === "granted" ? undefined : "consent";
    case "consent-first":
      if (facts.role === "unknown") return "role-unknown";
      return facts.consent === "granted" ? undefined : "consent";
    default:
      return "policy";
  }
}
