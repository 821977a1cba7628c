// Writes a segment anew whose sync the disk has refused. The kernel drops the pages that it could not write, says so once, and
// takes them for written from then on (fsync(2), "errors"): a second sync of the same file succeeds and proves nothing. What
// can still be read of the file is copied to a fresh one, that is made durable and takes the name; places in it stay the same.
import type { FileOperations } from "./file-operations.js";

/** Read and written in one go: small enough to keep the packet path's pauses short. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Copies the `bytes` first bytes of the file at `path`, durably, to a new file that takes its name unless `isWanted` says
 * by then that the file is not needed any more. The folder is to be synced by the caller. Rejects with file system errors;
 * then the old file stays.
 */
export async function rewriteSegment(
  files: FileOperations,
  path: string,
  bytes: number,
  isWanted: () => boolean,
): Promise<void> {
  const temporary = `${path}.partial`;
  try {
    await copyDurably(files, path, temporary, bytes);
    if (isWanted()) files.renameSync(temporary, path);
    else files.unlinkSync(temporary);
  } catch (error) {
    try {
      files.unlinkSync(temporary);
    } catch {
      // It was not made, or goes with the run's folder.
    }
    throw error;
  }
}

async function copyDurably(files: FileOperations, from: string, to: string, bytes: number): Promise<void> {
  const source = files.openSync(from, "r");
  try {
    const target = files.openSync(to, "w", 0o600);
    try {
      await copy(files, source, target, bytes);
      await datasync(files, target);
    } finally {
      files.closeSync(target);
    }
  } finally {
    files.closeSync(source);
  }
}

async function copy(files: FileOperations, source: number, target: number, bytes: number): Promise<void> {
  const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, bytes));
  for (let at = 0; at < bytes; ) {
    const read = files.readSync(source, chunk, 0, Math.min(chunk.length, bytes - at), at);
    if (read === 0) return;
    for (let from = 0; from < read; ) {
      const written = files.writevSync(target, [chunk.subarray(from, read)], at + from);
      if (written === 0) throw Object.assign(new Error("nothing was written"), { code: "ENOSPC" });
      from += written;
    }
    at += read;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Makes what was written to the file durable. Rejects with the file system's error. */
export function datasync(files: FileOperations, descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    files.fdatasync(descriptor, (error) => (error ? reject(error) : resolve()));
  });
}
