// Asks the data folder's file systems how much is free and whether they take writes. Reads and tries; decides nothing.
import { access, constants, open, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";

/** Whether a file system takes writes: `full` = not for want of space. */
export type DiskHealth = "ok" | "full" | "read-only" | "failing";

export interface FreeSpace {
  freeBytes: number;
  totalBytes: number;
  /** undefined where the file system has no fixed number (btrfs and others say 0). */
  freeInodes: number | undefined;
}

/** Parts of the data folder that may be mounts of their own. */
const PARTS = ["", "recordings", "journal"];
const PROBE_FILE = ".probe";
const PROBE_BYTES = 4096;

/** Of the data folder's file systems the one with the least free space. Rejects with the file system's error. */
export async function readFreeSpace(dataFolder: string): Promise<FreeSpace> {
  let least: FreeSpace | undefined;
  const seen = new Set<number>();
  for (const part of PARTS) {
    const path = join(dataFolder, part);
    const found = await stat(path).catch((error: unknown) => {
      // Not made yet.
      if (part !== "" && (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    });
    if (found === undefined || seen.has(found.dev)) continue;
    seen.add(found.dev);
    const { bavail, blocks, bsize, files, ffree } = await statfs(path);
    const space = { freeBytes: bavail * bsize, totalBytes: blocks * bsize, freeInodes: files > 0 ? ffree : undefined };
    if (least === undefined || space.freeBytes < least.freeBytes) least = space;
  }
  return least!;
}

/** Without writing: a file system that is mounted read-only refuses even root (access(2), EROFS). */
export async function isReadOnly(dataFolder: string): Promise<boolean> {
  for (const part of PARTS) {
    try {
      await access(join(dataFolder, part), constants.W_OK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EROFS") return true;
    }
  }
  return false;
}

/** Writes a little, durably, and removes it. */
export async function probeByWriting(dataFolder: string): Promise<DiskHealth> {
  const path = join(dataFolder, PROBE_FILE);
  try {
    const file = await open(path, "w", 0o600);
    try {
      await file.write(Buffer.alloc(PROBE_BYTES, 0x55));
      await file.sync();
    } finally {
      await file.close();
    }
    await rm(path);
    return "ok";
  } catch (error) {
    await rm(path, { force: true }).catch(() => {});
    return healthOf(error);
  }
}

/** What a refused write says of the disk. */
export function healthOf(error: unknown): DiskHealth {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") return "full";
  return code === "EROFS" ? "read-only" : "failing";
}
