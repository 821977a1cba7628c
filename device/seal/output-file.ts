// A new file written from front to end, hashed on the way and made durable at its end. Whole blocks are written past the page
// cache where the file system takes them so (open(2), O_DIRECT): filling fresh pages with what nobody reads soon costs more
// processor time than hashing it. Throws the file system's errors as they come.
import { createHash } from "node:crypto";
import { closeSync, constants, fchmodSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";

export interface WrittenFile {
  bytes: number;
  /** Of the file, lower-case hex. */
  sha256: string;
  sha512: string;
}

const FILE_MODE = 0o600;
/** What addresses, lengths and places of direct writes are multiples of: a page. No block device asks for more. */
export const BLOCK_BYTES = 4096;

export class OutputFile {
  readonly #path: string;
  readonly #sha256 = createHash("sha256");
  readonly #sha512 = createHash("sha512");
  /** Through the page cache; -1 = closed. */
  #descriptor: number;
  /** Past the page cache; -1 = not possible here. */
  #direct: number;
  #bytes = 0;

  /** Replaces whatever stands at `path`; only the owner may read the file. */
  constructor(path: string) {
    this.#path = path;
    this.#descriptor = openSync(path, "w", FILE_MODE);
    fchmodSync(this.#descriptor, FILE_MODE);
    this.#direct = openDirect(path);
  }

  /** Bytes appended so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Best given pieces of some hundred kilobytes that begin at an address divisible by BLOCK_BYTES and are as many whole blocks. */
  append(piece: Uint8Array): void {
    this.#sha256.update(piece);
    this.#sha512.update(piece);
    for (let from = this.#writeBlocks(piece); from < piece.length; ) {
      from += writeSync(this.#descriptor, piece, from, piece.length - from, this.#bytes + from);
    }
    this.#bytes += piece.length;
  }

  /** Makes the file durable and closes it. */
  finish(): WrittenFile {
    fdatasyncSync(this.#descriptor);
    this.#close();
    return { bytes: this.#bytes, sha256: this.#sha256.digest("hex"), sha512: this.#sha512.digest("hex") };
  }

  /** Closes and removes the file. */
  abandon(): void {
    this.#close();
    rmSync(this.#path, { force: true });
  }

  /** Writes the piece's whole blocks directly, if that is possible; returns how many bytes were written. */
  #writeBlocks(piece: Uint8Array): number {
    const bytes = piece.length - (piece.length % BLOCK_BYTES);
    if (this.#direct < 0 || bytes === 0 || this.#bytes % BLOCK_BYTES !== 0) return 0;
    try {
      const written = writeSync(this.#direct, piece, 0, bytes, this.#bytes);
      return written - (written % BLOCK_BYTES);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
      // The memory's address, or a file system that opens files this way and does not write them so.
      closeSync(this.#direct);
      this.#direct = -1;
      return 0;
    }
  }

  #close(): void {
    if (this.#direct >= 0) closeSync(this.#direct);
    if (this.#descriptor >= 0) closeSync(this.#descriptor);
    this.#direct = -1;
    this.#descriptor = -1;
  }
}

/** A second descriptor of the file for direct writes, or -1 where there is no such thing. */
function openDirect(path: string): number {
  if (constants.O_DIRECT === undefined) return -1;
  try {
    return openSync(path, constants.O_WRONLY | constants.O_DIRECT);
  } catch {
    return -1;
  }
}
