// Consent and policy of the calls in progress: tells the sources of consent apart, keeps every call's consent, and opens and
// shuts the gates of all legs. Implements what call/ asks for in CallGuard. Who said what is entered by call-consent.ts,
// which source outweighs which is strength.ts's, what may be recorded policy.ts's.
import type { CallId, Side, TimeUs } from "../base/ids.js";
import type { Call } from "../call/call.js";
import type { Dialog } from "../call/dialog.js";
import type { CallGuard, GuardReport, PartyReport, StreamEar } from "../call/guard.js";
import type { Leg } from "../call/leg.js";
import type { Party } from "../call/party.js";
import type { Separation } from "../call/separation.js";
import type { CallStream } from "../call/stream.js";
import type {
  ClosedSpanRecord,
  CodecMapping,
  ConsentState,
  NoAudioReason,
  SpanRecord,
} from "../contract/call-record.js";
import type { CallCommand, CommandResult } from "../contract/commands.js";
import type { Config } from "../contract/config.js";
import type { AuditedEvent, CarriedCall, CarriedPause, CarriedState } from "../contract/engine-messages.js";
import type { SipMessage } from "../sip/message.js";
import { agentLegOf, CallConsent, type Statement } from "./call-consent.js";
import { CallControl, type Order } from "./call-control.js";
import { Carried } from "./carried.js";
import { carryOut } from "./carry-out.js";
import { EarFactory } from "./ears.js";
import { type AdmittedSink, Gate } from "./gate.js";
import { HeardOnce, Novelty } from "./heard-once.js";
import { type KeyListener, KeyPresses } from "./key-presses.js";
import { OnFile, type Registers } from "./on-file.js";
import { Pauses } from "./pause.js";
import { PauseBook } from "./pause-book.js";
import { type GateRole, judgeGate } from "./policy.js";
import { Sampler } from "./sampling.js";
import { inWords, isClosing, readStatements, SpokenWords } from "./spoken.js";
import { TermsBook } from "./terms.js";

export interface GuardEdges {
  /** The journal of a call; asked once per call. */
  sinkFor(call: Call): AdmittedSink;
  audit(event: AuditedEvent): void;
  /** What was admitted of the call so far must not outlive a kill as if nothing had been erased. */
  erased(call: Call, atUs: TimeUs): void;
  /** A gate has opened or the call was paused: what is admitted, or left out, must not outlive a kill without its reason. */
  decided(call: Call, atUs: TimeUs): void;
  /** The newest registers that were read. */
  registers(): Registers;
  /** What the engine before this one left. */
  before: CarriedState;
  /** What the engine after this one has to know of the call: undefined = nothing. */
  carried(call: CallId, state: CarriedCall | undefined): void;
  pausedAll(pause: CarriedPause | undefined): void;
}

/** Calls in progress are compared with the registers this often: entries begin and end. */
const REGISTER_CHECK_US = 10_000_000;
const SHOWN_CHARACTERS = 64;

export class ConsentGuard implements CallGuard, KeyListener {
  private readonly config: Config;
  private readonly edges: GuardEdges;
  private readonly terms: TermsBook;
  private readonly words: SpokenWords;
  private readonly onFile: OnFile;
  private readonly sampler: Sampler;
  private readonly keys: KeyPresses;
  private readonly ears: EarFactory;
  private readonly control: CallControl;
  private readonly calls = new Map<Call, CallConsent>();
  private readonly heard = new WeakMap<Dialog, HeardOnce>();
  private readonly book: PauseBook;
  private readonly carried: Carried;
  private nextRegisterCheckUs = 0;
  private takesNewCalls = true;

