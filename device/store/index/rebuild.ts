// Makes an index out of the files, beside the one in use and beside a running service: a database of its own that nobody opens
// until it is whole, says so, and is adopted (call-index.ts). Killed at any moment it leaves the old one as it was.
import Sqlite, { type Database } from "better-sqlite3";
import type { CallId } from "../../base/ids.js";
import type { NumberRules } from "../../call/numbers.js";
import type { RecordingPaths } from "../recording-paths.js";
import { adoptRules, CatchUp, type CatchUpProgress } from "./catch-up.js";
import { openForBuilding, UnusableIndex } from "./database.js";
import { type DeliveryState, EntryWriter } from "./entry-writer.js";
import { IndexFiles } from "./index-files.js";
import { MarkTrail } from "./mark-trail.js";
import { SCHEMA_VERSION, versionOf } from "./schema.js";
import { IndexSources } from "./sources.js";

export interface RebuildProgress extends CatchUpProgress {
  /** Call logs, manifests and tombstones that were read. */
  files: number;
  /** Lines and manifests that say nothing that can be read. */
  unreadable: number;
}

const WHOLE = "whole";

export class IndexRebuild {
  /** Of the database, for `CallIndex.adopt`. */
  readonly name: CallId;
  readonly #files: IndexFiles;
  readonly #path: string;
  readonly #database: Database;
  readonly #sources: IndexSources;
  readonly #catchUp: CatchUp;
  readonly #marks: MarkTrail;

  /** Throws file system errors. */
  constructor(paths: RecordingPaths, numbers: NumberRules) {
    this.#files = new IndexFiles(paths.dataFolder);
    this.#files.removeAbandoned();
    const { name, path } = this.#files.createPartial();
    this.name = name;
    this.#path = path;
    this.#database = openForBuilding(path);
    const writer = new EntryWriter(this.#database, numbers);
    this.#sources = new IndexSources(paths);
    this.#catchUp = new CatchUp(this.#database, writer, this.#sources);
    this.#marks = new MarkTrail(this.#database, writer, paths.dataFolder);
    adoptRules(this.#database, numbers);
  }

  /** One step a batch. Whole and closed when it is through; then to be adopted. Throws what SQLite or the file system say. */
  *steps(): Generator<RebuildProgress, RebuildProgress> {
    let progress: CatchUpProgress = { calls: 0, doneBytes: 0, totalBytes: 0 };
    for (progress of this.#catchUp.steps()) yield this.#with(progress);
    for (const _ of this.#marks.steps()) yield this.#with(progress);
    const checked = this.#database.pragma("quick_check(1)", { simple: true });
    if (checked !== "ok") throw new UnusableIndex(`what was built is damaged: ${String(checked)}`);
    this.#database.prepare("INSERT OR REPLACE INTO meta VALUES (?, '1')").run(WHOLE);
    this.#database.close();
    return this.#with(progress);
  }

  /** It was not adopted, or will not be: nothing is left of it. */
  giveUp(): void {
    this.#database.close();
    this.#files.remove(this.#path);
  }

  #with(progress: CatchUpProgress): RebuildProgress {
    const { filesRead, unreadable } = this.#sources;
    return { ...progress, files: filesRead, unreadable };
  }
}

/** Takes what no file says into a database that was built. Throws UnusableIndex for one that is not whole. */
export function prepareAdoption(path: string, old: Database | undefined, numbers: NumberRules): void {
  const database = new Sqlite(path, { fileMustExist: true });
  try {
    const isKnown = versionOf(database) === SCHEMA_VERSION;
    if (!isKnown || database.prepare("SELECT 1 FROM meta WHERE name = ?").get(WHOLE) === undefined)
      throw new UnusableIndex("it is not whole, or of another version");
    if (old === undefined) return;
    const rows = old.prepare(
      "SELECT c.id, d.target, d.state, d.attempts, d.at_us AS atUs, d.note FROM deliveries d JOIN calls c ON c.pk = d.call",
    );
    const writer = new EntryWriter(database, numbers);
    writer.transaction(() => {
      for (const row of rows.iterate()) {
        const { id, ...delivery } = row as DeliveryState & { id: CallId };
        writer.setDelivery(id, delivery);
      }
    });
  } finally {
    database.close();
  }
}
