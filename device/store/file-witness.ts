// Has the audit chain say what files hold that are not signed themselves: registers and tokens whole, a day's call log up to
// a length. Each time the store is opened and closed, and some seconds after the call log has grown. What stands in a file and
// not in the chain was then written within the last seconds before a crash, or by somebody else.
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import type { AuditEntryInput } from "../contract/audit.js";
import type { AuditChain } from "./audit-chain.js";
import type { CallLog, GrownDay } from "./call-log.js";

/** Longest time that lines of the call log stand there before the chain vouches for them. */
const GATHER_MS = 5000;
/** Files that any command may replace as a whole. */
const REPLACED = [
  "carried.json",
  "keys/tokens.json",
  "registers/consent.jsonl",
  "registers/agents.jsonl",
  "retention/holds.json",
  "retention/terms.jsonl",
];
/** Newest days of the call log that are looked at when the store is opened: a crash may have kept the last lines from the chain. */
const MAX_DAYS = 8;
/** A replay may be of calls of many days. */
const FILES_PER_ENTRY = 64;
const DAY_PATTERN = /^\d{4}-\d\d-\d\d\.jsonl$/;
const CHUNK_BYTES = 256 * 1024;
const NOT_DURABLE = "cannot make the call log durable";

/** Of a call log the first `bytes` bytes, of other files all. */
export interface WitnessedFile {
  /** Below the data folder. */
  file: string;
  bytes: number;
  /** "" when there is none. */
  sha256: string;
}

export class FileWitness {
  readonly #dataFolder: string;
  readonly #audit: AuditChain;
  readonly #log: CallLog;
  readonly #onRefused: (action: string, error: unknown) => void;
  /** By file, what the chain was last told. */
  readonly #told = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;

  /** `onRefused`: told what the disk refuses ("cannot …"); it is tried again when the store is opened or closed, or the log grows. */
  constructor(
    dataFolder: string,
    audit: AuditChain,
    log: CallLog,
    onRefused: (action: string, error: unknown) => void = () => {},
  ) {
    this.#dataFolder = dataFolder;
    this.#audit = audit;
    this.#log = log;
    this.#onRefused = onRefused;
  }

  /** Of everything that is there, and of a register that is not though registers were made. Throws file system errors. */
  open(): void {
    const days = listDays(join(this.#dataFolder, "calls")).slice(-MAX_DAYS);
    // A crash may have left lines that are not durable yet.
    const durable = days.filter((name) => this.#makeDurable(join(this.#dataFolder, "calls", name)));
    const found = [...REPLACED, ...durable.map((name) => `calls/${name}`)].flatMap((file) => this.#look(file));
    const hasRegisters = existsSync(join(this.#dataFolder, "registers"));
    this.#tell(found.filter(({ file, sha256 }) => sha256 !== "" || (hasRegisters && file.startsWith("registers/"))));
  }

  /** The chain was told of a file by somebody else, who may have looked at it earlier or later than this. */
  heard({ detail = {} }: AuditEntryInput): void {
    const { file } = detail;
    if (typeof file === "string" && REPLACED.includes(file)) this.#told.set(file, "");
  }

  /** The call log has grown. */
  logGrew(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      // A disk that refuses is asked again when the log grows, or is closed.
      this.#tellGrown().catch((error) => this.#onRefused(NOT_DURABLE, error));
    }, GATHER_MS).unref();
  }

  /** Of what has changed, or was spoken of, since. The audit chain is still open. */
  close(): void {
    clearTimeout(this.#timer);
    const grown = this.#log.takeGrown().filter((day) => this.#makeDurable(day.path) && isStillThere(day));
    const replaced = REPLACED.flatMap((file) => this.#look(file));
    const news = replaced.filter(({ file, sha256 }) => sha256 !== "" || this.#told.has(file));
    this.#tell([...news, ...grown.map((day) => this.#witnessed(day))]);
  }

  /** The lines are durable before the chain says that they are there. */
  async #tellGrown(): Promise<void> {
    const grown = this.#log.takeGrown();
    await this.#log.sync();
    this.#tell(grown.filter(isStillThere).map((day) => this.#witnessed(day)));
  }

  /** What the disk refuses, the chain is not told: the next start finds it. Only the log may sync: it knows what was refused. */
  #makeDurable(path: string): boolean {
    try {
      this.#log.syncNow(path);
      return true;
    } catch (error) {
      this.#onRefused(NOT_DURABLE, error);
      return false;
    }
  }

  #witnessed({ path, bytes, sha256 }: GrownDay): WitnessedFile {
    return { file: relative(this.#dataFolder, path), bytes, sha256 };
  }

  /** None when it cannot be read: that is no reason not to record. */
  #look(file: string): WitnessedFile[] {
    try {
      return [{ file, ...hashFile(join(this.#dataFolder, file)) }];
    } catch (error) {
      this.#onRefused(`cannot read ${file} for the audit chain`, error);
      return [];
    }
  }

  #tell(files: readonly WitnessedFile[]): void {
    const news = files.filter(({ file, bytes, sha256 }) => this.#told.get(file) !== `${bytes} ${sha256}`);
    if (news.length === 0) return;
    for (const { file, bytes, sha256 } of news) this.#told.set(file, `${bytes} ${sha256}`);
    for (let at = 0; at < news.length; at += FILES_PER_ENTRY)
      this.#audit.append(entryOf(news.slice(at, at + FILES_PER_ENTRY)));
  }
}

/** Lines may have lost their people meanwhile: then the chain has the hash of the new file already. */
function isStillThere({ path, inode }: GrownDay): boolean {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino === inode;
}

function entryOf(files: readonly WitnessedFile[]): AuditEntryInput {
  return {
    kind: "witnessed",
    actor: "service",
    detail: { files: files.map(({ file, bytes, sha256 }) => ({ file, bytes, sha256 })) },
  };
}

function listDays(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => DAY_PATTERN.test(name))
    .sort();
}

function hashFile(path: string): Omit<WitnessedFile, "file"> {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { bytes: 0, sha256: "" };
    throw error;
  }
  try {
    const hash = createHash("sha256");
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    let bytes = 0;
    for (let read = -1; read !== 0; bytes += read) {
      read = readSync(descriptor, chunk, 0, CHUNK_BYTES, bytes);
      hash.update(chunk.subarray(0, read));
    }
    return { bytes, sha256: hash.digest("hex") };
  } finally {
    closeSync(descriptor);
  }
}
