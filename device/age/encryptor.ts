// Writes an age file front to back: takes the content in pieces of any length and hands the file's bytes on. Holds one chunk
// of the content, wiped as soon as it is sealed. The file key is random, never leaves this object, and is forgotten with it.
import { randomBytes } from "node:crypto";
import { encodeHeader, FILE_KEY_BYTES } from "./header.js";
import type { Recipient } from "./keys.js";
import { CHUNK_BYTES, PAYLOAD_NONCE_BYTES, payloadKey, sealChunk } from "./payload.js";

export class AgeEncryptor {
  readonly #sink: (bytes: Uint8Array) => void;
  readonly #key: Buffer;
  readonly #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #filled = 0;
  #number = 0;

  /** The sink gets the header at once; views that it gets are its own. */
  constructor(recipients: readonly Recipient[], sink: (bytes: Uint8Array) => void) {
    this.#sink = sink;
    const fileKey = randomBytes(FILE_KEY_BYTES);
    const nonce = randomBytes(PAYLOAD_NONCE_BYTES);
    this.#key = payloadKey(fileKey, nonce);
    sink(encodeHeader(fileKey, recipients));
    sink(nonce);
    fileKey.fill(0);
  }

  append(piece: Uint8Array): void {
    for (let from = 0; from < piece.length; ) {
      // A full chunk waits for what follows it: only then it is known not to be the last.
      if (this.#filled === CHUNK_BYTES) this.#seal(false);
      const count = Math.min(CHUNK_BYTES - this.#filled, piece.length - from);
      this.#chunk.set(piece.subarray(from, from + count), this.#filled);
      this.#filled += count;
      from += count;
    }
  }

  /** Seals the last chunk. */
  finish(): void {
    this.#seal(true);
    this.abandon();
  }

  /** Forgets key and content. */
  abandon(): void {
    this.#key.fill(0);
    this.#chunk.fill(0);
  }

  #seal(isLast: boolean): void {
    const [sealed, tag] = sealChunk(this.#key, this.#number++, isLast, this.#chunk.subarray(0, this.#filled));
    this.#chunk.fill(0, 0, this.#filled);
    this.#filled = 0;
    this.#sink(sealed);
    this.#sink(tag);
  }
}

/** A whole age file of something short. */
export function encryptAge(content: Uint8Array, recipients: readonly Recipient[]): Buffer {
  const pieces: Uint8Array[] = [];
  const encryptor = new AgeEncryptor(recipients, (bytes) => pieces.push(bytes));
  encryptor.append(content);
  encryptor.finish();
  return Buffer.concat(pieces);
}
