// One age file opened into another file, or into a stream: constant memory, and nothing under the final name before all of it is
// there and checked.
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import type { Identity } from "../device/age/keys.js";
import { AgeFileError, AgeReader, type ByteSource, withFileBytes } from "../device/age/reader.js";
import { causeOf, HostError } from "./errors.js";

/** Some chunks of age's 64 KiB. */
const PIECE_BYTES = 1 << 20;
const STDOUT = 1;
const FULL_PIPE_WAIT_MS = 2;

/** Takes each piece before it returns or resolves; the piece is overwritten then. */
type PieceSink = (piece: Buffer) => void;

/** The content's length. Throws HostError: `file-unreadable` for what is no age file or not for these keys, `unproved` for damage. */
function decryptTo(path: string, identities: readonly Identity[], sink: PieceSink): number {
  try {
    return withFileBytes(path, (source) => readThrough(source, identities, sink));
  } catch (cause) {
    if (cause instanceof HostError) throw cause;
    if (cause instanceof AgeFileError)
      throw new HostError(cause.fault === "damaged" ? "unproved" : "file-unreadable", `${path}: ${cause.message}`, {
        cause,
      });
    throw new HostError("file-unreadable", `cannot read ${path} (${causeOf(cause)})`, { cause });
  }
}

/** The content's length. `target` is made for its owner only, and replaced only when `mayReplace`. Throws HostError. */
export function decryptFile(
  path: string,
  target: string,
  identities: readonly Identity[],
  mayReplace: boolean,
): number {
  const temporary = `${target}.${randomBytes(4).toString("hex")}.part`;
  const descriptor = writing(target, () => openSync(temporary, "wx", 0o600));
  try {
    let bytes: number;
    try {
      bytes = decryptTo(path, identities, (piece) => writing(target, () => writeWhole(descriptor, piece)));
      writing(target, () => fsyncSync(descriptor));
    } finally {
      closeSync(descriptor);
    }
    writing(target, () => (mayReplace ? renameSync(temporary, target) : takeFreeName(temporary, target)));
    return bytes;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** The content's length. Waits for a reader of stdout that is slower. Throws HostError. */
export function decryptToStdout(path: string, identities: readonly Identity[]): number {
  return decryptTo(path, identities, (piece) => writing("to standard output", () => writeWhole(STDOUT, piece)));
}

/** Writes all of it, whatever a single write takes; a pipe that is full is waited for. */
function writeWhole(descriptor: number, piece: Buffer): void {
  for (let at = 0; at < piece.length; ) {
    try {
      at += writeSync(descriptor, piece, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_WAIT_MS);
    }
  }
}

function readThrough(source: ByteSource, identities: readonly Identity[], sink: PieceSink): number {
  const reader = new AgeReader(source, identities);
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  try {
    for (let position = 0; position < reader.size; ) {
      const count = reader.read(piece, 0, piece.length, position);
      sink(piece.subarray(0, count));
      position += count;
    }
    return reader.size;
  } finally {
    piece.fill(0);
  }
}

/** A link does not replace; where the file system has none, a name that was free a moment ago has to do. */
function takeFreeName(temporary: string, target: string): void {
  try {
    linkSync(temporary, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw error;
    closeSync(openSync(target, "wx", 0o600));
    renameSync(temporary, target);
  }
}

function writing<Result>(target: string, act: () => Result): Result {
  try {
    return act();
  } catch (cause) {
    const code = causeOf(cause);
    const why = code === "EEXIST" ? "it is there already: --force replaces it" : code;
    throw new HostError("file-unwritable", `cannot write ${target} (${why})`, { cause });
  }
}
