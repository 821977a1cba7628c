// The few file operations that the journal's writer needs, as one object, so that tests can refuse a write where a disk
// would. Adds nothing to node:fs but, where engine and service are two users, the group's rights.
import { closeSync, fdatasync, mkdirSync, openSync, readSync, renameSync, unlinkSync, writevSync } from "node:fs";

export interface FileOperations {
  mkdirSync(path: string, options: { mode: number }): unknown;
  openSync(path: string, flags: string, mode?: number): number;
  /** Bytes read from `position` on into target[at..at + length); 0 at the file's end. */
  readSync(fd: number, target: Buffer, at: number, length: number, position: number): number;
  /** Writes the buffers one after another from `position` on; returns the bytes written, which may be fewer. */
  writevSync(fd: number, buffers: Buffer[], position: number): number;
  fdatasync(fd: number, done: (error: Error | null) => void): void;
  closeSync(fd: number): void;
  renameSync(from: string, to: string): void;
  unlinkSync(path: string): void;
}

export const nodeFileOperations: FileOperations = {
  mkdirSync,
  openSync,
  readSync,
  writevSync,
  fdatasync,
  closeSync,
  renameSync,
  unlinkSync,
};

const GROUP_READS_AND_WRITES = 0o060;
const GROUP_DOES_ALL = 0o070;

/** Of an engine with a user of its own: the service, which is in its group, reads what it writes, takes calls out of it, removes it. */
export const groupFileOperations: FileOperations = {
  ...nodeFileOperations,
  mkdirSync: (path, { mode }) => mkdirSync(path, { mode: mode | GROUP_DOES_ALL }),
  openSync: (path, flags, mode) =>
    openSync(path, flags, mode === undefined ? undefined : mode | GROUP_READS_AND_WRITES),
};
