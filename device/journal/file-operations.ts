// The few file operations that the journal's writer needs, as one object, so that tests can refuse a write where a disk
// would. Adds nothing to node:fs.
import { closeSync, fdatasync, mkdirSync, openSync, unlinkSync, writevSync } from "node:fs";

export interface FileOperations {
  mkdirSync(path: string, options: { mode: number }): unknown;
  openSync(path: string, flags: string, mode?: number): number;
  /** Writes the buffers one after another from `position` on; returns the bytes written, which may be fewer. */
  writevSync(fd: number, buffers: Buffer[], position: number): number;
  fdatasync(fd: number, done: (error: Error | null) => void): void;
  closeSync(fd: number): void;
  unlinkSync(path: string): void;
}

export const nodeFileOperations: FileOperations = {
  mkdirSync,
  openSync,
  writevSync,
  fdatasync,
  closeSync,
  unlinkSync,
};
