// `locked-journals/`: the runs that this box can no longer read, and what was noted of each when it was put aside (`locked.json`
// in its folder: with the hashes of all other files there, its own is in the audit chain). Which runs go there is device/locked-runs.ts's to decide.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import type { CallId } from "../base/ids.js";
import { sha256Of } from "../base/sha256.js";
import type { AuditEntryInput } from "../contract/audit.js";
import { replaceDurably } from "./durable-file.js";
import { sha256OfFile } from "./file-hash.js";

export const LOCKED_FOLDER = "locked-journals";
export const LOCKED_FILE = "locked.json";
const LOCKED_SCHEMA = "sidetone.locked-journal/1";
const FILE_MODE = 0o600;

/** One of the run's files as it was when the run was put aside, or a call taken out of it. */
export interface LockedFile {
  name: string;
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

export interface LockedRun {
  schema: typeof LOCKED_SCHEMA;
  run: string;
  /** The box's name. */
  device: string;
  lockedAt: string;
  /** Calls whose audio is here and nowhere else; what else the journal holds was stored, or deleted, before. */
  calls: CallId[];
  /** Absent where the run was put aside by an earlier version. */
  files?: LockedFile[];
}

/**
 * Notes the run with what its files are now, reading all of them; what the audit chain is to be told. Durable when it returns.
 * Throws file system errors.
 */
export function writeLockedRun(folder: string, locked: Omit<LockedRun, "schema" | "files">): AuditEntryInput {
  const { run, device, lockedAt, calls } = locked;
  const names = namesIn(folder).filter((name) => name !== LOCKED_FILE && !name.endsWith(".partial"));
  const files = names.map((name): LockedFile => {
    const path = join(folder, name);
    return { name, bytes: statSync(path).size, sha256: sha256OfFile(path) };
  });
  const text = JSON.stringify({ schema: LOCKED_SCHEMA, run, device, lockedAt, calls, files });
  replaceDurably(join(folder, LOCKED_FILE), text, FILE_MODE);
  return entryOf(run, calls.length, sha256Of(text));
}

/** What the audit chain is to be told of a run of which nothing is left. */
export function goneLockedRun(folder: string): AuditEntryInput {
  return entryOf(basename(folder), 0, "");
}

function entryOf(run: string, calls: number, sha256: string): AuditEntryInput {
  return { kind: "locked", actor: "service", detail: { run, calls, sha256 } };
}

/** What was noted of the run when it was locked, if it was. */
export function readLockedRun(folder: string): LockedRun | undefined {
  try {
    const locked = JSON.parse(readFileSync(join(folder, LOCKED_FILE), "utf8")) as LockedRun;
    return locked.schema === LOCKED_SCHEMA && Array.isArray(locked.calls) ? locked : undefined;
  } catch {
    return undefined;
  }
}

export interface ListedRun {
  folder: string;
  /** Undefined when what was noted of it cannot be read. */
  locked: LockedRun | undefined;
  bytes: number;
}

/** All locked runs of a data folder, oldest first. */
export function listLockedRuns(dataFolder: string): ListedRun[] {
  const root = join(dataFolder, LOCKED_FOLDER);
  const folders = namesIn(root).map((name) => join(root, name));
  return folders.filter(isFolder).map((folder) => {
    const bytes = namesIn(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
    return { folder, locked: readLockedRun(folder), bytes };
  });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
