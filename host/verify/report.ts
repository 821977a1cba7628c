// What the offline verifier found: findings, and what it could not check. Values only.

/** `audible`: sound where nobody's span was open. */
export type FindingKind =
  | "changed"
  | "audible"
  | "truncated"
  | "missing"
  | "added"
  | "misplaced"
  | "unlinked"
  | "unreadable";

export interface Finding {
  kind: FindingKind;
  /** Below the folder that was verified. */
  file: string;
  what: string;
  /** Between which neighbours; "" where nothing tells. */
  since: string;
}

const MAX_FINDINGS = 1000;
const MAX_UNCHECKED = 100;

export class Report {
  readonly findings: Finding[] = [];
  /** What could not be checked, and why. */
  readonly unchecked: string[] = [];
  findingCount = 0;

  find(kind: FindingKind, file: string, what: string, since = ""): void {
    this.findingCount++;
    if (this.findings.length < MAX_FINDINGS) this.findings.push({ kind, file, what, since });
  }

  leaveOut(what: string): void {
    if (this.unchecked.length < MAX_UNCHECKED) this.unchecked.push(what);
  }
}
