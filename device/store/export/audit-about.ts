// What of the audit chain is about somebody's calls, found in passes over its files in constant memory: entries of those calls,
// of requests and holds that name the number, of its register entries; and which deleted recordings were theirs. Checks no
// signature. Never writes, and lets others have their turn meanwhile: the service does it too.
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { CallId } from "../../base/ids.js";
import type { AuditEntry, AuditValue } from "../../contract/audit.js";
import { auditFolder, type FileLine, listAuditFiles, parseEntry, readLines } from "../audit-files.js";

export interface AuditSubject {
  calls: ReadonlySet<CallId>;
  /** The number as the chain has it (holds.ts's markOfNumber). */
  mark: string;
  /** Ids of its register entries. */
  registerEntries: ReadonlySet<string>;
  /** Names of locked runs that hold one of the calls. */
  runs: ReadonlySet<string>;
}

export interface AuditAbout {
  /** Deleted recordings that can be attributed to the number. */
  deleted: ReadonlySet<CallId>;
  /** Each file of the chain that has such entries, "2026-11.jsonl", with what they take. */
  files: { name: string; entries: number; bytes: number }[];
  /** The entries of one file as they stand, newline and all; those that were there at the first look. */
  lines(name: string): AsyncGenerator<Buffer, void>;
}

interface FileEnd {
  name: string;
  /** Behind its last whole line when it was looked at. */
  end: number;
}

/** Throws file system errors. */
export async function findInAudit(dataFolder: string, subject: AuditSubject): Promise<AuditAbout> {
  const first = new FirstLook(subject);
  const ends: FileEnd[] = [];
  for (const name of listAuditFiles(dataFolder)) {
    let end = 0;
    for await (const { bytes, offset, isWhole, isTooLong } of inTurns(readLines(join(auditFolder(dataFolder), name)))) {
      if (!isWhole) break;
      const entry = isTooLong ? undefined : parseEntry(bytes);
      if (entry) first.take(entry);
      end = offset + bytes.length + 1;
    }
    ends.push({ name, end });
  }
  const isAbout = first.judge();
  const lines = (name: string): AsyncGenerator<Buffer, void> =>
    linesAbout(join(auditFolder(dataFolder), name), ends.find((one) => one.name === name)?.end ?? 0, isAbout);
  const files: AuditAbout["files"] = [];
  for (const { name } of ends) {
    let [entries, bytes] = [0, 0];
    for await (const line of lines(name)) [entries, bytes] = [entries + 1, bytes + line.length];
    if (entries > 0) files.push({ name, entries, bytes });
  }
  return { deleted: first.deleted, files, lines };
}

async function* linesAbout(
  path: string,
  end: number,
  isAbout: (entry: AuditEntry) => boolean,
): AsyncGenerator<Buffer, void> {
  if (end === 0) return;
  for await (const { bytes, offset, isTooLong } of inTurns(readLines(path))) {
    if (offset >= end) return;
    const entry = isTooLong ? undefined : parseEntry(bytes);
    if (entry && isAbout(entry)) yield Buffer.concat([bytes, LINE_END]);
  }
}

async function* inTurns(lines: Iterable<FileLine>): AsyncGenerator<FileLine, void> {
  let taken = 0;
  for (const line of lines) {
    if (++taken % LINES_PER_TURN === 0) await turn();
    yield line;
  }
}

/** Some milliseconds. */
const LINES_PER_TURN = 250;
const LINE_END = Buffer.from("\n");

/** What must be known of the whole chain before its entries can be judged one by one. */
class FirstLook {
  /** Known after `judge`. */
  readonly deleted = new Set<CallId>();
  readonly #subject: AuditSubject;
  readonly #requests = new Set<string>();
  readonly #holds = new Set<string>();
  /** Who asked for an erasure in which words → for which numbers. */
  readonly #erasures = new Map<string, Set<string>>();
  readonly #erased: { call: CallId; order: string }[] = [];

  constructor(subject: AuditSubject) {
    this.#subject = subject;
  }

  take({ kind, actor, call, detail }: AuditEntry): void {
    const { mark, calls } = this.#subject;
    const { number, request, hold, reason, by, text } = detail;
    const isNamed = number === mark;
    if (isNamed && typeof request === "string") this.#requests.add(request);
    if (kind === "hold" && typeof hold === "string" && (isNamed || (call !== undefined && calls.has(call))))
      this.#holds.add(hold);
    if (kind === "erasure" && typeof number === "string") {
      const order = orderOf(actor, reason);
      this.#erasures.set(order, (this.#erasures.get(order) ?? new Set()).add(number));
    }
    if (kind === "deleted" && reason === "erasure" && call !== undefined)
      this.#erased.push({ call, order: orderOf(by, text) });
  }

  /** A tombstone says by whose order and in which words: it is the number's when these have erased no other number. */
  judge(): (entry: AuditEntry) => boolean {
    const { mark, calls, runs, registerEntries } = this.#subject;
    for (const { call, order } of this.#erased) {
      const numbers = this.#erasures.get(order);
      if (numbers?.size === 1 && numbers.has(mark)) this.deleted.add(call);
    }
    return ({ call, kind, detail }) => {
      if (call !== undefined && (calls.has(call) || this.deleted.has(call))) return true;
      const { number, request, hold, run, entries } = detail;
      return (
        number === mark ||
        this.#requests.has(String(request)) ||
        ((kind === "hold" || kind === "hold-lifted") && this.#holds.has(String(hold))) ||
        (kind === "locked" && runs.has(String(run))) ||
        (kind === "register" && namesEntry(entries, registerEntries))
      );
    };
  }
}

function orderOf(by: AuditValue | undefined, text: AuditValue | undefined): string {
  return JSON.stringify([by ?? "", text ?? ""]);
}

function namesEntry(entries: AuditValue | undefined, wanted: ReadonlySet<string>): boolean {
  return (
    Array.isArray(entries) && entries.some((one) => wanted.has(String((one as { entry?: unknown } | null)?.entry)))
  );
}
