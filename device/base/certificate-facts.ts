// What people and programs compare a server's certificate by. Knows no file and no socket.
import type { X509Certificate } from "node:crypto";
import { hash } from "node:crypto";

export interface CertificateFacts {
  /** SHA-256 of the certificate as certificates are compared, "AB:CD:…". */
  fingerprint: string;
  /** SHA-256 of its public key (SubjectPublicKeyInfo), base64 as RFC 7469 and `curl --pinnedpubkey sha256//…` have it. */
  publicKeyPin: string;
  /** ISO 8601 in UTC. */
  validTo: string;
}

export function certificateFacts(certificate: X509Certificate): CertificateFacts {
  return {
    fingerprint: certificate.fingerprint256,
    publicKeyPin: hash("sha256", certificate.publicKey.export({ type: "spki", format: "der" }), "base64"),
    validTo: new Date(certificate.validTo).toISOString(),
  };
}
