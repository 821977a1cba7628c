// `sidetoned certificate`: what whoever connects to the API compares its certificate with. Shows what lies on the disk; makes none.
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { certificateFacts } from "../base/certificate-facts.js";
import { SidetoneError } from "../base/errors.js";
import { speaksTls } from "../config/api-meaning.js";
import type { Config } from "../contract/config.js";
import { ownCertificatePath } from "../store/own-certificate.js";
import { COMMON_FLAGS, type CommonFlags, commonFlags, readFlags, refuseArgument, usage } from "./command-flags.js";

export interface CertificateCommand extends CommonFlags {
  pem: boolean;
}

export const CERTIFICATE_USAGE =
  "sidetoned certificate [--pem] [--json]: the API's certificate and its SHA-256; --data, --config as elsewhere";

/** `argv` is what follows `certificate`. Throws SidetoneError usage with one line. */
export function parseCertificateCommand(argv: readonly string[]): CertificateCommand {
  const { values, positionals } = readFlags(argv, { ...COMMON_FLAGS, pem: "" }, { command: "certificate" });
  refuseArgument(positionals[0], "certificate");
  if (values.has("pem") && values.has("json")) throw usage("--pem and --json contradict each other");
  return { ...commonFlags(values), pem: values.has("pem") };
}

/** Throws SidetoneError usage when there is none, or it cannot be read. */
export function certificateText(command: CertificateCommand, api: Config["api"], dataFolder: string): string {
  const isOwn = api.certFile === "";
  const path = isOwn ? ownCertificatePath(dataFolder) : api.certFile;
  if (!api.enabled || !speaksTls(api))
    throw usage("the API speaks no TLS as it is configured: see api.host, api.certFile and api.allowPlain");
  const pem = readCertificate(path, isOwn);
  if (command.pem) return pem.endsWith("\n") ? pem : `${pem}\n`;
  const certificate = parse(pem, path);
  const { fingerprint, publicKeyPin, validTo } = certificateFacts(certificate);
  const names = (certificate.subjectAltName ?? "").replaceAll("IP Address:", "").replaceAll("DNS:", "");
  if (command.json)
    return `${JSON.stringify({ file: path, isSelfSigned: isOwn, fingerprint, publicKeyPin, validTo, names: names.split(", ") })}\n`;
  return [
    `SHA-256     ${fingerprint}`,
    `public key  sha256//${publicKeyPin}`,
    `good until  ${validTo.slice(0, 10)}`,
    `names       ${names}`,
    `file        ${path}${isOwn ? " (made by the box)" : ""}`,
    "",
  ].join("\n");
}

function readCertificate(path: string, isOwn: boolean): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const hint = isOwn && code === "ENOENT" ? "it is made at the service's first start" : "name the data folder";
    throw new SidetoneError("usage", `cannot read the certificate ${path} (${code}): ${hint}`, { cause });
  }
}

function parse(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new SidetoneError("usage", `${path} is no certificate`, { cause });
  }
}
