// What consent/ keeps of one call: the terms it is recorded on, what was said of whose consent, every change of it with
// its evidence, its gates. Takes statements and enters them; opens and shuts nothing (guard.ts does).
import { otherSide, type TimeUs } from "../base/ids.js";
import type { Call } from "../call/call.js";
import type { Dialog } from "../call/dialog.js";
import type { Leg } from "../call/leg.js";
import type { Party } from "../call/party.js";
import type { Separation } from "../call/separation.js";
import { discardCode } from "../call/stream.js";
import type {
  ConsentChangeRecord,
  ErasedRecord,
  EvidenceRecord,
  EvidenceSource,
  Policy,
} from "../contract/call-record.js";
import type { AuditedEvent } from "../contract/engine-messages.js";
import { EvidenceLog } from "./evidence-log.js";
import type { AdmittedSink, Gate } from "./gate.js";
import { PartyConsent, type PurposeChange } from "./party-consent.js";
import type { Pauses } from "./pause.js";
import { type ConsentEffect, isSaidInCall } from "./strength.js";

/** Statements of one dialog that wait for its caller to be known; further ones are ignored. */
const MAX_WAITING = 16;
/** Changes written down in the call's record; all are in the audit chain. */
const MAX_CHANGES = 256;
const MAX_ERASURES = 64;
/** Statements remembered by the half of the call in which they were made; of further ones only refusals. */
const MAX_SAID = 64;
const ERASED = discardCode("erased");
const PARTED = "the halves are not of one call";
const ON_FILE: ReadonlySet<string> = new Set(["number-list", "rule", "register"]);

/** What a call is recorded on. */
export interface Terms {
  policy: Policy;
  /** Name of the rule that chose the policy, "" for consent.policy itself. */
  policyRule: string;
  /** "" while it is open which of several it is. */
  purpose: string;
  retention: string;
  /** Whatever else becomes known of what is known now, these are the terms. */
  isSettled: boolean;
  /** The rule that applies, by its name; "" = none, or it is open which. */
  rule: string;
  /** What is on file of the caller by a rule, and by which. */
  consent: "granted" | "refused" | undefined;
  consentRule: string;
}

/** Something that was said of a caller's consent. */
export interface Statement {
  source: EvidenceSource;
  effect: ConsentEffect;
  /** Who or what may have caused it. */
  by: string;
  detail: EvidenceRecord["detail"];
  /** undefined = the call's own. */
  purpose?: string | undefined;
}

/** A statement made before it was known which side is the caller. */
interface WaitingStatement extends Statement {
  dialog: Dialog;
  /** Who made it, where it counts only if that is the caller. */
  speaker: Leg | undefined;
  /** Whom it may be about: who was there when it was made, whoever is there when the caller is known. */
  about: { leg: Leg; party: Party }[];
  evidence: string;
}

/** What was said, in which half of the call; undefined for a command about the call. */
interface Said {
  dialog: Dialog | undefined;
  speaker: Leg | undefined;
  atUs: TimeUs;
  statement: Statement;
  /** "" when it said what stood already. */
  evidence: string;
}

interface Change extends Omit<ConsentChangeRecord, "party"> {
  party: Party;
}

interface Erasure extends ErasedRecord {
  party: Party;
}

export interface CallConsentOptions {
  sink: AdmittedSink;
  terms: Terms;
  pauses: Pauses;
  /** Version of the announcement or notice in use. */
  notice: string;
  erasesOnWithdrawal: boolean;
  audit(event: AuditedEvent): void;
}

export class CallConsent {
  readonly call: Call;
  readonly sink: AdmittedSink;
  readonly pauses: Pauses;
  readonly log = new EvidenceLog();
  terms: Terms;
  /** Headers of the first INVITE that rules ask for. */
  headers: ReadonlyMap<string, readonly string[]> | undefined;
  /** Gates of every dialog so far; those of dialogs that are over stay shut. */
  readonly gates = new Map<Leg, Gate>();
  /** Gates of dialogs that went over to another call. */
  readonly pastGates: Gate[] = [];
  readonly closed = new Set<Dialog>();
  /** A gate was open: the recording has begun. */
  hasBegun = false;
  /** Evidence id of "this party is the agent", noted once. */
  readonly agentEvidence = new Map<Party, string>();
  /** Evidence id of a policy that needs no consent, noted once. */
  policyEvidence = "";
  /** Whether sampling takes the call; undefined until it is asked. */
  isSampled: boolean | undefined;
  /** Recording on demand: whether it runs. */
  isStarted: boolean;
  hasStarted: boolean;
  changesDropped = 0;
  private readonly options: CallConsentOptions;
  private readonly parties = new Map<Party, PartyConsent>();
  private readonly changes: Change[] = [];
  private readonly erasures: Erasure[] = [];
  private erasuresDue: { party: Party; evidence: string; by: string; source: EvidenceSource }[] = [];
  private waiting: WaitingStatement[] = [];
  private said: Said[] = [];
  /** Parties of which audio may have been admitted on what was said in another call, and the ids of what was said in this. */
  private doubtful = new Map<Party, ReadonlySet<string>>();

