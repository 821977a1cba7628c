// One sidetoned per data folder: `lock` names the process that has it. The lock of a dead process is taken over.
import { readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SidetoneError } from "../base/errors.js";
import { createDurably } from "./durable-file.js";
import { type Holder, isAlive, ownHolder } from "./process-holder.js";

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
  static take(dataFolder: string): FolderLock {
    const path = join(dataFolder, "lock");
    const text = `${JSON.stringify(ownHolder())}\n`;
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

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, startedAt } = JSON.parse(text) as Partial<Holder>;
    if (Number.isInteger(pid) && pid! > 0 && typeof startedAt === "string") return { pid: pid!, startedAt };
  } catch {
    // A lock that was cut off by a power failure has no living holder.
  }
  return undefined;
}

function inUse(dataFolder: string, holder: Holder): SidetoneError {
  return new SidetoneError(
    "data-in-use",
    `${dataFolder} is in use by process ${holder.pid}: stop it or choose another folder with --data`,
  );
}
