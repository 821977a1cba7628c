// One sidetoned per data folder: `lock` names the process that has it, and whether that is the service or a command, which
// gives it back when it has done its work. The lock of a dead process is taken over.
import { readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SidetoneError } from "../base/errors.js";
import { createDurably } from "./durable-file.js";
import { type Holder, isAlive, ownHolder, readHolder } from "./process-holder.js";

export type LockRole = "service" | "command";
type RoledHolder = Holder & { role: LockRole };

/** More takers at once than this are not waited for. */
const MAX_ATTEMPTS = 5;

export class FolderLock {
  readonly #path: string;
  readonly #text: string;

  private constructor(path: string, text: string) {
    this.#path = path;
    this.#text = text;
  }

  /** Throws SidetoneError `data-in-use` while another process has the folder; else file system errors. */
  static take(dataFolder: string, role: LockRole = "service"): FolderLock {
    const path = join(dataFolder, "lock");
    const text = `${JSON.stringify({ ...ownHolder(), role })}\n`;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (create(path, text)) return new FolderLock(path, text);
      const found = readLock(path);
      if (found === undefined) continue;
      const holder = parseHolder(found);
      if (holder !== undefined && isAlive(holder)) throw inUse(dataFolder, holder);
      setAside(path, found);
    }
    throw new SidetoneError("data-in-use", `${dataFolder} is being taken by several sidetoned at once`);
  }

  /** What has the folder now; undefined when nothing that lives has it. */
  static holder(dataFolder: string): LockRole | undefined {
    const found = readLock(join(dataFolder, "lock"));
    const holder = found === undefined ? undefined : parseHolder(found);
    return holder !== undefined && isAlive(holder) ? holder.role : undefined;
  }

  /** Gives the folder back, unless it is no longer ours. */
  release(): void {
    if (readLock(this.#path) === this.#text) rmSync(this.#path, { force: true });
  }
}

function create(path: string, text: string): boolean {
  try {
    createDurably(path, text, 0o600);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Removes the lock that was found dead; one that another taker has put there meanwhile is put back. */
function setAside(path: string, found: string): void {
  const aside = `${path}.${process.pid}.partial`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  const taken = readLock(aside);
  rmSync(aside, { force: true });
  if (taken !== undefined && taken !== found) create(path, taken);
}

function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function parseHolder(text: string): RoledHolder | undefined {
  const holder = readHolder(text);
  return holder && { ...holder, role: holder["role"] === "command" ? "command" : "service" };
}

function inUse(dataFolder: string, { pid, role }: RoledHolder): SidetoneError {
  const who = role === "command" ? `a command (process ${pid})` : `process ${pid}`;
  return new SidetoneError(
    "data-in-use",
    `${dataFolder} is in use by ${who}: stop it or choose another folder with --data`,
  );
}
