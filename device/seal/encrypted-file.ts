// A new file as output-file.ts makes it, whose content is encrypted before a byte of it is written: an age file for the
// recipients of the configuration. Hashes what it is given as well, so that the same packets show to have given the same
// recording, though no two encrypted files are the same. Throws the file system's errors as they come.
import { createHash } from "node:crypto";
import { AgeEncryptor } from "../age/encryptor.js";
import { fingerprintOf, type Recipient } from "../age/keys.js";
import { SidetoneError } from "../base/errors.js";
import type { AudioEncryption } from "../contract/manifest.js";
import { OutputFile, type WrittenFile } from "./output-file.js";

export interface EncryptedFileOptions {
  recipients: readonly Recipient[];
  /** Where encrypted bytes are gathered until they are worth a write; a sealing thread keeps it from call to call. */
  staging: Uint8Array;
}

export interface WrittenEncryptedFile extends WrittenFile {
  encryption: AudioEncryption;
}

/** To be thrown where recipients cannot be used after all: their keys were looked at when the configuration was read. */
export function encryptionFault(error: unknown): SidetoneError {
  const reason = error instanceof Error ? error.message : String(error);
  return new SidetoneError("encryption-failed", `cannot encrypt to the configured recipients: ${reason}`, {
    cause: error,
  });
}

export class EncryptedFile {
  readonly #file: OutputFile;
  readonly #encryptor: AgeEncryptor;
  readonly #recipients: readonly Recipient[];
  readonly #staging: Uint8Array;
  readonly #plainSha256 = createHash("sha256");
  #plainBytes = 0;
  #staged = 0;

  /** Replaces whatever stands at `path`; only the owner may read the file. */
  constructor(path: string, { recipients, staging }: EncryptedFileOptions) {
    this.#recipients = recipients;
    this.#staging = staging;
    this.#file = new OutputFile(path);
    try {
      this.#encryptor = new AgeEncryptor(recipients, (bytes) => this.#stage(bytes));
    } catch (error) {
      this.#file.abandon();
      throw encryptionFault(error);
    }
  }

  /** Bytes appended so far, as they were given. */
  get bytes(): number {
    return this.#plainBytes;
  }

  append(piece: Uint8Array): void {
    this.#plainSha256.update(piece);
    this.#plainBytes += piece.length;
    this.#encryptor.append(piece);
  }

  /** Makes the file durable and closes it. */
  finish(): WrittenEncryptedFile {
    this.#encryptor.finish();
    this.#file.append(this.#staging.subarray(0, this.#staged));
    const encryption: AudioEncryption = {
      format: "age",
      recipients: this.#recipients.map(fingerprintOf),
      plainBytes: this.#plainBytes,
      plainSha256: this.#plainSha256.digest("hex"),
    };
    return { ...this.#file.finish(), encryption };
  }

  /** Closes and removes the file. */
  abandon(): void {
    this.#encryptor.abandon();
    this.#file.abandon();
  }

  /** Written only in whole buffers, but for the last one: blocks of the disk are then never parted. */
  #stage(bytes: Uint8Array): void {
    const staging = this.#staging;
    for (let from = 0; from < bytes.length; ) {
      const count = Math.min(staging.length - this.#staged, bytes.length - from);
      staging.set(bytes.subarray(from, from + count), this.#staged);
      this.#staged += count;
      from += count;
      if (this.#staged < staging.length) return;
      this.#file.append(staging);
      this.#staged = 0;
    }
  }
}
