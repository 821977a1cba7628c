// What is said of calls once they are over and no manifest has, as the audit chain has it: tags (kind `tagged`), and who has said
// to have a recording (kind `collected`). Takes into an index what the chain has beyond what the index took from it last. Taking
// the same entries again, up to the end, changes nothing.
import { statSync } from "node:fs";
import { join } from "node:path";
import type { Database } from "better-sqlite3";
import { type CallId, isCallId } from "../../base/ids.js";
import type { AuditEntry } from "../../contract/audit.js";
import { TAG_PATTERN } from "../../contract/listing.js";
import { auditFolder, listAuditFiles, parseEntry, readLines } from "../audit-files.js";
import type { EntryWriter } from "./entry-writer.js";

export interface TagChange {
  added: readonly string[];
  removed: readonly string[];
}

/** Somebody has said to have a call's recording, or no longer. */
export interface Collection {
  /** A token's name. */
  by: string;
  /** ISO 8601 UTC. */
  at: string;
  /** Of the audio file as it is stored, which they have. */
  sha256: string;
  isWithdrawn: boolean;
}

interface Place {
  /** "" = nothing was taken yet. */
  file: string;
  /** Of a line that was taken: it is read again. */
  offset: number;
}

type Change = (writer: EntryWriter) => void;

/** Lines of the chain read in one go: some milliseconds. */
const BATCH_LINES = 2048;
/** As it was called when there were but tags. */
const NOTE = "tags";
const MAX_TOKEN_NAME = 64;

const KINDS: readonly { member: Buffer; changeOf(entry: AuditEntry, call: CallId): Change | undefined }[] = [
  { member: Buffer.from('"kind":"tagged"'), changeOf: tagChange },
  { member: Buffer.from('"kind":"collected"'), changeOf: collection },
];

export class MarkTrail {
  readonly #database: Database;
  readonly #writer: EntryWriter;
  readonly #dataFolder: string;

  constructor(database: Database, writer: EntryWriter, dataFolder: string) {
    this.#database = database;
    this.#writer = writer;
    this.#dataFolder = dataFolder;
  }

  /** One step a batch of lines. Of calls that the index lacks, or that were deleted, nothing is taken. Throws file system errors. */
  *steps(): Generator<void, void> {
    const from = this.#taken();
    for (const file of listAuditFiles(this.#dataFolder)) {
      if (file < from.file) continue;
      const path = join(auditFolder(this.#dataFolder), file);
      const { size } = statSync(path);
      // A file that is shorter than it was is another one.
      yield* this.#takeFile(file, file === from.file && from.offset < size ? from.offset : 0);
    }
  }

  /** The index has all of them, as whoever calls it knows. */
  mark(): void {
    const file = listAuditFiles(this.#dataFolder).at(-1);
    if (file === undefined) return;
    this.#note({ file, offset: Math.max(0, statSync(join(auditFolder(this.#dataFolder), file)).size - 1) });
  }

  *#takeFile(file: string, from: number): Generator<void, void> {
    let found: Change[] = [];
    let offset = from;
    let lines = 0;
    const take = (): void =>
      this.#writer.transaction(() => {
        for (const change of found) change(this.#writer);
        this.#note({ file, offset });
        found = [];
      });
    for (const { bytes, isWhole, ...line } of readLines(join(auditFolder(this.#dataFolder), file), from)) {
      if (!isWhole) break;
      offset = line.offset;
      const change = changeOf(bytes);
      if (change !== undefined) found.push(change);
      if (++lines % BATCH_LINES !== 0) continue;
      take();
      yield;
    }
    take();
    yield;
  }

  #taken(): Place {
    const row = this.#database.prepare("SELECT value FROM meta WHERE name = ?").get(NOTE) as
      | { value: string }
      | undefined;
    const [file = "", offset = "0"] = row?.value.split(" ") ?? [];
    return { file, offset: Number(offset) };
  }

  #note({ file, offset }: Place): void {
    this.#database.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)").run(NOTE, `${file} ${offset}`);
  }
}

function changeOf(bytes: Buffer): Change | undefined {
  const kind = KINDS.find(({ member }) => bytes.includes(member));
  const entry = kind && parseEntry(bytes);
  if (entry?.call === undefined || !isCallId(entry.call)) return undefined;
  return kind!.changeOf(entry, entry.call);
}

function tagChange({ kind, detail }: AuditEntry, call: CallId): Change | undefined {
  if (kind !== "tagged") return undefined;
  const change = { added: tagsIn(detail["added"]), removed: tagsIn(detail["removed"]) };
  return (writer) => writer.changeTags(call, change);
}

function tagsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((tag) => typeof tag === "string" && TAG_PATTERN.test(tag)) : [];
}

function collection({ kind, at, detail }: AuditEntry, call: CallId): Change | undefined {
  const { by, sha256, withdrawn } = detail;
  if (kind !== "collected" || typeof by !== "string" || by === "" || by.length > MAX_TOKEN_NAME) return undefined;
  const said: Collection = { by, at, sha256: String(sha256), isWithdrawn: withdrawn === true };
  return (writer) => writer.collect(call, said);
}
