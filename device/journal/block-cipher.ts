// Seals the audio blocks of a run before they are written, and opens them for whoever has the run's key. The key is random,
// of one run, in the memory of its engine and of the service only; what of it reaches the disk is wrapped to the recipients
// of the configuration. ChaCha20-Poly1305 (RFC 8439), as in age: as fast as AES here, and no slower where AES has no hardware.
//
// No nonce is used twice with a key: it is a counter of the one sealer that a run's engine has, every block is sealed once,
// when it is closed, and is then written as often as the disk asks for, as the same bytes. An engine that comes after one that
// died has a run, a key and a counter of its own. Ciphertext is bound to its place in its call: call, side, sequence, records
// and time are authenticated, so that blocks cannot be exchanged. The links between blocks are not: they change when a block
// goes into another file than it was meant for, and the sequence says what they say.
import { createCipheriv, createDecipheriv } from "node:crypto";
import { CALL_ID_BYTES } from "../base/ids.js";

export const JOURNAL_KEY_BYTES = 32;
/** What a sealed payload is longer: the counter, u64, and the tag. */
export const SEAL_BYTES = 24;
const COUNTER_BYTES = 8;
const TAG_BYTES = 16;
const CIPHER = "chacha20-poly1305";
const NONCE_BYTES = 12;
const COUNTER_AT = 4;
const FACTS_BYTES = CALL_ID_BYTES + 20;

/** What a block's ciphertext is bound to. */
export interface BlockFacts {
  /** 16 bytes. */
  callId: Uint8Array;
  side: number;
  sequence: number;
  records: number;
  baseUs: number;
}

abstract class BlockCipher {
  protected readonly key: Buffer;
  protected readonly nonce = Buffer.alloc(NONCE_BYTES);
  readonly #facts = Buffer.alloc(FACTS_BYTES);

  /** `key`: JOURNAL_KEY_BYTES. */
  constructor(key: Uint8Array) {
    if (key.length !== JOURNAL_KEY_BYTES) throw new RangeError(`a journal's key has ${JOURNAL_KEY_BYTES} bytes`);
    this.key = Buffer.from(key);
  }

  protected encode({ callId, side, sequence, records, baseUs }: BlockFacts): Buffer {
    const facts = this.#facts;
    facts.set(callId, 0);
    facts.writeUInt32LE(side, CALL_ID_BYTES);
    facts.writeUInt32LE(sequence, CALL_ID_BYTES + 4);
    facts.writeUInt32LE(records, CALL_ID_BYTES + 8);
    facts.writeDoubleLE(baseUs, CALL_ID_BYTES + 12);
    return facts;
  }
}

export class BlockSealer extends BlockCipher {
  #counter = 0n;

  /** Replaces memory[at..at + length) by its ciphertext; counter and tag follow it in SEAL_BYTES. */
  seal(memory: Buffer, at: number, length: number, facts: BlockFacts): void {
    this.nonce.writeBigUInt64LE(this.#counter++, COUNTER_AT);
    const cipher = createCipheriv(CIPHER, this.key, this.nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(this.encode(facts), { plaintextLength: length });
    memory.set(cipher.update(memory.subarray(at, at + length)), at);
    cipher.final();
    this.nonce.copy(memory, at + length, COUNTER_AT);
    cipher.getAuthTag().copy(memory, at + length + COUNTER_BYTES);
  }
}

export class BlockOpener extends BlockCipher {
  /** Replaces the sealed payload bytes[at..at + length) by what was sealed; false, and nothing replaced, when it is not that. */
  open(bytes: Buffer, at: number, length: number, facts: BlockFacts): boolean {
    const end = at + length - SEAL_BYTES;
    if (end < at) return false;
    bytes.copy(this.nonce, COUNTER_AT, end, end + COUNTER_BYTES);
    const decipher = createDecipheriv(CIPHER, this.key, this.nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(this.encode(facts), { plaintextLength: length - SEAL_BYTES });
    decipher.setAuthTag(bytes.subarray(end + COUNTER_BYTES, end + SEAL_BYTES));
    const plain = decipher.update(bytes.subarray(at, end));
    try {
      decipher.final();
    } catch {
      return false;
    }
    bytes.set(plain, at);
    return true;
  }
}
