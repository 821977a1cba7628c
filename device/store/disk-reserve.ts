// The reserve: a file `reserve.bin` in the data folder that takes up space while there is some, and is given up so that calls in
// progress can be finished when the disk is full all the same. Its content means nothing.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rmSync, statSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";

const FILE_NAME = "reserve.bin";
const PIECE_BYTES = 1024 * 1024;

export class DiskReserve {
  readonly #path: string;

  constructor(dataFolder: string) {
    this.#path = join(dataFolder, FILE_NAME);
  }

  /** Bytes that it takes up on the disk; 0 when it is not there. */
  get heldBytes(): number {
    try {
      return statSync(this.#path).blocks * 512;
    } catch {
      return 0;
    }
  }

  /** Takes up so many bytes. Rejects with the file system's error; nothing is left then. */
  async make(bytes: number): Promise<void> {
    try {
      // At once where the file system can (fallocate(1), util-linux), else by writing what no file system can compress.
      if (!(await fallocate(this.#path, bytes))) await fill(this.#path, bytes);
    } catch (error) {
      await rm(this.#path, { force: true }).catch(() => {});
      throw error;
    }
  }

  /** Gives its space back, in this turn. Throws the file system's errors. */
  giveUp(): void {
    rmSync(this.#path, { force: true });
  }
}

function fallocate(path: string, bytes: number): Promise<boolean> {
  return new Promise((resolve) => {
    execFile("fallocate", ["--length", String(bytes), path], { timeout: 10_000 }, (error) => resolve(error === null));
  });
}

async function fill(path: string, bytes: number): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    for (let left = bytes; left > 0; left -= PIECE_BYTES) await file.write(randomBytes(Math.min(left, PIECE_BYTES)));
    await file.sync();
  } finally {
    await file.close();
  }
}
