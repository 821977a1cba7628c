// Whether files that are not signed themselves hold what the audit chain says: registers, tokens and the like whole, a day's
// call log up to each length that the chain has a hash of. Takes the chain's entries in their order; goes along each call log
// as they come, in constant memory.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { sha256Of } from "../../base/sha256.js";
import type { AuditEntry } from "../../contract/audit.js";
import type { Findings } from "./findings.js";
import { hashWholeFile, PrefixHash } from "./hash-file.js";

const DAY_PATTERN = /^calls\/\d{4}-\d\d-\d\d\.jsonl$/;
const HASH_PATTERN = /^(?:[0-9a-f]{64})?$/;
const FILE_PATTERN = /^(?:[a-z]{1,16}\/)?[A-Za-z0-9._-]{1,64}$/;
/** Files whose hashing is under way, and files known at all. */
const MAX_OPEN = 16;
const MAX_FILES = 100_000;

interface Said {
  seq: number;
  at: string;
}

/** A file that anybody may replace: what was said last counts. */
interface Replaced extends Said {
  sha256: string;
  bytes: number | undefined;
}

/** A call log. */
interface Grown extends Said {
  bytes: number;
  /** Said of the whole file: it was written anew, and nothing before counts. */
  whole: string;
  /** The first time that it did not hold; what is said later is no news. */
  fault: { what: string; since: string; kind: "changed" | "truncated" } | undefined;
}

export class EnteredFiles {
  readonly #dataFolder: string;
  readonly #replaced = new Map<string, Replaced>();
  readonly #grown = new Map<string, Grown>();
  readonly #prefixes = new Map<string, PrefixHash>();
  #stoppedSeq = 0;
  readonly #changedWhileStopped: string[] = [];

  constructor(dataFolder: string) {
    this.#dataFolder = dataFolder;
  }

  take({ seq, at, kind, detail }: AuditEntry): void {
    const said = { seq, at };
    switch (kind) {
      case "stopped":
        this.#stoppedSeq = seq;
        break;
      case "started":
        this.#stoppedSeq = 0;
        break;
      case "witnessed":
        for (const one of listOf(detail["files"])) this.#hear(one, said);
        break;
      case "register":
      case "token":
        this.#hear(detail, said);
        break;
      case "call-log":
        this.#rewritten(detail, said);
        break;
      default:
        break;
    }
  }

