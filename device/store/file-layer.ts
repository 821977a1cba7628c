// The file system as publishing needs it: the single steps whose order makes it safe to be killed at any moment. Tests
// put another layer in its place that stops at each step.
import { closeSync, fsync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";

/** Each operation rejects with the file system's error as it comes. */
export interface FileLayer {
  /** Replaces a file's content; only the owner may read it. Not durable before `sync`. */
  write(path: string, bytes: Buffer): Promise<void>;
  /** Makes a file's content, or a folder's entries, durable. */
  sync(path: string): Promise<void>;
  /** Replaces `to` in one step. */
  rename(from: string, to: string): Promise<void>;
  /** Makes a folder and its parents; the topmost one that was missing, or undefined when all were there. */
  makeFolder(path: string): Promise<string | undefined>;
  /** Removes a file that may be missing. */
  remove(path: string): Promise<void>;
}

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

const fsyncLater = promisify(fsync);

/**
 * Only what waits for the disk leaves this thread: opening, renaming and writing a few kilobytes into memory cost less
 * than handing them to another thread and being woken again.
 */
export const diskFiles: FileLayer = {
  async write(path, bytes) {
    writeFileSync(path, bytes, { mode: FILE_MODE });
  },
  async sync(path) {
    const descriptor = openSync(path, "r");
    try {
      await fsyncLater(descriptor);
    } finally {
      closeSync(descriptor);
    }
  },
  async rename(from, to) {
    renameSync(from, to);
  },
  async makeFolder(path) {
    return mkdirSync(path, { recursive: true, mode: FOLDER_MODE });
  },
  async remove(path) {
    rmSync(path, { force: true });
  },
};
