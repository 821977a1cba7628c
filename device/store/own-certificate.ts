// The certificate that the box makes for its API where nobody gave it one: `keys/api-tls.crt`, with its private key (EC P-256) in
// `keys/api-tls.key` for the owner only. The key stays when the certificate is made anew, so that whoever pins it need not pin again.
import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { chmodSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import type { Clock } from "../base/clock.js";
import { makeSelfSigned } from "../base/self-signed.js";
import { storageFault } from "../seal/storage-fault.js";
import { makeFolders, replaceDurably } from "./durable-file.js";
import { readIfThere } from "./read-if-there.js";

const MS_PER_DAY = 86_400_000;
/** Whoever has compared its fingerprint would have to do it again after this time. */
const VALID_DAYS = 3650;
export const RENEWED_BEFORE_DAYS = 60;
/** The clock of a box that nobody has set yet is not to decide when its certificate ends. */
const EARLIEST_NOW_MS = Date.parse("2026-01-01T00:00:00Z");
const NOT_BEFORE = new Date("2024-01-01T00:00:00Z");
const CURVE = "prime256v1";

export interface CertificateNames {
  /** The box's name. */
  device: string;
  /** It is made anew when one of these is missing in it. */
  required: readonly string[];
  /** Those of the moment; one that comes or goes changes nothing. */
  further: readonly string[];
}

export interface OwnCertificate {
  certificate: X509Certificate;
  /** Both PEM. */
  cert: string;
  key: string;
  /** Why it was made now; absent when it was there. */
  made?: string;
}

export function ownCertificatePath(dataFolder: string): string {
  return join(dataFolder, "keys", "api-tls.crt");
}

function ownKeyPath(dataFolder: string): string {
  return join(dataFolder, "keys", "api-tls.key");
}

/** What is there, if it is good; else it is made. Throws SidetoneError `data-unwritable`. */
export function openOwnCertificate(dataFolder: string, names: CertificateNames, clock: Clock): OwnCertificate {
  try {
    const key = readKey(ownKeyPath(dataFolder));
    const cert = readIfThere(ownCertificatePath(dataFolder));
    const certificate = cert === undefined ? undefined : parse(cert);
    const made = whyMade(key, certificate, names, clock);
    if (made === "") return { certificate: certificate!, cert: cert!, key: pemOf(key!) };
    return { ...make(dataFolder, key, names, clock), made };
  } catch (error) {
    throw storageFault("data-unwritable", "the API's certificate cannot be made", error);
  }
}

/** Whether it is time for another one. */
export function isEnding(certificate: X509Certificate, clock: Clock): boolean {
  return endsInDays(certificate, clock) < RENEWED_BEFORE_DAYS;
}

/** Below 0 when it has ended. */
export function endsInDays(certificate: X509Certificate, clock: Clock): number {
  return (Date.parse(certificate.validTo) - clock.nowUs() / 1000) / MS_PER_DAY;
}

/** "" when there is no reason to. */
function whyMade(
  key: KeyObject | undefined,
  certificate: X509Certificate | undefined,
  { required }: CertificateNames,
  clock: Clock,
): string {
  if (key === undefined) return "there is no usable key";
  if (certificate === undefined) return "there is no usable certificate";
  if (!certificate.checkPrivateKey(key)) return "it is of another key";
  if (isEnding(certificate, clock)) return "it ends soon";
  const missing = required.find((name) => !(isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)));
  return missing === undefined ? "" : `it does not name ${missing}`;
}

function make(
  dataFolder: string,
  oldKey: KeyObject | undefined,
  { device, required, further }: CertificateNames,
  clock: Clock,
): Omit<OwnCertificate, "made"> {
  makeFolders(join(dataFolder, "keys"));
  const privateKey = oldKey ?? generateKeyPairSync("ec", { namedCurve: CURVE }).privateKey;
  const key = pemOf(privateKey);
  if (oldKey === undefined) replaceDurably(ownKeyPath(dataFolder), key, 0o600);
  const nowMs = Math.max(EARLIEST_NOW_MS, clock.nowUs() / 1000);
  const cert = makeSelfSigned({
    key: privateKey,
    commonName: device,
    names: [...required, ...further],
    notBefore: NOT_BEFORE,
    notAfter: new Date(nowMs + VALID_DAYS * MS_PER_DAY),
  });
  replaceDurably(ownCertificatePath(dataFolder), cert, 0o644);
  return { certificate: new X509Certificate(cert), cert, key };
}

/** What is no such key counts as none. */
function readKey(path: string): KeyObject | undefined {
  const pem = readIfThere(path);
  if (pem === undefined) return undefined;
  // A restored backup may have made it readable for others.
  chmodSync(path, 0o600);
  try {
    const key = createPrivateKey(pem);
    return key.asymmetricKeyDetails?.namedCurve === CURVE ? key : undefined;
  } catch {
    return undefined;
  }
}

function parse(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function pemOf(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}
