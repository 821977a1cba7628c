// The keys that seal journals, one for each run of the engine: made here, kept in this process's memory, given to the engine
// and the sealing threads, and left on the disk only wrapped to the recipients of the configuration. A run whose key is not
// here was another process's: this box cannot read it.
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { encryptAge } from "./age/encryptor.js";
import { type Identity, requireRecipient } from "./age/keys.js";
import { AgeFileError, decryptAge } from "./age/reader.js";
import { SidetoneError } from "./base/errors.js";
import { JOURNAL_KEY_BYTES } from "./journal/block-cipher.js";
import { encryptionFault } from "./seal/encrypted-file.js";
import { storageFault } from "./seal/storage-fault.js";
import { replaceDurably } from "./store/durable-file.js";

/** In a run's folder: an age file of JournalKeyFile as JSON, so that `age -d` shows what it is. */
const KEY_FILE = "key.age";
const KEY_SCHEMA = "sidetone.journal-key/1";
const KEY_MODE = 0o600;

interface JournalKeyFile {
  schema: typeof KEY_SCHEMA;
  run: string;
  /** 32 bytes in hex. */
  key: string;
}

export class JournalKeys {
  readonly #recipients: readonly string[];
  /** By the run's folder, until its journal is gone. */
  readonly #keys = new Map<string, Buffer>();

  /** Without recipients no journal is sealed. */
  constructor(recipients: readonly string[]) {
    this.#recipients = recipients;
  }

  /**
   * A new key for the run in `folder`, which exists; undefined when journals are not sealed. The wrapped key is durable when
   * this returns: nothing is written that nobody could open. Throws SidetoneError `data-unwritable` or `encryption-failed`.
   */
  make(folder: string): Buffer | undefined {
    if (this.#recipients.length === 0) return undefined;
    const key = randomBytes(JOURNAL_KEY_BYTES);
    const content: JournalKeyFile = { schema: KEY_SCHEMA, run: basename(folder), key: key.toString("hex") };
    const wrapped = this.#wrap(content);
    try {
      replaceDurably(join(folder, KEY_FILE), wrapped, KEY_MODE);
    } catch (error) {
      throw storageFault("data-unwritable", `cannot write the key of the journal ${folder}`, error);
    }
    this.#keys.set(folder, key);
    return key;
  }

  #wrap(content: JournalKeyFile): Uint8Array {
    try {
      return encryptAge(Buffer.from(JSON.stringify(content)), this.#recipients.map(requireRecipient));
    } catch (error) {
      throw encryptionFault(error);
    }
  }

  /** Undefined when the run's journal is not sealed, or its key was another process's. */
  of(folder: string): Buffer | undefined {
    return this.#keys.get(folder);
  }

  /** The run's journal is gone. */
  forget(folder: string): void {
    this.#keys.get(folder)?.fill(0);
    this.#keys.delete(folder);
  }
}

/** The key of the run in `folder`, undefined when its journal is in clear. Throws SidetoneError usage. */
export function unwrapJournalKey(folder: string, identities: readonly Identity[]): Buffer | undefined {
  const path = join(folder, KEY_FILE);
  if (!existsSync(path)) return undefined;
  try {
    const { schema, run, key } = JSON.parse(decryptAge(readFileSync(path), identities).toString()) as JournalKeyFile;
    const bytes = Buffer.from(key, "hex");
    if (schema === KEY_SCHEMA && run === basename(folder) && bytes.length === JOURNAL_KEY_BYTES) return bytes;
    throw new SidetoneError("usage", `${path}: this is the key of run ${JSON.stringify(run)}, not of this folder's`);
  } catch (error) {
    if (error instanceof SidetoneError) throw error;
    const why = error instanceof AgeFileError ? error.message : "it is no key of a journal";
    throw new SidetoneError("usage", `${path} cannot be opened: ${why}`, { cause: error });
  }
}
