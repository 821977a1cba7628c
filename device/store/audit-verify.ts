// Checks the audit chain offline, with the public key alone: what was edited, removed, added, moved or cut off. One pass
// over the files in constant memory. Never writes. Whoever has the private key can rewrite the chain from any entry on; the
// manifests that name its entries, and copies of its head elsewhere, are what such a chain would contradict.
import type { KeyObject } from "node:crypto";
import { join } from "node:path";
import { sha256Of } from "../base/sha256.js";
import type { AuditEntry, AuditHead } from "../contract/audit.js";
import { auditFolder, type FileLine, listAuditFiles, parseEntry, readHead, readLines } from "./audit-files.js";
import { isSignedLine } from "./signed-line.js";

export type AuditProblemKind =
  /** The entry is not what was signed, and the one after it says that it was another. */
  | "edited"
  /** The signature is not this key's, though the entry after it follows on this one: made with another key, or by hand. */
  | "signature"
  /** Entries are not there. */
  | "removed"
  /** An entry stands twice, or was put between others. */
  | "added"
  /** An entry stands later than it belongs. */
  | "moved"
  /** The entry is signed and has its number, and names another one before it than the one that stands there. */
  | "unlinked"
  /** The end is missing: the head names an entry that is not there. */
  | "truncated"
  /** The head was removed or changed, or names another entry than stands there. */
  | "head";

export interface AuditProblem {
  kind: AuditProblemKind;
  /** Number of the entry, of the first where there are several; 0 for the head. */
  seq: number;
  /** Of the last of them. */
  toSeq: number;
  /** Where it shows: "2026-11.jsonl:17", "head.json". */
  place: string;
}

/** In words, as all who report them say it. */
export const AUDIT_PROBLEM_TEXT: Readonly<Record<AuditProblemKind, string>> = {
  edited: "was changed after it was written",
  signature: "is not signed by this box",
  removed: "missing",
  added: "does not belong here",
  moved: "stands later than it belongs",
  unlinked: "does not follow the entry before it",
  truncated: "cut off at the end",
  head: "the head of the chain is missing, was changed, or is that of another chain",
};

export interface AuditVerdict {
  /** Whole lines read. */
  entries: number;
  files: number;
  /** The last entry that stands. */
  end: AuditHead;
  /** What head.json says. */
  head: AuditHead | undefined;
  /** The first ones, in the order of the files. */
  problems: AuditProblem[];
  /** All of them. */
  problemCount: number;
  /** Bytes behind the last whole line: what a crash tore, or a service is just writing. They count for nothing. */
  tornBytes: number;
}

const MAX_PROBLEMS = 100;
/** Holes in the numbers that entries further on may still fill. */
const MAX_HOLES = 100;

/** Throws file system errors. */
export function verifyAudit(dataFolder: string, publicKey: KeyObject): AuditVerdict {
  // First, because a running service goes on writing.
  const head = readHead(dataFolder, publicKey);
  const files = listAuditFiles(dataFolder);
  const check = new ChainCheck(publicKey, head ?? undefined);
  for (const file of files) {
    const path = join(auditFolder(dataFolder), file);
    for (const line of readLines(path)) check.take(line, file);
  }
  return { ...check.finish(files.length > 0 && !head), files: files.length, head: head ?? undefined };
}

interface Unsigned {
  place: string;
  sha256: string;
  /** Its own number, if it says one. */
  seq: number | undefined;
}

interface Hole {
  fromSeq: number;
  toSeq: number;
  place: string;
}

/** Goes along the lines, in the order of the files: `#next` is the number that comes next, `#previous` what it names. */
export class ChainCheck {
  readonly #publicKey: KeyObject;
  readonly #head: AuditHead | undefined;
  readonly #problems: AuditProblem[] = [];
  #problemCount = 0;
  #entries = 0;
  #tornBytes = 0;
  #next = 1;
  /** SHA-256 of the line before; undefined when any will do, because what is wrong there was said. */
  #previous: string | undefined = "";
  #end: AuditHead = { seq: 0, sha256: "" };
  /** A line without a good signature: what it is shows by the one behind it. */
  #unsigned: Unsigned | undefined;
  #holes: Hole[] = [];
  #isHeadSeen = false;

  constructor(publicKey: KeyObject, head: AuditHead | undefined) {
    this.#publicKey = publicKey;
    this.#head = head;
  }

