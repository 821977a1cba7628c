// Matches what the audit chain has entered with what lies on the disk, by hash, in whatever order both come: what has met is
// forgotten, so that memory stays small when they come in about the same order. Reads no files.

export interface EnteredAs {
  /** Of the audit entry. */
  seq: number;
  at: string;
  /** The recording's. */
  id: string;
}

export class Entered<Found> {
  /** In the chain, not seen on the disk; by hash. */
  readonly entries = new Map<string, EnteredAs>();
  /** On the disk, not in the chain; by hash. */
  readonly found = new Map<string, Found>();

  enter(sha256: string, entry: EnteredAs): void {
    if (!this.found.delete(sha256)) this.entries.set(sha256, entry);
  }

  /** What the chain says of it, if it has said so already. */
  find(sha256: string, found: Found): EnteredAs | undefined {
    const entry = this.entries.get(sha256);
    if (entry === undefined) this.found.set(sha256, found);
    else this.entries.delete(sha256);
    return entry;
  }
}
