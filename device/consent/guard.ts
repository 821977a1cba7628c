// Consent and policy of the calls in progress: chooses each call's policy, keeps every party's ledger from the
// configured sources (number rules, a SIP header), and opens and shuts the gates of all legs. Implements what call/ asks
// for in CallGuard.
import { otherSide, type Side, type TimeUs } from "../base/ids.js";
import { compileUserPattern, type UserPattern } from "../call/agents.js";
import type { Call } from "../call/call.js";
import type { Dialog } from "../call/dialog.js";
import type { CallGuard, GuardReport, PartyReport } from "../call/guard.js";
import type { Leg } from "../call/leg.js";
import { NOBODY, type Party, type PartyIdentity } from "../call/party.js";
import type { ConsentState, EvidenceRecord, NoAudioReason, Policy, SpanRecord } from "../contract/call-record.js";
import type { Config, ConsentRule } from "../contract/config.js";
import type { SipMessage } from "../sip/message.js";
import { EvidenceLog } from "./evidence-log.js";
import { type AdmittedSink, Gate } from "./gate.js";
import { type ConsentEffect, ConsentLedger } from "./ledger.js";
import { type GateRole, judgeGate } from "./policy.js";

interface CompiledRule {
  rule: ConsentRule;
  patterns: UserPattern[];
}

type CallerNumber = Pick<PartyIdentity, "user" | "number">;

/** A statement about a dialog's caller, made before it was known which side that is. */
interface WaitingStatement {
  dialog: Dialog;
  source: EvidenceRecord["kind"];
  effect: ConsentEffect;
  evidence: string;
}

/** Statements of one dialog that wait for its caller to be known; further ones are ignored. */
const MAX_WAITING = 16;

