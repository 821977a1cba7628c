// A manifest's bytes and what vouches for them. The file is the manifest as one line of JSON, members in the contract's
// order; the signature (Ed25519, RFC 8032) is over that line without its last member, `signature`. Reads and writes no
// files.
import { type KeyObject, sign, verify } from "node:crypto";
import { sha256Of } from "../base/sha256.js";
import type { Manifest } from "../contract/manifest.js";
import type { UnsignedManifest } from "../seal/manifest.js";

const ALGORITHM = "ed25519:";

export interface SignedManifest {
  manifest: Manifest;
  /** The file's bytes. */
  bytes: Buffer;
  /** SHA-256 of the bytes, lower-case hex: the next manifest's `previous`. */
  sha256: string;
}

/** Chains a manifest to the one before (`previous`: its SHA-256, "" for the first) and signs it with the device's key. */
export function signManifest(unsigned: UnsignedManifest, previous: string, privateKey: KeyObject): SignedManifest {
  const chained = { ...unsigned, previous };
  const signature = ALGORITHM + sign(null, canonicalBytes(chained), privateKey).toString("base64");
  const manifest: Manifest = { ...chained, signature };
  const bytes = fileBytes(manifest);
  return { manifest, bytes, sha256: sha256Of(bytes) };
}

/**
 * The manifest, if these are exactly the bytes that the holder of the key signed; else undefined. Only the one way of
 * writing the JSON and the signature counts, so that no byte can change unnoticed.
 */
export function verifyManifest(bytes: Buffer, publicKey: KeyObject): Manifest | undefined {
  const manifest = parseManifest(bytes);
  if (manifest === undefined || !fileBytes(manifest).equals(bytes)) return undefined;
  const { signature, ...chained } = manifest;
  if (typeof signature !== "string" || !signature.startsWith(ALGORITHM)) return undefined;
  const text = signature.slice(ALGORITHM.length);
  const raw = Buffer.from(text, "base64");
  if (raw.toString("base64") !== text) return undefined;
  return verify(null, canonicalBytes(chained), publicKey, raw) ? manifest : undefined;
}

/** A manifest file's content without any check of its signature, or undefined when it is no JSON object. */
export function parseManifest(bytes: Buffer): Manifest | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Manifest) : undefined;
  } catch {
    return undefined;
  }
}

function canonicalBytes(value: object): Buffer {
  return Buffer.from(JSON.stringify(value), "utf8");
}

function fileBytes(manifest: Manifest): Buffer {
  return Buffer.from(`${JSON.stringify(manifest)}\n`, "utf8");
}