  /** The entry, if the key has signed it. */
  take({ bytes, number, isWhole, isTooLong }: FileLine, file: string): AuditEntry | undefined {
    const place = `${file}:${number}`;
    if (!isWhole) {
      this.#tornBytes += bytes.length;
      return undefined;
    }
    this.#entries++;
    const sha256 = sha256Of(bytes);
    const entry = isTooLong ? undefined : parseEntry(bytes);
    if (entry === undefined || !isSignedLine(bytes, this.#publicKey)) {
      this.#settleUnsigned(entry?.previous, entry?.seq);
      this.#unsigned = { place, sha256, seq: entry?.seq };
      return undefined;
    }
    this.#settleUnsigned(entry.previous, entry.seq);
    this.#takeSigned(entry.seq, entry.previous, sha256, place);
    return entry;
  }

  finish(isHeadMissing: boolean): Omit<AuditVerdict, "files" | "head"> {
    this.#settleUnsigned(undefined, undefined);
    const head = this.#head;
    for (const hole of this.#holes) {
      this.#report("removed", hole.fromSeq, hole.toSeq, hole.place);
      if (head !== undefined && hole.fromSeq <= head.seq && head.seq <= hole.toSeq) this.#isHeadSeen = true;
    }
    if (isHeadMissing) this.#report("head", 0, 0, "head.json");
    else if (head !== undefined && head.seq > this.#end.seq)
      this.#report("truncated", this.#end.seq + 1, head.seq, "head.json");
    else if (head !== undefined && !this.#isHeadSeen) this.#report("head", head.seq, head.seq, "head.json");
    return {
      entries: this.#entries,
      end: this.#end,
      problems: this.#problems,
      problemCount: this.#problemCount,
      tornBytes: this.#tornBytes,
    };
  }

  #takeSigned(seq: number, previous: string, sha256: string, place: string): void {
    if (seq < this.#next) {
      this.#report(this.#fillHole(seq) ? "moved" : "added", seq, seq, place);
      // What it names, and what follows on it, is known to be elsewhere.
      this.#noteHead(seq, sha256);
      return;
    }
    if (seq > this.#next) this.#addHole({ fromSeq: this.#next, toSeq: seq - 1, place });
    else if (this.#previous !== undefined && previous !== this.#previous) this.#report("unlinked", seq, seq, place);
    this.#advance(seq, sha256, sha256);
  }

  /** The line without a good signature is known by what stands behind it: `previous` and `seq` of the next line. */
  #settleUnsigned(previous: string | undefined, seq: number | undefined): void {
    const unsigned = this.#unsigned;
    if (unsigned === undefined) return;
    this.#unsigned = undefined;
    const isBetween = seq === this.#next && previous === this.#previous && previous !== undefined;
    if (isBetween) {
      this.#report("added", unsigned.seq ?? this.#next, unsigned.seq ?? this.#next, unsigned.place);
      return;
    }
    const isFollowed = previous === unsigned.sha256 || this.#head?.sha256 === unsigned.sha256;
    this.#report(isFollowed ? "signature" : "edited", this.#next, this.#next, unsigned.place);
    // If it is the head's, that it is another one is said.
    if (this.#next === this.#head?.seq) this.#isHeadSeen = true;
    this.#advance(this.#next, unsigned.sha256, undefined);
  }

  #advance(seq: number, sha256: string, previous: string | undefined): void {
    this.#noteHead(seq, sha256);
    this.#next = seq + 1;
    this.#previous = previous;
    this.#end = { seq, sha256 };
  }

  #noteHead(seq: number, sha256: string): void {
    if (seq === this.#head?.seq && sha256 === this.#head.sha256) this.#isHeadSeen = true;
  }

  #addHole(hole: Hole): void {
    if (this.#holes.length < MAX_HOLES) this.#holes.push(hole);
    else this.#report("removed", hole.fromSeq, hole.toSeq, hole.place);
  }

  /** Whether the entry was missed further up; it is not any more then. */
  #fillHole(seq: number): boolean {
    const at = this.#holes.findIndex(({ fromSeq, toSeq }) => fromSeq <= seq && seq <= toSeq);
    if (at < 0) return false;
    const { fromSeq, toSeq, place } = this.#holes[at]!;
    const rest: Hole[] = [];
    if (fromSeq < seq) rest.push({ fromSeq, toSeq: seq - 1, place });
    if (seq < toSeq) rest.push({ fromSeq: seq + 1, toSeq, place });
    this.#holes.splice(at, 1, ...rest);
    return true;
  }

  #report(kind: AuditProblemKind, seq: number, toSeq: number, place: string): void {
    this.#problemCount++;
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push({ kind, seq, toSeq, place });
  }
}
