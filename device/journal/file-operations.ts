// The few file operations that the journal's writer needs, as one object, so that tests can refuse a write where a disk
// would. Adds nothing to node:fs.
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
