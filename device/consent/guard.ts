// Consent and policy of the calls in progress: chooses each call's policy, keeps its ledger from the configured sources
// (number rules, a SIP header), and opens and shuts both legs' gates. Implements what call/ asks for in CallGuard.
import { otherSide, type Side, type TimeUs } from "../base/ids.js";
import { compileUserPattern, type UserPattern } from "../call/agents.js";
import type { Call } from "../call/call.js";
import type { CallGuard, GuardReport } from "../call/guard.js";
import type { ConsentState, NoAudioReason, Policy } from "../contract/call-record.js";
import type { Config, ConsentRule } from "../contract/config.js";
import type { SipMessage } from "../sip/message.js";
import { type AdmittedSink, Gate } from "./gate.js";
import { type ConsentEffect, ConsentLedger } from "./ledger.js";
import { type GateRole, judgeGate } from "./policy.js";

interface CompiledRule {
  rule: ConsentRule;
  patterns: UserPattern[];
}

/** What consent/ keeps of one call. */
interface CallConsent {
  policy: Policy;
  policyRule: string;
  readonly ledger: ConsentLedger;
  readonly gates: [Gate, Gate];
  /** Evidence id of "this side is the agent", noted once. */
  agentEvidence: [string, string];
  /** Evidence id of a policy that needs no consent, noted once. */
  policyEvidence: string;
  /** Caller's number the rules were asked for; they are asked again when it becomes another. */
  judgedNumber: string | undefined;
  detached: boolean;
}

export class ConsentGuard implements CallGuard {
  private readonly config: Config;
  private readonly rules: CompiledRule[];
  private readonly sinkFor: (call: Call) => AdmittedSink;
  private readonly headerName: string;
  private readonly headerEffects = new Map<string, ConsentEffect>();
  private readonly calls = new WeakMap<Call, CallConsent>();

  /** `sinkFor` gives the journal of a call; it is asked once per call. */
  constructor(config: Config, sinkFor: (call: Call) => AdmittedSink) {
    this.config = config;
    this.sinkFor = sinkFor;
    this.rules = config.consent.rules.map((rule) => ({ rule, patterns: rule.numbers.map(compileUserPattern) }));
    const { header } = config.consent;
    this.headerName = header.name.toLowerCase();
    for (const effect of ["granted", "refused", "withdrawn"] as const) {
      for (const value of header[effect]) this.headerEffects.set(value.toLowerCase(), effect);
    }
  }

  attach(call: Call): void {
    const sink = this.sinkFor(call);
    const { preAnswerMs } = this.config.call;
    const gates: [Gate, Gate] = [new Gate(0, sink, preAnswerMs), new Gate(1, sink, preAnswerMs)];
    call.legs[0].gate = gates[0];
    call.legs[1].gate = gates[1];
    this.calls.set(call, {
      policy: this.config.consent.policy,
      policyRule: "",
      ledger: new ConsentLedger(),
      gates,
      agentEvidence: ["", ""],
      policyEvidence: "",
      judgedNumber: undefined,
      detached: false,
    });
  }

  message(call: Call, message: SipMessage, from: Side | undefined, atUs: TimeUs): void {
    const values = message.headers.get(this.headerName);
    if (!values) return;
    const { ledger } = this.of(call);
    const sender = from === undefined ? "unknown" : from === 0 ? "originator" : "answerer";
    for (const value of values.slice(0, 8)) {
      const effect = this.headerEffects.get(value.trim().toLowerCase());
      const detail = { header: this.config.consent.header.name, value: value.slice(0, 64), from: sender };
      if (effect) ledger.apply(atUs, "sip-header", effect, { ...detail, in: describeMessage(message) });
      else call.warn("consent-header-value-unknown", detail);
    }
    this.judge(call, atUs);
  }

  changed(call: Call, atUs: TimeUs): void {
    this.judge(call, atUs);
  }

  report(call: Call, atUs: TimeUs): GuardReport {
    const own = this.of(call);
    return {
      policy: own.policy,
      policyRule: own.policyRule,
      parties: [this.partyReport(call, 0, atUs), this.partyReport(call, 1, atUs)],
      evidence: own.ledger.evidence.map((entry) => ({ ...entry })),
      warnings: own.ledger.dropped > 0 ? [{ code: "evidence-dropped", detail: { entries: own.ledger.dropped } }] : [],
      closedReason: closedReason(call, own),
    };
  }

