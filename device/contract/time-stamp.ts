// Time stamps of RFC 3161 as bytes: the request (§2.4.1) and what is in the response (§2.4.2), down to the parts of the token's
// signature (RFC 5652 §5), in DER. Checks the form and nothing else: time-stamp-signature.ts has who signed it.
import { createHash } from "node:crypto";
import { contextTag, DerFault, DerReader, derInteger, derOf, derOid, TAG } from "../base/der.js";

/** Hashes of what is stamped. */
export const TIME_STAMP_HASHES = ["sha256", "sha512"] as const;
export type TimeStampHash = (typeof TIME_STAMP_HASHES)[number];

/** By OID: RFC 5754 §2. SHA-1 and older ones prove nothing any more. */
export const HASH_OF_OID: Readonly<Record<string, string>> = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};
const SIGNED_DATA = "1.2.840.113549.1.7.2";
const TST_INFO = "1.2.840.113549.1.9.16.1.4";
const TST_VERSION = 1;
/** §2.4.2, PKIStatus: granted, and granted with changes, come with a token. */
const GRANTED: readonly number[] = [0, 1];
/** §2.4.2, PKIFailureInfo, by bit. */
const FAILURES: Readonly<Record<number, string>> = {
  0: "badAlg",
  2: "badRequest",
  5: "badDataFormat",
  14: "timeNotAvailable",
  15: "unacceptedPolicy",
  16: "unacceptedExtension",
  17: "addInfoNotAvailable",
  25: "systemFailure",
};
const MAX_CERTIFICATES = 32;
const MAX_TEXT = 200;
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\.\d{1,9})?Z$/;

export interface AlgorithmId {
  oid: string;
  /** DER, empty where there are none. */
  parameters: Buffer;
}

/** The one signature of a token, RFC 5652 §5.3. */
export interface TokenSignature {
  /** DER of the issuer's name and the serial number's content; absent where the signer goes by its key's identifier. */
  signer: { issuer: Buffer; serial: Buffer } | undefined;
  digest: AlgorithmId;
  /** DER of the attributes as SET, which is what was signed. */
  attributes: Buffer;
  algorithm: AlgorithmId;
  signature: Buffer;
}

export interface TimeStamp {
  /** ISO 8601 UTC, as exact as the authority gave it. */
  at: string;
  /** Of whatever was stamped. */
  hash: string;
  imprint: Buffer;
  /** An INTEGER's content; undefined when it has none. */
  nonce: Buffer | undefined;
  /** An INTEGER's content. */
  serial: Buffer;
  /** OID. */
  policy: string;
  /** DER of all of that: what was signed. */
  content: Buffer;
  /** X.509 in DER. */
  certificates: Buffer[];
  signature: TokenSignature;
}

/** Why there is no time stamp in it, in one line. */
export interface TimeStampFault {
  fault: string;
}

/** DER of a request; `nonce` in bytes, most significant first. */
export function timeStampRequest(data: Uint8Array, hash: TimeStampHash, nonce: Uint8Array): Buffer {
  const oid = Object.keys(HASH_OF_OID).find((one) => HASH_OF_OID[one] === hash)!;
  const algorithm = derOf(TAG.sequence, derOid(oid), derOf(TAG.null));
  const imprint = derOf(TAG.sequence, algorithm, derOf(TAG.octetString, createHash(hash).update(data).digest()));
  const certReq = derOf(TAG.boolean, Buffer.from([0xff]));
  return derOf(TAG.sequence, derInteger(Buffer.from([1])), imprint, derInteger(nonce), certReq);
}

/** The content of the INTEGER that a nonce becomes. */
export function nonceContent(nonce: Uint8Array): Buffer {
  return new DerReader(derInteger(nonce)).readInteger();
}

/** What a response (`.tsr`) holds: a time stamp, or why it holds none. */
export function readTimeStamp(response: Buffer): TimeStamp | TimeStampFault {
  try {
    const outer = new DerReader(response);
    const reader = outer.enter();
    outer.end();
    const refusal = readStatus(reader.enter());
    if (refusal !== undefined) return { fault: refusal };
    if (reader.isEnd) return { fault: "the time stamp authority has sent no token" };
    const stamp = readToken(reader.enter());
    reader.end();
    return stamp;
  } catch (error) {
    if (error instanceof DerFault) return { fault: `it is no time stamp response: ${error.message}` };
    throw error;
  }
}

export function isTimeStamp(reading: TimeStamp | TimeStampFault): reading is TimeStamp {
  return !("fault" in reading);
}

/** Whether it is of exactly these bytes. */
export function isStampOf({ hash, imprint }: TimeStamp, data: Uint8Array): boolean {
  return createHash(hash).update(data).digest().equals(imprint);
}

