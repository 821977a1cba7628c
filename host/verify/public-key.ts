// The box's public key out of the file in which a person keeps it.
import { createPublicKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { SidetoneError } from "../../device/base/errors.js";

/** Throws SidetoneError `usage`. */
export function readPublicKey(path: string): KeyObject {
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch (cause) {
    throw new SidetoneError("usage", `cannot read the public key ${path} (${(cause as NodeJS.ErrnoException).code})`);
  }
  const key = publicKeyOf(pem);
  if (key !== undefined) return key;
  throw new SidetoneError("usage", `${path} is no Ed25519 public key: it is the box's keys/device.pub`);
}

/** Undefined when the text is no such key; a private one is none. */
export function publicKeyOf(pem: string): KeyObject | undefined {
  try {
    const key = pem.includes("PRIVATE") ? undefined : createPublicKey(pem);
    return key?.asymmetricKeyType === "ed25519" ? key : undefined;
  } catch {
    return undefined;
  }
}
