// One pull at a time in a folder: `.sidetone-pull/lock` names the process that has it. The lock of a dead process is taken over
// at once where the system says that it is dead, elsewhere (another computer, a process number given away again) when it has
// not been touched for a minute.

import { randomUUID } from "node:crypto";
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { HostError } from "../errors.js";

const TOUCH_MS = 10_000;
const STALE_MS = 60_000;
/** A lock without content is one that is being written, or that a crash has cut off. */
const UNWRITTEN_MS = 5000;
const MAX_ATTEMPTS = 5;

interface Holder {
  pid: number;
  host: string;
  /** What the kernel says of the process's start; "" where it says nothing. */
  startedAt: string;
  token: string;
}

export class FolderLock {
  readonly #path: string;
  readonly #text: string;
  readonly #timer: NodeJS.Timeout;

  private constructor(path: string, text: string, onLost: () => void) {
    this.#path = path;
    this.#text = text;
    this.#timer = setInterval(() => {
      if (this.#touch()) return;
      clearInterval(this.#timer);
      onLost();
    }, TOUCH_MS);
    this.#timer.unref();
  }

  /**
   * `onLost`: another process has taken the lock over, as after this one was asleep for long. Throws HostError `refused` while
   * another one has it; else file system errors.
   */
  static take(ownFolder: string, onLost: () => void = () => {}): FolderLock {
    const path = join(ownFolder, "lock");
    const holder: Holder = {
      ...{ pid: process.pid, host: hostname(), startedAt: startOf(process.pid) ?? "", token: randomUUID() },
    };
    const text = `${JSON.stringify(holder)}\n`;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (create(path, text)) return new FolderLock(path, text, onLost);
      const found = read(path);
      if (found === undefined) continue;
      const other = holderOf(found);
      if (isAlive(path, ownFolder, other)) throw inUse(ownFolder, other);
      setAside(path, found, holder.token);
    }
    throw inUse(ownFolder, undefined);
  }

  /** Gives the folder back, unless it is no longer ours. */
  release(): void {
    clearInterval(this.#timer);
    if (read(this.#path) === this.#text) rmSync(this.#path, { force: true });
  }

  #touch(): boolean {
    if (read(this.#path) !== this.#text) return false;
    try {
      utimesSync(this.#path, new Date(), new Date());
    } catch {
      // Seen at the next look.
    }
    return true;
  }
}

function create(path: string, text: string): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(path, "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  try {
    writeSync(descriptor, text);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
  return true;
}

/** Removes the lock that was found dead; one that another taker has put there meanwhile is put back. */
function setAside(path: string, found: string, token: string): void {
  const aside = `${path}.${token}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  const taken = read(aside);
  rmSync(aside, { force: true });
  if (taken !== undefined && taken !== found) create(path, taken);
}

function isAlive(path: string, ownFolder: string, holder: Holder | undefined): boolean {
  if (holder === undefined) return !isOlder(path, ownFolder, UNWRITTEN_MS);
  if (holder.host === hostname()) {
    const startedAt = startOf(holder.pid);
    if (startedAt !== undefined || holder.startedAt !== "") return startedAt === holder.startedAt;
    if (!isRunning(holder.pid)) return false;
  }
  return !isOlder(path, ownFolder, STALE_MS);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** By the file system's own clock, which may be another computer's. */
function isOlder(path: string, ownFolder: string, ageMs: number): boolean {
  const probe = join(ownFolder, `clock.${randomUUID()}`);
  try {
    closeSync(openSync(probe, "wx", 0o600));
    return statSync(probe).mtimeMs - statSync(path).mtimeMs > ageMs;
  } catch {
    return false;
  } finally {
    rmSync(probe, { force: true });
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function holderOf(text: string): Holder | undefined {
  try {
    const { pid, host, startedAt, token } = JSON.parse(text) as Partial<Holder>;
    const isWhole = Number.isInteger(pid) && pid! > 0 && typeof host === "string" && typeof startedAt === "string";
    return isWhole ? { pid: pid!, host: host!, startedAt: startedAt!, token: String(token) } : undefined;
  } catch {
    return undefined;
  }
}

/** Boot and start time of a living process in Linux' words (proc(5)); undefined when it is gone, or on another system. */
function startOf(pid: number): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field, the name in brackets, may hold blanks; start time is the 22nd.
    const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : `${boot} ${fields[19] ?? ""}`;
  } catch {
    return undefined;
  }
}

function inUse(ownFolder: string, holder: Holder | undefined): HostError {
  const who = holder === undefined ? "another sidetone pull" : `process ${holder.pid} on ${holder.host}`;
  return new HostError("refused", `${dirname(ownFolder)} is in use by ${who}: one pull at a time in a folder`);
}
