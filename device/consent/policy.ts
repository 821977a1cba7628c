// The decision: may this leg's packets be recorded now? A pure function of policy, role, consent and the call's phase.
// Everything that is not positively allowed is refused, with the reason that the counts will name.
import type { ConsentState, DiscardReason, Policy } from "../contract/call-record.js";

export type GateRole = "agent" | "caller" | "unknown";

export interface GateFacts {
  policy: Policy;
  /** Unknown or contradictory evidence is "unknown", never "agent". */
  role: GateRole;
  /** The caller's consent for the call's purpose. */
  consent: ConsentState;
  answered: boolean;
  /** The call is over and what was on its way has had its time. */
  ended: boolean;
  keepsEarlyMedia: boolean;
  /** Nothing of anybody is taken at the moment. */
  paused: boolean;
  /** Recording on demand, and the agent has not started it or has stopped it. */
  stopped: boolean;
  sampledOut: boolean;
  /** The agents' register is in use and does not say that this agent agreed, or it is not known who it is. */
  agentUnregistered: boolean;
  /** The caller is heard in the agent's own stream. */
  echoes: boolean;
  /** The disk has no room for further recordings, and this call's has not begun. */
  diskFull: boolean;
}

/** undefined = admit; else why not. */
export function judgeGate(facts: GateFacts): DiscardReason | undefined {
  return judgeMoment(facts) ?? judgePolicy(facts) ?? judgeAgent(facts) ?? judgePhase(facts) ?? judgeDisk(facts);
}

/** Whatever policy and consent allow: nothing of anybody is taken. */
function judgeMoment({ policy, paused, sampledOut, stopped }: GateFacts): DiscardReason | undefined {
  if (policy === "none") return "policy";
  if (paused) return "paused";
  if (sampledOut) return "sampled-out";
  return stopped ? "not-started" : undefined;
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

/** The agents' own side; where nobody is known to be the agent, both sides may be. */
function judgeAgent(facts: GateFacts): DiscardReason | undefined {
  if (facts.role === "caller") return undefined;
  if (facts.agentUnregistered) return "agent-not-registered";
  return facts.echoes && facts.consent !== "granted" && facts.policy !== "both-parties" ? "echo" : undefined;
}

/** Asked last: only of what would be recorded it can be said that it is not for want of space. */
function judgeDisk({ diskFull }: GateFacts): DiscardReason | undefined {
  return diskFull ? "disk-full" : undefined;
}

function judgePhase(facts: GateFacts): DiscardReason | undefined {
  if (facts.ended) return "ended";
  return facts.answered || facts.keepsEarlyMedia ? undefined : "early-media";
}
