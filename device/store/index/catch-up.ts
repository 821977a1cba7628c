// Brings an index up to what the files have: goes through the days whose files look another way than when the index had all
// of them, the newest first. Interrupted, it goes on where it was; done twice, it changes nothing.
import type { Database } from "better-sqlite3";
import type { CallId } from "../../base/ids.js";
import type { NumberRules } from "../../call/numbers.js";
import type { IndexEntry } from "./entry.js";
import type { EntryWriter } from "./entry-writer.js";
import type { IndexSources } from "./sources.js";

/** Calls written in one go: some milliseconds, in which nothing else runs. */
const BATCH = 64;
const DAY_US = 86_400e6;

export interface CatchUpProgress {
  calls: number;
  /** Of the call logs of the days that are gone through. */
  doneBytes: number;
  totalBytes: number;
}

export class CatchUp {
  readonly #database: Database;
  readonly #writer: EntryWriter;
  readonly #sources: IndexSources;

  constructor(database: Database, writer: EntryWriter, sources: IndexSources) {
    this.#database = database;
    this.#writer = writer;
    this.#sources = sources;
  }

  /** Days of which the index may not have everything, or has what is there no longer; the newest first. */
  staleDays(): string[] {
    const known = this.#marks();
    const present = this.#sources.days();
    const stale = present.filter((day) => known.get(day) !== this.#sources.markOf(day));
    const isPresent = new Set(present);
    return [...stale, ...[...known.keys()].filter((day) => !isPresent.has(day))];
  }

  /** One step a batch: whoever goes through them decides what runs in between. */
  *steps(): Generator<CatchUpProgress, void> {
    const days = this.staleDays();
    const progress = {
      calls: 0,
      doneBytes: 0,
      totalBytes: days.reduce((sum, day) => sum + this.#sources.sizeOf(day), 0),
    };
    for (const day of days) {
      const { doneBytes } = progress;
      const readBefore = this.#sources.bytesRead;
      for (const calls of this.#indexDay(day)) {
        progress.calls += calls;
        progress.doneBytes = Math.min(progress.totalBytes, doneBytes + this.#sources.bytesRead - readBefore);
        yield progress;
      }
      progress.doneBytes = doneBytes + this.#sources.sizeOf(day);
      yield progress;
    }
  }

  /** The index has everything of these days as they are now, as whoever calls it knows. */
  mark(days: Iterable<string>): void {
    const statement = this.#database.prepare("INSERT OR REPLACE INTO days VALUES (?, ?)");
    for (const day of days) statement.run(day, this.#sources.markOf(day));
  }

  *#indexDay(day: string): Generator<number, void> {
    // What changes while it is read makes it look another way than this.
    const mark = this.#sources.markOf(day);
    const before = new Set(this.#callsOf(day));
    for (const batch of batches(this.#sources.read(day), BATCH)) {
      this.#writer.transaction(() => {
        for (const entry of batch) this.#writer.put(entry);
      });
      for (const { id } of batch) before.delete(id);
      yield batch.length;
    }
    this.#writer.transaction(() => {
      for (const id of before) this.#writer.remove(id);
      if (mark === "|") this.#database.prepare("DELETE FROM days WHERE day = ?").run(day);
      else this.#database.prepare("INSERT OR REPLACE INTO days VALUES (?, ?)").run(day, mark);
    });
  }

  #marks(): Map<string, string> {
    const rows = this.#database.prepare("SELECT day, mark FROM days ORDER BY day DESC").all() as {
      day: string;
      mark: string;
    }[];
    return new Map(rows.map(({ day, mark }) => [day, mark]));
  }

  #callsOf(day: string): CallId[] {
    const fromUs = Date.parse(`${day}T00:00:00Z`) * 1000;
    const rows = this.#database
      .prepare("SELECT id FROM calls INDEXED BY calls_by_time WHERE started_us >= ? AND started_us < ?")
      .all(fromUs, fromUs + DAY_US) as { id: CallId }[];
    return rows.map(({ id }) => id);
  }
}

/** How numbers were brought into one form when the index was written; others make every day stale. */
export function adoptRules(database: Database, rules: NumberRules): void {
  const text = JSON.stringify(rules);
  const row = database.prepare("SELECT value FROM meta WHERE name = 'rules'").get() as { value: string } | undefined;
  if (row?.value === text) return;
  database
    .transaction(() => {
      // A day without files has a mark of its own: none is left behind.
      database.prepare("UPDATE days SET mark = ''").run();
      database.prepare("INSERT OR REPLACE INTO meta VALUES ('rules', ?)").run(text);
    })
    .immediate();
}

function* batches(entries: Iterable<IndexEntry>, size: number): Generator<IndexEntry[], void> {
  let batch: IndexEntry[] = [];
  for (const entry of entries) {
    batch.push(entry);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