  constructor(call: Call, options: CallConsentOptions, isStarted: boolean) {
    this.call = call;
    this.options = options;
    this.sink = options.sink;
    this.terms = options.terms;
    this.pauses = options.pauses;
    this.isStarted = isStarted;
    this.hasStarted = isStarted;
  }

  consentOf(party: Party): PartyConsent {
    const known = this.parties.get(party);
    if (known) return known;
    const consent = new PartyConsent();
    this.parties.set(party, consent);
    return consent;
  }

  /**
   * Takes a statement made in a dialog about its caller; while it is open who that is, or for what, the statement waits. `speaker`: it
   * counts only if that side is not the agent.
   */
  hear(dialog: Dialog, speaker: Leg | undefined, atUs: TimeUs, statement: Statement): void {
    if (dialog.agent.agent !== undefined && this.knowsPurposeOf(statement)) {
      if (!this.mayCount(dialog, speaker, statement)) return;
      const entered = this.enter(concerned(dialog, speaker), atUs, statement);
      this.remember({ dialog, speaker, atUs, statement, evidence: entered });
      return;
    }
    const waiting = this.waiting.filter((known) => known.dialog === dialog);
    const last = waiting.findLast(({ source, speaker: who }) => source === statement.source && who === speaker);
    if (last?.effect === statement.effect || waiting.length >= MAX_WAITING) return;
    const evidence = this.log.note(atUs, statement.source, statement.effect, statement.detail);
    this.remember({ dialog, speaker, atUs, statement, evidence });
    const legs = speaker ? [speaker] : dialog.legs;
    this.waiting.push({ ...statement, dialog, speaker, about: legs.map(who), evidence });
  }

  /** Sources that have refused or withdrawn in the call for the party, for the call's purpose. */
  refusalsOf(party: Party): EvidenceSource[] {
    const waiting = this.waiting.filter(
      ({ effect, about }) => effect !== "granted" && about.some((one) => one.party === party),
    );
    const entered = this.parties.get(party)?.refusalsFor(this.terms.purpose) ?? [];
    return [...entered, ...waiting.map(({ source }) => source)].filter(isSaidInCall);
  }

  /** Was anything said in the call of this party's consent? */
  hasHeardOf(party: Party): boolean {
    return this.parties.has(party) || this.waiting.some(({ about }) => about.some((one) => one.party === party));
  }

  /** The callers that are known now: what was said of them takes effect. */
  settleWaiting(atUs: TimeUs): void {
    if (this.waiting.length === 0) return;
    const isDue = (one: WaitingStatement): boolean => one.dialog.agent.agent !== undefined && this.knowsPurposeOf(one);
    const due = this.waiting.filter(isDue);
    this.waiting = this.waiting.filter((one) => !isDue(one));
    for (const statement of due) {
      const { dialog, speaker, source, effect, evidence, purpose } = statement;
      if (!this.mayCount(dialog, speaker, statement)) continue;
      for (const { leg, party } of statement.about) {
        if (leg.side === dialog.agent.agent) continue;
        // What waited may be older than what the other half of the call has said since: that is not lifted by it.
        const refusal = this.consentOf(party).refusedBy(source, purpose ?? this.terms.purpose);
        if (effect !== "granted" || refusal === undefined || this.log.isBefore(refusal, evidence))
          this.apply(party, atUs, statement, evidence);
      }
    }
  }

  /** `party` may be the person that `former` was: it has granted nothing, and what was refused stays refused. */
  takeRefusals(party: Party, former: Party, atUs: TimeUs): void {
    if (party === former) return;
    for (const { effect, about } of this.waiting) {
      if (effect === "granted") continue;
      for (const { leg } of about.filter((one) => one.party === former)) about.push({ leg, party });
    }
    const known = this.parties.get(former);
    if (!known) return;
    const changes = this.consentOf(party).takeRefusals(known);
    const last = this.changes.findLast((change) => change.party === former);
    if (last) this.note(party, atUs, last.source, last.evidence, "who was there before, perhaps", changes);
  }

