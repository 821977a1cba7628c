// The index of the running service: written with every call, never the reason why a call is not stored. What it missed (a crash,
// a full disk, calls of an earlier program) it takes from the files in the background; a database that cannot be used is set
// aside and made anew. Whoever has the data folder's lock is its only writer.
import type { Database } from "better-sqlite3";
import { type Clock, systemClock } from "../../base/clock.js";
import type { CallId } from "../../base/ids.js";
import type { NumberRules } from "../../call/numbers.js";
import type { CallLogLine } from "../../contract/manifest.js";
import type { DeletionReason } from "../../contract/tombstone.js";
import type { RecordingPaths } from "../recording-paths.js";
import { adoptRules, CatchUp } from "./catch-up.js";
import { isDamage, openForReading, openForWriting } from "./database.js";
import { type CallFiles, entryOf, type IndexEntry, redacted, usOfIso } from "./entry.js";
import { type DeliveryState, EntryWriter } from "./entry-writer.js";
import { IndexFiles } from "./index-files.js";
import { CallListing } from "./listing.js";
import { type Collection, MarkTrail, type TagChange } from "./mark-trail.js";
import { prepareAdoption } from "./rebuild.js";
import { IndexSources } from "./sources.js";

export interface CallIndexOptions {
  numbers: NumberRules;
  /** It cannot be read or written: one line, once until it can again. */
  onFault(message: string): void;
  onRecovery(): void;
  /** What a person should know, one line. */
  onNotice(message: string): void;
  clock?: Clock;
}

/** An index that failed is tried again so long after. */
const RETRY_MS = 30_000;
/** Days that were written to are looked at so often: one that did not change in between is complete. */
const SETTLE_MS = 60_000;
/** What a rehearsal really writes: a word that no reader asks for. */
const REHEARSAL = "self-test";
/** Tables that are checked after a crash, one at a time. */
const CHECKED_TABLES = [
  "calls",
  "parties",
  "recordings",
  "evidence",
  "facets",
  "postings",
  "tags",
  "deliveries",
  "acknowledgements",
];

interface Open {
  path: string;
  database: Database;
  writer: EntryWriter;
  catchUp: CatchUp;
  marks: MarkTrail;
  listing: CallListing;
}

export class CallIndex {
  readonly counters = { written: 0, failed: 0, rebuilt: 0 };
  readonly #files: IndexFiles;
  readonly #sources: IndexSources;
  readonly #dataFolder: string;
  readonly #options: CallIndexOptions;
  readonly #clock: Clock;
  #open: Open | undefined;
  #isFailing = false;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  /** Since it was opened: before that no day may be taken for complete. */
  #isCaughtUp = false;
  /** Days written to, with how they looked when they were looked at last. */
  #touched = new Map<string, string>();
  #settleAtMs = Number.NEGATIVE_INFINITY;
  #background: Promise<void> = Promise.resolve();