  detach(call: Call, atUs: TimeUs): void {
    const own = this.of(call);
    const endUs = Math.min(atUs, (call.endedAtUs ?? atUs) + this.config.call.tailMs * 1000);
    for (const gate of own.gates) gate.shut(endUs, "ended", false);
    own.detached = true;
  }

  private partyReport(
    call: Call,
    side: Side,
    atUs: TimeUs,
  ): { consent: ConsentState; spans: GuardReport["parties"][0]["spans"] } {
    const own = this.of(call);
    return { consent: this.consentOf(call, side), spans: own.gates[side].spansUntil(atUs) };
  }

  private consentOf(call: Call, side: Side): ConsentState {
    const own = this.of(call);
    if (own.policy === "both-parties" || call.agent.agent === side) return "not-required";
    return call.agent.agent === undefined ? "unknown" : own.ledger.state;
  }

  /** Judges both gates anew; they act on it with the next packet. */
  private judge(call: Call, atUs: TimeUs): void {
    const own = this.of(call);
    if (own.detached) return;
    this.chooseRule(call, own, atUs);
    for (const side of [0, 1] as const) this.judgeSide(call, own, side, atUs);
  }

  private judgeSide(call: Call, own: CallConsent, side: Side, atUs: TimeUs): void {
    const role: GateRole = call.agent.agent === undefined ? "unknown" : call.agent.agent === side ? "agent" : "caller";
    const refused = judgeGate({
      policy: own.policy,
      role,
      consent: own.ledger.state,
      answered: call.answeredAtUs !== undefined,
      ended: own.detached,
      keepsEarlyMedia: this.config.recording.earlyMedia === "keep",
    });
    const gate = own.gates[side];
    if (refused) gate.shut(atUs, refused, refused === "early-media");
    else gate.open(atUs, this.evidenceFor(call, own, side, role, atUs), own.policy === "both-parties");
  }

  /** Id of the evidence on which a side's gate opens. */
  private evidenceFor(call: Call, own: CallConsent, side: Side, role: GateRole, atUs: TimeUs): string {
    if (own.policy === "both-parties") {
      own.policyEvidence ||= own.ledger.note(atUs, own.policyRule ? "rule" : "default", "not-required", {
        policy: own.policy,
        rule: own.policyRule || "consent.policy",
      });
      return own.policyEvidence;
    }
    if (role === "agent" && own.policy === "agent-only") {
      own.agentEvidence[side] ||= own.ledger.note(atUs, "rule", "agent", { identifiedBy: call.agent.evidence[side] });
      return own.agentEvidence[side];
    }
    return own.ledger.grantedBy;
  }

  /**
   * The first rule whose numbers fit the caller decides policy and consent on file. Who the caller is, is known only
   * once the agent is: until then only rules for every call apply.
   */
  private chooseRule(call: Call, own: CallConsent, atUs: TimeUs): void {
    if (this.rules.length === 0) return;
    const caller = call.agent.agent === undefined ? "" : call.party(otherSide(call.agent.agent)).user;
    if (own.judgedNumber === caller) return;
    if (own.judgedNumber !== undefined) own.ledger.lift("rule");
    own.judgedNumber = caller;
    own.policy = this.config.consent.policy;
    own.policyRule = "";
    const found = this.rules.find(({ patterns }) => patterns.length === 0 || patterns.some((p) => p.matches(caller)));
    if (!found) return;
    const { rule } = found;
    if (rule.policy) {
      own.policy = rule.policy;
      own.policyRule = rule.name;
    }
    if (rule.consent) own.ledger.apply(atUs, "rule", rule.consent, { rule: rule.name });
  }

  private of(call: Call): CallConsent {
    const own = this.calls.get(call);
    if (!own) throw new Error(`call ${call.id} was never attached`);
    return own;
  }
}

function describeMessage(message: SipMessage): string {
  return message.kind === "request" ? message.method : `${message.status} (${message.method})`;
}

/** Why nothing of an answered call was admitted, as far as policy, roles and consent decide it. */
function closedReason(call: Call, own: CallConsent): NoAudioReason | undefined {
  if (own.policy === "none") return "policy-none";
  if (own.policy === "both-parties") return undefined;
  if (call.agent.contradictory) return "agent-contradictory";
  if (call.agent.agent === undefined) return "agent-unknown";
  return own.policy === "consent-first" && own.ledger.state !== "granted" ? "no-consent" : undefined;
}