/** What consent/ keeps of one call. */
interface CallConsent {
  readonly sink: AdmittedSink;
  policy: Policy;
  policyRule: string;
  /** Caller's number the policy was chosen for. */
  policyNumber: string | undefined;
  readonly log: EvidenceLog;
  readonly ledgers: Map<Party, ConsentLedger>;
  /** Number of a party for which consent on file was looked up. */
  readonly fileNumbers: Map<Party, string>;
  /** Gates of every dialog so far; those of dialogs that are over stay shut. */
  readonly gates: Map<Leg, Gate>;
  readonly closed: Set<Dialog>;
  /** Gates of dialogs that went over to another call. */
  readonly pastGates: Gate[];
  waiting: WaitingStatement[];
  /** Evidence id of "this party is the agent", noted once. */
  readonly agentEvidence: Map<Party, string>;
  /** Evidence id of a policy that needs no consent, noted once. */
  policyEvidence: string;
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
    this.calls.set(call, {
      sink: this.sinkFor(call),
      policy: this.config.consent.policy,
      policyRule: "",
      policyNumber: undefined,
      log: new EvidenceLog(),
      ledgers: new Map(),
      fileNumbers: new Map(),
      gates: new Map(),
      closed: new Set(),
      pastGates: [],
      waiting: [],
      agentEvidence: new Map(),
      policyEvidence: "",
    });
  }

  addDialog(dialog: Dialog): void {
    const own = this.of(dialog.call);
    for (const leg of dialog.legs) {
      const gate = new Gate(own.sink, this.config.call.preAnswerMs);
      leg.gate = gate;
      own.gates.set(leg, gate);
    }
  }

  message(dialog: Dialog, message: SipMessage, from: Side | undefined, atUs: TimeUs): void {
    const values = message.headers.get(this.headerName);
    if (!values) return;
    const { call } = dialog;
    const own = this.of(call);
    const sender = from === undefined ? "unknown" : from === 0 ? "originator" : "answerer";
    for (const value of values.slice(0, 8)) {
      const effect = this.headerEffects.get(value.trim().toLowerCase());
      const detail = { header: this.config.consent.header.name, value: value.slice(0, 64), from: sender };
      if (effect) this.hear(own, dialog, atUs, "sip-header", effect, { ...detail, in: nameOf(message) });
      else call.warn("consent-header-value-unknown", detail);
    }
    this.judge(call, atUs);
  }

  changed(call: Call, atUs: TimeUs): void {
    this.judge(call, atUs);
  }

  report(call: Call, atUs: TimeUs): GuardReport {
    const own = this.of(call);
    const { log } = own;
    return {
      policy: own.policy,
      policyRule: own.policyRule,
      parties: call.parties.map((party) => this.partyReport(own, party, atUs)),
      evidence: log.entries.map((entry) => ({ ...entry })),
      warnings: log.dropped > 0 ? [{ code: "evidence-dropped", detail: { entries: log.dropped } }] : [],
      closedReason: this.closedReason(call, own),
    };
  }

  leave(dialog: Dialog, atUs: TimeUs): void {
    const own = this.of(dialog.call);
    for (const leg of dialog.legs) {
      const gate = own.gates.get(leg);
      if (!gate) continue;
      gate.shut(atUs, "ended", false);
      own.pastGates.push(gate);
      own.gates.delete(leg);
    }
  }

  absorb(call: Call, other: Call, atUs: TimeUs): void {
    const own = this.of(call);
    const gone = this.of(other);
    const ids = own.log.adopt(gone.log);
    for (const [leg, gate] of gone.gates) {
      gate.move(own.sink, ids);
      own.gates.set(leg, gate);
    }
    for (const [party, ledger] of gone.ledgers) {
      ledger.rename(ids);
      own.ledgers.set(party, ledger);
    }
    for (const [party, number] of gone.fileNumbers) own.fileNumbers.set(party, number);
    for (const [party, id] of gone.agentEvidence) own.agentEvidence.set(party, ids.get(id) ?? id);
    for (const dialog of gone.closed) own.closed.add(dialog);
    own.pastGates.push(...gone.pastGates);
    for (const statement of gone.waiting)
      own.waiting.push({ ...statement, evidence: ids.get(statement.evidence) ?? statement.evidence });
    this.calls.delete(other);
    this.judge(call, atUs);
  }

  unite(call: Call, party: Party, other: Party, isSame: boolean): void {
    const own = this.of(call);
    const ledger = own.ledgers.get(other);
    if (ledger) this.ledgerOf(own, party).join(ledger);
    if (!isSame) return;
    own.ledgers.delete(other);
    for (const gate of own.gates.values()) gate.unite(party, other);
  }

  closeDialog(dialog: Dialog, atUs: TimeUs): void {
    const own = this.of(dialog.call);
    const endUs = Math.min(atUs, (dialog.endedAtUs ?? atUs) + this.config.call.tailMs * 1000);
    for (const leg of dialog.legs) own.gates.get(leg)?.shut(endUs, "ended", false);
    own.closed.add(dialog);
  }

  detach(call: Call, atUs: TimeUs): void {
    for (const dialog of call.dialogs) if (!this.of(call).closed.has(dialog)) this.closeDialog(dialog, atUs);
  }

  /** Takes a statement made in a dialog about its caller; while it is open who that is, the statement waits. */
  private hear(
    own: CallConsent,
    dialog: Dialog,
    atUs: TimeUs,
    source: EvidenceRecord["kind"],
    effect: ConsentEffect,
    detail: EvidenceRecord["detail"],
  ): void {
    if (dialog.agent.agent !== undefined) {
      this.state(own, callersOf(dialog), atUs, source, effect, detail);
      return;
    }
    const waiting = own.waiting.filter((statement) => statement.dialog === dialog);
    const last = waiting.findLast((statement) => statement.source === source);
    if (last?.effect === effect || waiting.length >= MAX_WAITING) return;
    own.waiting.push({ dialog, source, effect, evidence: own.log.note(atUs, source, effect, detail) });
  }

  /** The caller is known now: what was said of it takes effect. */
  private settleWaiting(own: CallConsent): void {
    if (own.waiting.length === 0) return;
    const [due, waiting] = [
      own.waiting.filter(({ dialog }) => dialog.agent.agent !== undefined),
      own.waiting.filter(({ dialog }) => dialog.agent.agent === undefined),
    ];
    own.waiting = waiting;
    for (const { dialog, source, effect, evidence } of due) {
      for (const ledger of callersOf(dialog).map((party) => this.ledgerOf(own, party))) {
        // What waited may be older than what the other half of the call has said since: it lifts no refusal.
        if (effect !== "granted" || !ledger.isRefusedBy(source)) ledger.apply(source, effect, evidence);
      }
    }
  }

  /** Enters a statement about `parties`; one that says again what stands for all of them is no new entry. */
  private state(
    own: CallConsent,
    parties: readonly Party[],
    atUs: TimeUs,
    source: EvidenceRecord["kind"],
    effect: ConsentEffect,
    detail: EvidenceRecord["detail"],
  ): void {
    const concerned = parties.map((party) => this.ledgerOf(own, party)).filter((l) => !l.repeats(source, effect));
    if (concerned.length === 0) return;
    const id = own.log.note(atUs, source, effect, detail);
    for (const ledger of concerned) ledger.apply(source, effect, id);
  }

  private partyReport(own: CallConsent, party: Party, atUs: TimeUs): PartyReport {
    const spans = [...own.pastGates, ...own.gates.values()].flatMap((gate) => gate.spansOf(party, atUs));
    return { consent: this.consentOf(own, party), spans: coalesce(spans) };
  }

  private consentOf(own: CallConsent, party: Party): ConsentState {
    if (own.policy === "both-parties" || party.role === "agent") return "not-required";
    return party.role === "caller" ? this.ledgerOf(own, party).state : "unknown";
  }

  /** Judges all gates anew; they act on it with the next packet. */
  private judge(call: Call, atUs: TimeUs): void {
    const own = this.of(call);
    this.choosePolicy(call, own);
    this.settleWaiting(own);
    for (const [leg, gate] of own.gates) {
      if (!own.closed.has(leg.dialog)) this.judgeLeg(own, leg, gate, atUs);
    }
  }

  private judgeLeg(own: CallConsent, leg: Leg, gate: Gate, atUs: TimeUs): void {
    if (leg.nearest !== leg) {
      gate.shut(atUs, "other-half", false);
      return;
    }
    const role = roleOf(leg);
    const caller = role === "agent" ? leg.other.nearest.party : leg.party;
    if (role !== "unknown") this.lookUpFile(own, caller, atUs);
    const refused = judgeGate({
      policy: own.policy,
      role,
      // Nobody has consented for everybody who may be heard in a mix.
      consent: leg.isMixed ? "unknown" : this.ledgerOf(own, caller).state,
      answered: leg.dialog.answeredAtUs !== undefined,
      ended: false,
      keepsEarlyMedia: this.config.recording.earlyMedia === "keep",
    });
    if (refused) gate.shut(atUs, refused, refused === "early-media");
    else gate.open(atUs, this.evidenceFor(own, leg, role, caller, atUs), own.policy === "both-parties", leg.party);
  }

  /** Id of the evidence on which a leg's gate opens. */
  private evidenceFor(own: CallConsent, leg: Leg, role: GateRole, caller: Party, atUs: TimeUs): string {
    if (own.policy === "both-parties") {
      own.policyEvidence ||= own.log.note(atUs, own.policyRule ? "rule" : "default", "not-required", {
        policy: own.policy,
        rule: own.policyRule || "consent.policy",
      });
      return own.policyEvidence;
    }
    if (role !== "agent" || own.policy !== "agent-only") return this.ledgerOf(own, caller).grantedBy;
    const known = own.agentEvidence.get(leg.party);
    if (known !== undefined) return known;
    const id = own.log.note(atUs, "rule", "agent", { identifiedBy: leg.dialog.agent.evidence[leg.side] });
    own.agentEvidence.set(leg.party, id);
    return id;
  }

  /** The first rule whose numbers fit decides; until the agent is known only rules for every call apply. */
  private ruleFor({ user, number }: CallerNumber): ConsentRule | undefined {
    const fits = (pattern: UserPattern) => pattern.matches(user) || pattern.matches(number);
    return this.rules.find(({ patterns }) => patterns.length === 0 || patterns.some(fits))?.rule;
  }

  private choosePolicy(call: Call, own: CallConsent): void {
    if (this.rules.length === 0) return;
    const caller = callerOf(call.foremost)?.identity ?? NOBODY;
    if (own.policyNumber === caller.user) return;
    own.policyNumber = caller.user;
    const rule = this.ruleFor(caller);
    own.policy = rule?.policy ?? this.config.consent.policy;
    own.policyRule = rule?.policy ? rule.name : "";
  }

  /** Consent on file for a caller; looked up again when the caller's number turns out to be another. */
  private lookUpFile(own: CallConsent, caller: Party, atUs: TimeUs): void {
    if (this.rules.length === 0) return;
    const { user } = caller.identity;
    const known = own.fileNumbers.get(caller);
    if (known === user) return;
    if (known !== undefined) this.ledgerOf(own, caller).lift("rule");
    own.fileNumbers.set(caller, user);
    const rule = this.ruleFor(caller.identity);
    if (rule?.consent) this.state(own, [caller], atUs, "rule", rule.consent, { rule: rule.name });
  }

  /** Why nothing of an answered call was admitted, as far as policy, roles and consent decide it. */
  private closedReason(call: Call, own: CallConsent): NoAudioReason | undefined {
    if (own.policy === "none") return "policy-none";
    if (own.policy === "both-parties") return undefined;
    const dialog = call.foremost;
    if (dialog.agent.contradictory) return "agent-contradictory";
    if (dialog.agent.agent === undefined) return "agent-unknown";
    const isGranted = call.parties.some((party) => this.ledgerOf(own, party).state === "granted");
    return own.policy === "consent-first" && !isGranted ? "no-consent" : undefined;
  }

  private ledgerOf(own: CallConsent, party: Party): ConsentLedger {
    const known = own.ledgers.get(party);
    if (known) return known;
    const ledger = new ConsentLedger();
    own.ledgers.set(party, ledger);
    return ledger;
  }

  private of(call: Call): CallConsent {
    const own = this.calls.get(call);
    if (!own) throw new Error(`call ${call.id} was never attached`);
    return own;
  }
}

