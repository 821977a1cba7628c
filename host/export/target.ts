// A file that is being made: beside its place under another name until it is whole and durable, so that there is never half of one
// by its own name. What is there already is not overwritten unless that is asked for.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { causeOf, HostError } from "../errors.js";
import { syncFolder } from "../pull/folder-sync.js";
import { safeText } from "../safe-text.js";

const FILE_MODE = 0o600;

export interface MadeFile {
  bytes: number;
  sha256: string;
}

export class TargetFile {
  readonly #path: string;
  readonly #partial: string;
  readonly #handle: FileHandle;
  readonly #hash = createHash("sha256");
  bytes = 0;

  private constructor(path: string, partial: string, handle: FileHandle) {
    this.#path = path;
    this.#partial = partial;
    this.#handle = handle;
  }

  /** Throws HostError `file-unwritable`. */
  static async open(path: string, isOverwriting: boolean): Promise<TargetFile> {
    if (!isOverwriting && existsSync(path)) throw unwritable(path, "is there already; --force overwrites it");
    const partial = `${path}.partial`;
    try {
      return new TargetFile(path, partial, await open(partial, isOverwriting ? "w" : "wx", FILE_MODE));
    } catch (error) {
      const why = causeOf(error) === "EEXIST" ? `${partial} is there: another export, or a killed one` : causeOf(error);
      throw unwritable(path, why, error);
    }
  }

  async write(bytes: Buffer | string): Promise<void> {
    const piece = typeof bytes === "string" ? Buffer.from(bytes, "utf8") : bytes;
    try {
      for (let at = 0; at < piece.length; ) at += (await this.#handle.write(piece, at)).bytesWritten;
    } catch (error) {
      throw unwritable(this.#path, causeOf(error), error);
    }
    this.#hash.update(piece);
    this.bytes += piece.length;
  }

  /** Whole, durable, and by its name. */
  async commit(): Promise<MadeFile> {
    try {
      await this.#handle.sync();
      await this.#handle.close();
      await rename(this.#partial, this.#path);
      await syncFolder(dirname(this.#path));
      return { bytes: this.bytes, sha256: this.#hash.digest("hex") };
    } catch (error) {
      throw unwritable(this.#path, causeOf(error), error);
    }
  }

  /** Nothing of it is left. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => {});
    rmSync(this.#partial, { force: true });
  }
}

/** Makes a file with `fill`; whatever it throws, nothing of it is left. Throws HostError `file-unwritable` and what `fill` throws. */
export async function makeFile(
  path: string,
  isOverwriting: boolean,
  fill: (file: TargetFile) => Promise<void>,
): Promise<MadeFile> {
  const file = await TargetFile.open(path, isOverwriting);
  try {
    await fill(file);
    return await file.commit();
  } catch (error) {
    await file.discard();
    throw error;
  }
}

/** Whether that is what the file holds. */
export function isSame(path: string, text: string): boolean {
  return existsSync(path) && readFileSync(path).equals(Buffer.from(text, "utf8"));
}

function unwritable(path: string, why: string, cause?: unknown): HostError {
  return new HostError("file-unwritable", `cannot write ${safeText(path, 500)}: ${safeText(why, 500)}`, { cause });
}
