// The consent of one party for one purpose as a state: unknown → granted | refused, granted → withdrawn (→ granted
// again). What each source said last stands until it says otherwise; which of them counts is strength.ts's. Pure state;
// whoever asks with what is guard.ts's, the entries are the evidence log's.
import type { ConsentState, EvidenceSource } from "../contract/call-record.js";
import { type ConsentEffect, strengthOf } from "./strength.js";

/** What a source said last. */
interface Statement {
  effect: ConsentEffect;
  /** Id of the evidence. */
  evidence: string;
}

export class ConsentLedger {
  /** Id of the evidence that opened consent, while it is open. */
  grantedBy = "";
  private current: ConsentState = "unknown";
  private readonly statements = new Map<EvidenceSource, Statement>();

  get state(): ConsentState {
    return this.current;
  }

  /** Applies one statement, whose evidence has the id `evidence`; returns true when the state changed. */
  apply(source: EvidenceSource, effect: ConsentEffect, evidence: string): boolean {
    if (this.repeats(source, effect)) return false;
    // Entered anew, so that of equally strong grants the newest is the one that counts.
    this.statements.delete(source);
    this.statements.set(source, { effect, evidence });
    return this.settle();
  }

  /** Would the statement say again what stands already? */
  repeats(source: EvidenceSource, effect: ConsentEffect): boolean {
    const standing = this.statements.get(source);
    return standing !== undefined && (standing.effect === "granted") === (effect === "granted");
  }

  /** Id of the evidence by which this kind of source has refused; undefined while it has not. */
  refusedBy(source: EvidenceSource): string | undefined {
    const standing = this.statements.get(source);
    return standing?.effect === "granted" ? undefined : standing?.evidence;
  }

  /** What a kind of source has said no longer applies (its subject turned out to be somebody else, its time is over). */
  lift(source: EvidenceSource): boolean {
    return this.statements.delete(source) && this.settle();
  }

  /** Nothing that was said counts any more. */
  clear(): void {
    this.statements.clear();
    this.settle();
  }

  /** What was said of the same person elsewhere counts here as well; of one source a refusal from either stands. */
  join(other: ConsentLedger): boolean {
    for (const [source, statement] of other.statements) {
      const own = this.statements.get(source);
      if (own === undefined || (own.effect === "granted" && statement.effect !== "granted"))
        this.statements.set(source, { ...statement });
    }
    return this.settle(other.current === "withdrawn");
  }

  /** The refusals that stand, for somebody who may be the same person. */
  refusals(): { source: EvidenceSource; effect: ConsentEffect; evidence: string }[] {
    return [...this.statements]
      .filter(([, { effect }]) => effect !== "granted")
      .map(([source, statement]) => ({ source, ...statement }));
  }

  /** Evidence has new ids. */
  rename(ids: ReadonlyMap<string, string>): void {
    for (const statement of this.statements.values())
      statement.evidence = ids.get(statement.evidence) ?? statement.evidence;
    this.grantedBy = ids.get(this.grantedBy) ?? this.grantedBy;
  }

  /** `wasGranted`: a grant was in force somewhere, so that a refusal takes it back. */
  private settle(wasGranted = false): boolean {
    const before = this.current;
    const grant = this.strongest(true);
    const refusal = this.strongest(false);
    const takesBack = wasGranted || before === "granted" || before === "withdrawn";
    if (refusal && (!grant || refusal.strength >= grant.strength)) this.current = takesBack ? "withdrawn" : "refused";
    else this.current = grant ? "granted" : "unknown";
    this.grantedBy = this.current === "granted" ? grant!.evidence : "";
    return this.current !== before;
  }

  /** The strongest grant or refusal that stands; of equal ones the newest. */
  private strongest(isGrant: boolean): { strength: number; evidence: string } | undefined {
    let found: { strength: number; evidence: string } | undefined;
    for (const [source, { effect, evidence }] of this.statements) {
      if ((effect === "granted") !== isGrant) continue;
      const strength = strengthOf(source, effect);
      if (!found || strength >= found.strength) found = { strength, evidence };
    }
    return found;
  }
}
