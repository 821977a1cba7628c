// The keys of age (https://age-encryption.org/v1, X25519): recipients `age1…`, to whom something is encrypted, and identities
// `AGE-SECRET-KEY-1…`, which open it. What is refused is said in words that never hold the key.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { readFileSync } from "node:fs";
import { SidetoneError } from "../base/errors.js";
import { decodeBech32, encodeBech32 } from "./bech32.js";

export const KEY_BYTES = 32;
const RECIPIENT_WORD = "age";
const IDENTITY_WORD = "age-secret-key-";
/** RFC 8410 §7: what stands before the 32 bytes of an X25519 private key in PKCS #8. */
const PRIVATE_KEY_PREFIX = Buffer.from("302e020100300506032b656e04220420", "hex");
const FINGERPRINT_DIGITS = 16;
/** An identity file is a few lines. */
const MAX_IDENTITIES = 256;

export interface Recipient {
  /** `age1…` */
  readonly text: string;
  readonly bytes: Buffer;
  readonly publicKey: KeyObject;
}

export interface Identity {
  readonly privateKey: KeyObject;
  readonly recipient: Recipient;
}

/** The recipient, or why it is none: a sentence without subject. */
export function parseRecipient(text: string): Recipient | string {
  if (/^AGE-SECRET-KEY-/i.test(text)) return "is a secret key: it belongs to who opens recordings, never on this box";
  if (/^(?:ssh-|age1pq1|age1[a-z]+1)/.test(text))
    return "is no X25519 recipient of age, which is the only kind that is taken: make one with age-keygen";
  const decoded = decodeBech32(text);
  if (decoded === undefined) return "is no recipient of age (age1...): mistyped, or not whole";
  if (decoded.word !== RECIPIENT_WORD || text !== text.toLowerCase() || decoded.bytes.length !== KEY_BYTES)
    return "is no recipient of age: those are age1 and 58 small letters and digits";
  const recipient = recipientOf(decoded.bytes);
  return isUsable(recipient) ? recipient : "is a point of small order: what is encrypted to it is open to everybody";
}

/** The recipient of a text that `parseRecipient` has taken before. */
export function requireRecipient(text: string): Recipient {
  const decoded = decodeBech32(text);
  if (decoded?.word !== RECIPIENT_WORD || decoded.bytes.length !== KEY_BYTES)
    throw new SidetoneError("config-invalid", "encryption.recipients holds something that is no recipient of age");
  return recipientOf(decoded.bytes);
}

/** Names a recipient without showing it: 16 hex digits of the SHA-256 of its text. */
export function fingerprintOf({ text }: Recipient): string {
  return createHash("sha256").update(text).digest("hex").slice(0, FINGERPRINT_DIGITS);
}

/** Undefined when the text is no X25519 identity. */
export function parseIdentity(text: string): Identity | undefined {
  const decoded = decodeBech32(text);
  if (decoded?.word !== IDENTITY_WORD || text !== text.toUpperCase() || decoded.bytes.length !== KEY_BYTES)
    return undefined;
  return identityOf(privateKeyOf(decoded.bytes));
}

/** The identities in a file as age-keygen writes it. Throws SidetoneError usage. */
export function readIdentities(path: string): Identity[] {
  const lines = readText(path)
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  if (lines[0]?.startsWith("age-encryption.org/") || lines[0]?.startsWith("-----BEGIN AGE"))
    throw refused(
      path,
      "is encrypted itself: open it with age -d first and give its content, as in --identity /dev/stdin",
    );
  if (lines.length === 0 || lines.length > MAX_IDENTITIES) throw refused(path, `holds ${lines.length} identities`);
  return lines.map((line, i) => {
    const identity = parseIdentity(line);
    if (identity === undefined) throw refused(path, `holds a line (${i + 1}) that is no AGE-SECRET-KEY-1...`);
    return identity;
  });
}

export function generateIdentity(): Identity {
  return identityOf(generateKeyPairSync("x25519").privateKey);
}

/** `AGE-SECRET-KEY-1…` */
export function identityText({ privateKey }: Identity): string {
  const pkcs8 = privateKey.export({ format: "der", type: "pkcs8" });
  return encodeBech32(IDENTITY_WORD, pkcs8.subarray(PRIVATE_KEY_PREFIX.length)).toUpperCase();
}

/** RFC 7748 §6.1; throws when the result is zero, as OpenSSL checks. */
export function sharedSecret(privateKey: KeyObject, publicKey: KeyObject): Buffer {
  return diffieHellman({ privateKey, publicKey });
}

export function publicKeyOf(bytes: Uint8Array): KeyObject {
  const x = Buffer.from(bytes).toString("base64url");
  return createPublicKey({ key: { kty: "OKP", crv: "X25519", x }, format: "jwk" });
}

export function publicBytesOf(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: "jwk" }).x!, "base64url");
}

function privateKeyOf(bytes: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PRIVATE_KEY_PREFIX, bytes]), format: "der", type: "pkcs8" });
}

function identityOf(privateKey: KeyObject): Identity {
  return { privateKey, recipient: recipientOf(publicBytesOf(createPublicKey(privateKey))) };
}

function recipientOf(bytes: Buffer): Recipient {
  return { text: encodeBech32(RECIPIENT_WORD, bytes), bytes, publicKey: publicKeyOf(bytes) };
}

function isUsable({ publicKey }: Recipient): boolean {
  try {
    sharedSecret(generateKeyPairSync("x25519").privateKey, publicKey);
    return true;
  } catch {
    return false;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw refused(path, `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function refused(path: string, why: string): SidetoneError {
  return new SidetoneError("usage", `--identity: ${JSON.stringify(path)} ${why}`);
}