  /** Takes a command about the call's parties. */
  order(parties: readonly Party[], atUs: TimeUs, statement: Statement): void {
    const evidence = this.enter(parties, atUs, statement);
    this.remember({ dialog: undefined, speaker: undefined, atUs, statement, evidence });
  }

  /**
   * Enters a statement about `parties`; one that says again what stands for all of them is no new entry. Returns the id of
   * the evidence, "" when there is none.
   */
  enter(parties: readonly Party[], atUs: TimeUs, statement: Statement): string {
    const { source, effect, purpose = this.terms.purpose } = statement;
    const news = parties.filter((party) => !this.consentOf(party).repeats(source, effect, purpose));
    if (news.length === 0) return "";
    const evidence = this.log.note(atUs, source, effect, statement.detail);
    for (const party of news) this.apply(party, atUs, statement, evidence);
    return evidence;
  }

  /** What a source has said of a party no longer applies. */
  lift(party: Party, source: EvidenceSource, atUs: TimeUs, by: string): void {
    this.said = this.said.filter(({ statement }) => statement.source !== source || statement.effect !== "granted");
    const changes = this.consentOf(party).lift(source);
    if (changes.length === 0) return;
    const evidence = this.log.note(atUs, source, "none", { lifted: by });
    this.note(party, atUs, source, evidence, by, changes);
  }

  /** Parties whose recording so far is to be erased, each once. */
  takeErasures(): { party: Party; evidence: string; by: string; source: EvidenceSource }[] {
    const due = this.erasuresDue;
    this.erasuresDue = [];
    return due;
  }

  noteErasure(party: Party, erased: ErasedRecord): void {
    if (this.erasures.length < MAX_ERASURES) this.erasures.push({ party, ...erased });
    else this.erasures.at(-1)!.toUs = erased.toUs;
  }

  erasedOf(party: Party): ErasedRecord[] {
    return this.erasures.filter((erasure) => erasure.party === party).map(({ party: _, ...erased }) => erased);
  }

  /** The changes of those who are named in the call. */
  ledger(): ConsentChangeRecord[] {
    return this.changes
      .map(({ party, ...change }) => ({ ...change, party: this.call.parties.indexOf(party) }))
      .filter(({ party }) => party >= 0);
  }

  /** `other`'s call has become part of this one. */
  absorb(other: CallConsent): void {
    const ids = this.log.adopt(other.log);
    const renamed = (id: string): string => ids.get(id) ?? id;
    for (const [leg, gate] of other.gates) {
      gate.move(this.sink, ids);
      this.gates.set(leg, gate);
    }
    for (const [party, consent] of other.parties) {
      consent.rename(ids);
      this.parties.set(party, consent);
    }
    for (const change of other.changes) this.push({ ...change, evidence: renamed(change.evidence) });
    this.changes.sort((a, b) => a.atUs - b.atUs);
    for (const erasure of other.erasures) this.erasures.push({ ...erasure, evidence: renamed(erasure.evidence) });
    for (const [party, id] of other.agentEvidence) this.agentEvidence.set(party, renamed(id));
    for (const dialog of other.closed) this.closed.add(dialog);
    this.headers ??= other.headers;
    this.hasBegun ||= other.hasBegun;
    this.pastGates.push(...other.pastGates);
    for (const statement of other.waiting) this.waiting.push({ ...statement, evidence: renamed(statement.evidence) });
    for (const one of other.said) this.remember({ ...one, evidence: renamed(one.evidence) });
    this.pauses.join(other.pauses);
    this.isSampled ??= other.isSampled;
    this.isStarted &&= other.isStarted;
    this.hasStarted ||= other.hasStarted;
    this.changesDropped += other.changesDropped;
  }

