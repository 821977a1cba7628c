// The consent of one call's caller as a state and its history: unknown → granted | refused, granted → withdrawn
// (→ granted again). A refusal stands until the same kind of source lifts it; a grant counts only while no refusal
// stands. Pure state; whoever asks with what is consent/guard.ts's.
import type { TimeUs } from "../base/ids.js";
import type { ConsentState, EvidenceRecord } from "../contract/call-record.js";

const MAX_EVIDENCE = 256;

export type ConsentEffect = "granted" | "refused" | "withdrawn";

export class ConsentLedger {
  /** Every entry, oldest first; entries that change nothing are kept too, they are evidence. */
  readonly evidence: EvidenceRecord[] = [];
  /** Entries dropped at the limit. A change of state beyond the limit still takes effect. */
  dropped = 0;
  /** Id of the entry that opened consent, while it is open. */
  grantedBy = "";
  private current: ConsentState = "unknown";
  private readonly grants = new Map<EvidenceRecord["kind"], string>();
  private readonly refusals = new Set<EvidenceRecord["kind"]>();
  private nextId = 1;

  get state(): ConsentState {
    return this.current;
  }

  /** Notes evidence that is not the caller's consent (who is the agent, a policy that needs none). Returns its id. */
  note(
    atUs: TimeUs,
    kind: EvidenceRecord["kind"],
    effect: EvidenceRecord["effect"],
    detail: EvidenceRecord["detail"],
  ): string {
    const id = `e${this.nextId++}`;
    if (this.evidence.length < MAX_EVIDENCE) this.evidence.push({ id, atUs, kind, effect, detail });
    else this.dropped++;
    return id;
  }

  /** Applies one statement; returns true when the state changed. The same statement again is no new entry. */
  apply(atUs: TimeUs, kind: EvidenceRecord["kind"], effect: ConsentEffect, detail: EvidenceRecord["detail"]): boolean {
    if (this.repeats(kind, effect)) return false;
    const id = this.note(atUs, kind, effect, detail);
    const takesBack = effect === "withdrawn" || this.grants.has(kind);
    if (effect === "granted") {
      this.refusals.delete(kind);
      this.grants.set(kind, id);
    } else {
      this.grants.delete(kind);
      this.refusals.add(kind);
    }
    return this.settle(effect !== "granted" && takesBack);
  }

  /** What a kind of source has said no longer applies (its subject turned out to be somebody else). */
  lift(kind: EvidenceRecord["kind"]): boolean {
    this.refusals.delete(kind);
    this.grants.delete(kind);
    return this.settle(false);
  }

  private settle(takesBack: boolean): boolean {
    const next = this.judge(takesBack);
    const changed = next !== this.current;
    this.current = next;
    this.grantedBy = next === "granted" ? ([...this.grants.values()].at(-1) ?? "") : "";
    return changed;
  }

  private repeats(kind: EvidenceRecord["kind"], effect: ConsentEffect): boolean {
    if (effect === "granted") return this.grants.has(kind);
    return this.refusals.has(kind) && (effect === "refused" || this.current === "withdrawn");
  }

  /** `takesBack`: the statement just made revokes a grant; any other refusal never was a consent. */
  private judge(takesBack: boolean): ConsentState {
    if (this.refusals.size === 0) return this.grants.size > 0 ? "granted" : "unknown";
    return takesBack || this.current === "withdrawn" ? "withdrawn" : "refused";
  }
}
