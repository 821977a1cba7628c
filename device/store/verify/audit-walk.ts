// Goes along the audit chain once, a piece at a time: what is wrong with the chain itself become findings, what its entries say of
// recordings and of other files is handed on. What a running service adds meanwhile can be read on.
import type { KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AuditEntry, AuditHead } from "../../contract/audit.js";
import { auditFolder, type FileLine, headPath, listAuditFiles, readHead, readLines } from "../audit-files.js";
import { AUDIT_PROBLEM_TEXT, type AuditProblem, type AuditProblemKind, ChainCheck } from "../audit-verify.js";
import { parseLine } from "../signed-line.js";
import type { FindingKind, Findings } from "./findings.js";

/** Takes what the chain says, entry by entry, with its line; true = it was about one more recording. */
export type EntryTaker = (entry: AuditEntry, line: Buffer) => boolean;

const NEWLINE = 0x0a;

export class AuditWalk {
  entries = 0;
  /** Entries that the box could not write. */
  lost = 0;
  readonly #dataFolder: string;
  readonly #check: ChainCheck;
  readonly #head: AuditHead | null | undefined;
  readonly #take: EntryTaker;
  #lines: Generator<boolean, void>;
  /** What was read whole. */
  #file = "";
  #offset = 0;
  #number = 1;
  #tornBytes = 0;
  #end: AuditHead = { seq: 0, sha256: "" };

  /** Throws file system errors. */
  constructor(dataFolder: string, publicKey: KeyObject, take: EntryTaker) {
    this.#dataFolder = dataFolder;
    // First, because a running service goes on writing.
    this.#head = readHead(dataFolder, publicKey);
    this.#check = new ChainCheck(publicKey, this.#head ?? undefined);
    this.#take = take;
    this.#lines = this.#read();
  }

  get hasChain(): boolean {
    return this.#file !== "";
  }

  /** Reads on until a recording was entered; false at the end. */
  advance(): boolean {
    // Not for…of, which would end the reading with the first.
    for (let one = this.#lines.next(); !one.done; one = this.#lines.next()) if (one.value) return true;
    return false;
  }

  /** Reads to the end, what came since included. */
  drain(): void {
    while (this.advance());
    this.#lines = this.#read();
    while (this.advance());
  }

  /** `isOpen`: the service runs, or was killed. */
  finish(findings: Findings, isOpen: boolean): void {
    const isHeadMissing = this.hasChain && !this.#head;
    const { problems, problemCount } = this.#check.finish(isHeadMissing);
    for (const problem of problems)
      addProblem(findings, problem.kind === "truncated" ? { ...problem, place: this.#lastFile() } : problem);
    if (problemCount > problems.length) findings.count += problemCount - problems.length;
    if (this.#tornBytes > 0) {
      const text = `${this.#tornBytes} bytes behind the last whole entry`;
      if (isOpen) findings.note(`audit/${this.#file}: ${text}: torn off, or being written just now`);
      else findings.add("added", `audit/${this.#file}`, `${text} are none`, `after entry ${this.#end.seq}`);
    }
    if (this.#head) this.#checkHeadFile(this.#head, findings, isOpen);
  }

  /** Where the end is missing: the last file, or that of the month in which the head was written. */
  #lastFile(): string {
    if (this.#file !== "") return this.#file;
    const { at } = parseLine(readFileSync(headPath(this.#dataFolder))) ?? {};
    return `${String(at).slice(0, 7)}.jsonl`;
  }

  #checkHeadFile(head: AuditHead, findings: Findings, isOpen: boolean): void {
    if (readFileSync(headPath(this.#dataFolder)).at(-1) !== NEWLINE)
      findings.add("changed", "audit/head.json", "its last byte is missing");
    if (!isOpen && head.seq < this.#end.seq)
      findings.add("changed", "audit/head.json", `it names entry ${head.seq}, the chain ends with ${this.#end.seq}`);
  }

  *#read(): Generator<boolean, void> {
    for (const file of listAuditFiles(this.#dataFolder)) {
      if (file < this.#file) continue;
      if (file !== this.#file) {
        this.#file = file;
        this.#offset = 0;
        this.#number = 1;
      }
      yield* this.#readFile(file);
    }
  }

  *#readFile(file: string): Generator<boolean, void> {
    const path = join(auditFolder(this.#dataFolder), file);
    const first = this.#number;
    this.#tornBytes = 0;
    let last: FileLine | undefined;
    for (const line of readLines(path, this.#offset)) {
      last = line;
      if (!line.isWhole) {
        this.#tornBytes = line.bytes.length;
        break;
      }
      this.#number = first + line.number;
      const entry = this.#check.take({ ...line, number: this.#number - 1 }, file);
      this.entries++;
      if (entry === undefined) continue;
      this.#end = { seq: entry.seq, sha256: "" };
      if (entry.kind === "lost") this.lost += Number(entry.detail["entries"] ?? 0);
      yield this.#take(entry, line.bytes);
    }
    // The generator goes on counting behind each line.
    if (last !== undefined) this.#offset = last.offset;
  }
}

const KINDS: Readonly<Record<AuditProblemKind, FindingKind>> = {
  edited: "changed",
  signature: "changed",
  removed: "missing",
  added: "added",
  moved: "misplaced",
  unlinked: "unlinked",
  truncated: "truncated",
  head: "changed",
};

function addProblem(findings: Findings, { kind, seq, toSeq, place }: AuditProblem): void {
  const [file = "", line] = place.split(":");
  const where = line === undefined ? "" : `line ${line}: `;
  const entry = seq === toSeq ? `entry ${seq}` : `entries ${seq} to ${toSeq}`;
  const what = kind === "head" ? AUDIT_PROBLEM_TEXT.head : `${where}${entry}: ${AUDIT_PROBLEM_TEXT[kind]}`;
  const since = kind === "head" ? "" : `between entries ${seq - 1} and ${toSeq + 1}`;
  findings.add(KINDS[kind], `audit/${file}`, what, since);
}
