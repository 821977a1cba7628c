// The key that signs this box's manifests: Ed25519, made at first start, `keys/device.key` (PKCS #8, for the owner only)
// with `keys/device.pub` beside it for whoever verifies. Never leaves the folder, never is replaced.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { SidetoneError } from "../base/errors.js";
import { createDurably, makeFolders, replaceDurably } from "./durable-file.js";
import { readIfThere } from "./read-if-there.js";

export interface DeviceKey {
  privateKey: KeyObject;
  publicKey: KeyObject;
}

/** Throws SidetoneError `data-unwritable` when the key file holds anything but an Ed25519 key; else file system errors. */
export function openDeviceKey(dataFolder: string): DeviceKey {
  const folder = join(dataFolder, "keys");
  const path = join(folder, "device.key");
  const publicPath = join(folder, "device.pub");
  makeFolders(folder);
  const privateKey = readKey(path) ?? makeKey(path);
  const publicKey = createPublicKey(privateKey);
  const publicPem = publicKey.export({ type: "spki", format: "pem" }).toString();
  if (readIfThere(publicPath) !== publicPem) replaceDurably(publicPath, publicPem, 0o644);
  return { privateKey, publicKey };
}

function readKey(path: string): KeyObject | undefined {
  const pem = readIfThere(path);
  if (pem === undefined) return undefined;
  // A restored backup may have made it readable for others.
  chmodSync(path, 0o600);
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch {
    // Falls through: whatever is wrong with it, it is no such key.
  }
  throw new SidetoneError("data-unwritable", `${path} is no Ed25519 key: restore it from a backup or move it away`);
}

function makeKey(path: string): KeyObject {
  const { privateKey } = generateKeyPairSync("ed25519");
  createDurably(path, privateKey.export({ type: "pkcs8", format: "pem" }).toString(), 0o600);
  return privateKey;
}