  constructor(config: Config, edges: GuardEdges) {
    this.config = config;
    this.edges = edges;
    this.terms = new TermsBook(config);
    this.words = new SpokenWords(config);
    this.onFile = new OnFile(config, edges.registers);
    this.sampler = new Sampler(config.consent.sampling);
    this.keys = new KeyPresses(config, this);
    this.ears = new EarFactory(
      config,
      this.keys,
      (call) => this.of(call),
      (call, atUs) => this.judge(call, atUs),
    );
    this.control = new CallControl(config, (event) => edges.audit(event));
    this.book = new PauseBook(edges.before.pauseOfAll);
    this.carried = new Carried(edges.before.calls, (call, state) => edges.carried(call, state));
  }

  attach(call: Call): void {
    const { consent } = this.config;
    const own = new CallConsent(
      call,
      {
        sink: this.edges.sinkFor(call),
        terms: this.terms.initial,
        pauses: new Pauses(consent.pause.maxS * 1_000_000),
        notice: consent.notice,
        erasesOnWithdrawal: consent.onWithdrawal === "erase",
        audit: (event) => this.edges.audit(event),
      },
      consent.onDemand.mode !== "start-stopped",
    );
    this.calls.set(call, own);
  }

  addDialog(dialog: Dialog): void {
    const own = this.of(dialog.call);
    const options = {
      preAnswerMs: this.config.call.preAnswerMs,
      keepsDigits: this.config.recording.digits === "store",
    };
    for (const leg of dialog.legs) {
      const gate = new Gate(own.sink, options);
      leg.gate = gate;
      own.gates.set(leg, gate);
    }
    this.takeUp(own, dialog);
  }

  message(dialog: Dialog, message: SipMessage, from: Side | undefined, atUs: TimeUs): void {
    const { call } = dialog;
    const own = this.of(call);
    this.terms.keepHeaders(own, message);
    const speaker = from === undefined ? undefined : dialog.legs[from];
    const keys = this.keys.inMessage(message);
    const statements = readStatements(message, speaker, this.words, this.config, call);
    const novelty = this.noveltyOf(dialog, message, from, [...statements.map(inWords), ...keys], atUs);
    for (const said of statements) {
      if (novelty === Novelty.again || (novelty === Novelty.overtaken && !isClosing(said))) continue;
      if (said.kind === "statement") own.hear(dialog, said.mustBe, atUs, said.statement);
      else if (said.kind === "lift") own.lift(said.mustBe.nearest.party, said.source, atUs, said.by);
      else if (said.kind === "noted") own.log.note(atUs, said.source, "none", said.detail);
      else this.setPause(own, said.isPause, { source: "sip-header", by: said.by, reason: "" }, atUs);
    }
    if (speaker && novelty !== Novelty.again)
      for (const key of keys) this.keys.press(speaker, key, "sip-info", atUs, novelty === Novelty.overtaken);
    this.judge(call, atUs);
  }

  earFor(leg: Leg, stream: CallStream, codec: CodecMapping): StreamEar | undefined {
    return this.ears.earFor(leg, stream, codec);
  }

  exportCounters(): Record<string, number> {
    return this.ears.exportCounters();
  }

  tick(nowUs: TimeUs): void {
    this.ears.tick(nowUs);
    for (const own of this.book.due(nowUs)) {
      const { dueUs } = own.pauses;
      this.control.resume(own, { source: "default", by: "consent.pause.maxS", reason: "" }, dueUs, "time");
      this.book.note(own);
      this.decide(own, dueUs);
    }
    if (nowUs < this.nextRegisterCheckUs && this.nextRegisterCheckUs - nowUs <= REGISTER_CHECK_US) return;
    this.nextRegisterCheckUs = nowUs + REGISTER_CHECK_US;
    if (this.onFile.changesWithTime) this.registersChanged(nowUs);
  }

  /** The registers were read anew, or time has passed: calls in progress are compared with them. */
  registersChanged(atUs: TimeUs): void {
    for (const call of this.calls.keys()) this.judge(call, atUs);
  }

  /** Whether the disk has room for recordings that have not begun; those in progress go on. */
  setRoom(takesNewCalls: boolean, atUs: TimeUs): void {
    if (takesNewCalls === this.takesNewCalls) return;
    this.takesNewCalls = takesNewCalls;
    for (const call of this.calls.keys()) this.judge(call, atUs);
  }

