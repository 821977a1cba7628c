// `locked-journals/`: the runs that this box can no longer read, and what was noted of each when it was put aside (`locked.json`
// in its folder). Which runs go there is device/locked-runs.ts's to decide.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { CallId } from "../base/ids.js";
import { replaceDurably } from "./durable-file.js";

export const LOCKED_FOLDER = "locked-journals";
const LOCKED_FILE = "locked.json";
const LOCKED_SCHEMA = "sidetone.locked-journal/1";
const FILE_MODE = 0o600;

export interface LockedRun {
  schema: typeof LOCKED_SCHEMA;
  run: string;
  /** The box's name. */
  device: string;
  lockedAt: string;
  /** Calls whose audio is here and nowhere else; what else the journal holds was stored, or deleted, before. */
  calls: CallId[];
}

/** Durable when it returns. Throws file system errors. */
export function writeLockedRun(folder: string, locked: Omit<LockedRun, "schema">): void {
  replaceDurably(join(folder, LOCKED_FILE), JSON.stringify({ schema: LOCKED_SCHEMA, ...locked }), FILE_MODE);
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
