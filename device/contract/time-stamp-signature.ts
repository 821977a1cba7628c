// Who signed a time stamp (RFC 3161 §2.3, §2.4.2; RFC 5652 §5.4; RFC 5816): the token's signature under the certificate that it
// names, that certificate's one purpose, and its way to an authority that is trusted, all as of the time that was stamped. Cryptography
// and X.509 are node:crypto's. Asks nobody whether a certificate was revoked.
import { constants, createHash, type VerifyKeyObjectInput, verify, X509Certificate } from "node:crypto";
import { contextTag, DerFault, DerReader, TAG } from "../base/der.js";
import { type AlgorithmId, HASH_OF_OID, readAlgorithm, type TimeStamp } from "./time-stamp.js";

const CONTENT_TYPE = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
/** RFC 2634 §5.4, RFC 5035 §3. */
const SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12";
const SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47";
const TST_INFO = "1.2.840.113549.1.9.16.1.4";
const RSA = "1.2.840.113549.1.1.1";
const RSA_PSS = "1.2.840.113549.1.1.10";
const MGF1 = "1.2.840.113549.1.1.8";
/** RFC 5754 §3.2, RFC 5758 §3.2: the hash is part of the algorithm. */
const HASH_OF_SIGNATURE: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
};
const EXTENDED_KEY_USAGE = "2.5.29.37";
const TIME_STAMPING = "1.3.6.1.5.5.7.3.8";
/** Certificates between the signer's and the trusted one. */
const MAX_CHAIN = 8;
const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** Certificates of a PEM text. Throws what node:crypto says of one that is none. */
export function certificatesOf(pem: string): X509Certificate[] {
  return (pem.match(PEM) ?? []).map((one) => new X509Certificate(one));
}

/** What is wrong with who signed it, in one line; undefined when a trusted authority vouches for it. */
export function faultOfSignature(stamp: TimeStamp, trusted: readonly X509Certificate[]): string | undefined {
  try {
    const attributes = readAttributes(stamp.signature.attributes);
    const digest = HASH_OF_OID[stamp.signature.digest.oid];
    if (digest === undefined) return `its digest is not known here (${stamp.signature.digest.oid})`;
    if (new DerReader(attributes.get(CONTENT_TYPE) ?? Buffer.alloc(0)).readOid() !== TST_INFO)
      return "its signature is of something else";
    const signedDigest = new DerReader(attributes.get(MESSAGE_DIGEST) ?? Buffer.alloc(0)).read(TAG.octetString).content;
    if (!createHash(digest).update(stamp.content).digest().equals(signedDigest))
      return "its content is not what was signed";
    const certificates = stamp.certificates.map((der) => new X509Certificate(der));
    const signer = findSigner(stamp, attributes, [...certificates, ...trusted]);
    if (signer === undefined) return "the certificate that it names is not in it";
    if (!isSignedBy(stamp, digest, signer)) return "its signature is wrong";
    if (!isForTimeStampsOnly(signer)) return "its certificate is not one for time stamps alone";
    return faultOfChain(signer, certificates, trusted, Date.parse(stamp.at));
  } catch (error) {
    if (error instanceof DerFault) return `its signature cannot be read: ${error.message}`;
    return `its certificates cannot be used: ${(error as Error).message}`;
  }
}

/** By OID the one value of each, RFC 5652 §5.3. */
function readAttributes(bytes: Buffer): Map<string, Buffer> {
  const values = new Map<string, Buffer>();
  const reader = new DerReader(bytes).enter(TAG.set);
  while (!reader.isEnd) {
    const attribute = reader.enter();
    const oid = attribute.readOid();
    const set = attribute.enter(TAG.set);
    attribute.end();
    if (values.has(oid)) throw new DerFault("an attribute that is there twice");
    values.set(oid, set.read().bytes);
    if (oid === MESSAGE_DIGEST || oid === CONTENT_TYPE) set.end();
  }
  return values;
}

/** The certificate that the signed attributes name by its hash, which must be the one that the signer is called by. */
function findSigner(
  { signature: { signer } }: TimeStamp,
  attributes: ReadonlyMap<string, Buffer>,
  certificates: readonly X509Certificate[],
): X509Certificate | undefined {
  const { hash, digest } = readCertificateId(attributes);
  return certificates.find((certificate) => {
    if (!createHash(hash).update(certificate.raw).digest().equals(digest)) return false;
    const { issuer, serial } = readCertificate(certificate);
    return signer === undefined || (signer.issuer.equals(issuer) && signer.serial.equals(serial));
  });
}