  private constructor(paths: RecordingPaths, options: CallIndexOptions) {
    this.#files = new IndexFiles(paths.dataFolder);
    this.#sources = new IndexSources(paths);
    this.#dataFolder = paths.dataFolder;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Never throws. What the files have more is being taken in when it returns. */
  static open(paths: RecordingPaths, options: CallIndexOptions): CallIndex {
    const index = new CallIndex(paths, options);
    index.#tryOpen();
    return index;
  }

  /** Undefined while it cannot be read. */
  get listing(): CallListing | undefined {
    return this.#open?.listing;
  }

  /** A call was logged, and its recording, if any, published. Never throws. */
  write(line: CallLogLine): void {
    this.#attempt(({ writer }) => {
      const entry = this.#sources.entryFor(line);
      if (entry === undefined) return;
      writer.transaction(() => writer.put(entry));
      this.counters.written++;
      this.#touch(line.startedAt.slice(0, 10));
    });
  }

  /** The call's recording was deleted: nothing stays that names anybody. Never throws. */
  markDeleted(id: CallId, reason: DeletionReason): void {
    this.#attempt(({ writer, listing }) => {
      const call = listing.find(id);
      if (call === undefined) return;
      const { tags: _, acknowledgements: __, ...entry } = call;
      writer.transaction(() => writer.redact(redacted({ ...entry, evidence: [] }, reason)));
      this.#touch(call.startedAt.slice(0, 10));
    });
  }

  /** Nothing of the call stays. Never throws. */
  remove(id: CallId): void {
    this.#attempt(({ writer }) => writer.transaction(() => writer.remove(id)));
  }

  /**
   * Whether it takes a call of these files, finds it as listings do, and its disk takes what is written: "", or what is wrong. The call
   * itself is written in a transaction that is rolled back: no reader ever sees it, no order of calls changes and nothing of it
   * is ever in the file. That the file takes writes, a word in `meta` proves: committed, synced, read by a connection of its
   * own, and removed. Never throws; an index that cannot do this is treated like one that cannot be written.
   */
  rehearse(files: CallFiles): string {
    const fault = this.#attempt((open) => {
      const entry = entryOf(files);
      return entry === undefined
        ? "it takes such a call for none"
        : this.#rehearseCall(open, entry) || this.#rehearseDisk(open, entry.id);
    });
    return fault ?? "it cannot be used at the moment";
  }

  /** What was overwritten stands nowhere any more: neither in the file nor in its write-ahead log. Never throws. */
  purge(): void {
    this.#attempt(({ database }) => database.pragma("wal_checkpoint(TRUNCATE)"));
  }

  /** False when there is no such call, or the index cannot be written. The audit chain has the change already. */
  changeTags(id: CallId, change: TagChange): boolean {
    return this.#attempt(({ writer }) => writer.transaction(() => writer.changeTags(id, change))) ?? false;
  }

  /** False when there is no such call, its recording is another or was deleted, or the index cannot be written. As for tags. */
  collect(id: CallId, collection: Collection): boolean {
    return this.#attempt(({ writer }) => writer.transaction(() => writer.collect(id, collection))) ?? false;
  }

  setDelivery(id: CallId, delivery: DeliveryState): boolean {
    return this.#attempt(({ writer }) => writer.transaction(() => writer.setDelivery(id, delivery))) ?? false;
  }

  /** Resolves when the index has everything that the files have, or cannot have it now. */
  caughtUp(): Promise<void> {
    return this.#background;
  }

  /**
   * A database that was built beside it (rebuild.ts) takes its place, with the deliveries of this one; what came in meanwhile it
   * takes from the files. Throws when it cannot: then this one stays.
   */
  adopt(name: CallId): void {
    prepareAdoption(this.#files.partial(name), this.#open?.database, this.#options.numbers);
    this.#shut();
    try {
      this.#files.adopt(name);
    } finally {
      this.#tryOpen();
    }
  }

  hasBuilt(name: CallId): boolean {
    return this.#files.hasPartial(name);
  }

  close(): void {
    this.#isClosed = true;
    if (this.#open && !this.#isFailing)
      this.#attempt(({ catchUp, marks, writer }) => {
        writer.transaction(() => {
          if (!this.#isCaughtUp) return;
          catchUp.mark(this.#touched.keys());
          marks.mark();
        });
        this.#note("clean", "1");
      });
    this.#shut();
  }

  #rehearseCall({ writer, listing }: Open, entry: IndexEntry): string {
    const undo = new Error("the rehearsal is over");
    let fault = "";
    try {
      writer.transaction(() => {
        writer.put(entry);
        const startedUs = usOfIso(entry.startedAt)!;
        const { calls } = listing.list({ fromUs: startedUs, toUs: startedUs + 1 });
        const found = calls.find(({ id }) => id === entry.id);
        if (found === undefined) fault = "it does not find the call that it has just taken";
        else if (found.recording?.sha256 !== entry.recording?.sha256 || found.durationMs !== entry.durationMs)
          fault = "it has the call otherwise than it was given";
        throw undo;
      });
    } catch (error) {
      if (error !== undo) throw error;
    }
    if (fault === "" && listing.find(entry.id) !== undefined) fault = "the call stays in it";
    return fault;
  }

  #rehearseDisk({ database, path }: Open, id: CallId): string {
    this.#note(REHEARSAL, id);
    database.pragma("wal_checkpoint(PASSIVE)");
    const reader = openForReading(path);
    try {
      const row = reader.prepare("SELECT value FROM meta WHERE name = ?").get(REHEARSAL);
      return (row as { value: string } | undefined)?.value === id ? "" : "what was written to it is not in its file";
    } finally {
      reader.close();
      database.prepare("DELETE FROM meta WHERE name = ?").run(REHEARSAL);
    }
  }

  #tryOpen(): void {
    try {
      this.#openNow();
    } catch (error) {
      this.#fail(error);
    }
  }

  #openNow(): void {
    const { numbers } = this.#options;
    const path = this.#files.newest() ?? this.#files.create();
    try {
      const database = openForWriting(path, this.#files);
      const writer = new EntryWriter(database, numbers);
      const catchUp = new CatchUp(database, writer, this.#sources);
      const marks = new MarkTrail(database, writer, this.#dataFolder);
      this.#open = { path, database, writer, catchUp, marks, listing: new CallListing(database, numbers) };
      adoptRules(database, numbers);
    } catch (error) {
      this.#shut();
      if (!isDamage(error)) throw error;
      this.#giveUp(path, error);
      this.#openNow();
      return;
    }
    this.#files.removeLeftovers(path);
    const wasClean = this.#noted("clean") !== "0";
    this.#begin(wasClean);
    this.#background = this.#takeIn(this.#open!, !wasClean);
  }

  /** Durably: what a power cut takes from here on must not look like an index that was closed in order. */
  #begin(wasClean: boolean): void {
    const { database, writer } = this.#open!;
    database.pragma("synchronous = FULL");
    writer.transaction(() => {
      this.#note("clean", "0");
      if (!wasClean) writer.arrivals.skip();
    });
    database.pragma("synchronous = NORMAL");
  }

  /** In the background: everything that is not done at once gives way to whatever else is to be done. */
  async #takeIn(open: Open, isToBeChecked: boolean): Promise<void> {
    await turn();
    const isOver = (): boolean => this.#isClosed || this.#open !== open;
    try {
      for (const table of isToBeChecked ? CHECKED_TABLES : []) {
        if (isOver()) return;
        checkTable(open.database, table);
        await turn();
      }
      for (const part of [open.catchUp, open.marks])
        for (const _ of part.steps()) {
          await turn();
          if (isOver()) return;
        }
      this.#isCaughtUp = true;
      this.#recovered();
    } catch (error) {
      if (!isOver()) this.#fail(error);
    }
  }

  #attempt<Result>(work: (open: Open) => Result): Result | undefined {
    if (this.#open === undefined) {
      if (this.#isClosed || this.#clock.monotonicMs() < this.#retryAtMs) return undefined;
      this.#tryOpen();
      if (this.#open === undefined) return undefined;
    }
    try {
      return work(this.#open);
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  /** It is closed until it is tried again; then the files tell what it missed. */
  #fail(error: unknown): void {
    this.counters.failed++;
    this.#retryAtMs = this.#clock.monotonicMs() + RETRY_MS;
    const path = this.#open?.path;
    this.#shut();
    try {
      if (path !== undefined && isDamage(error)) {
        this.#giveUp(path, error);
        this.#retryAtMs = Number.NEGATIVE_INFINITY;
      }
    } catch {
      // On a disk that takes nothing it stays where it is, and is found again.
    }
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#options.onFault(`the index of calls cannot be used: ${messageOf(error)}`);
  }

  #recovered(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#options.onRecovery();
  }

  #giveUp(path: string, error: unknown): void {
    this.counters.rebuilt++;
    this.#files.setAside(path);
    const what = `the index of calls cannot be used (${messageOf(error)})`;
    this.#options.onNotice(`${what}: it was set aside and is made anew out of manifests and call log`);
  }

  #shut(): void {
    const open = this.#open;
    this.#open = undefined;
    this.#isCaughtUp = false;
    this.#touched.clear();
    try {
      open?.database.close();
    } catch {
      // What could not be written is in the files.
    }
  }

  /** Days that look as they did a minute ago are complete: a crash need not go through them again. */
  #touch(day: string): void {
    if (!this.#touched.has(day)) this.#touched.set(day, "");
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#settleAtMs || !this.#isCaughtUp) return;
    this.#settleAtMs = nowMs + SETTLE_MS;
    const settled: string[] = [];
    for (const [touched, before] of this.#touched) {
      const now = this.#sources.markOf(touched);
      if (now === before) settled.push(touched);
      else this.#touched.set(touched, now);
    }
    if (settled.length === 0) return;
    this.#open!.catchUp.mark(settled);
    for (const one of settled) this.#touched.delete(one);
  }

  #note(name: string, value: string): void {
    this.#open!.database.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)").run(name, value);
  }

  #noted(name: string): string | undefined {
    const row = this.#open!.database.prepare("SELECT value FROM meta WHERE name = ?").get(name);
    return (row as { value: string } | undefined)?.value;
  }
}

function checkTable(database: Database, table: string): void {
  const rows = database.pragma(`quick_check(${table})`) as { quick_check: string }[];
  if (rows.length === 1 && rows[0]!.quick_check === "ok") return;
  throw Object.assign(new Error(`table ${table} is damaged: ${rows[0]?.quick_check}`), { code: "SQLITE_CORRUPT" });
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
