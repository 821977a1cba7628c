// The consent of one party as a state: unknown → granted | refused, granted → withdrawn (→ granted again). A refusal
// stands until the same kind of source lifts it; a grant counts only while no refusal stands. Pure state; whoever asks
// with what is consent/guard.ts's, the entries are the evidence log's.
import type { ConsentState, EvidenceRecord } from "../contract/call-record.js";

export type ConsentEffect = "granted" | "refused" | "withdrawn";
type Source = EvidenceRecord["kind"];

export class ConsentLedger {
  /** Id of the evidence that opened consent, while it is open. */
  grantedBy = "";
  private current: ConsentState = "unknown";
  private grants = new Map<Source, string>();
  private readonly refusals = new Set<Source>();

  get state(): ConsentState {
    return this.current;
  }

  /** Applies one statement, whose evidence has the id `evidence`; returns true when the state changed. */
  apply(source: Source, effect: ConsentEffect, evidence: string): boolean {
    if (this.repeats(source, effect)) return false;
    const takesBack = effect === "withdrawn" || this.grants.has(source);
    if (effect === "granted") {
      this.refusals.delete(source);
      this.grants.set(source, evidence);
    } else {
      this.grants.delete(source);
      this.refusals.add(source);
    }
    return this.settle(effect !== "granted" && takesBack);
  }

  /** Would the statement say again what stands already? */
  repeats(source: Source, effect: ConsentEffect): boolean {
    if (effect === "granted") return this.grants.has(source);
    return this.refusals.has(source) && (effect === "refused" || this.current === "withdrawn");
  }

  /** Has this kind of source refused? */
  isRefusedBy(source: Source): boolean {
    return this.refusals.has(source);
  }

  /** What a kind of source has said no longer applies (its subject turned out to be somebody else). */
  lift(source: Source): boolean {
    this.refusals.delete(source);
    this.grants.delete(source);
    return this.settle(false);
  }

  /** What was said of the same person elsewhere counts here as well; a refusal from either stands. */
  join(other: ConsentLedger): void {
    for (const [source, evidence] of other.grants) if (!this.grants.has(source)) this.grants.set(source, evidence);
    for (const source of other.refusals) {
      this.refusals.add(source);
      this.grants.delete(source);
    }
    this.settle(other.current === "withdrawn");
  }

  /** Evidence has new ids. */
  rename(ids: ReadonlyMap<string, string>): void {
    this.grants = new Map([...this.grants].map(([source, id]) => [source, ids.get(id) ?? id]));
    this.grantedBy = ids.get(this.grantedBy) ?? this.grantedBy;
  }

  private settle(takesBack: boolean): boolean {
    const next = this.judge(takesBack);
    const changed = next !== this.current;
    this.current = next;
    this.grantedBy = next === "granted" ? ([...this.grants.values()].at(-1) ?? "") : "";
    return changed;
  }

  /** `takesBack`: the statement just made revokes a grant; any other refusal never was a consent. */
  private judge(takesBack: boolean): ConsentState {
    if (this.refusals.size === 0) return this.grants.size > 0 ? "granted" : "unknown";
    return takesBack || this.current === "withdrawn" ? "withdrawn" : "refused";
  }
}
