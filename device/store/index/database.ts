// Opening the index's database: for writing (one process: whoever has the data folder), for reading beside it, for building.
// Brings an older one to the present form, with a backup; says of one that cannot be used why.
import Sqlite, { type Database } from "better-sqlite3";
import type { IndexFiles } from "./index-files.js";
import { migrate, SCHEMA_VERSION, versionOf } from "./schema.js";

/** Readers never keep the writer waiting; a backup by a person's own tool may. */
const BUSY_MS = 1000;
const CACHE_KIB = 8192;
const MAX_WAL_BYTES = 64 * 1024 * 1024;
const DAMAGE_CODES = /^SQLITE_(?:CORRUPT|NOTADB|FORMAT)/;

/** The database cannot be used as it is, and is to be made anew. */
export class UnusableIndex extends Error {}

/** Throws UnusableIndex, or what SQLite or the file system say. */
export function openForWriting(path: string, files: IndexFiles): Database {
  return opening(new Sqlite(path, { timeout: BUSY_MS }), (database) => {
    prepare(database);
    database.pragma("journal_mode = WAL");
    database.pragma("synchronous = NORMAL");
    database.pragma(`journal_size_limit = ${MAX_WAL_BYTES}`);
    const version = versionOf(database);
    if (version > SCHEMA_VERSION)
      throw new UnusableIndex(`it is of version ${version}, this program knows ${SCHEMA_VERSION}`);
    if (version > 0 && version < SCHEMA_VERSION)
      database.prepare("VACUUM INTO ?").run(files.createBackup(path, version));
    if (version < SCHEMA_VERSION) migrate(database);
    if (database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() === undefined)
      throw new UnusableIndex("its tables are missing");
  });
}

/** A database that nobody else opens and that is thrown away if the process is killed: without a log, without syncing. */
export function openForBuilding(path: string): Database {
  return opening(new Sqlite(path), (database) => {
    prepare(database);
    database.pragma("journal_mode = OFF");
    database.pragma("synchronous = OFF");
    database.pragma("cache_size = -65536");
    migrate(database);
  });
}

/** Throws UnusableIndex for one that is not of this program's version. */
export function openForReading(path: string): Database {
  return opening(new Sqlite(path, { readonly: true, fileMustExist: true, timeout: BUSY_MS }), (database) => {
    const version = versionOf(database);
    if (version !== SCHEMA_VERSION)
      throw new UnusableIndex(`it is of version ${version}, this program reads ${SCHEMA_VERSION}`);
  });
}

/** Whether an error says that the database itself is damaged. */
export function isDamage(error: unknown): boolean {
  return error instanceof UnusableIndex || DAMAGE_CODES.test(String((error as { code?: unknown })?.code));
}

/** Numbers that were erased are not to stay in pages that are no longer used. */
function prepare(database: Database): void {
  database.pragma("secure_delete = ON");
  database.pragma("foreign_keys = OFF");
  database.pragma("temp_store = MEMORY");
  database.pragma(`cache_size = -${CACHE_KIB}`);
}

function opening(database: Database, work: (database: Database) => void): Database {
  try {
    work(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