function readCertificateId(attributes: ReadonlyMap<string, Buffer>): { hash: string; digest: Buffer } {
  const [second, first] = [attributes.get(SIGNING_CERTIFICATE_V2), attributes.get(SIGNING_CERTIFICATE)];
  const value = second ?? first;
  if (value === undefined) throw new DerFault("no signing certificate is named");
  const id = new DerReader(value).enter().enter().enter();
  const algorithm = second === undefined ? undefined : id.enterIf(TAG.sequence)?.readOid();
  // SHA-1 names it only: that its key has signed is checked all the same.
  const named = second === undefined ? "sha1" : "sha256";
  const hash = algorithm === undefined ? named : HASH_OF_OID[algorithm];
  if (hash === undefined) throw new DerFault(`a hash that is not known here (${algorithm})`);
  return { hash, digest: id.read(TAG.octetString).content };
}

function isSignedBy({ signature }: TimeStamp, digest: string, certificate: X509Certificate): boolean {
  const { algorithm, attributes } = signature;
  const key = certificate.publicKey;
  if (algorithm.oid === RSA_PSS) {
    const { hash, ...input } = readPss(algorithm);
    return verify(hash, attributes, { key, ...input }, signature.signature);
  }
  const hash = algorithm.oid === RSA ? digest : HASH_OF_SIGNATURE[algorithm.oid];
  if (hash === undefined) throw new DerFault(`a signature that is not known here (${algorithm.oid})`);
  return verify(hash, attributes, key, signature.signature);
}

/** RFC 4055 §3.1, with one hash for both of its parts. */
function readPss({ parameters }: AlgorithmId): { hash: string } & Pick<VerifyKeyObjectInput, "padding" | "saltLength"> {
  const reader = new DerReader(parameters).enter();
  const { oid } = readAlgorithm(reader.enter(contextTag(0)));
  const mask = readAlgorithm(reader.enter(contextTag(1)));
  const saltLength = reader.enter(contextTag(2)).readSmallInteger();
  const hash = HASH_OF_OID[oid];
  const isSame = mask.oid === MGF1 && readAlgorithm(new DerReader(mask.parameters)).oid === oid;
  if (hash === undefined || !isSame) throw new DerFault("a signature that is not known here (RSASSA-PSS)");
  return { hash, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
}

/** RFC 3161 §2.3: extended key usage, critical, this one alone. */
function isForTimeStampsOnly(certificate: X509Certificate): boolean {
  const { extendedKeyUsage } = readCertificate(certificate);
  if (extendedKeyUsage === undefined) return false;
  const usages = new DerReader(extendedKeyUsage).enter();
  return usages.readOid() === TIME_STAMPING && usages.isEnd;
}

/** RFC 5280 §4.1. */
function readCertificate({ raw }: X509Certificate): {
  issuer: Buffer;
  serial: Buffer;
  /** Undefined when it is not there, or not critical. */
  extendedKeyUsage: Buffer | undefined;
} {
  const reader = new DerReader(raw).enter().enter();
  reader.readIf(contextTag(0));
  const serial = reader.readInteger();
  reader.read(TAG.sequence);
  const issuer = reader.read(TAG.sequence).bytes;
  for (let i = 0; i < 3; i++) reader.read(TAG.sequence);
  reader.readIf(contextTag(1, true));
  reader.readIf(contextTag(2, true));
  const extensions = reader.enterIf(contextTag(3))?.enter();
  let extendedKeyUsage: Buffer | undefined;
  while (extensions !== undefined && !extensions.isEnd) {
    const extension = extensions.enter();
    const oid = extension.readOid();
    const isCritical = extension.readIf(TAG.boolean)?.content[0] === 0xff;
    if (oid === EXTENDED_KEY_USAGE && isCritical) extendedKeyUsage = extension.read(TAG.octetString).content;
  }
  return { issuer, serial, extendedKeyUsage };
}

function faultOfChain(
  signer: X509Certificate,
  certificates: readonly X509Certificate[],
  trusted: readonly X509Certificate[],
  atMs: number,
): string | undefined {
  let current = signer;
  for (let length = 0; length <= MAX_CHAIN; length++) {
    if (!isValidAt(current, atMs)) return "one of its certificates was not valid at that time";
    if (trusted.some(({ raw }) => raw.equals(current.raw))) return undefined;
    const issuer = [...trusted, ...certificates].find((one) => isIssuer(one, current));
    if (issuer === undefined || issuer.raw.equals(current.raw)) break;
    current = issuer;
  }
  return "no authority that is trusted here has issued its certificate";
}

function isIssuer(issuer: X509Certificate, issued: X509Certificate): boolean {
  return issuer.ca && issued.checkIssued(issuer) && issued.verify(issuer.publicKey);
}

function isValidAt({ validFrom, validTo }: X509Certificate, atMs: number): boolean {
  return Date.parse(validFrom) <= atMs && atMs <= Date.parse(validTo);
}
