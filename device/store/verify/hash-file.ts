// A file's hashes, read from front to end in constant memory; and the hash of its beginning, for files that only grow.
import { createHash, type Hash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const CHUNK_BYTES = 1 << 20;

export interface FileHashes {
  bytes: number;
  sha256: string;
  sha512: string;
}

/** `onRead` is told of every piece. Throws file system errors. */
export function hashWholeFile(path: string, onRead: (bytes: number) => void): FileHashes {
  const descriptor = openSync(path, "r");
  try {
    const sha256 = createHash("sha256");
    const sha512 = createHash("sha512");
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, fstatSync(descriptor).size + 1));
    let bytes = 0;
    for (let read = -1; read !== 0; bytes += read) {
      read = readSync(descriptor, chunk, 0, chunk.length, bytes);
      sha256.update(chunk.subarray(0, read));
      sha512.update(chunk.subarray(0, read));
      if (read > 0) onRead(read);
    }
    return { bytes, sha256: sha256.digest("hex"), sha512: sha512.digest("hex") };
  } finally {
    closeSync(descriptor);
  }
}

/** Goes on along a file from where it stopped. */
export class PrefixHash {
  readonly #path: string;
  readonly #hash: Hash = createHash("sha256");
  #bytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** SHA-256 (hex) of the first bytes, undefined when the file has not as many. Lengths are asked for in rising order. */
  upTo(bytes: number): string | undefined {
    const descriptor = openSync(this.#path, "r");
    try {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(1, bytes - this.#bytes)));
      while (this.#bytes < bytes) {
        const read = readSync(descriptor, chunk, 0, Math.min(chunk.length, bytes - this.#bytes), this.#bytes);
        if (read === 0) return undefined;
        this.#hash.update(chunk.subarray(0, read));
        this.#bytes += read;
      }
      return this.#hash.copy().digest("hex");
    } finally {
      closeSync(descriptor);
    }
  }
}
