// The folders of the journal: a run's making and its removal, which runs there are, which segments a run has. Knows names
// only.
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { SidetoneError } from "../base/errors.js";
import { segmentNumber } from "./format.js";

const GROUP_MODE = 0o770;

/**
 * Makes a run's folder, and the journal's, so that they outlive a power cut. `forGroup`: an engine with a user of its own
 * writes there, whose group the journal's folder has. Throws file system errors.
 */
export function makeRun(folder: string, { forGroup = false } = {}): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (forGroup) chmodSync(folder, GROUP_MODE);
  syncFolder(dirname(folder));
  syncFolder(dirname(dirname(folder)));
}

/** Paths of the run folders in `journalFolder`, sorted by name; none when the folder does not exist yet. */
export function listRuns(journalFolder: string): string[] {
  try {
    const entries = readdirSync(journalFolder, { withFileTypes: true });
    const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    return names.sort().map((name) => join(journalFolder, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw unreadable(journalFolder, error);
  }
}

/** Numbers of the segments in a run's folder, ascending; other files are not looked at. Throws SidetoneError. */
export function listSegments(folder: string): number[] {
  try {
    const numbers = readdirSync(folder).map(segmentNumber);
    return numbers.filter((number) => number !== undefined).sort((a, b) => a - b);
  } catch (error) {
    throw unreadable(folder, error);
  }
}

/** Removes a run's folder with all that is in it; a folder that is gone already is no error. Throws SidetoneError. */
export function removeRun(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    const message = `cannot remove the journal folder ${folder}: ${reason(error)}. Check its owner and mode`;
    throw new SidetoneError("data-unwritable", message, { cause: error });
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function unreadable(folder: string, error: unknown): SidetoneError {
  const message = `cannot read the journal folder ${folder}: ${reason(error)}. Check its owner and mode`;
  return new SidetoneError("data-unwritable", message, { cause: error });
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