  changed(call: Call, atUs: TimeUs): void {
    this.judge(call, atUs);
  }

  /** Carries out a command, in force with the next packet. */
  command(command: CallCommand, atUs: TimeUs): CommandResult {
    return carryOut(command, {
      calls: [...this.calls.values()],
      enter: (own, parties, statement) => {
        own.order(parties, atUs, statement);
        this.judge(own.call, atUs);
      },
      setPause: (own, isPause, order) => this.setPause(own, isPause, order, atUs),
      setStandingPause: (order) => {
        const endsUs = atUs + this.config.consent.pause.maxS * 1_000_000;
        const pause = order && { ...order, endsUs };
        this.book.setOfAll(pause);
        this.edges.pausedAll(pause);
      },
      setStarted: (own, isStarted, order) => this.setStarted(own, isStarted, order, atUs),
      isDemanded: this.config.consent.onDemand.mode !== "off",
      allowed: this.config.consent.commands,
      describe: (own) => this.report(own.call, atUs),
      isOpen: (own, party) => this.isOpen(own, party),
    });
  }

  /** A person on the leg has pressed a code of keys. */
  pressed(leg: Leg, code: Parameters<KeyListener["pressed"]>[1], atUs: TimeUs): void {
    const { call } = leg;
    const own = this.of(call);
    const order = { source: "dtmf", by: `agent pressed ${code.keys}`, reason: "" } as const;
    switch (code.meaning) {
      case "pause":
        this.setPause(own, true, order, atUs);
        break;
      case "resume":
        this.setPause(own, false, order, atUs);
        break;
      case "pause-toggle":
        this.setPause(own, !own.pauses.isPaused, order, atUs);
        break;
      case "start":
        this.setStarted(own, true, order, atUs);
        break;
      case "stop":
        this.setStarted(own, false, order, atUs);
        break;
      case "start-toggle":
        this.setStarted(own, !own.isStarted, order, atUs);
        break;
      default: {
        const detail = { keys: code.keys, by: code.how, from: leg.side === 0 ? "originator" : "answerer" };
        const statement: Statement = {
          source: "dtmf",
          effect: code.meaning,
          by: `caller pressed ${code.keys}`,
          detail,
        };
        own.hear(leg.dialog, leg, atUs, statement);
        this.judge(call, atUs);
      }
    }
  }

  isPaused(call: Call): boolean {
    return this.of(call).pauses.isPaused;
  }

