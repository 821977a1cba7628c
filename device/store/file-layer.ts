// The file system as publishing needs it: the single steps whose order makes it safe to be killed at any moment. Tests
// put another layer in its place that stops at each step.
import { mkdir, open, rename, rm } from "node:fs/promises";

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

export const diskFiles: FileLayer = {
  async write(path, bytes) {
    const file = await open(path, "w", FILE_MODE);
    try {
      await file.writeFile(bytes);
    } finally {
      await file.close();
    }
  },
  async sync(path) {
    const file = await open(path, "r");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  },
  rename: (from, to) => rename(from, to),
  makeFolder: (path) => mkdir(path, { recursive: true, mode: FOLDER_MODE }),
  remove: (path) => rm(path, { force: true }),
};
