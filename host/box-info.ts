// What a box says of itself: its name, its version, and the key that signs its recordings. A box that does not tell is one all
// the same.
import { createHash, createPublicKey } from "node:crypto";
import { z } from "zod";
import type { BoxClient } from "./client.js";
import { HostError } from "./errors.js";

export interface ToldInfo {
  device: string;
  version: string;
  /** PEM, Ed25519; "" when it is not told. */
  publicKey: string;
  /** The box's clock, ISO 8601; "" when it is not told. */
  at: string;
  /** Of the certificate that the box says it shows, lower-case hex; "" without TLS, or when it is not told. */
  fingerprint: string;
}

const infoSchema = z.object({
  device: z.string().catch(""),
  version: z.string().catch(""),
  at: z.string().catch(""),
  publicKey: z.object({ pem: z.string() }).catch({ pem: "" }),
  tls: z.object({ fingerprint: z.string() }).nullable().catch(null),
});

/** Throws HostError; `bad-answer` for a key that is none. */
export async function fetchInfo(client: BoxClient, signal?: AbortSignal): Promise<ToldInfo> {
  const { device, version, at, publicKey, tls } = infoSchema.parse(
    (await client.json<unknown>("GET", "/info", { signal })) ?? {},
  );
  if (publicKey.pem !== "") keyFingerprint(publicKey.pem);
  const fingerprint = tls === null ? "" : tls.fingerprint.replaceAll(":", "").toLowerCase();
  return { device, version, at, publicKey: publicKey.pem, fingerprint };
}

/** SHA-256 of the key as DER (SubjectPublicKeyInfo), lower-case hex, as the box says it. */
export function keyFingerprint(pem: string): string {
  try {
    const key = pem.includes("PRIVATE") ? undefined : createPublicKey(pem);
    if (key?.asymmetricKeyType === "ed25519")
      return createHash("sha256")
        .update(key.export({ format: "der", type: "spki" }))
        .digest("hex");
  } catch {
    // Falls through: whatever it is, it is no such key.
  }
  throw new HostError("bad-answer", "the box tells a public key that is no Ed25519 key");
}
