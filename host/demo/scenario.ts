// The demo's four calls on the loopback interface: who calls whom from which address, what they say about consent, and
// what may therefore be stored. Agents and callers beep differently, so that anyone can tell them apart by ear.
import type { CallReport } from "../caller/phone-call.js";
import { TestPhone, type TestPhoneOptions } from "../caller/test-phone.js";
import { beeps, type PcmSource } from "../caller/tone.js";
import type { DemoCall } from "./verdict.js";

/** The network that the recorder is told belongs to agents. */
export const AGENT_NETWORK = "127.0.2.0/24";
const AGENT_TONE_HZ = 440;
const CALLER_TONE_HZ = 1000;
const SAMPLE_RATE_HZ = 8000;
const TALK_MS = 3500;
/** The calls overlap, but do not begin together. */
const STAGGER_MS = 250;
const CONSENT_HEADER = "X-Recording-Consent";

const AGENT_SAYS = pattern(AGENT_TONE_HZ, 2);
const CALLER_SAYS = pattern(CALLER_TONE_HZ, 3);

interface Plan {
  caller: { user: string; address: string };
  agent: { user: string; address: string };
  /** Value of the consent header in the INVITE; absent when the caller says nothing. */
  consent?: string;
  stored: DemoCall["stored"];
  why: string;
}

const PLANS: readonly Plan[] = [
  {
    caller: { user: "0301000001", address: "127.0.3.1" },
    agent: { user: "21", address: "127.0.2.21" },
    consent: "granted",
    stored: "both legs",
    why: `caller consents (${CONSENT_HEADER} in the INVITE)`,
  },
  {
    caller: { user: "0301000002", address: "127.0.3.2" },
    agent: { user: "22", address: "127.0.2.22" },
    stored: "agent's leg",
    why: "caller did not consent",
  },
  {
    caller: { user: "0301000003", address: "127.0.3.3" },
    agent: { user: "23", address: "127.0.2.23" },
    consent: "refused",
    stored: "agent's leg",
    why: `caller refuses (${CONSENT_HEADER} in the INVITE)`,
  },
  {
    caller: { user: "0301000004", address: "127.0.3.4" },
    agent: { user: "24", address: "127.0.4.24" },
    stored: "nothing",
    why: "neither side is known as an agent",
  },
];

/** Three or two beeps in each second. */
function pattern(frequencyHz: number, count: number): PcmSource {
  const beepMs = 440 / count;
  return beeps(
    { frequencyHz, amplitude: 0.5, beeps: count, beepMs, gapMs: 80, pauseMs: 1000 - count * (beepMs + 80) },
    SAMPLE_RATE_HZ,
  );
}

/** Places the calls, overlapping; resolves when the last is over. Rejects when a call does not come about. */
export async function placeDemoCalls(): Promise<DemoCall[]> {
  const phones: TestPhone[] = [];
  const start = async (options: TestPhoneOptions): Promise<TestPhone> => {
    const phone = await startPhone(options);
    phones.push(phone);
    return phone;
  };
  try {
    return await Promise.all(
      PLANS.map(async (plan, i) => {
        const agent = await start({ ...plan.agent, name: `Agent ${plan.agent.user}`, says: AGENT_SAYS });
        const caller = await start({ ...plan.caller, says: CALLER_SAYS });
        await delay(i * STAGGER_MS);
        const headers = plan.consent === undefined ? [] : ([[CONSENT_HEADER, plan.consent]] as const);
        return described(plan, await caller.call(agent.target, { talkMs: TALK_MS, headers }));
      }),
    );
  } finally {
    await Promise.all(phones.map((phone) => phone.stop()));
  }
}

/** On the usual SIP port, or on any when something on this computer holds that one. */
async function startPhone(options: TestPhoneOptions): Promise<TestPhone> {
  const usual = new TestPhone(options);
  try {
    await usual.start();
    return usual;
  } catch {
    const other = new TestPhone({ ...options, sipPort: 0 });
    await other.start();
    return other;
  }
}

function described(plan: Plan, report: CallReport): DemoCall {
  if (report.outcome !== "completed") {
    throw new Error(`the call to ${plan.agent.user} did not come about: ${report.outcome} ${report.status}`);
  }
  return {
    sipCallId: report.callId,
    caller: plan.caller.user,
    agent: plan.agent.user,
    agentToneHz: AGENT_TONE_HZ,
    callerToneHz: CALLER_TONE_HZ,
    callerPackets: report.sentPackets,
    stored: plan.stored,
    why: plan.why,
  };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
