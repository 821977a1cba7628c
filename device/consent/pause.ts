// The pauses of one call: from when to when nothing of anybody is taken, who asked for it and how it ended. A pause ends
// by itself after its longest time. Pure state in packet time; the gates are guard.ts's.
import type { TimeUs } from "../base/ids.js";
import { type EvidenceSource, MAX_PAUSES, type PauseRecord } from "../contract/call-record.js";

export class Pauses {
  readonly entries: PauseRecord[] = [];
  private readonly longestUs: number;
  private current: PauseRecord | undefined;
  private endsUs = Number.POSITIVE_INFINITY;

  constructor(longestUs: number) {
    this.longestUs = longestUs;
  }

  get isPaused(): boolean {
    return this.current !== undefined;
  }

  get inForce(): PauseRecord | undefined {
    return this.current;
  }

  /** When the pause in force ends by itself; Infinity while there is none. */
  get dueUs(): TimeUs {
    return this.endsUs;
  }

  /** False when the call was paused already; then its time begins anew. It ends by itself at `endsUs` at the latest. */
  begin(atUs: TimeUs, source: EvidenceSource, by: string, reason: string, endsUs = Number.POSITIVE_INFINITY): boolean {
    this.endsUs = Math.min(endsUs, atUs + this.longestUs);
    if (this.current) return false;
    this.current = { fromUs: atUs, source, by, reason };
    if (this.entries.length < MAX_PAUSES) this.entries.push(this.current);
    return true;
  }

  /** False when the call was not paused. */
  end(atUs: TimeUs, endedBy: NonNullable<PauseRecord["endedBy"]>): boolean {
    if (!this.current) return false;
    this.current.toUs = Math.max(this.current.fromUs, atUs);
    this.current.endedBy = endedBy;
    this.current = undefined;
    this.endsUs = Number.POSITIVE_INFINITY;
    return true;
  }

  /** The other half of the call had pauses of its own; one that is in force goes on. */
  join(other: Pauses): void {
    for (const pause of other.entries) if (this.entries.length < MAX_PAUSES) this.entries.push(pause);
    this.entries.sort((a, b) => a.fromUs - b.fromUs);
    if (!other.current) return;
    this.current ??= other.current;
    this.endsUs = Math.min(this.endsUs, other.endsUs);
  }
}
