// The index for a command beside the service, or without one: opened for reading only, by the rules by which it was written.
import type { Database } from "better-sqlite3";
import { SidetoneError } from "../../base/errors.js";
import type { NumberRules } from "../../call/numbers.js";
import { openForReading } from "./database.js";
import { IndexFiles } from "./index-files.js";
import { CallListing } from "./listing.js";

/**
 * What `work` makes of the listing. Throws SidetoneError `index-missing` or `index-unusable`, which say what to do, and what
 * `work` throws.
 */
export function readIndex<Result>(dataFolder: string, work: (listing: CallListing) => Result): Result {
  const path = reading(() => new IndexFiles(dataFolder).newest());
  if (path === undefined)
    throw new SidetoneError("index-missing", `${dataFolder} has no index of calls: run sidetoned reindex`);
  const database = reading(() => openForReading(path));
  try {
    const listing = new CallListing(
      database,
      reading(() => rulesOf(database)),
    );
    return work(listing);
  } catch (error) {
    throw isOfSqlite(error) ? unusable(error) : error;
  } finally {
    database.close();
  }
}

function reading<Value>(work: () => Value): Value {
  try {
    return work();
  } catch (error) {
    throw unusable(error);
  }
}

function rulesOf(database: Database): NumberRules {
  const row = database.prepare("SELECT value FROM meta WHERE name = 'rules'").get() as { value: string } | undefined;
  if (row === undefined) throw new Error("it is empty");
  return JSON.parse(row.value) as NumberRules;
}

function isOfSqlite(error: unknown): boolean {
  return String((error as { code?: unknown })?.code).startsWith("SQLITE_");
}

function unusable(error: unknown): SidetoneError {
  const why = error instanceof Error ? error.message : String(error);
  return new SidetoneError("index-unusable", `the index of calls cannot be used (${why}): run sidetoned reindex`);
}
