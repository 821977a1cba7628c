// What a verification found: each finding names a file, what is wrong with it and between which neighbours it happened; each
// note says what is in order though it looks strange, or could not be checked. The first ones are kept, all are counted.

/** Every kind of finding with its meaning: the documentation's one source. */
export const FINDING_KINDS = {
  changed: "the content is not what was signed, or hashed in what was signed",
  truncated: "the end is missing",
  missing: "it was there and is not any more, and no deletion is entered",
  added: "nothing that is signed knows of it",
  misplaced: "it is signed, and stands where it does not belong: renamed, moved or swapped",
  unlinked: "the chain does not lead from the one before it to it, or on from it",
  unreadable: "it cannot be read",
} as const;
export type FindingKind = keyof typeof FINDING_KINDS;

export interface Finding {
  kind: FindingKind;
  /** Below the data folder. */
  file: string;
  what: string;
  /** "" where nothing tells. */
  since: string;
}

const MAX_FINDINGS = 1000;
const MAX_NOTES = 100;

export class Findings {
  readonly list: Finding[] = [];
  readonly notes: string[] = [];
  count = 0;
  noteCount = 0;

  add(kind: FindingKind, file: string, what: string, since = ""): void {
    this.count++;
    if (this.list.length < MAX_FINDINGS) this.list.push({ kind, file, what, since });
  }

  note(text: string): void {
    this.noteCount++;
    if (this.notes.length < MAX_NOTES) this.notes.push(text);
  }
}