/** A leg's role for its gate: an agent whose stream may carry others counts as a caller. */
function roleOf(leg: Leg): GateRole {
  const { agent } = leg.dialog.agent;
  if (agent === undefined) return "unknown";
  return agent === leg.side && !leg.isMixed ? "agent" : "caller";
}

/** Whose consent a statement in the dialog is about. */
function callersOf(dialog: Dialog): Party[] {
  const { agent } = dialog.agent;
  return dialog.legs.filter((leg) => leg.side !== agent).map((leg) => leg.nearest.party);
}

/** The caller, unknown while the agent is. */
function callerOf(dialog: Dialog): Party | undefined {
  const { agent } = dialog.agent;
  return agent === undefined ? undefined : dialog.legOf(otherSide(agent)).nearest.party;
}

function nameOf(message: SipMessage): string {
  return message.kind === "request" ? message.method : `${message.status} (${message.method})`;
}

/** Spans in the order of time; those of two legs that the party spoke on at once are one. */
function coalesce(spans: SpanRecord[]): SpanRecord[] {
  const merged: SpanRecord[] = [];
  for (const span of spans.sort((a, b) => a.fromUs - b.fromUs)) {
    const last = merged.at(-1);
    if (last && last.evidence === span.evidence && span.fromUs <= last.toUs) last.toUs = Math.max(last.toUs, span.toUs);
    else merged.push(span);
  }
  return merged;
}