  report(call: Call, atUs: TimeUs): GuardReport {
    const own = this.of(call);
    const { log, terms } = own;
    const warnings = [];
    if (log.dropped > 0) warnings.push({ code: "evidence-dropped", detail: { entries: log.dropped } });
    if (own.changesDropped > 0) warnings.push({ code: "ledger-cut", detail: { entries: own.changesDropped } });
    return {
      policy: terms.policy,
      policyRule: terms.policyRule,
      purpose: terms.purpose,
      retention: terms.retention,
      parties: call.parties.map((party) => this.partyReport(own, party, atUs)),
      evidence: log.entries.map((entry) => ({ ...entry })),
      ledger: own.ledger(),
      pauses: own.pauses.entries.map((entry) => ({ ...entry })),
      echo: this.ears.echoOf(call),
      warnings,
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
    own.absorb(gone);
    this.ears.absorb(call, other);
    this.book.forget(gone);
    this.book.note(own);
    this.carried.forget(gone);
    this.calls.delete(other);
    this.judge(call, atUs);
  }

  separate(call: Call, own: Call, separation: Separation, atUs: TimeUs): void {
    this.attach(own);
    const [there, here] = [this.of(call), this.of(own)];
    here.isStarted = there.isStarted;
    here.hasStarted = there.hasStarted;
    const { inForce, dueUs } = there.pauses;
    if (inForce) this.control.pause(here, inForce, atUs, dueUs);
    this.book.note(here);
    for (const party of there.separate(here, separation, atUs)) this.onFile.forget(party);
    this.ears.wipe(call);
  }

  unite(call: Call, party: Party, other: Party, isSame: boolean, atUs: TimeUs): void {
    this.of(call).unite(party, other, isSame, atUs);
  }

  hasHeardOf(party: Party, call: Call): boolean {
    return this.of(call).hasHeardOf(party);
  }

  takeRefusals(call: Call, party: Party, former: Party, atUs: TimeUs): void {
    this.of(call).takeRefusals(party, former, atUs);
  }

  closeDialog(dialog: Dialog, atUs: TimeUs): void {
    const own = this.of(dialog.call);
    const endUs = Math.min(atUs, (dialog.endedAtUs ?? atUs) + this.config.call.tailMs * 1000);
    for (const leg of dialog.legs) own.gates.get(leg)?.shut(endUs, "ended", false);
    own.closed.add(dialog);
  }

  detach(call: Call, atUs: TimeUs): void {
    const own = this.of(call);
    for (const dialog of call.dialogs) if (!own.closed.has(dialog)) this.closeDialog(dialog, atUs);
    own.pauses.end(call.endedAtUs ?? atUs, "call");
    this.book.forget(own);
    this.carried.forget(own);
    // Its figures go into the call's record.
    this.ears.wipe(call);
  }

  /** The call's record is made: nothing is kept of it. */
  forget(call: Call): void {
    this.ears.forget(call);
    this.calls.delete(call);
  }

  /** Was what the message says said before, or may it have been overtaken? Then only what closes counts. */
  private noveltyOf(
    dialog: Dialog,
    message: SipMessage,
    from: Side | undefined,
    says: readonly string[],
    atUs: TimeUs,
  ): Novelty {
    let heard = this.heard.get(dialog);
    if (!heard) {
      heard = new HeardOnce(dialog.startedAtUs);
      this.heard.set(dialog, heard);
    }
    const novelty =
      says.length === 0 ? Novelty.again : heard.judge(message, from, says.join(), atUs, dialog.isSeenFromMiddle);
    heard.note(message, from);
    return novelty;
  }

  private setPause(own: CallConsent, isPause: boolean, order: Order, atUs: TimeUs): void {
    if (isPause) this.control.pause(own, order, atUs);
    else this.control.resume(own, order, atUs, "request");
    this.book.note(own);
    if (isPause) this.ears.wipe(own.call);
    this.decide(own, atUs);
  }

  /** Judges the call after something that a recovery has to know. */
  private decide(own: CallConsent, atUs: TimeUs): void {
    this.judge(own.call, atUs);
    this.edges.decided(own.call, atUs);
  }

  /** What holds for all calls, and what another engine knew of this one. */
  private takeUp(own: CallConsent, dialog: Dialog): void {
    const { sipCallId, startedAtUs, call } = dialog;
    const before = this.carried.take(sipCallId);
    const ofAll = call.dialogs.length === 1 ? this.book.ofAllAt(startedAtUs, before !== undefined) : undefined;
    const pause = ofAll ?? before?.pause;
    if (pause && startedAtUs < pause.endsUs) {
      this.control.pause(own, pause, startedAtUs, pause.endsUs);
      this.book.note(own);
    }
    if (!before) return;
    const by = "what was known before the engine was started anew";
    if (before.isStopped) this.control.setStarted(own, false, { source: "default", by, reason: "" }, startedAtUs);
    for (const source of before.refusals)
      own.hear(dialog, undefined, startedAtUs, { source, effect: "refused", by, detail: { by } });
  }

  private setStarted(own: CallConsent, isStarted: boolean, order: Order, atUs: TimeUs): void {
    this.control.setStarted(own, isStarted, order, atUs);
    this.judge(own.call, atUs);
  }

  private partyReport(own: CallConsent, party: Party, atUs: TimeUs): PartyReport {
    const gates = [...own.pastGates, ...own.gates.values()];
    return {
      consent: this.consentOf(own, party),
      spans: coalesce(gates.flatMap((gate) => gate.spansOf(party, atUs))),
      closedSpans: inOrder(gates.flatMap((gate) => gate.closedSpansOf(party, atUs))),
      erased: own.erasedOf(party),
    };
  }

  private consentOf(own: CallConsent, party: Party): ConsentState {
    if (own.terms.policy === "both-parties" || party.role === "agent") return "not-required";
    return party.role === "caller" ? own.consentOf(party).stateFor(own.terms.purpose) : "unknown";
  }

  private isOpen(own: CallConsent, party: Party): boolean {
    for (const [leg, gate] of own.gates) if (leg.party === party && gate.isOpen) return true;
    return false;
  }

  /** Judges all gates anew; they act on it with the next packet. */
  private judge(call: Call, atUs: TimeUs): void {
    const own = this.of(call);
    this.terms.choose(own);
    this.lookUpFiles(own, atUs);
    own.settleWaiting(atUs);
    own.settleDoubts(atUs);
    this.sample(own);
    let hasOpened = false;
    for (const [leg, gate] of own.gates) {
      if (own.closed.has(leg.dialog)) continue;
      const wasOpen = gate.isOpen;
      this.judgeLeg(own, leg, gate, atUs);
      hasOpened ||= gate.isOpen && !wasOpen;
    }
    if (hasOpened) this.edges.decided(call, atUs);
    this.eraseDue(own, atUs);
    this.carried.note(own);
    this.control.auditTerms(own, atUs);
  }

  private lookUpFiles(own: CallConsent, atUs: TimeUs): void {
    for (const [leg] of own.gates) {
      if (own.closed.has(leg.dialog) || leg.nearest !== leg || leg.dialog.agent.agent === undefined) continue;
      if (leg.dialog.agent.agent !== leg.side) this.onFile.lookUp(own, leg.party, atUs);
    }
  }

  /** Asked once, when all that policy wants to know is known. */
  private sample(own: CallConsent): void {
    const { policy } = own.terms;
    if (own.isSampled !== undefined || policy === "none" || own.call.answeredAtUs === undefined) return;
    const agent = agentLegOf(own.call.foremost);
    if (agent || policy === "both-parties")
      own.isSampled = this.sampler.take(agent?.party.identity.number || agent?.party.identity.user || "");
  }

  private judgeLeg(own: CallConsent, leg: Leg, gate: Gate, atUs: TimeUs): void {
    if (leg.nearest !== leg) {
      gate.shut(atUs, "other-half", false);
      return;
    }
    const { policy, purpose } = own.terms;
    const role = roleOf(leg);
    const caller = role === "agent" ? leg.other.nearest.party : leg.party;
    const refused = judgeGate({
      policy,
      role,
      // Nobody has consented for everybody who may be heard in a mix.
      consent: leg.isMixed ? "unknown" : own.consentOf(caller).stateFor(purpose),
      answered: leg.dialog.answeredAtUs !== undefined,
      ended: false,
      keepsEarlyMedia: this.config.recording.earlyMedia === "keep",
      paused: own.pauses.isPaused,
      stopped: !own.isStarted,
      sampledOut: own.isSampled === false,
      agentUnregistered: this.onFile.isUnregistered(role === "agent" ? leg.party : undefined, atUs),
      echoes: this.ears.echoes(leg.call),
      diskFull: !this.takesNewCalls && !own.hasBegun,
    });
    if (refused) gate.shut(atUs, refused, refused === "early-media");
    else {
      gate.open(atUs, this.evidenceFor(own, leg, role, caller, atUs), policy === "both-parties", leg.party);
      own.hasBegun = true;
    }
  }

  /** Id of the evidence on which a leg's gate opens. */
  private evidenceFor(own: CallConsent, leg: Leg, role: GateRole, caller: Party, atUs: TimeUs): string {
    const { policy, policyRule, purpose } = own.terms;
    if (policy === "both-parties") {
      own.policyEvidence ||= own.log.note(atUs, policyRule ? "rule" : "default", "not-required", {
        policy,
        rule: policyRule || "consent.policy",
      });
      return own.policyEvidence;
    }
    if (role !== "agent" || policy !== "agent-only") return own.consentOf(caller).grantedBy(purpose);
    const known = own.agentEvidence.get(leg.party);
    if (known !== undefined) return known;
    const agreed = this.onFile.agreementOf(leg.party, atUs);
    const id = own.log.note(atUs, "rule", "agent", {
      identifiedBy: leg.dialog.agent.evidence[leg.side],
      ...(agreed && { agreedTo: agreed.agreedTo.slice(0, SHOWN_CHARACTERS), entry: agreed.entry }),
    });
    own.agentEvidence.set(leg.party, id);
    return id;
  }

  /** The gates are shut by now: what they admitted of who has withdrawn goes. */
  private eraseDue(own: CallConsent, atUs: TimeUs): void {
    for (const { party, evidence, by, source } of own.takeErasures()) {
      const gates = [...own.pastGates, ...own.gates.values()];
      const fromUs = Math.min(atUs, ...gates.flatMap((gate) => gate.spansOf(party, atUs)).map((span) => span.fromUs));
      for (const gate of gates) gate.erase(party, atUs);
      let packets = 0;
      for (const stream of own.call.streams) if (stream.party === party) packets += stream.erase();
      own.noteErasure(party, { fromUs, toUs: atUs, packets, evidence });
      this.edges.audit({ kind: "erased", atUs, call: own.call.id, source, by, side: party.side, packets });
      this.edges.erased(own.call, atUs);
    }
  }

  /** Why nothing of an answered call was admitted, as far as policy, roles and consent decide it. */
  private closedReason(call: Call, own: CallConsent): NoAudioReason | undefined {
    const { policy, purpose } = own.terms;
    const { agent: agentSide, contradictory } = call.foremost.agent;
    // Strict only because it is not known which rule applies.
    if (policy === "none" && !own.terms.isSettled && agentSide === undefined)
      return contradictory ? "agent-contradictory" : "agent-unknown";
    if (policy === "none") return "policy-none";
    const isErased = call.parties.some((party) => own.erasedOf(party).some(({ packets }) => packets > 0));
    if (isErased) return "erased";
    if (own.isSampled === false) return "sampled-out";
    if (!own.isStarted && !own.hasStarted) return "not-started";
    if (policy === "both-parties") return undefined;
    const dialog = call.foremost;
    if (dialog.agent.contradictory) return "agent-contradictory";
    const agent = agentLegOf(dialog);
    if (agent === undefined) return "agent-unknown";
    const isGranted = call.parties.some((party) => own.consentOf(party).stateFor(purpose) === "granted");
    if (policy === "agent-only")
      return this.onFile.isUnregistered(agent.party, call.lastActivityUs) ? "agent-not-registered" : undefined;
    return isGranted ? undefined : "no-consent";
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

function inOrder<Span extends ClosedSpanRecord>(spans: Span[]): Span[] {
  return spans.sort((a, b) => a.fromUs - b.fromUs);
}

/** Spans in the order of time; those of two legs that the party spoke on at once are one. */
function coalesce(spans: SpanRecord[]): SpanRecord[] {
  const merged: SpanRecord[] = [];
  for (const span of spans.sort((a, b) => a.fromUs - b.fromUs)) {
    const last = merged.at(-1);
    if (last && last.evidence === span.evidence && span.fromUs <= last.toUs) {
      last.toUs = Math.max(last.toUs, span.toUs);
      last.packets += span.packets;
    } else merged.push(span);
  }
  return merged;
}
