// The consent of one party, for every purpose that was spoken of: consent is given for a purpose, a refusal that names
// none is one of all. Pure state.
import type { ConsentState, EvidenceSource } from "../contract/call-record.js";
import { ConsentLedger } from "./ledger.js";
import type { ConsentEffect } from "./strength.js";

/** Purposes told apart; a grant for a further one is not taken. */
const MAX_PURPOSES = 16;

export interface PurposeChange {
  purpose: string;
  from: ConsentState;
  to: ConsentState;
}

export class PartyConsent {
  private readonly ledgers = new Map<string, ConsentLedger>();
  /** Refusals of every purpose, for those that are spoken of later. */
  private readonly general = new Map<EvidenceSource, { effect: ConsentEffect; evidence: string }>();

  stateFor(purpose: string): ConsentState {
    return (this.ledgers.get(purpose) ?? this.seeded()).state;
  }

  /** Id of the evidence that opened consent for the purpose, "" while it is not open. */
  grantedBy(purpose: string): string {
    return this.ledgers.get(purpose)?.grantedBy ?? "";
  }

  /** Sources whose refusal stands. */
  refusalsFor(purpose: string): EvidenceSource[] {
    return (this.ledgers.get(purpose) ?? this.seeded()).refusals().map(({ source }) => source);
  }

  /** Id of the evidence by which a kind of source has refused; undefined while it has not. */
  refusedBy(source: EvidenceSource, purpose: string): string | undefined {
    return (this.ledgers.get(purpose) ?? this.seeded()).refusedBy(source);
  }

  /** Would the statement say again what stands already? */
  repeats(source: EvidenceSource, effect: ConsentEffect, purpose: string): boolean {
    return (this.ledgers.get(purpose) ?? this.seeded()).repeats(source, effect);
  }

  /**
   * `isGeneral`: the statement names no purpose; `purpose` is the call's then. A refusal counts for all purposes then, a
   * grant is one for `purpose` only.
   */
  apply(
    source: EvidenceSource,
    effect: ConsentEffect,
    evidence: string,
    purpose: string,
    isGeneral: boolean,
  ): PurposeChange[] {
    this.ledgerFor(purpose);
    return this.changes(() => {
      const concernsAll = effect !== "granted" && isGeneral;
      if (concernsAll) this.general.set(source, { effect, evidence });
      for (const [name, ledger] of this.ledgers)
        if (concernsAll || name === purpose) ledger.apply(source, effect, evidence);
    });
  }

  /** What a kind of source has said no longer applies. */
  lift(source: EvidenceSource): PurposeChange[] {
    return this.changes(() => {
      this.general.delete(source);
      for (const ledger of this.ledgers.values()) ledger.lift(source);
    });
  }

  /** Nothing that was said counts any more: it may have been said of somebody else. */
  clear(): PurposeChange[] {
    return this.changes(() => {
      this.general.clear();
      for (const ledger of this.ledgers.values()) ledger.clear();
    });
  }

  /** What was said of the same person elsewhere counts here as well. */
  join(other: PartyConsent): PurposeChange[] {
    for (const purpose of other.ledgers.keys()) this.ledgerFor(purpose);
    return this.changes(() => {
      for (const [source, refusal] of other.general)
        if (!this.general.has(source)) this.general.set(source, { ...refusal });
      for (const [purpose, ledger] of this.ledgers) ledger.join(other.ledgers.get(purpose) ?? other.seeded());
    });
  }

  /** `other` may be the same person: what it refused stands here too, what it granted does not. */
  takeRefusals(other: PartyConsent): PurposeChange[] {
    for (const purpose of other.ledgers.keys()) this.ledgerFor(purpose);
    return this.changes(() => {
      for (const [source, refusal] of other.general) this.general.set(source, { ...refusal });
      for (const [purpose, ledger] of this.ledgers) {
        const refusals = (other.ledgers.get(purpose) ?? other.seeded()).refusals();
        for (const { source, effect, evidence } of refusals) ledger.apply(source, effect, evidence);
      }
    });
  }

  /** Evidence has new ids. */
  rename(ids: ReadonlyMap<string, string>): void {
    for (const refusal of this.general.values()) refusal.evidence = ids.get(refusal.evidence) ?? refusal.evidence;
    for (const ledger of this.ledgers.values()) ledger.rename(ids);
  }

  private changes(change: () => void): PurposeChange[] {
    const before = new Map([...this.ledgers].map(([purpose, { state }]) => [purpose, state]));
    change();
    return [...this.ledgers]
      .map(([purpose, { state }]) => ({ purpose, from: before.get(purpose)!, to: state }))
      .filter(({ from, to }) => from !== to);
  }

  private ledgerFor(purpose: string): void {
    if (!this.ledgers.has(purpose) && this.ledgers.size < MAX_PURPOSES) this.ledgers.set(purpose, this.seeded());
  }

  /** What is true of a purpose that was never spoken of. */
  private seeded(): ConsentLedger {
    const ledger = new ConsentLedger();
    for (const [source, { effect, evidence }] of this.general) ledger.apply(source, effect, evidence);
    return ledger;
  }
}
