// What the index's tests share: data folders full of calls, an index over them, and all that it has, in an order of its own.
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import type { NumberRules } from "../../../../device/call/numbers.js";
import { CallIndex, type CallIndexOptions } from "../../../../device/store/index/call-index.js";
import { CatchUp } from "../../../../device/store/index/catch-up.js";
import { openForBuilding } from "../../../../device/store/index/database.js";
import { EntryWriter } from "../../../../device/store/index/entry-writer.js";
import { IndexFiles } from "../../../../device/store/index/index-files.js";
import { MarkTrail } from "../../../../device/store/index/mark-trail.js";
import { IndexSources } from "../../../../device/store/index/sources.js";
import { RecordingPaths } from "../../../../device/store/recording-paths.js";

export const NUMBERS: NumberRules = {
  countryCode: "49",
  internationalPrefix: "00",
  nationalPrefix: "0",
  areaCode: "",
  outsideLinePrefix: "",
  shortestNumber: 7,
};
export const FIRST_US = Date.UTC(2026, 10, 1) * 1000;
export const DAY_US = 86_400e6;

export interface Said {
  faults: string[];
  notices: string[];
  recoveries: number;
}

export function makeDataFolder(): string {
  return mkdtempSync(join(tmpdir(), "sidetone-index-"));
}

export function openIndex(folder: string, options: Partial<CallIndexOptions> = {}): { index: CallIndex; said: Said } {
  const said: Said = { faults: [], notices: [], recoveries: 0 };
  const index = CallIndex.open(new RecordingPaths(folder), {
    numbers: NUMBERS,
    onFault: (message) => said.faults.push(message),
    onRecovery: () => said.recoveries++,
    onNotice: (message) => said.notices.push(message),
    ...options,
  });
  return { index, said };
}

/** The index of a folder, from its files alone, in memory. */
export function rebuilt(folder: string): Sqlite.Database {
  const database = openForBuilding(":memory:");
  const sources = new IndexSources(new RecordingPaths(folder));
  const writer = new EntryWriter(database, NUMBERS);
  for (const _ of new CatchUp(database, writer, sources).steps());
  for (const _ of new MarkTrail(database, writer, folder).steps());
  return database;
}

export function newestOf(folder: string): string {
  return new IndexFiles(folder).newest()!;
}

/** All that is derived from files alone, by names instead of keys: two indexes of the same files have the same. */
export function contentOf(database: Sqlite.Database): Record<string, unknown[]> {
  const all = (sql: string): unknown[] => database.prepare(sql).all();
  const byCall = (table: string): unknown[] =>
    all(`SELECT c.id AS of_call, t.* FROM ${table} t JOIN calls c ON c.pk = t.call ORDER BY c.id, t.rowid`);
  const byPlace = (table: string): Record<string, unknown>[] =>
    all(`SELECT c.id AS of_call, t.* FROM ${table} t JOIN calls c ON c.pk = t.call ORDER BY c.id, t.place`) as Record<
      string,
      unknown
    >[];
  return {
    calls: (all("SELECT * FROM calls ORDER BY id") as Record<string, unknown>[]).map(
      ({ facets: _, arrival: __, ...row }) => row,
    ),
    parties: byPlace("parties").map(({ number_facet: _, ...row }) => row),
    recordings: byCall("recordings"),
    evidence: byPlace("evidence"),
    facets: all("SELECT kind, value, backwards FROM facets ORDER BY kind, value"),
    postings: all(
      `SELECT f.kind, f.value, p.started_us, p.duration_ms, p.bits, c.id FROM postings p LEFT JOIN facets f ON f.id = p.facet
         LEFT JOIN calls c ON c.pk = p.call ORDER BY 1, 2, 3, 4`,
    ),
    strays: all(
      `SELECT call FROM parties WHERE call NOT IN (SELECT pk FROM calls)
         UNION ALL SELECT call FROM evidence WHERE call NOT IN (SELECT pk FROM calls)
         UNION ALL SELECT call FROM recordings WHERE call NOT IN (SELECT pk FROM calls)`,
    ),
  };
}

export function contentAt(path: string): Record<string, unknown[]> {
  const database = new Sqlite(path, { readonly: true });
  try {
    return contentOf(database);
  } finally {
    database.close();
  }
}

/** Makes a database as version 2 had it, with the same calls, out of one of the present version, which is closed. */
export function takeBackToVersion2(path: string): void {
  const database = new Sqlite(path);
  database.exec(`
    BEGIN;
    DROP INDEX calls_by_arrival;
    ALTER TABLE calls DROP COLUMN arrival;
    DELETE FROM meta WHERE name IN ('generation', 'arrival');
    DROP TABLE acknowledgements;
    UPDATE calls SET facets = (SELECT json_group_array(j.value) FROM json_each(calls.facets) j
      WHERE j.value NOT IN (SELECT id FROM facets WHERE kind = 'o'));
    DROP INDEX calls_by_time;
    ALTER TABLE calls DROP COLUMN bits;
    CREATE INDEX calls_by_time ON calls (started_us, pk, duration_ms);
    CREATE TABLE old (facet INTEGER NOT NULL, started_us INTEGER NOT NULL, call INTEGER NOT NULL,
      PRIMARY KEY (facet, started_us, call)) WITHOUT ROWID;
    INSERT INTO old SELECT facet, started_us, call FROM postings
      WHERE facet NOT IN (SELECT id FROM facets WHERE kind = 'o');
    DROP TABLE postings;
    ALTER TABLE old RENAME TO postings;
    DELETE FROM facets WHERE kind = 'o';
    PRAGMA user_version = 2;
    COMMIT;`);
  database.close();
}