  /**
   * Half of this call has become `own`'s: what was said in a dialog counts only where that is now, a command's refusals in
   * both, its grants in neither. Returns everybody whose consent was judged anew.
   */
  separate(own: CallConsent, { leaving, standInsThere, standInsHere, ghosts }: Separation, atUs: TimeUs): Party[] {
    const isHere = ({ dialog }: { dialog: Dialog | undefined }): boolean => dialog !== undefined && leaving.has(dialog);
    const goes = new Set(standInsThere.keys());
    const changes = this.changes.filter(({ party }) => goes.has(party));
    const gates = [...this.gates].filter(([leg]) => leaving.has(leg.dialog));
    const wanted = new Set([...gates.flatMap(([, gate]) => gate.evidence), ...changes.map(({ evidence }) => evidence)]);
    for (const one of this.said) if (isHere(one)) wanted.add(one.evidence);
    const ids = own.log.copy(this.log, (id) => wanted.has(id));
    const renamed = (id: string): string => ids.get(id) ?? id;
    for (const [, gate] of gates) this.pastGates.push(gate.tombstone(ghosts, atUs));
    for (const [leg, gate] of this.gates) {
      const standIns = leaving.has(leg.dialog) ? standInsHere : standInsThere;
      for (const [party, standIn] of standIns) gate.unite(standIn, party);
    }
    for (const [leg, gate] of gates) {
      this.gates.delete(leg);
      gate.move(own.sink, ids);
      own.gates.set(leg, gate);
    }
    for (const dialog of leaving) if (this.closed.delete(dialog)) own.closed.add(dialog);
    for (const party of goes) {
      const consent = this.parties.get(party);
      const agent = this.agentEvidence.get(party);
      this.parties.delete(party);
      this.agentEvidence.delete(party);
      consent?.rename(ids);
      if (consent) own.parties.set(party, consent);
      if (agent !== undefined) own.agentEvidence.set(party, renamed(agent));
    }
    if (this.policyEvidence !== "" && ids.has(this.policyEvidence)) own.policyEvidence = renamed(this.policyEvidence);
    for (const change of changes) {
      this.changes.splice(this.changes.indexOf(change), 1);
      own.push({ ...change, evidence: renamed(change.evidence) });
    }
    this.buryGhosts(ghosts, atUs);
    own.waiting = [];
    this.waiting = [];
    const { said } = this;
    const saidHere = said.filter(isHere).map((one) => ({ ...one, evidence: renamed(one.evidence) }));
    const ordered = said.filter(({ dialog }) => dialog === undefined);
    const judged = own.beginAnew(saidHere, ordered, new Set(standInsHere.values()), atUs);
    const saidThere = said.filter((one) => one.dialog !== undefined && !isHere(one));
    return [...judged, ...this.beginAnew(saidThere, ordered, new Set(standInsThere.values()), atUs)];
  }

  /** After a separation: audio that was not admitted on what is known of this call alone is to be erased. */
  settleDoubts(atUs: TimeUs): void {
    if (this.doubtful.size === 0) return;
    const { doubtful } = this;
    this.doubtful = new Map();
    for (const [party, ownIds] of doubtful) {
      const granted = this.log.find(this.consentOf(party).grantedBy(this.terms.purpose));
      const gates = [...this.pastGates, ...this.gates.values()];
      const isForeign = gates.some((gate) =>
        gate.spansOf(party, atUs).some(({ evidence, packets }) => {
          const entry = this.log.find(evidence);
          if (packets === 0 || entry?.effect === "not-required") return false;
          // Who is the agent may have been known from the other half alone.
          if (party.role !== "agent" && party.role !== "caller") return true;
          if (entry?.effect === "agent") return party.role !== "agent";
          const isOnFile = entry !== undefined && ON_FILE.has(entry.kind) && entry.kind === granted?.kind;
          const isInLedger = this.changes.some((change) => change.evidence === evidence && change.to === "granted");
          return !(isInLedger && ownIds.has(evidence)) && !isOnFile;
        }),
      );
      if (!isForeign) continue;
      const evidence = this.log.note(atUs, "default", "none", { because: PARTED });
      this.erasuresDue.push({ party, evidence, by: PARTED, source: "default" });
    }
  }

  /** What was said of `other` counts for `party` from now on; with `isSame` they are one person. */
  unite(party: Party, other: Party, isSame: boolean, atUs: TimeUs): void {
    const known = this.parties.get(other);
    if (known) {
      const changes = this.consentOf(party).join(known);
      const evidence = changes.some(({ to }) => to === "granted") ? known.grantedBy(this.terms.purpose) : "";
      this.note(party, atUs, this.sourceOf(other, evidence), evidence, "the other half of the call", changes);
    }
    for (const one of this.waiting.flatMap(({ about }) => about)) if (one.party === other) one.party = party;
    if (!isSame) return;
    this.parties.delete(other);
    for (const gate of [...this.gates.values(), ...this.pastGates]) gate.unite(party, other);
    for (const entry of [...this.changes, ...this.erasures]) if (entry.party === other) entry.party = party;
  }

  private remember(said: Said): void {
    if (this.said.length >= MAX_SAID) {
      const grant = this.said.findIndex(({ statement }) => statement.effect === "granted");
      if (grant < 0) return;
      this.said.splice(grant, 1);
    }
    this.said.push(said);
  }

