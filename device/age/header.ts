// The textual header of an age file (https://age-encryption.org/v1): the file key, wrapped for each recipient on its own, and
// a MAC by the file key over all of it. Only X25519 stanzas are written; others are passed by when read.
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  generateKeyPairSync,
  hkdfSync,
  timingSafeEqual,
} from "node:crypto";
import { type Identity, KEY_BYTES, publicBytesOf, publicKeyOf, type Recipient, sharedSecret } from "./keys.js";

export const FILE_KEY_BYTES = 16;
export const TAG_BYTES = 16;
/** Longest header that is read: thousands of recipients. */
export const MAX_HEADER_BYTES = 1 << 20;
const CIPHER = "chacha20-poly1305";
const VERSION_LINE = "age-encryption.org/v1\n";
const STANZA_KIND = "X25519";
const STANZA_INFO = "age-encryption.org/v1/X25519";
const NO_SALT = Buffer.alloc(0);
/** A wrap key encrypts once. */
const ZERO_NONCE = Buffer.alloc(12);
const BODY_COLUMNS = 64;
const STANZA_HEAD = /^-> [\x21-\x7e]+(?: [\x21-\x7e]+)*$/;
const MAC_LINE = /^--- ([A-Za-z0-9+/]{43})$/;

interface Stanza {
  args: string[];
  body: Buffer;
}

export interface AgeHeader {
  stanzas: Stanza[];
  mac: Buffer;
  /** What the MAC is over. */
  text: Buffer;
  /** Of the whole header, its last line feed included. */
  bytes: number;
}

/** The header that wraps `fileKey` for each of the recipients. */
export function encodeHeader(fileKey: Buffer, recipients: readonly Recipient[]): Buffer {
  if (recipients.length === 0) throw new RangeError("an age file without recipients can be opened by nobody");
  const text = `${VERSION_LINE}${recipients.map((recipient) => encodeStanza(fileKey, recipient)).join("")}---`;
  return Buffer.from(`${text} ${toBase64(headerMac(fileKey, Buffer.from(text)))}\n`);
}

/** Undefined when the bytes do not begin with a whole header. */
export function decodeHeader(bytes: Buffer): AgeHeader | undefined {
  const lines = new Lines(bytes);
  if (`${lines.next()}\n` !== VERSION_LINE) return undefined;
  const stanzas: Stanza[] = [];
  for (let line = lines.next(); line !== undefined; line = lines.next()) {
    const mac = MAC_LINE.exec(line)?.[1];
    if (mac !== undefined) {
      const value = fromBase64(mac);
      const text = bytes.subarray(0, lines.at - line.length - 1 + "---".length);
      return value && stanzas.length > 0 ? { stanzas, mac: value, text, bytes: lines.at } : undefined;
    }
    if (!STANZA_HEAD.test(line)) return undefined;
    const body = decodeBody(lines);
    if (body === undefined) return undefined;
    stanzas.push({ args: line.slice("-> ".length).split(" "), body });
  }
  return undefined;
}

/** The file key if one of the identities opens it and the header is as it was written; else undefined. */
export function unwrapFileKey(header: AgeHeader, identities: readonly Identity[]): Buffer | undefined {
  for (const { args, body } of header.stanzas) {
    if (args[0] !== STANZA_KIND) continue;
    const share = args.length === 2 ? fromBase64(args[1]!) : undefined;
    if (share?.length !== KEY_BYTES || body.length !== FILE_KEY_BYTES + TAG_BYTES) return undefined;
    for (const identity of identities) {
      const fileKey = unwrap(share, body, identity);
      if (fileKey) return timingSafeEqual(headerMac(fileKey, header.text), header.mac) ? fileKey : undefined;
    }
  }
  return undefined;
}

/** HKDF-SHA-256 to 32 bytes (RFC 5869). */
export function deriveKey(secret: Uint8Array, salt: Uint8Array, info: string): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, salt, info, KEY_BYTES));
}

function encodeStanza(fileKey: Buffer, recipient: Recipient): string {
  const ephemeral = generateKeyPairSync("x25519");
  const share = publicBytesOf(ephemeral.publicKey);
  const secret = sharedSecret(ephemeral.privateKey, recipient.publicKey);
  const wrapKey = deriveKey(secret, Buffer.concat([share, recipient.bytes]), STANZA_INFO);
  const cipher = createCipheriv(CIPHER, wrapKey, ZERO_NONCE, { authTagLength: TAG_BYTES });
  const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]);
  return `-> ${STANZA_KIND} ${toBase64(share)}\n${toBase64(body)}\n`;
}

function unwrap(share: Buffer, body: Buffer, { privateKey, recipient }: Identity): Buffer | undefined {
  try {
    const secret = sharedSecret(privateKey, publicKeyOf(share));
    const wrapKey = deriveKey(secret, Buffer.concat([share, recipient.bytes]), STANZA_INFO);
    const decipher = createDecipheriv(CIPHER, wrapKey, ZERO_NONCE, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(body.subarray(FILE_KEY_BYTES));
    return Buffer.concat([decipher.update(body.subarray(0, FILE_KEY_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

function headerMac(fileKey: Buffer, text: Buffer): Buffer {
  return createHmac("sha256", deriveKey(fileKey, NO_SALT, "header"))
    .update(text)
    .digest();
}

/** Lines of 64 columns, then a shorter one, which may be empty. */
function decodeBody(lines: Lines): Buffer | undefined {
  let text = "";
  for (let line = lines.next(); line !== undefined; line = lines.next()) {
    if (line.length > BODY_COLUMNS) return undefined;
    text += line;
    if (line.length < BODY_COLUMNS) return fromBase64(text);
  }
  return undefined;
}

function toBase64(bytes: Buffer): string {
  return bytes.toString("base64").replace(/=+$/, "");
}

/** Undefined when the text is no canonical base64 without padding (RFC 4648 §3.5). */
function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return toBase64(bytes) === text ? bytes : undefined;
}

class Lines {
  /** Behind the line feed of the line that was read. */
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  next(): string | undefined {
    const end = this.#bytes.indexOf(0x0a, this.at);
    if (end < 0) return undefined;
    const line = this.#bytes.toString("latin1", this.at, end);
    this.at = end + 1;
    return line;
  }
}
