import { describe, expect, it } from "vitest";
import { type GateFacts, judgeGate } from "../../../device/consent/policy.js";
import { POLICIES } from "../../../device/contract/call-record.js";

const ROLES = ["agent", "caller", "unknown"] as const;
/** Nothing beside policy, role and consent stands in the way. */
const FREE = {
  paused: false,
  stopped: false,
  sampledOut: false,
  agentUnregistered: false,
  echoes: false,
  diskFull: false,
};
const CONSENTS = ["unknown", "granted", "refused", "withdrawn"] as const;

describe("judgeGate", () => {
  it("admits exactly the combinations that the policies define", () => {
    const open: string[] = [];
    for (const policy of POLICIES) {
      for (const role of ROLES) {
        for (const consent of CONSENTS) {
          const facts: GateFacts = {
            policy,
            role,
            consent,
            answered: true,
            ended: false,
            keepsEarlyMedia: false,
            ...FREE,
          };
          if (judgeGate(facts) === undefined) open.push(`${policy} ${role} ${consent}`);
        }
      }
    }
    expect(open).toEqual([
      ...CONSENTS.map((consent) => `agent-only agent ${consent}`),
      "agent-only caller granted",
      "consent-first agent granted",
      "consent-first caller granted",
      ...ROLES.flatMap((role) => CONSENTS.map((consent) => `both-parties ${role} ${consent}`)),
    ]);
  });

  it("refuses what policy allows before the answer and after the end", () => {
    const open: GateFacts = {
      policy: "both-parties",
      role: "agent",
      consent: "unknown",
      answered: true,
      ended: false,
      keepsEarlyMedia: false,
      ...FREE,
    };
    expect(judgeGate({ ...open, answered: false })).toBe("early-media");
    expect(judgeGate({ ...open, answered: false, keepsEarlyMedia: true })).toBeUndefined();
    expect(judgeGate({ ...open, ended: true })).toBe("ended");
    expect(judgeGate({ ...open, diskFull: true })).toBe("disk-full");
    expect(judgeGate({ ...open, diskFull: true, paused: true })).toBe("paused");
  });
});