  /** Nobody's consent is known but from `said`; roles are judged anew after this. */
  private beginAnew(
    said: readonly Said[],
    ordered: readonly Said[],
    standIns: ReadonlySet<Party>,
    atUs: TimeUs,
  ): Party[] {
    this.said = [];
    const ownIds = new Set(said.map(({ evidence }) => evidence));
    const none = new Set<string>();
    const parties = [...this.call.parties];
    for (const party of parties) {
      this.doubtful.set(party, standIns.has(party) ? none : ownIds);
      const changes = this.parties.get(party)?.clear() ?? [];
      if (changes.length === 0) continue;
      const evidence = this.log.note(atUs, "default", "none", { because: PARTED });
      this.note(party, atUs, "default", evidence, PARTED, changes);
    }
    for (const { dialog, speaker, atUs: saidAtUs, statement } of said) this.hear(dialog!, speaker, saidAtUs, statement);
    for (const { statement } of ordered) if (statement.effect !== "granted") this.order(parties, atUs, statement);
    return parties;
  }

  /** What was admitted of who has left is no longer this call's. */
  private buryGhosts(ghosts: Separation["ghosts"], atUs: TimeUs): void {
    for (const ghost of ghosts.values()) {
      const packets = this.call.streams
        .filter(({ party }) => party === ghost)
        .reduce((sum, stream) => sum + stream.discardedBy[ERASED - 1]!, 0);
      if (packets === 0) continue;
      const evidence = this.log.note(atUs, "default", "none", { because: PARTED });
      this.noteErasure(ghost, { fromUs: ghost.fromUs, toUs: atUs, packets, evidence });
    }
  }

  /** A grant that names no purpose is one for the call's, and waits until that is known. */
  private knowsPurposeOf({ effect, purpose }: Statement): boolean {
    return effect !== "granted" || purpose !== undefined || this.terms.purpose !== "";
  }

  private apply(party: Party, atUs: TimeUs, statement: Statement, evidence: string): void {
    const { source, effect, purpose, by } = statement;
    const consent = this.consentOf(party);
    const changes = consent.apply(source, effect, evidence, purpose ?? this.terms.purpose, purpose === undefined);
    this.note(party, atUs, source, evidence, by, changes);
  }

  private note(
    party: Party,
    atUs: TimeUs,
    source: EvidenceSource,
    evidence: string,
    by: string,
    changes: readonly PurposeChange[],
  ): void {
    const { notice, erasesOnWithdrawal, audit } = this.options;
    for (const { purpose, from, to } of changes) {
      this.push({ atUs, party, purpose, from, to, source, evidence, by, notice });
      const { side, role } = party;
      audit({ kind: "consent", atUs, call: this.call.id, source, by, side, role, purpose, from, to, notice });
      const isWithdrawn = purpose === this.terms.purpose && from === "granted" && to === "withdrawn";
      // Where no consent is asked for nothing was recorded on its ground.
      const isDue = erasesOnWithdrawal && isWithdrawn && this.terms.policy !== "both-parties";
      if (isDue) this.erasuresDue.push({ party, evidence, by, source });
    }
    if (changes.length > 0) this.call.changedSinceSnapshot = true;
  }

  private push(change: Change): void {
    if (this.changes.length < MAX_CHANGES) this.changes.push(change);
    else this.changesDropped++;
  }

  private sourceOf(party: Party, evidence: string): EvidenceSource {
    const change = this.changes.findLast((known) => known.party === party);
    return this.changes.find((known) => known.evidence === evidence)?.source ?? change?.source ?? "default";
  }

  /** The agent cannot consent for the caller, nor refuse. */
  private mayCount(dialog: Dialog, speaker: Leg | undefined, { source }: Statement): boolean {
    if (speaker === undefined || dialog.agent.agent !== speaker.side) return true;
    this.call.warn("consent-by-agent-ignored", { source });
    return false;
  }
}

function who(leg: Leg): { leg: Leg; party: Party } {
  return { leg, party: leg.nearest.party };
}

/** Whose consent a statement in the dialog is about. */
function concerned(dialog: Dialog, speaker: Leg | undefined): Party[] {
  if (speaker) return [speaker.nearest.party];
  const { agent } = dialog.agent;
  return dialog.legs.filter((leg) => leg.side !== agent).map((leg) => leg.nearest.party);
}

/** The caller's leg, unknown while the agent is. */
export function callerLegOf(dialog: Dialog): Leg | undefined {
  const { agent } = dialog.agent;
  return agent === undefined ? undefined : dialog.legOf(otherSide(agent)).nearest;
}

/** The agent's leg, unknown while the agent is. */
export function agentLegOf(dialog: Dialog): Leg | undefined {
  const { agent } = dialog.agent;
  return agent === undefined ? undefined : dialog.legOf(agent).nearest;
}
