// A server's certificate that is signed with its own key (X.509 v3, RFC 5280; ECDSA with SHA-256, RFC 5758): for boxes that nobody
// gave one. Whoever trusts it compares its fingerprint, or takes the file itself as the authority. Knows no file.
import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";
import { formatAddress, parseAddress } from "./address.js";
import { contextTag, derInteger, derOf, derOid, TAG } from "./der.js";

const OID = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  subjectKeyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
} as const;

/** RFC 5280 §4.1.2.2: at most 20 octets, positive. */
const SERIAL_BYTES = 16;
/** RFC 5280 appendix A, ub-common-name. */
const MAX_COMMON_NAME = 64;
const MAX_NAMES = 64;
/** RFC 5280 §4.1.2.5: as UTCTime up to this year. */
const LAST_UTC_TIME_YEAR = 2049;
const UTC_TIME = 0x17;
const VERSION_3 = Buffer.from([2]);
/** RFC 5280 §4.2.1.3: digitalSignature, one bit of eight used. */
const DIGITAL_SIGNATURE = Buffer.from([7, 0x80]);
/** RFC 5280 §4.2.1.6. */
const DNS_NAME = contextTag(2, true);
const IP_ADDRESS = contextTag(7, true);
const DNS_PATTERN = /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62}))*$/;

export interface SelfSigned {
  /** EC on P-256, private. */
  key: KeyObject;
  /** Whom it names; any text. */
  commonName: string;
  /** Host names and IP addresses; what is neither is left out, as is what is beyond 64. */
  names: readonly string[];
  notBefore: Date;
  notAfter: Date;
}

/** PEM. */
export function makeSelfSigned({ key, commonName, names, notBefore, notAfter }: SelfSigned): string {
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  const algorithm = derOf(TAG.sequence, derOid(OID.ecdsaWithSha256));
  const name = nameOf(commonName);
  const body = derOf(
    TAG.sequence,
    derOf(contextTag(0), derOf(TAG.integer, VERSION_3)),
    derInteger(serial()),
    algorithm,
    name,
    derOf(TAG.sequence, timeOf(notBefore), timeOf(notAfter)),
    name,
    publicKey,
    derOf(contextTag(3), derOf(TAG.sequence, ...extensions(publicKey, names))),
  );
  const certificate = derOf(TAG.sequence, body, algorithm, bitString(sign("sha256", body, key)));
  const lines = certificate.toString("base64").match(/.{1,64}/g)!;
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function extensions(publicKey: Buffer, names: readonly string[]): Buffer[] {
  const keyId = createHash("sha256").update(publicKey).digest().subarray(0, 20);
  const alternatives = [...new Set(names)].flatMap(alternativeName).slice(0, MAX_NAMES);
  return [
    extension(OID.basicConstraints, true, derOf(TAG.sequence)),
    extension(OID.keyUsage, true, derOf(TAG.bitString, DIGITAL_SIGNATURE)),
    extension(OID.extendedKeyUsage, false, derOf(TAG.sequence, derOid(OID.serverAuth))),
    ...(alternatives.length === 0 ? [] : [extension(OID.subjectAltName, false, derOf(TAG.sequence, ...alternatives))]),
    // RFC 7093 §2, of the whole SubjectPublicKeyInfo: the SHA-256's first 160 bits.
    extension(OID.subjectKeyId, false, derOf(TAG.octetString, keyId)),
  ];
}

function extension(oid: string, isCritical: boolean, value: Buffer): Buffer {
  const critical = isCritical ? [derOf(TAG.boolean, Buffer.from([0xff]))] : [];
  return derOf(TAG.sequence, derOid(oid), ...critical, derOf(TAG.octetString, value));
}

function alternativeName(name: string): Buffer[] {
  if (isIP(name)) {
    const words = parseAddress(name);
    return words === undefined ? [] : [derOf(IP_ADDRESS, addressBytes(words))];
  }
  return DNS_PATTERN.test(name) ? [derOf(DNS_NAME, Buffer.from(name, "latin1"))] : [];
}

function addressBytes(words: readonly number[]): Buffer {
  const bytes = Buffer.alloc(16);
  for (const [at, word] of words.entries()) bytes.writeInt32BE(word, at * 4);
  return formatAddress(words).includes(":") ? bytes : bytes.subarray(12);
}

/** RFC 5280 §4.1.2.4. */
function nameOf(commonName: string): Buffer {
  const attribute = (oid: string, text: string): Buffer =>
    derOf(TAG.set, derOf(TAG.sequence, derOid(oid), derOf(TAG.utf8String, Buffer.from(text, "utf8"))));
  // Characters, so that none is cut in two; a lone surrogate becomes U+FFFD in UTF-8.
  const shortened = [...commonName].slice(0, MAX_COMMON_NAME).join("");
  return derOf(TAG.sequence, attribute(OID.organization, "Sidetone"), attribute(OID.commonName, shortened));
}

function timeOf(date: Date): Buffer {
  const text = date.toISOString().replace(/[-:T]|\.\d+/g, "");
  const isUtcTime = date.getUTCFullYear() <= LAST_UTC_TIME_YEAR;
  return derOf(isUtcTime ? UTC_TIME : TAG.generalizedTime, Buffer.from(isUtcTime ? text.slice(2) : text, "latin1"));
}

function bitString(bytes: Buffer): Buffer {
  return derOf(TAG.bitString, Buffer.from([0]), bytes);
}

function serial(): Buffer {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes;
}
