// The binary payload of an age file (https://age-encryption.org/v1): a nonce, then chunks of 64 KiB, each sealed with
// ChaCha20-Poly1305. A chunk's nonce is its number and whether it is the last one, so that none can be cut off, added, moved
// or left out. One chunk is in memory at a time.
import { createCipheriv, createDecipheriv } from "node:crypto";
import { deriveKey, TAG_BYTES } from "./header.js";

export const CHUNK_BYTES = 64 * 1024;
export const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES;
export const PAYLOAD_NONCE_BYTES = 16;
const CIPHER = "chacha20-poly1305";
const NONCE_BYTES = 12;
/** The counter has 11 bytes; the lower 6 of them count further than any file. */
const COUNTER_AT = 5;
const COUNTER_BYTES = 6;
const LAST_AT = 11;

export function payloadKey(fileKey: Uint8Array, nonce: Uint8Array): Buffer {
  return deriveKey(fileKey, nonce, "payload");
}

/** Ciphertext, then tag. `plain` is at most CHUNK_BYTES; shorter, or empty, only in the last chunk. */
export function sealChunk(key: Buffer, number: number, isLast: boolean, plain: Uint8Array): [Buffer, Buffer] {
  const cipher = createCipheriv(CIPHER, key, chunkNonce(number, isLast), { authTagLength: TAG_BYTES });
  const sealed = cipher.update(plain);
  cipher.final();
  return [sealed, cipher.getAuthTag()];
}

/** Undefined when the chunk is not what was sealed at this place. */
export function openChunk(key: Buffer, number: number, isLast: boolean, sealed: Buffer): Buffer | undefined {
  const length = sealed.length - TAG_BYTES;
  if (length < 0) return undefined;
  const decipher = createDecipheriv(CIPHER, key, chunkNonce(number, isLast), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(length));
  const plain = decipher.update(sealed.subarray(0, length));
  try {
    decipher.final();
    return plain;
  } catch {
    return undefined;
  }
}

function chunkNonce(number: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUIntBE(number, COUNTER_AT, COUNTER_BYTES);
  nonce[LAST_AT] = isLast ? 1 : 0;
  return nonce;
}
