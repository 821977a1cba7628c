// Reads an age file at any place, for who has an identity that opens it: one chunk is decrypted at a time, in memory. The last
// chunk is checked first, so that a file that was cut off is none. Never writes.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { decodeHeader, MAX_HEADER_BYTES, TAG_BYTES, unwrapFileKey } from "./header.js";
import type { Identity } from "./keys.js";
import { CHUNK_BYTES, openChunk, PAYLOAD_NONCE_BYTES, payloadKey, SEALED_CHUNK_BYTES } from "./payload.js";

/** Why a file cannot be read: it is no age file, none of the identities opens it, or it was changed or cut. */
export type AgeFault = "no-age-file" | "not-for-these-keys" | "damaged";

/** Bytes at places, as `readSync` gives them: fewer than `length` at the end only. Throws what its medium throws. */
export interface ByteSource {
  readonly size: number;
  read(target: Buffer, at: number, length: number, position: number): number;
}

export class AgeFileError extends Error {
  readonly fault: AgeFault;

  constructor(fault: AgeFault) {
    super(FAULT_TEXTS[fault]);
    this.name = "AgeFileError";
    this.fault = fault;
  }
}

const FAULT_TEXTS: Readonly<Record<AgeFault, string>> = {
  "no-age-file": "it is no age file (age-encryption.org/v1)",
  "not-for-these-keys": "none of the identities opens it, or its header was changed",
  damaged: "what is encrypted in it was changed or cut off",
};

/** The content of an age file. */
export class AgeReader implements ByteSource {
  /** Bytes of the content. */
  readonly size: number;
  readonly #source: ByteSource;
  readonly #key: Buffer;
  readonly #payloadAt: number;
  readonly #lastChunk: number;
  readonly #sealed = Buffer.allocUnsafeSlow(SEALED_CHUNK_BYTES);
  #number = -1;
  #chunk: Buffer = Buffer.alloc(0);

  /** Throws AgeFileError, and what the source throws. */
  constructor(source: ByteSource, identities: readonly Identity[]) {
    this.#source = source;
    const start = Buffer.alloc(Math.min(source.size, MAX_HEADER_BYTES));
    const header = decodeHeader(start.subarray(0, source.read(start, 0, start.length, 0)));
    if (header === undefined) throw new AgeFileError("no-age-file");
    const fileKey = unwrapFileKey(header, identities);
    if (fileKey === undefined) throw new AgeFileError("not-for-these-keys");
    const nonce = Buffer.alloc(PAYLOAD_NONCE_BYTES);
    const payloadBytes = source.size - header.bytes - PAYLOAD_NONCE_BYTES;
    if (payloadBytes < TAG_BYTES || source.read(nonce, 0, nonce.length, header.bytes) < nonce.length)
      throw new AgeFileError("damaged");
    this.#key = payloadKey(fileKey, nonce);
    this.#payloadAt = header.bytes + PAYLOAD_NONCE_BYTES;
    this.#lastChunk = Math.ceil(payloadBytes / SEALED_CHUNK_BYTES) - 1;
    this.size = payloadBytes - (this.#lastChunk + 1) * TAG_BYTES;
    const last = this.#load(this.#lastChunk);
    // An empty chunk ends no file but an empty one.
    if (last.length === 0 && this.#lastChunk > 0) throw new AgeFileError("damaged");
  }

  /** Throws AgeFileError where a chunk was changed. */
  read(target: Buffer, at: number, length: number, position: number): number {
    const end = Math.min(position + length, this.size);
    for (let from = position; from < end; ) {
      const number = Math.floor(from / CHUNK_BYTES);
      const within = from - number * CHUNK_BYTES;
      const count = Math.min(CHUNK_BYTES - within, end - from);
      this.#load(number).copy(target, at + from - position, within, within + count);
      from += count;
    }
    return Math.max(0, end - position);
  }

  #load(number: number): Buffer {
    if (number === this.#number) return this.#chunk;
    const length = this.#source.read(
      this.#sealed,
      0,
      SEALED_CHUNK_BYTES,
      this.#payloadAt + number * SEALED_CHUNK_BYTES,
    );
    const chunk = openChunk(this.#key, number, number === this.#lastChunk, this.#sealed.subarray(0, length));
    if (chunk === undefined) throw new AgeFileError("damaged");
    this.#chunk.fill(0);
    this.#chunk = chunk;
    this.#number = number;
    return chunk;
  }
}

/** A file's bytes; `use` may not keep the source. Throws file system errors. */
export function withFileBytes<Result>(path: string, use: (source: ByteSource) => Result): Result {
  const descriptor = openSync(path, "r");
  try {
    return use({
      size: fstatSync(descriptor).size,
      read: (target, at, length, position) => readFully(descriptor, target, at, length, position),
    });
  } finally {
    closeSync(descriptor);
  }
}

/** The content of a short age file. Throws AgeFileError. */
export function decryptAge(file: Buffer, identities: readonly Identity[]): Buffer {
  const source: ByteSource = {
    size: file.length,
    read: (target, at, length, position) => file.copy(target, at, position, position + length),
  };
  const reader = new AgeReader(source, identities);
  const content = Buffer.alloc(reader.size);
  reader.read(content, 0, content.length, 0);
  return content;
}

function readFully(descriptor: number, target: Buffer, at: number, length: number, position: number): number {
  let count = 0;
  while (count < length) {
    const read = readSync(descriptor, target, at + count, length - count, position + count);
    if (read === 0) break;
    count += read;
  }
  return count;
}
