// The key that verifies: the box's own public half, or a copy of it that was kept elsewhere. Never touches the private one.
import { createPublicKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SidetoneError } from "../base/errors.js";

/** `path`: a PEM file, by default the data folder's `keys/device.pub`. Throws SidetoneError usage. */
export function readPublicKey(dataFolder: string, path = join(dataFolder, "keys", "device.pub")): KeyObject {
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SidetoneError("usage", `cannot read the public key ${path} (${code}): name the data folder or the key`);
  }
  try {
    // A private key would do as well, but is not to be carried about.
    const key = pem.includes("PRIVATE") ? undefined : createPublicKey(pem);
    if (key?.asymmetricKeyType === "ed25519") return key;
  } catch {
    // Falls through: whatever it is, it is no such key.
  }
  throw new SidetoneError("usage", `${path} is no Ed25519 public key`);
}
