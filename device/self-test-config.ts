// How the self-test's call is recorded: the limits and times of the running configuration, and none of its rules. Whatever the office has
// configured (`none`, rules, registers, agents), the test is of the promise behind all of it: the agent by evidence, the caller never
// without consent. So the real gate decides on real evidence, and no word in it says "unless it is a test".
import { type Config, configSchema } from "./contract/config.js";
import { AGENT_ADDRESS } from "./self-test-call.js";

/** Tables grow as they fill; one call needs no more. */
const MAX_CALLS = 16;
const MAX_FLOWS = 256;

export function selfTestConfig({ net, sip, rtp, call, journal, capture }: Config): Config {
  return configSchema.parse({
    capture,
    net,
    sip,
    rtp: { ...rtp, maxFlows: MAX_FLOWS },
    call: { ...call, maxCalls: MAX_CALLS },
    journal,
    agents: { match: [AGENT_ADDRESS], learnFromRegistrations: false },
    consent: { policy: "agent-only", register: { enabled: false } },
  });
}