/** Undefined when the stamp was granted. */
function readStatus(reader: DerReader): string | undefined {
  const status = reader.readSmallInteger();
  const texts: string[] = [];
  const strings = reader.enterIf(TAG.sequence);
  while (strings !== undefined && !strings.isEnd) texts.push(strings.read(TAG.utf8String).content.toString("utf8"));
  const bits = reader.readIf(TAG.bitString)?.content;
  reader.end();
  if (GRANTED.includes(status)) return undefined;
  for (const [bit, name] of Object.entries(FAILURES)) if (hasBit(bits, Number(bit))) texts.unshift(name);
  const why = texts.length === 0 ? "" : `: ${texts.join(", ").slice(0, MAX_TEXT)}`;
  return `the time stamp authority refuses (status ${status})${why}`;
}

/** X.690 §8.6.2: the first octet counts the bits that are not used. */
function hasBit(content: Buffer | undefined, bit: number): boolean {
  const octet = content?.[1 + (bit >> 3)] ?? 0;
  return (octet & (0x80 >> (bit & 7))) !== 0;
}

/** A ContentInfo with SignedData, RFC 5652 §3, §5.1. */
function readToken(info: DerReader): TimeStamp {
  expectOid(info, SIGNED_DATA, "signed data");
  const explicit = info.enter(contextTag(0));
  info.end();
  const signed = explicit.enter();
  explicit.end();
  signed.readInteger();
  signed.read(TAG.set);
  const content = readContent(signed.enter());
  const certificates = readCertificates(signed.enterIf(contextTag(0)));
  signed.readIf(contextTag(1));
  const signers = signed.enter(TAG.set);
  signed.end();
  const signature = readSigner(signers.enter());
  signers.end();
  return { ...readInfo(content), content, certificates, signature };
}

function readContent(reader: DerReader): Buffer {
  expectOid(reader, TST_INFO, "a time stamp");
  const explicit = reader.enter(contextTag(0));
  reader.end();
  const { content } = explicit.read(TAG.octetString);
  explicit.end();
  return content;
}

function readCertificates(reader: DerReader | undefined): Buffer[] {
  const certificates: Buffer[] = [];
  while (reader !== undefined && !reader.isEnd) {
    const { tag, bytes } = reader.read();
    if (tag === TAG.sequence) certificates.push(bytes);
    if (certificates.length > MAX_CERTIFICATES) throw new DerFault("too many certificates");
  }
  return certificates;
}

function readSigner(reader: DerReader): TokenSignature {
  reader.readInteger();
  const named = reader.enterIf(TAG.sequence);
  const signer = named && { issuer: named.read(TAG.sequence).bytes, serial: named.readInteger() };
  named?.end();
  if (named === undefined) reader.read(contextTag(0, true));
  const digest = readAlgorithm(reader);
  const { content } = reader.read(contextTag(0));
  const algorithm = readAlgorithm(reader);
  const signature = reader.read(TAG.octetString).content;
  reader.readIf(contextTag(1));
  reader.end();
  return { signer, digest, attributes: derOf(TAG.set, content), algorithm, signature };
}

/** TSTInfo, RFC 3161 §2.4.2. */
function readInfo(content: Buffer): Pick<TimeStamp, "at" | "hash" | "imprint" | "nonce" | "serial" | "policy"> {
  const outer = new DerReader(content);
  const reader = outer.enter();
  outer.end();
  if (reader.readSmallInteger() !== TST_VERSION) throw new DerFault("a time stamp of another version");
  const policy = reader.readOid();
  const message = reader.enter();
  const { oid } = readAlgorithm(message);
  const imprint = message.read(TAG.octetString).content;
  message.end();
  const hash = HASH_OF_OID[oid];
  if (hash === undefined) throw new DerFault(`a hash that is not known here (${oid})`);
  const serial = reader.readInteger();
  const at = readTime(reader.read(TAG.generalizedTime).content.toString("latin1"));
  reader.readIf(TAG.sequence);
  reader.readIf(TAG.boolean);
  const nonce = reader.readIf(TAG.integer)?.content;
  reader.readIf(contextTag(0));
  reader.readIf(contextTag(1));
  reader.end();
  return { at, hash, imprint, nonce, serial, policy };
}

function readTime(text: string): string {
  const [, year, month, day, hour, minute, second, fraction = ""] = GENERALIZED_TIME.exec(text) ?? [];
  const at = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  if (!Number.isFinite(Date.parse(`${at}Z`))) throw new DerFault("a time that is none");
  return `${at}${fraction}Z`;
}

export function readAlgorithm(reader: DerReader): AlgorithmId {
  const algorithm = reader.enter();
  const oid = algorithm.readOid();
  const parameters = algorithm.isEnd ? Buffer.alloc(0) : algorithm.read().bytes;
  algorithm.end();
  return { oid, parameters };
}

function expectOid(reader: DerReader, oid: string, what: string): void {
  const found = reader.readOid();
  if (found !== oid) throw new DerFault(`no ${what} but ${found}`);
}
