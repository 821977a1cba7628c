// Where the index lies: `<data>/index/<ULID>.sqlite`, the newest name counts. A database never takes another one's name, so
// that no write-ahead log of an earlier one can be taken for its own. Beside it: `.sqlite.partial` while one is being built,
// `.backup` before a migration, `.damaged` what could not be used. All for the owner only.
import { closeSync, existsSync, openSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../base/clock.js";
import { type CallId, isCallId, makeCallId } from "../../base/ids.js";
import { makeFolders, syncFolder } from "../durable-file.js";

const SUFFIX = ".sqlite";
/** One that is being built is not touched for so long: it may be another process's. */
const MAX_BUILD_MS = 24 * 3600_000;
/** A build writes every few seconds, and is then adopted within minutes. */
const ABANDONED_MS = 900_000;
/** What SQLite puts beside a database. */
const COMPANIONS = ["", "-wal", "-shm", "-journal"];

export class IndexFiles {
  readonly folder: string;

  constructor(dataFolder: string) {
    this.folder = join(dataFolder, "index");
  }

  /** The index's path, if there is one. Throws file system errors. */
  newest(): string | undefined {
    const name = this.#names()
      .filter((candidate) => candidate.endsWith(SUFFIX) && isCallId(candidate.slice(0, -SUFFIX.length)))
      .sort()
      .at(-1);
    return name === undefined ? undefined : join(this.folder, name);
  }

  /** An empty file for a new index, of a name behind all others. */
  create(): string {
    const path = join(this.folder, `${this.#freshName()}${SUFFIX}`);
    this.#makeEmpty(path);
    return path;
  }

  /** An empty file for one that is to be built, and its name for `adopt`. */
  createPartial(): { name: CallId; path: string } {
    const name = this.#freshName();
    const path = this.partial(name);
    this.#makeEmpty(path);
    return { name, path };
  }

  partial(name: CallId): string {
    if (!isCallId(name)) throw new RangeError("an index's name is a ULID");
    return join(this.folder, `${name}${SUFFIX}.partial`);
  }

  /** Builds that were given up: not touched for ABANDONED_MS. */
  removeAbandoned(): void {
    this.#removeAll((name) => name.includes(`${SUFFIX}.partial`) && this.#isOlderThan(name, ABANDONED_MS));
  }

  hasPartial(name: CallId): boolean {
    return existsSync(this.partial(name));
  }

  /** From now on it is the index, durably. It is closed, and has no write-ahead log. */
  adopt(name: CallId): string {
    const path = join(this.folder, `${this.#freshName()}${SUFFIX}`);
    // It was built without syncing.
    syncFolder(this.partial(name));
    renameSync(this.partial(name), path);
    syncFolder(this.folder);
    return path;
  }

  /** Only the newest is kept of those that were set aside. */
  setAside(path: string): void {
    this.#removeAll((name) => name.includes(`${SUFFIX}.damaged`));
    for (const companion of COMPANIONS) {
      if (existsSync(path + companion)) renameSync(path + companion, `${path}.damaged${companion}`);
    }
    syncFolder(this.folder);
  }

  /** An empty file for a database as it was before its migration; an earlier backup goes. */
  createBackup(path: string, version: number): string {
    this.#removeAll((name) => name.endsWith(".backup"));
    const backup = `${path}.v${version}.backup`;
    this.#makeEmpty(backup);
    return backup;
  }

  remove(path: string): void {
    for (const companion of COMPANIONS) rmSync(path + companion, { force: true });
  }

  /** Everything that is neither the index nor what is kept beside it: what was replaced, and builds that were given up. */
  removeLeftovers(newest: string): void {
    const kept = COMPANIONS.map((companion) => newest + companion);
    this.#removeAll((name) => {
      if (kept.includes(join(this.folder, name)) || name.includes(".damaged") || name.endsWith(".backup")) return false;
      return !name.includes(`${SUFFIX}.partial`) || this.#isOlderThan(name, MAX_BUILD_MS);
    });
  }

  #isOlderThan(name: string, ageMs: number): boolean {
    const stats = statSync(join(this.folder, name), { throwIfNoEntry: false });
    return stats !== undefined && Date.now() - stats.mtimeMs > ageMs;
  }

  #removeAll(isMeant: (name: string) => boolean): void {
    for (const name of this.#names()) if (isMeant(name)) rmSync(join(this.folder, name), { force: true });
  }

  #names(): string[] {
    try {
      return readdirSync(this.folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  /** By the clock; where that was set back, behind the newest all the same. */
  #freshName(): CallId {
    const newest = this.#names()
      .map((name) => name.slice(0, 26))
      .filter(isCallId)
      .sort()
      .at(-1);
    const name = makeCallId(systemClock.nowUs());
    return newest === undefined || name > newest ? name : successor(newest);
  }

  #makeEmpty(path: string): void {
    makeFolders(this.folder);
    closeSync(openSync(path, "wx", 0o600));
  }
}

const LAST_DIGIT = "Z";
const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The next ULID. */
function successor(id: CallId): CallId {
  const trailing = /Z*$/.exec(id)![0].length;
  const at = id.length - trailing - 1;
  const next = DIGITS[DIGITS.indexOf(id[at]!) + 1] ?? LAST_DIGIT;
  return `${id.slice(0, at)}${next}${"0".repeat(trailing)}` as CallId;
}