  /** `isOpen`: the service runs, or was killed. Throws file system errors. */
  finish(findings: Findings, isOpen: boolean): void {
    for (const [file, said] of this.#replaced) this.#finishReplaced(file, said, findings, isOpen);
    for (const [file, said] of this.#grown) this.#finishGrown(file, said, findings, isOpen);
    for (const name of readdirIfThere(join(this.#dataFolder, "calls"))) {
      const file = `calls/${name}`;
      if (!DAY_PATTERN.test(file) || this.#grown.has(file)) continue;
      if (isOpen) findings.note(`${file}: not in the audit chain yet`);
      else findings.add("added", file, "the audit chain does not know of it");
    }
    for (const text of this.#changedWhileStopped) findings.note(text);
  }

  /** Whether the chain has said something of the file. */
  has(file: string): boolean {
    return this.#replaced.has(file) || this.#grown.has(file);
  }

  #hear(one: Readonly<Record<string, unknown>>, said: Said): void {
    const { file, bytes, sha256 } = one;
    if (typeof file !== "string" || typeof sha256 !== "string" || !HASH_PATTERN.test(sha256)) return;
    if (!FILE_PATTERN.test(file) || this.#replaced.size + this.#grown.size >= MAX_FILES) return;
    const length = Number.isSafeInteger(bytes) ? (bytes as number) : undefined;
    if (DAY_PATTERN.test(file)) {
      if (length !== undefined) this.#hearGrown(file, length, sha256, said);
      return;
    }
    const before = this.#replaced.get(file);
    if (before !== undefined && before.sha256 !== sha256 && this.#stoppedSeq > before.seq && this.#notable)
      this.#changedWhileStopped.push(
        `${file}: changed while no service ran, between entries ${before.seq} (${before.at}) and ${said.seq} (${said.at})`,
      );
    this.#replaced.set(file, { ...said, sha256, bytes: length });
  }

  get #notable(): boolean {
    return this.#changedWhileStopped.length < 20;
  }

  #hearGrown(file: string, bytes: number, sha256: string, said: Said): void {
    const before = this.#grown.get(file) ?? { seq: 0, at: "", bytes: 0, whole: "", fault: undefined };
    const grown: Grown = { ...before, ...said, bytes, whole: "" };
    this.#grown.set(file, grown);
    if (before.fault !== undefined || sha256 === "") return;
    const found = this.#prefix(file, bytes);
    if (found === sha256) return;
    const since = `between ${before.seq === 0 ? "its beginning" : `byte ${before.bytes} (entry ${before.seq}, ${before.at})`} and byte ${bytes} (entry ${said.seq}, ${said.at})`;
    grown.fault =
      found === undefined
        ? { kind: "truncated", what: `it has less than the ${bytes} bytes that entry ${said.seq} knows`, since }
        : { kind: "changed", what: "what stood there when the audit chain was told was changed", since };
  }

  /** SHA-256 of the first bytes; undefined when there are not as many. */
  #prefix(file: string, bytes: number): string | undefined {
    let prefix = this.#prefixes.get(file);
    this.#prefixes.delete(file);
    if (prefix === undefined || prefix.bytes > bytes) prefix = new PrefixHash(join(this.#dataFolder, file));
    if (this.#prefixes.size >= MAX_OPEN) this.#prefixes.delete(this.#prefixes.keys().next().value!);
    this.#prefixes.set(file, prefix);
    try {
      return prefix.upTo(bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  #rewritten(detail: AuditEntry["detail"], said: Said): void {
    const { file, sha256, bytes } = detail;
    if (typeof file !== "string" || !DAY_PATTERN.test(file) || typeof sha256 !== "string") return;
    const grown: Grown = { ...said, bytes: 0, whole: sha256, fault: undefined };
    this.#prefixes.delete(file);
    this.#grown.set(file, grown);
    if (Number.isSafeInteger(bytes) && sha256 !== "") this.#hearGrown(file, bytes as number, sha256, said);
  }

  #finishReplaced(file: string, said: Replaced, findings: Findings, isOpen: boolean): void {
    const path = join(this.#dataFolder, file);
    const since = `since entry ${said.seq} (${said.at})`;
    let found: string;
    try {
      found = hashWholeFile(path, () => {}).sha256;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT") findings.add("unreadable", file, `it cannot be read (${code})`);
      else if (said.sha256 !== "" && isOpen)
        findings.note(`${file}: gone ${since}; a running service enters that soon`);
      else if (said.sha256 !== "") findings.add("missing", file, "the audit chain knows of it", since);
      return;
    }
    if (found === said.sha256) return;
    const what = "it is not what the audit chain was told";
    if (isOpen && file === "carried.json") return;
    if (isOpen) findings.note(`${file}: ${what}, ${since}; a running service enters that soon`);
    else findings.add(said.sha256 === "" ? "added" : "changed", file, what, since);
  }

  #finishGrown(file: string, said: Grown, findings: Findings, isOpen: boolean): void {
    const path = join(this.#dataFolder, file);
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    const since = `since entry ${said.seq} (${said.at})`;
    if (size === undefined) {
      findings.add("missing", file, "the audit chain knows of it", since);
      return;
    }
    if (said.fault !== undefined) {
      findings.add(said.fault.kind, file, said.fault.what, said.fault.since);
      return;
    }
    if (said.whole !== "") {
      if (hashWholeFile(path, () => {}).sha256 === said.whole) return;
      if (isOpen) findings.note(`${file}: it has changed ${since}; the audit chain will be told`);
      else findings.add("changed", file, "it is not what the audit chain was told", since);
      return;
    }
    if (size <= said.bytes) return;
    const what = `${size - said.bytes} bytes at its end that the audit chain does not know of`;
    if (isOpen) findings.note(`${file}: ${what}: the audit chain is told some seconds later`);
    else findings.add("added", file, what, since);
  }
}

/** What a configuration entry knows the trail by. */
export function trailHash(settings: unknown): string {
  return sha256Of(JSON.stringify(settings));
}

function listOf(value: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "object" && one !== null) : [];
}

function readdirIfThere(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
