// Folders, and small files that are either whole or not there, for the time before the store is open. Synchronous. Throws
// the file system's errors as they come.
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a folder and its parents, durably and for the owner only, unless they are there. Node's own recursive mkdir never
 * returns below a parent that exists and says ENOENT all the same, as /proc does.
 */
export function makeFolders(path: string): void {
  try {
    makeFolder(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && statSync(path).isDirectory()) return;
    const parent = dirname(path);
    if (code !== "ENOENT" || parent === path || existsSync(parent)) throw error;
    makeFolders(parent);
    makeFolder(path);
  }
}

function makeFolder(path: string): void {
  mkdirSync(path, { mode: 0o700 });
  try {
    syncFolder(dirname(path));
  } catch (error) {
    // A parent that may be written and not be read, as for a drop box, cannot be synced by us.
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
  }
}

/** Replaces the file in one step. `prepare`: as of createDurably. */
export function replaceDurably(
  path: string,
  content: string | Uint8Array,
  mode: number,
  prepare?: (temporary: string) => void,
): void {
  const temporary = writeBeside(path, content, mode);
  try {
    prepare?.(temporary);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(dirname(path));
}

/**
 * Makes the file; EEXIST when it is there already, and then it is left as it was. `prepare`: what is still to be done to
 * it, at its temporary path, before it is there.
 */
export function createDurably(path: string, text: string, mode: number, prepare?: (temporary: string) => void): void {
  const temporary = writeBeside(path, text, mode);
  try {
    prepare?.(temporary);
    linkSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  syncFolder(dirname(path));
}

export function syncFolder(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function writeBeside(path: string, content: string | Uint8Array, mode: number): string {
  const temporary = `${path}.${process.pid}.partial`;
  const descriptor = openSync(temporary, "w", mode);
  try {
    fchmodSync(descriptor, mode);
    writeFileSync(descriptor, content);
    fsyncSync(descriptor);
  } catch (error) {
    // On a full disk half a file would lie there until another process of the same number comes by.
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
  return temporary;
}
