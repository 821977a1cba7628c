// One sidetoned per data folder: `lock` names the process that has it, by id and start time, so that a number which the
// kernel has given away again is not taken for it. The lock of a dead process is taken over.
import { readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SidetoneError } from "../base/errors.js";
import { createDurably } from "./durable-file.js";

interface Holder {
  pid: number;
  /** What the kernel says of the process's start; "" where it says nothing. */
  startedAt: string;
}

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
    const own: Holder = { pid: process.pid, startedAt: startOf(process.pid) ?? "" };
    const text = `${JSON.stringify(own)}\n`;
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

function isAlive(holder: Holder): boolean {
  const startedAt = startOf(holder.pid);
  if (startedAt !== undefined || holder.startedAt !== "") return startedAt === holder.startedAt;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Boot and start time of a living process in the kernel's words (proc(5)); undefined when it is gone or cannot be seen. */
function startOf(pid: number): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field, the name in brackets, may hold blanks; start time is the 22nd.
    const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    return `${boot} ${fields[19] ?? ""}`;
  } catch {
    return undefined;
  }
}

function inUse(dataFolder: string, holder: Holder): SidetoneError {
  return new SidetoneError(
    "data-in-use",
    `${dataFolder} is in use by process ${holder.pid}: stop it or choose another folder with --data`,
  );
}
