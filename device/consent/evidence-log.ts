// Every piece of evidence of one call in the order it came, and the ids by which spans refer to it. Bounded; decides
// nothing.
import type { TimeUs } from "../base/ids.js";
import type { EvidenceRecord } from "../contract/call-record.js";

const MAX_EVIDENCE = 256;

export class EvidenceLog {
  /** Oldest first; entries that change nothing are kept too, they are evidence. */
  readonly entries: EvidenceRecord[] = [];
  /** Entries dropped at the limit. What they say still takes effect. */
  dropped = 0;
  private nextId = 1;

  /** Notes a piece of evidence and returns its id. */
  note(
    atUs: TimeUs,
    kind: EvidenceRecord["kind"],
    effect: EvidenceRecord["effect"],
    detail: EvidenceRecord["detail"],
  ): string {
    const id = `e${this.nextId++}`;
    if (this.entries.length < MAX_EVIDENCE) this.entries.push({ id, atUs, kind, effect, detail });
    else this.dropped++;
    return id;
  }

  /** Was the one piece of evidence heard before the other? False where it is not known. */
  isBefore(id: string, otherId: string): boolean {
    return (this.find(id)?.atUs ?? Number.NaN) < (this.find(otherId)?.atUs ?? Number.NaN);
  }

  /** Takes over another call's evidence under new ids; returns old id → new id. */
  adopt(other: EvidenceLog): Map<string, string> {
    this.dropped += other.dropped;
    return this.copy(other, () => true);
  }

  /** Takes over part of another call's evidence under new ids; returns old id → new id. */
  copy(other: EvidenceLog, isWanted: (id: string) => boolean): Map<string, string> {
    const renamed = new Map<string, string>();
    for (const { id, atUs, kind, effect, detail } of other.entries)
      if (isWanted(id)) renamed.set(id, this.note(atUs, kind, effect, detail));
    return renamed;
  }

  find(id: string): EvidenceRecord | undefined {
    return this.entries.find((entry) => entry.id === id);
  }
}
