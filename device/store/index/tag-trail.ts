// Tags as the audit chain has them: every change is an entry (kind `tagged`), which no manifest says. Takes into an index what the
// chain has beyond what the index took from it last. Taking the same entries again, up to the end, changes nothing.
import { statSync } from "node:fs";
import { join } from "node:path";
import type { Database } from "better-sqlite3";
import { type CallId, isCallId } from "../../base/ids.js";
import { TAG_PATTERN } from "../../contract/listing.js";
import { auditFolder, listAuditFiles, parseEntry, readLines } from "../audit-files.js";
import type { EntryWriter } from "./entry-writer.js";

export interface TagChange {
  added: readonly string[];
  removed: readonly string[];
}

interface Place {
  /** "" = nothing was taken yet. */
  file: string;
  /** Of a line that was taken: it is read again. */
  offset: number;
}

/** Lines of the chain read in one go: some milliseconds. */
const BATCH_LINES = 2048;
const KIND = Buffer.from('"kind":"tagged"');
const NOTE = "tags";

export class TagTrail {
  readonly #database: Database;
  readonly #writer: EntryWriter;
  readonly #dataFolder: string;

  constructor(database: Database, writer: EntryWriter, dataFolder: string) {
    this.#database = database;
    this.#writer = writer;
    this.#dataFolder = dataFolder;
  }

  /** One step a batch of lines. Calls that the index lacks, or that were deleted, take no tags. Throws file system errors. */
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
    let found: { call: CallId; change: TagChange }[] = [];
    let offset = from;
    let lines = 0;
    const take = (): void =>
      this.#writer.transaction(() => {
        for (const { call, change } of found) this.#writer.changeTags(call, change);
        this.#note({ file, offset });
        found = [];
      });
    for (const { bytes, isWhole, ...line } of readLines(join(auditFolder(this.#dataFolder), file), from)) {
      if (!isWhole) break;
      offset = line.offset;
      const change = bytes.includes(KIND) ? changeOf(bytes) : undefined;
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

function changeOf(bytes: Buffer): { call: CallId; change: TagChange } | undefined {
  const entry = parseEntry(bytes);
  if (entry?.kind !== "tagged" || entry.call === undefined || !isCallId(entry.call)) return undefined;
  const { added, removed } = entry.detail;
  return { call: entry.call, change: { added: tagsIn(added), removed: tagsIn(removed) } };
}

function tagsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((tag) => typeof tag === "string" && TAG_PATTERN.test(tag)) : [];
}
